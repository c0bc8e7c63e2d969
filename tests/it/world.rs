//! A world in which a test is a few lines: Azure, the host, the real binary, and a clock to drive.

use std::{io::BufRead as _, path::PathBuf, process::Output, sync::Arc, time::Duration};

use flate2::bufread::GzDecoder;
use keyvault_backup_emulator::{
    Azure, Rights, SecretSpec, StorageHandle, VaultHandle,
    host::{Firing, Host, HostOptions, Invocation},
};
use serde_json::Value;
use time::{OffsetDateTime, macros::datetime};

/// The first night. It lies in the past, so that the command line tool, which goes by the real time, comes later.
pub const NIGHT: OffsetDateTime = datetime!(2026-01-10 02:00 UTC);

/// The container for backups.
pub const BACKUPS: &str = "backups";

/// The container for open runs.
pub const JOBS: &str = "backup-jobs";

/// The schedule of both timers: 30 February. A test fires them itself, and no night is ever missed, however far a test
/// leaps.
const NEVER: &str = "0 0 2 30 2 *";

/// A schedule that asks for a night each day, at the time of [`NIGHT`].
pub const DAILY: &str = "0 0 2 * * *";

/// What a terminal's identity is called: it has the rights of a person. The host's is called nothing.
pub const PERSON: &str = "person";

const QUEUES: [&str; 2] = ["backup-objects", "restore-objects"];

/// Everything that a test needs. The vault `kv-a` is configured.
pub struct World {
    pub azure: Azure,
    pub vault: VaultHandle,
    pub backups: StorageHandle,
    pub work: StorageHandle,
    pub env: Vec<(String, String)>,
    host: Option<Host>,
}

impl World {
    /// A world at the first night, with an empty vault.
    pub async fn new() -> Self {
        Self::with_vaults(&["kv-a"]).await
    }

    /// A world whose vault has so many secrets, `secret-0` and on, all long settled.
    pub async fn with_secrets(count: usize) -> Self {
        let world = Self::new().await;
        for number in 0..count {
            world.vault.put_secret(&format!("secret-{number}"), SecretSpec::new("value"));
        }
        world.at(NIGHT);
        world
    }

    /// A world with several vaults, all configured.
    pub async fn with_vaults(names: &[&str]) -> Self {
        let azure = Azure::start().await.expect("the emulator starts");
        azure.clock().set(NIGHT - time::Duration::days(30));
        let (backups, work) = (azure.storage("backups"), azure.storage("workstore"));
        backups.create_container(BACKUPS);
        work.create_container(JOBS);
        give_rights(&backups, &work);
        for queue in QUEUES {
            work.create_queue(queue);
        }
        let urls: Vec<_> = names.iter().map(|name| azure.vault(name).url()).collect();
        let mut env = azure.env();
        let settings = [
            ("KEYVAULT_BACKUP_VAULTS", urls.join(" ")),
            ("KEYVAULT_BACKUP_CONTAINER", format!("{}/{BACKUPS}", backups.blob_url())),
            ("KEYVAULT_BACKUP_JOBS_CONTAINER", format!("{}/{JOBS}", work.blob_url())),
            ("KEYVAULT_BACKUP_QUEUE__queueServiceUri", work.queue_url()),
            ("KEYVAULT_BACKUP_AUTHENTICATION", "keys".to_owned()),
            ("KEYVAULT_BACKUP_REQUEST_TIMEOUT", "20".to_owned()),
            ("VAULT_BACKUP_SCHEDULE", NEVER.to_owned()),
            ("HSM_BACKUP_SCHEDULE", NEVER.to_owned()),
        ];
        env.extend(settings.map(|(name, value)| (name.to_owned(), value)));
        let vault = azure.vault(names[0]);
        Self { azure, vault, backups, work, env, host: None }
    }

    /// Sets a variable of the handler's environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// The host, started when it is first needed.
    pub async fn host(&mut self) -> Host {
        if self.host.is_none() {
            self.host = Some(Host::start(self.host_options()).await.expect("the handler starts"));
        }
        self.host.clone().expect("it was just started")
    }

    /// Plays on a host that was started otherwise.
    pub fn host_is(&mut self, host: Host) {
        self.host = Some(host);
    }

    /// Starts the host anew, with the settings as they are now.
    pub async fn restart_with_settings(&mut self) {
        self.host = None;
        self.host().await;
    }

    /// What the host is started with.
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever looks at a failing test")]
    pub fn host_options(&self) -> HostOptions {
        HostOptions {
            script_root: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
            handler: Some(env!("CARGO_BIN_EXE_keyvault-backup").into()),
            env: self.env.clone(),
            queues: Arc::new(self.work.clone()),
            clock: Arc::new(self.azure.clone()),
            function_timeout: None,
            echo_logs: std::env::var_os("ECHO_LOGS").is_some(),
        }
    }

    /// Moves to the real time, at which the command line tool runs, and returns it.
    #[expect(clippy::disallowed_methods, reason = "the tool cannot be told another time")]
    pub fn today(&self) -> OffsetDateTime {
        let today = OffsetDateTime::now_utc();
        self.at(today);
        today
    }

    /// Leaves the record of a keeper that applied retention at this time.
    pub fn retention_applied(&self, at: OffsetDateTime) {
        let countdown = 99_999_999_999 - at.unix_timestamp();
        self.backups.put_blob(BACKUPS, &format!("retention/passes/{countdown:011}"), "", &[]);
    }

