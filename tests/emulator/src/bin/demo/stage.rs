//! What every chapter plays on: Azure, the host, the product.

use std::{path::PathBuf, sync::Arc};

use keyvault_backup_emulator::{
    Azure, StorageHandle, VaultHandle,
    host::{Host, HostClock as _, HostOptions, WallClock},
};
use time::{Duration, OffsetDateTime, Time};

use super::{
    Result,
    product::{self, Tool},
};

const VAULT: &str = "kv-demo";
const BACKUPS: &str = "backups";
const JOBS: &str = "backup-jobs";
const QUEUE: &str = "backup-objects";

/// Azure, the host, the product.
pub(crate) struct Stage {
    pub(crate) azure: Azure,
    pub(crate) vault: VaultHandle,
    pub(crate) host: Host,
    pub(crate) tool: Tool,
    backups: StorageHandle,
    work: StorageHandle,
}

impl Stage {
    /// Sets the stage: an empty vault, storage, and the host with the product behind it.
    pub(crate) async fn set(product: PathBuf) -> Result<Self> {
        let azure = Azure::start().await?;
        let (vault, backups, work) =
            (azure.vault(VAULT), azure.storage("kvdemobackups"), azure.storage("kvdemowork"));
        backups.create_container(BACKUPS);
        backups.set_append_only(BACKUPS, true);
        work.create_container(JOBS);
        work.create_queue(QUEUE);
        let settings = [
            ("KEYVAULT_BACKUP_VAULTS", vault.url()),
            ("KEYVAULT_BACKUP_CONTAINER", format!("{}/{BACKUPS}", backups.blob_url())),
            ("KEYVAULT_BACKUP_JOBS_CONTAINER", format!("{}/{JOBS}", work.blob_url())),
            ("KEYVAULT_BACKUP_QUEUE__queueServiceUri", work.queue_url()),
            ("VAULT_BACKUP_SCHEDULE", "0 0 2 * * *".to_owned()),
            ("HSM_BACKUP_SCHEDULE", "0 0 1 * * *".to_owned()),
        ];
        let mut env = azure.env();
        env.extend(settings.map(|(name, value)| (name.to_owned(), value)));
        azure.clock().set(first_night() - Duration::days(30));
        let host = Host::start(HostOptions {
            script_root: product::repository(),
            handler: Some(product.clone()),
            env: env.clone(),
            queues: Arc::new(work.clone()),
            clock: Arc::new(azure.clone()),
            function_timeout: None,
            echo_logs: false,
        })
        .await?;
        Ok(Self { azure, vault, host, tool: Tool { path: product, env }, backups, work })
    }

    /// Messages in the queue.
    pub(crate) fn waiting(&self) -> usize {
        self.work.queue(QUEUE).len()
    }

    /// Whether a run is still open.
    pub(crate) fn open(&self) -> bool {
        !self.work.blobs(JOBS).is_empty()
    }

    /// The backups that a run left in storage, as `kinds/name`.
    pub(crate) fn stored(&self, run: &str) -> Vec<String> {
        let prefix = format!("vaults/{VAULT}/runs/{run}/objects/");
        let blobs = self.backups.blobs(BACKUPS);
        let object = |name: &String| name.strip_prefix(&prefix)?.strip_suffix("/backup").map(str::to_owned);
        blobs.iter().filter_map(object).collect()
    }

    /// Where backups go.
    pub(crate) fn container(&self) -> String {
        format!("{}/{BACKUPS}", self.backups.blob_url())
    }
}

/// 02:00 of yesterday.
pub(crate) fn first_night() -> OffsetDateTime {
    second_night() - Duration::DAY
}

/// The last 02:00 that lies well behind us.
pub(crate) fn second_night() -> OffsetDateTime {
    let two = Time::MIDNIGHT + Duration::hours(2);
    (now() - Duration::hours(3)).replace_time(two)
}

/// The real time.
pub(crate) fn now() -> OffsetDateTime {
    WallClock::default().now()
}
