//! What this chapter and the next one play on: a small vault, the app that backs up, and the keeper beside it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use keyvault_backup_emulator::{
    Access, Azure, Keeping, Kind, Rights, SecretSpec, StorageHandle, VaultHandle,
    host::{Firing, Host, HostOptions},
};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    Result,
    product::{self, Tool},
};

/// The small vault.
pub(crate) const VAULT: &str = "kv-small";

/// The vault that its drills restore into.
pub(crate) const DRILL_VAULT: &str = "kv-small-drill";

/// The secret that declares it.
const DECLARED: &str = "keyvault-backup-drill-vault";

/// What is kept: short times, so that forty nights show what goes.
pub(crate) const POLICY: &str = "within=7 weeks=4 months=0";

/// Where the keeper records what it verified.
const RECORDS: &str = "verifications/vaults/";

/// Where it records what drills came to.
const DRILLS: &str = "drills/vaults/";

const BACKUPS: &str = "backups";
const JOBS: &str = "backup-jobs";
const QUEUE: &str = "backup-objects";

/// What the identities of the keeper and of a terminal are called. The host's is called nothing.
const KEEPER: &str = "keeper";
const PERSON: &str = "person";

/// Looks, a minute apart, before a night hangs.
const LOOKS: usize = 60;

/// A small Azure with both apps.
pub(crate) struct Stage {
    pub(crate) azure: Azure,
    pub(crate) vault: VaultHandle,
    pub(crate) drill: VaultHandle,
    pub(crate) tool: Tool,
    app: Host,
    keeper: Host,
    backups: StorageHandle,
    work: StorageHandle,
}

impl Stage {
    /// Sets the stage, with the clock at `from`.
    pub(crate) async fn set(tool: &Tool, from: OffsetDateTime) -> Result<Self> {
        let azure = Azure::start().await?;
        azure.clock().set(from);
        let vault = azure.vault(VAULT);
        let drill = azure.vault(DRILL_VAULT);
        drill.put_secret(DECLARED, SecretSpec::new("declared"));
        vault.give(KEEPER, Access::of(KEEPER, "source"));
        drill.give(KEEPER, Access::of(KEEPER, "drill"));
        let (backups, work) = (azure.storage("kvsmallbackups"), azure.storage("kvsmallwork"));
        backups.create_container(BACKUPS);
        backups.keep(Keeping { versions: true, deleted_days: None });
        work.create_container(JOBS);
        work.create_queue(QUEUE);
        for (caller, identity) in [("", "backup"), (KEEPER, KEEPER), (PERSON, PERSON)] {
            backups.give(caller, Rights::of(identity, "backups"));
            let rights = Rights::of(identity, "host");
            work.give(caller, if identity == PERSON { rights.in_container(JOBS) } else { rights });
        }
        let settings = [
            ("KEYVAULT_BACKUP_VAULTS", vault.url()),
            ("KEYVAULT_BACKUP_CONTAINER", format!("{}/{BACKUPS}", backups.blob_url())),
            ("KEYVAULT_BACKUP_JOBS_CONTAINER", format!("{}/{JOBS}", work.blob_url())),
            ("KEYVAULT_BACKUP_QUEUE__queueServiceUri", work.queue_url()),
            ("VAULT_BACKUP_SCHEDULE", "0 0 2 * * *".to_owned()),
            ("HSM_BACKUP_SCHEDULE", "0 0 1 * * *".to_owned()),
            ("RETENTION_SCHEDULE", "0 0 4 * * *".to_owned()),
            ("VERIFY_SCHEDULE", "0 30 4 * * *".to_owned()),
            ("COPY_SCHEDULE", "0 15 3 * * *".to_owned()),
            ("DRILL_SCHEDULE", "0 15 6 * * 0".to_owned()),
            ("KEYVAULT_BACKUP_DRILL_VAULTS", format!("{VAULT}={}", drill.url())),
            ("KEYVAULT_BACKUP_VERIFY_WITHIN_DAYS", "1".to_owned()),
            ("KEYVAULT_BACKUP_RETENTION", POLICY.to_owned()),
        ];
        let mut env = azure.env();
        env.extend(settings.map(|(name, value)| (name.to_owned(), value)));
        let (header, identity) = (azure.identity().header(), azure.identity());
        let of = |caller: &str| {
            let own = identity.header_of(caller);
            let value = |value: &String| if value == header { own.clone() } else { value.clone() };
            env.iter().map(|(name, known)| (name.clone(), value(known))).collect::<Vec<_>>()
        };
        let start = async |role: &str, mut env: Vec<(String, String)>| {
            env.push(("KEYVAULT_BACKUP_ROLE".to_owned(), role.to_owned()));
            Host::start(HostOptions {
                script_root: product::repository(),
                handler: Some(tool.path.clone()),
                env,
                queues: Arc::new(work.clone()),
                clock: Arc::new(azure.clone()),
                function_timeout: None,
                echo_logs: false,
            })
            .await
        };
        let (app, keeper) = (start("backup", env.clone()).await?, start(KEEPER, of(KEEPER)).await?);
        let tool = Tool { path: tool.path.clone(), env: of(PERSON) };
        Ok(Self { azure, vault, drill, tool, app, keeper, backups, work })
    }