    /// Moves to `at`, which lies ahead.
    pub fn at(&self, at: OffsetDateTime) {
        self.azure.clock().set(at);
    }

    /// Fires the nightly timer for an occurrence, at that time.
    pub async fn fire(&mut self, occurrence: OffsetDateTime) -> Invocation {
        self.at(occurrence);
        self.host().await.fire("NightlyVaultBackup", Firing::at(occurrence)).await
    }

    /// One look of `AdvanceJobs`, a minute later.
    pub async fn advance(&mut self) -> Invocation {
        self.azure.clock().advance(Duration::from_secs(60));
        let now = self.azure.clock().now();
        self.host().await.fire("AdvanceJobs", Firing::at(now)).await
    }

    /// The records of open runs.
    pub fn open_records(&self) -> Vec<String> {
        let open = |name: &String| name.starts_with("backup-runs/");
        self.work.blobs(JOBS).into_iter().filter(open).collect()
    }

    /// Works until no run is open, for at most a day of the driven clock. After a while in which nothing ended, nobody
    /// looks every minute.
    pub async fn settle(&mut self) {
        let host = self.host().await;
        let began = self.azure.clock().now();
        while self.azure.clock().now() - began < time::Duration::DAY {
            host.pump("BackUpObject").await;
            if self.azure.clock().now() - began >= time::Duration::minutes(30) {
                self.azure.clock().advance(Duration::from_secs(4 * 60));
            }
            self.advance().await;
            if self.open_records().is_empty() {
                return;
            }
        }
        panic!("a run is still open after a day: {:?}", self.open_records());
    }

    /// A whole night: the timer, the queue, `AdvanceJobs`. Returns the run's summary in `kv-a`.
    pub async fn night(&mut self, occurrence: OffsetDateTime) -> Value {
        let fired = self.fire(occurrence).await;
        assert!(fired.succeeded(), "{fired:?}");
        self.settle().await;
        self.newest("kv-a").summary
    }

    /// The manifests of a vault, newest first.
    pub fn manifests(&self, vault: &str) -> Vec<String> {
        let prefix = format!("vaults/{vault}/manifests/");
        let is_manifest = |name: &String| name.starts_with(&prefix) && name.ends_with(".jsonl.gz");
        self.backups.blobs(BACKUPS).into_iter().filter(is_manifest).collect()
    }

    /// The newest manifest of a vault.
    pub fn newest(&self, vault: &str) -> Manifest {
        Manifest::read(self, self.manifests(vault).first().expect("there is a manifest"))
    }

    /// The stored bytes of an entry's blob.
    pub fn stored(&self, entry: &Value) -> Vec<u8> {
        let text = |key: &str| entry[key].as_str().unwrap_or_default();
        let name = format!(
            "vaults/{}/runs/{}/objects/{}/{}/backup",
            text("vault"),
            text("run"),
            text("kind"),
            text("name").to_lowercase()
        );
        self.backups.blob(BACKUPS, &name).unwrap_or_else(|| panic!("{name} is stored")).bytes.to_vec()
    }

    /// The environment of the command line tool: that of the handler, with the identity of a person.
    pub fn terminal_env(&self) -> Vec<(String, String)> {
        let (app, person) = (self.azure.identity().header(), self.azure.identity().header_of(PERSON));
        let of = |(name, value): &(String, String)| {
            let value = if value == app { &person } else { value };
            (name.clone(), value.clone())
        };
        self.env.iter().map(of).collect()
    }

    /// Runs the command line tool.
    pub async fn cli(&self, args: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_keyvault-backup"));
        command.args(args).env_clear().envs(self.terminal_env()).kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_secs(120), command.output()).await;
        output.expect("the command ends").expect("the command starts")
    }
}

/// Gives the host's identity the rights of the role `all`, and that of a terminal those of a person.
fn give_rights(backups: &StorageHandle, work: &StorageHandle) {
    for app in ["backup", "restore"] {
        backups.give("", Rights::of(app, "backups"));
        work.give("", Rights::of(app, "host"));
    }
    backups.give(PERSON, Rights::of("person", "backups"));
    work.give(PERSON, Rights::of("person", "host").in_container(JOBS));
}

/// A manifest, read without the product's code.
pub struct Manifest {
    pub header: Value,
    pub lines: Vec<Value>,
    pub summary: Value,
}

impl Manifest {
    /// Reads a manifest by its blob name.
    pub fn read(world: &World, name: &str) -> Self {
        let blob = world.backups.blob(BACKUPS, name).expect("the manifest is stored");
        let lines = GzDecoder::new(blob.bytes.as_ref());
        let mut values: Vec<Value> = std::io::BufReader::new(lines)
            .lines()
            .map(|line| serde_json::from_str(&line.expect("it is whole")).expect("it is JSON"))
            .collect();
        let summary = values.pop().expect("it has a last line")["summary"].take();
        let header = values.remove(0)["manifest"].take();
        Self { header, lines: values.into_iter().map(|mut value| value["object"].take()).collect(), summary }
    }

    /// The line of an object.
    pub fn line(&self, kind: &str, name: &str) -> &Value {
        let found = self.lines.iter().find(|line| line["kind"] == kind && line["name"] == name);
        found.unwrap_or_else(|| panic!("the manifest has a line for {kind} {name}"))
    }

    /// How an object fared.
    pub fn fared(&self, kind: &str, name: &str) -> &str {
        self.line(kind, name)["fared"].as_str().expect("it is text")
    }
}
