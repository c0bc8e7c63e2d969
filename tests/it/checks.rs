//! What tests of trouble need beyond a world: hooks into requests, and a catalogue held against its vault.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use keyvault_backup_emulator::{
    BackedUp, CertificateSpec, Fault, FaultKind, KeySpec, Kind, Matcher, Operation, SecretSpec, VaultHandle,
    host::{Firing, LogLine},
};
use parking_lot::Mutex;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::world::{BACKUPS, NIGHT, World};

const WORK: &str = "backup-objects";
const POISON: &str = "backup-objects-poison";

/// The names of the parts that a run's numbers add up from.
const PARTS: [&str; 5] = ["backed_up", "unchanged", "managed", "disappeared", "failed"];

impl World {
    /// A world at the first night whose vault has `each` objects of each kind, all long settled.
    pub async fn with_each_kind(each: usize) -> Self {
        let world = Self::new().await;
        for number in 0..each {
            world.vault.put_secret(&format!("secret-{number}"), SecretSpec::new(format!("value-{number}")));
            world.vault.put_key(&format!("key-{number}"), KeySpec::ec("P-256"));
            world.vault.put_certificate(&format!("tls-{number}"), CertificateSpec::default());
        }
        world.at(NIGHT);
        world
    }

    /// Lets requests fail.
    pub fn fault(&self, on: impl Into<Matcher>, kind: FaultKind) {
        self.azure.faults().add(Fault::on(on).reply(kind));
    }

    /// Does something when the handler first makes a request, just before it is answered.
    pub fn when(&self, on: impl Into<Matcher>, act: impl FnOnce() + Send + 'static) {
        let act = Mutex::new(Some(act));
        let hook = on.into().custom(move |_| {
            if let Some(act) = act.lock().take() {
                act();
            }
            false
        });
        self.azure.faults().add(Fault::on(hook).reply(FaultKind::Hang));
    }

    /// Makes the handler's request number `at` meet a fault, and says when it does.
    pub fn trap(&self, at: usize, kind: FaultKind) -> Arc<Notify> {
        self.trap_on(Matcher::any(), at, kind)
    }

    /// The same with its request number `at` of a kind.
    pub fn trap_on(&self, on: impl Into<Matcher>, at: usize, kind: FaultKind) -> Arc<Notify> {
        let (met, seen) = (Arc::new(Notify::new()), AtomicUsize::new(0));
        let notify = Arc::clone(&met);
        let matcher = on.into().custom(move |_| {
            let hit = seen.fetch_add(1, Ordering::SeqCst) == at;
            if hit {
                notify.notify_one();
            }
            hit
        });
        self.fault(matcher, kind);
        met
    }

    /// Fires the nightly timer, with the host's retries.
    pub async fn fire_with_retries(&mut self, occurrence: OffsetDateTime) {
        self.at(occurrence);
        self.host().await.fire("NightlyVaultBackup", Firing::at(occurrence).retries(true)).await;
    }

    /// A whole night whose timer meets trouble. Returns the run's summary in `kv-a`.
    pub async fn troubled_night(&mut self, occurrence: OffsetDateTime) -> Value {
        let fired = self.fire(occurrence).await;
        assert!(!fired.succeeded(), "{fired:?}");
        self.settle().await;
        self.newest("kv-a").summary
    }

    /// Looks once and works on what is in the queue, for so many minutes.
    pub async fn minutes(&mut self, minutes: usize) {
        let host = self.host().await;
        for _ in 0..minutes {
            host.pump("BackUpObject").await;
            self.advance().await;
        }
    }

    /// How many runs are open.
    pub fn open_runs(&self) -> usize {
        self.open_records().len()
    }

    /// The texts of the messages in the work queue, decoded.
    pub fn messages(&self) -> Vec<String> {
        let decode = |text| BASE64.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let messages = self.work.queue(WORK).peek_all().into_iter();
        messages.map(|message| decode(message.text).expect("base64 of text")).collect()
    }

    /// Loses all messages in the work queue.
    pub fn lose_messages(&self) {
        self.work.queue(WORK).clear();
    }

    /// The texts that lie in the poison queue.
    pub fn poisoned(&self) -> Vec<String> {
        self.work.queue(POISON).peek_all().into_iter().map(|message| message.text).collect()
    }

    /// How often an operation on an object was answered with a status.
    pub fn answered(&self, operation: Operation, object: &str, status: u16) -> usize {
        self.azure
            .requests()
            .count(|entry| entry.operation == operation && entry.object == object && entry.status == status)
    }

