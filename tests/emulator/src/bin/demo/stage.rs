//! What every chapter plays on: Azure, the host, the product.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use keyvault_backup_emulator::{
    Azure, HsmHandle, Rights, StorageHandle, VaultHandle,
    host::{Host, HostClock as _, HostOptions, HttpAnswer, WallClock},
};
use time::{Duration, OffsetDateTime};

use super::{
    Result,
    product::{self, Tool},
};

/// The vault that is backed up.
pub(crate) const VAULT: &str = "kv-demo";
const BACKUPS: &str = "backups";
const JOBS: &str = "backup-jobs";
const QUEUES: [&str; 2] = ["backup-objects", "restore-objects"];

/// The vault that everything is restored into; empty until then.
pub(crate) const STANDBY: &str = "kv-standby";

/// The Managed HSM.
pub(crate) const HSM: &str = "hsm-demo";
const LANDING: &str = "hsm-backups";
const LANDING_ACCOUNT: &str = "kvdemolanding";

/// What the identity of the terminal is called. The host's is called nothing.
const PERSON: &str = "person";

/// Restores of one kind in ten seconds. A real vault takes some 300 secrets and 10 keys.
pub(crate) const RESTORES: usize = 5_000;

/// Azure, the host, the product.
pub(crate) struct Stage {
    pub(crate) azure: Azure,
    pub(crate) vault: VaultHandle,
    pub(crate) standby: VaultHandle,
    pub(crate) hsm: HsmHandle,
    pub(crate) host: Host,
    pub(crate) tool: Tool,
    backups: StorageHandle,
    work: StorageHandle,
}

impl Stage {
    /// Sets the stage: an empty vault, storage, and the host with the product behind it.
    pub(crate) async fn set(product: PathBuf) -> Result<Self> {
        let azure = Azure::start().await?;
        let (vault, standby) = (azure.vault(VAULT), azure.vault(STANDBY));
        let (backups, work) = (azure.storage("kvdemobackups"), azure.storage("kvdemowork"));
        backups.create_container(BACKUPS);
        work.create_container(JOBS);
        for queue in QUEUES {
            work.create_queue(queue);
        }
        let (hsm, landing) = managed_hsm(&azure);
        give_rights([&backups, &work, &azure.storage(LANDING_ACCOUNT)]);
        let schedule = format!("0 0 {} * * *", second_night().hour());
        let settings = [
            ("KEYVAULT_BACKUP_VAULTS", format!("{} {}", vault.url(), standby.url())),
            ("KEYVAULT_BACKUP_CONTAINER", format!("{}/{BACKUPS}", backups.blob_url())),
            ("KEYVAULT_BACKUP_JOBS_CONTAINER", format!("{}/{JOBS}", work.blob_url())),
            ("KEYVAULT_BACKUP_QUEUE__queueServiceUri", work.queue_url()),
            ("KEYVAULT_BACKUP_HSMS", hsm.url()),
            ("KEYVAULT_BACKUP_HSM_CONTAINER", landing),
            ("VAULT_BACKUP_SCHEDULE", schedule.clone()),
            ("HSM_BACKUP_SCHEDULE", schedule),
            ("KEYVAULT_BACKUP_RESTORE_SECRETS", RESTORES.to_string()),
            ("KEYVAULT_BACKUP_RESTORE_KEYS", RESTORES.to_string()),
        ];
        let mut env = azure.env();
        env.extend(settings.map(|(name, value)| (name.to_owned(), value)));
        let (app, person) = (azure.identity().header(), azure.identity().header_of(PERSON));
        let of_person = |value: &String| if value == app { person.clone() } else { value.clone() };
        let terminal = env.iter().map(|(name, value)| (name.clone(), of_person(value))).collect();
        azure.clock().set(first_night() - Duration::days(30));
        let host = Host::start(HostOptions {
            script_root: product::repository(),
            handler: Some(product.clone()),
            env,
            queues: Arc::new(work.clone()),
            clock: Arc::new(azure.clone()),
            function_timeout: None,
            echo_logs: false,
        })
        .await?;
        Ok(Self {
            azure,
            vault,
            standby,
            hsm,
            host,
            tool: Tool { path: product, env: terminal },
            backups,
            work,
        })
    }

    /// Messages in the queues.
    pub(crate) fn waiting(&self) -> usize {
        QUEUES.iter().map(|queue| self.work.queue(queue).len()).sum()
    }

    /// Whether a run is still open.
    pub(crate) fn open(&self) -> bool {
        self.work.blobs(JOBS).iter().any(|name| name.starts_with("backup-runs/"))
    }

    /// Whether a job of the HSM is still open.
    pub(crate) fn hsm_is_at_work(&self) -> bool {
        self.work.blobs(JOBS).iter().any(|name| name.starts_with("hsm-jobs/"))
    }

    /// The backups that a run left in storage, as `kinds/name`.
    pub(crate) fn stored(&self, run: &str) -> Vec<String> {
        let prefix = format!("vaults/{VAULT}/runs/{run}/objects/");
        let blobs = self.backups.blobs(BACKUPS);
        let object = |name: &String| name.strip_prefix(&prefix)?.strip_suffix("/backup").map(str::to_owned);
        blobs.iter().filter_map(object).collect()
    }

    /// Calls the app with the function's key, as a runbook does.
    ///
    /// # Errors
    /// When it answers with a problem.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<HttpAnswer> {
        let key = self.host.key("Restores");
        let mut all = vec![("x-functions-key", key.as_str()), ("content-type", "application/json")];
        all.extend_from_slice(headers);
        let answer = self.host.http(method, path, &all, body).await;
        if answer.status < 300 {
            return Ok(answer);
        }
        Err(format!("{method} {path}: {} {}", answer.status, answer.text()).into())
    }

    /// Where backups go.
    pub(crate) fn container(&self) -> String {
        format!("{}/{BACKUPS}", self.backups.blob_url())
    }
}

/// Gives the host's identity what the templates give both apps, and that of the terminal what a person needs.
fn give_rights([backups, work, landing]: [&StorageHandle; 3]) {
    for app in ["backup", "restore"] {
        backups.give("", Rights::of(app, "backups"));
        work.give("", Rights::of(app, "host"));
        landing.give("", Rights::of(app, "landing"));
    }
    backups.give(PERSON, Rights::of(PERSON, "backups"));
    work.give(PERSON, Rights::of(PERSON, "host").in_container(JOBS));
    landing.give(PERSON, Rights::of(PERSON, "landing"));
}

/// An HSM whose identity may write into a container, and that container. Its operations take a minute and a half.
fn managed_hsm(azure: &Azure) -> (HsmHandle, String) {
    let (hsm, landing) = (azure.hsm(HSM), azure.storage(LANDING_ACCOUNT));
    landing.create_container(LANDING);
    let container = format!("{}/{LANDING}", landing.blob_url());
    hsm.attach_identity(true);
    hsm.grant(&container);
    hsm.set_operation_seconds(90);
    (hsm, container)
}

/// A day before the second night.
pub(crate) fn first_night() -> OffsetDateTime {
    second_night() - Duration::DAY
}

/// An hour that lies well behind us, whatever the time of day: no later occurrence of the schedule is due while the demo runs.
pub(crate) fn second_night() -> OffsetDateTime {
    static SECOND: LazyLock<OffsetDateTime> =
        LazyLock::new(|| (now() - Duration::hours(3)).truncate_to_hour());
    *SECOND
}

/// The real time.
pub(crate) fn now() -> OffsetDateTime {
    WallClock::default().now()
}
