//! A vault of some size, storage, and the ways to call the product.

use std::{
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use keyvault_backup_emulator::{
    Azure, CertificateSpec, Entry, KeySpec, Kind, Operation, SecretSpec, Service, StorageHandle, VaultHandle,
    host::{Firing, Host, HostOptions},
};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::Result;

/// The product.
pub const PRODUCT: &str = env!("CARGO_BIN_EXE_keyvault-backup");

/// The container of the catalogue.
pub const CONTAINER: &str = "backups";
const JOBS: &str = "backup-jobs";
const QUEUE: &str = "backup-objects";
const RESTORES: &str = "restore-objects";

/// A limit that this machine does not reach.
pub const UNLIMITED: &str = "1000000";

/// The emulator with one vault.
pub struct Stage {
    pub azure: Azure,
    pub vault: VaultHandle,
    accounts: AtomicUsize,
}

/// A storage account that nothing was written to, and the environment that names it.
pub struct Storage {
    pub env: Vec<(String, String)>,
    pub account: StorageHandle,
}

impl Stage {
    /// A vault with so many objects that have to be backed up: 60 % secrets, 25 % keys, 15 % certificates.
    /// The certificates have their keys and secrets besides.
    pub async fn with(objects: usize) -> Result<Self> {
        let azure = Azure::start().await?;
        let vault = azure.vault("kv-bench");
        azure.clock().set(azure.clock().now() - time::Duration::days(30));
        for number in 0..objects {
            match number * 20 / objects.max(1) {
                0..12 => drop(vault.put_secret(&format!("s-{number}"), SecretSpec::new("a value"))),
                12..17 => drop(vault.put_key(&format!("k-{number}"), KeySpec::rsa(2048))),
                _ => drop(vault.put_certificate(&format!("c-{number}"), CertificateSpec::default())),
            }
        }
        azure.clock().advance(Duration::from_secs(30 * 24 * 3600));
        Ok(Self { azure, vault, accounts: AtomicUsize::new(0) })
    }

    /// A vault with so many secrets and nothing else.
    pub async fn with_secrets(secrets: usize) -> Result<Self> {
        Self::with_each([secrets, 0, 0]).await
    }

    /// A vault with so many secrets, keys, and certificates.
    pub async fn with_each([secrets, keys, certificates]: [usize; 3]) -> Result<Self> {
        let azure = Azure::start().await?;
        let vault = azure.vault("kv-bench");
        azure.clock().set(azure.clock().now() - time::Duration::days(30));
        for number in 0..secrets {
            vault.put_secret(&format!("s-{number}"), SecretSpec::new("a value"));
        }
        for number in 0..keys {
            vault.put_key(&format!("k-{number}"), KeySpec::rsa(2048));
        }
        for number in 0..certificates {
            vault.put_certificate(&format!("c-{number}"), CertificateSpec::default());
        }
        azure.clock().advance(Duration::from_secs(30 * 24 * 3600));
        Ok(Self { azure, vault, accounts: AtomicUsize::new(0) })
    }

    /// How many objects the vault lists.
    pub fn listed(&self) -> usize {
        [Kind::Secret, Kind::Key, Kind::Certificate].into_iter().map(|kind| self.vault.len(kind)).sum()
    }

    /// Fresh storage.
    pub fn storage(&self, rate: Option<&str>) -> Storage {
        let number = self.accounts.fetch_add(1, Ordering::Relaxed);
        let account = self.azure.storage(&format!("bench{number}"));
        account.create_container(CONTAINER);
        account.create_container(JOBS);
        account.create_queue(QUEUE);
        account.create_queue(RESTORES);
        let mut env = self.azure.env();
        let settings = [
            ("KEYVAULT_BACKUP_VAULTS", self.vault.url()),
            ("KEYVAULT_BACKUP_CONTAINER", format!("{}/{CONTAINER}", account.blob_url())),
            ("KEYVAULT_BACKUP_JOBS_CONTAINER", format!("{}/{JOBS}", account.blob_url())),
            ("KEYVAULT_BACKUP_QUEUE__queueServiceUri", account.queue_url()),
            ("VAULT_BACKUP_SCHEDULE", "0 0 2 * * *".to_owned()),
            ("HSM_BACKUP_SCHEDULE", "0 0 1 * * *".to_owned()),
        ];
        env.extend(settings.map(|(name, value)| (name.to_owned(), value)));
        env.extend(rate.map(|rate| ("KEYVAULT_BACKUP_VAULT_RATE".to_owned(), rate.to_owned())));
        Storage { env, account }
    }

    /// Starts a backup of the whole vault from the command line.
    pub fn start_backup(&self, storage: &Storage) -> Result<Child> {
        let arguments = ["backup", "--vault", &self.vault.url(), "--at-once", "64", "--output", "json"];
        let mut command = Command::new(PRODUCT);
        command.args(arguments).env_clear().envs(storage.env.iter().cloned());
        Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?)
    }

    /// Waits for the end of a backup and returns its numbers. Anything but complete success is an error.
    pub async fn end_backup(&self, backup: Child) -> Result<Value> {
        let output = backup.wait_with_output().await?;
        let report: Value = serde_json::from_slice(&output.stdout)?;
        if output.status.success() { Ok(report["numbers"].clone()) } else { Err(report.to_string().into()) }
    }

    /// Starts the host with the product behind it.
    pub async fn host(&self, storage: &Storage) -> Result<Host> {
        let options = HostOptions {
            script_root: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
            handler: Some(PRODUCT.into()),
            env: storage.env.clone(),
            queues: Arc::new(storage.account.clone()),
            clock: Arc::new(self.azure.clone()),
            function_timeout: None,
            echo_logs: false,
        };
        Ok(Host::start(options).await?)
    }

    /// Plays a night on the host, to the closed run.
    pub async fn night(&self, host: &Host, storage: &Storage, days: i64) -> Result<()> {
        let occurrence = self.azure.clock().now() + time::Duration::days(days);
        let fired = host.fire("NightlyVaultBackup", Firing::at(occurrence)).await;
        if !fired.succeeded() {
            return Err(fired.body.into());
        }
        let pumped = host.pump("BackUpObject").await;
        if pumped.failed > 0 {
            return Err(format!("{} deliveries failed", pumped.failed).into());
        }
        if !storage.account.blobs(JOBS).is_empty() {
            host.fire("AdvanceJobs", Firing::at(occurrence)).await;
        }
        if storage.account.blobs(JOBS).is_empty() { Ok(()) } else { Err("the run is still open".into()) }
    }
}

/// When something was measured from, by the clock and by the emulator's log.
pub struct Since {
    began: Instant,
    mark: u64,
}

impl Since {
    /// From now.
    pub fn now(stage: &Stage) -> Self {
        Self { began: Instant::now(), mark: stage.azure.requests().mark() }
    }

    /// The time that passed.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The requests that came.
    pub fn requests(&self, stage: &Stage) -> Vec<Entry> {
        stage.azure.requests().since(self.mark)
    }
}

/// From the first request for an object's versions to the last backup that was stored.
pub fn object_phase(requests: &[Entry]) -> Option<Duration> {
    let first = requests.iter().find(|entry| entry.operation == Operation::ListVersions)?;
    let stored = |entry: &&Entry| entry.operation == Operation::PutBlob && entry.object.contains("/objects/");
    let last = requests.iter().rev().find(stored)?;
    (last.at + last.duration - first.at).try_into().ok()
}

/// Whether a request went to the vault.
pub fn to_vault(entry: &Entry) -> bool {
    entry.service == Service::Vault
}