    /// The blobs under a run's objects that end in `leaf`.
    pub fn results(&self, vault: &str, run: &str, leaf: &str) -> Vec<String> {
        let prefix = format!("vaults/{vault}/runs/{run}/objects/");
        let blobs = self.backups.blobs(BACKUPS).into_iter();
        blobs.filter(|name| name.starts_with(&prefix) && name.ends_with(leaf)).collect()
    }

    /// Damages a vault's newest manifest, and the plan that it could be made again from. Returns its name.
    pub fn ruin_newest(&self, vault: &str) -> String {
        let name = self.manifests(vault).remove(0);
        let run = self.newest(vault).header["run"].as_str().expect("a run has a name").to_owned();
        let plan = format!("vaults/{vault}/runs/{run}/plan.jsonl.gz");
        assert!(self.backups.flip_bit(BACKUPS, &name) && self.backups.flip_bit(BACKUPS, &plan));
        name
    }

    /// Every object that a vault would give has an entry in its newest manifest, whose blob opens and
    /// holds the object as it is now; and the numbers add up.
    pub fn assert_protected(&self, vault: &str) {
        let (manifest, handle) = (self.newest(vault), self.azure.vault(vault));
        assert_adds_up(&manifest.summary);
        for (kind, name) in backed_up_by_name(&handle) {
            let entry = &manifest.line(kind.noun(), &name)["entry"];
            assert!(entry.is_object(), "{kind:?} {name} is not protected: {}", manifest.summary);
            assert_is(&handle, kind, &name, &open(&self.stored(entry)));
        }
    }

    /// What the handler itself wrote, without the lines of the host.
    pub async fn handler_lines(&mut self) -> Vec<LogLine> {
        self.host().await.logs().into_iter().filter(|line| line.function_console).collect()
    }
}

/// The objects of a vault that have a backup of their own.
pub fn backed_up_by_name(vault: &VaultHandle) -> Vec<(Kind, String)> {
    let certificates = vault.objects(Kind::Certificate);
    let named = |kind: Kind| vault.objects(kind).into_iter().map(move |name| (kind, name));
    let all = Kind::ALL.into_iter().flat_map(named);
    all.filter(|(kind, name)| *kind == Kind::Certificate || !certificates.contains(name)).collect()
}

/// Every manifest can be made again, byte for byte.
pub async fn assert_rebuilt(world: &World) {
    let names = world.manifests("kv-a");
    let stored = || {
        names
            .iter()
            .map(|name| world.backups.blob(BACKUPS, name))
            .map(|blob| blob.map(|of| (of.bytes, of.metadata)))
    };
    let before: Vec<_> = stored().collect();
    for name in &names {
        world.backups.delete_blob(BACKUPS, name);
    }
    let rebuilt = world.cli(&["rebuild", "--vault", &world.vault.url()]).await;
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    assert!(stored().eq(before), "a manifest is not what it was");
}

/// How many of these lines tell of an event.
pub fn events(lines: &[LogLine], event: &str) -> usize {
    let event = format!("\"event\":\"{event}\"");
    lines.iter().filter(|line| line.text.contains(&event)).count()
}

/// Listed = backed up + skipped + failed.
pub fn assert_adds_up(summary: &Value) {
    let numbers = &summary["numbers"];
    let parts: u64 = PARTS.iter().map(|part| numbers[part].as_u64().expect("a number")).sum();
    // Not written where there is none.
    let parts = parts + numbers["vault_managed"].as_u64().unwrap_or_default();
    assert_eq!(numbers["listed"].as_u64(), Some(parts), "{summary}");
}

/// Opens a backup as the service would.
pub fn open(blob: &[u8]) -> BackedUp {
    VaultHandle::open_backup(blob).expect("the blob is a backup")
}

fn assert_is(vault: &VaultHandle, kind: Kind, name: &str, backup: &BackedUp) {
    let ids: Vec<_> = backup.versions.iter().map(|version| version.id.clone()).collect();
    assert_eq!((backup.kind, backup.name.as_str(), ids), (kind, name, vault.versions(kind, name)));
    let newest = backup.versions.last().map(|version| version.attributes.clone());
    let text = |attributes| serde_json::to_value(attributes).expect("it is JSON");
    assert_eq!(text(newest), text(vault.attributes(kind, name)), "{kind:?} {name}");
}