    /// A night of the app that backs up, to the closed run.
    pub(crate) async fn night(&self, occurrence: OffsetDateTime) -> Result<()> {
        self.azure.clock().set(occurrence);
        fire(&self.app, "NightlyVaultBackup", occurrence).await?;
        self.settle().await
    }

    /// The app's passes, until no run is open.
    pub(crate) async fn settle(&self) -> Result<()> {
        for _ in 0..LOOKS {
            self.app.pump("BackUpObject").await;
            self.azure.clock().advance(Duration::from_secs(60));
            fire(&self.app, "AdvanceJobs", self.azure.clock().now()).await?;
            if !self.work.blobs(JOBS).iter().any(|name| name.starts_with("backup-runs/")) {
                return Ok(());
            }
        }
        Err(format!("a run is still open at {}", self.azure.clock().now()).into())
    }

    /// A pass of the keeper.
    pub(crate) async fn pass(&self, at: OffsetDateTime) -> Result<()> {
        self.azure.clock().set(at);
        fire(&self.keeper, "ApplyRetention", at).await
    }

    /// A verification by the keeper: its record.
    pub(crate) async fn verify(&self, at: OffsetDateTime) -> Result<Value> {
        self.azure.clock().set(at);
        fire(&self.keeper, "VerifyBackups", at).await?;
        // The newest one comes first.
        let name = self.below("", |name| name.starts_with(RECORDS).then(|| name.to_owned())).pop_first();
        let record = name.and_then(|name| self.backups.blob(BACKUPS, &name)).ok_or("there is no record")?;
        Ok(serde_json::from_slice(&record.bytes)?)
    }

    /// A drill by the keeper, to its end: its record.
    pub(crate) async fn rehearse(&self, at: OffsetDateTime) -> Result<Value> {
        self.azure.clock().set(at);
        fire(&self.keeper, "RestoreDrill", at).await?;
        for _ in 0..LOOKS {
            let newest = self.below("", |name| name.starts_with(DRILLS).then(|| name.to_owned())).pop_first();
            if let Some(record) = newest.and_then(|name| self.backups.blob(BACKUPS, &name)) {
                return Ok(serde_json::from_slice(&record.bytes)?);
            }
            self.azure.clock().advance(Duration::from_secs(60));
            fire(&self.keeper, "AdvanceJobs", self.azure.clock().now()).await?;
        }
        Err(format!("the drill is still open at {}", self.azure.clock().now()).into())
    }

    /// Whether the drill vault holds its declaration alone, in use and soft-deleted.
    pub(crate) fn is_drill_vault_clean(&self) -> bool {
        self.azure.clock().advance(Duration::from_secs(600));
        let live: Vec<_> = Kind::ALL.into_iter().flat_map(|kind| self.drill.objects(kind)).collect();
        live == [DECLARED] && Kind::ALL.into_iter().all(|kind| self.drill.deleted(kind).is_empty())
    }

    /// Flips a bit of a stored backup.
    pub(crate) fn damage(&self, name: &str) -> bool {
        self.backups.flip_bit(BACKUPS, name)
    }

    /// The runs of which storage has the manifest, whether it is offered or not.
    pub(crate) fn manifests(&self) -> BTreeSet<String> {
        let run = |name: &str| Some(name.strip_suffix(".jsonl.gz")?.split_once('-')?.1.to_owned());
        self.below(&format!("vaults/{VAULT}/manifests/"), run)
    }

    /// The runs of which the keeper has recorded that their points go.
    pub(crate) fn dropped(&self) -> BTreeSet<String> {
        let run = |name: &str| Some(name.split_once('/')?.0.to_owned());
        self.below(&format!("retention/vaults/{VAULT}/points/"), run)
    }

    /// The backups of objects in storage.
    pub(crate) fn stored(&self) -> BTreeSet<String> {
        self.below("vaults/", |name| name.ends_with("/backup").then(|| name.to_owned()))
    }

    fn below(&self, prefix: &str, of: impl Fn(&str) -> Option<String>) -> BTreeSet<String> {
        let names = self.backups.blobs(BACKUPS);
        names.iter().filter_map(|name| of(name.strip_prefix(prefix)?)).collect()
    }
}

async fn fire(host: &Host, function: &str, at: OffsetDateTime) -> Result<()> {
    let fired = host.fire(function, Firing::at(at)).await;
    if fired.succeeded() { Ok(()) } else { Err(format!("{function} failed: {}", fired.body).into()) }
}
