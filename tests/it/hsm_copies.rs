//! The write-once copies of the backups of HSMs: nothing half-copied is ever called a copy, and copying again changes nothing.

use std::collections::BTreeMap;

use keyvault_backup_emulator::{
    Entry, Fault, FaultKind, Operation, Rights, Taken, WriteProtection,
    host::{Firing, Host, Invocation},
};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    checks::events,
    faults::passing_faults,
    hsm_world::{HsmWorld, LANDING},
    retention::KEEPER,
    wire::Wire,
    world::BACKUPS,
};

/// Where copies lie.
pub const COPIES: &str = "hsm-copies/hsm-a/";

/// A world with an HSM that was backed up, and a keeper that has not copied anything.
pub struct Copying {
    pub of: HsmWorld,
    pub keeper: Host,
}

impl Copying {
    pub async fn new() -> Self {
        Self::of(HsmWorld::backed_up().await).await
    }

    /// The same, of an HSM that was backed up.
    pub async fn of(mut of: HsmWorld) -> Self {
        of.landing.give(KEEPER, Rights::of("keeper", "landing"));
        let keeper = of.world.with_keeper("within=30 months=0").await;
        Self { of, keeper }
    }

    /// A pass of the keeper, an hour later.
    pub async fn pass(&self) -> Invocation {
        let now = self.of.world.azure.clock().now() + Duration::HOUR;
        self.of.world.at(now);
        self.keeper.fire("CopyBackups", Firing::at(now)).await
    }

    /// The records of copies.
    pub fn records(&self) -> Vec<Value> {
        let names = self.of.world.backups.blobs(BACKUPS).into_iter();
        let names = names.filter(|name| name.starts_with(&format!("{COPIES}records/")));
        let record = |name: String| {
            let blob = self.of.world.backups.blob(BACKUPS, &name).expect("it is stored");
            serde_json::from_str(blob.meta("copy").expect("a record")).expect("JSON")
        };
        names.map(record).collect()
    }

    /// The blobs of all copies, by their names below the run.
    pub fn copied(&self) -> BTreeMap<String, Vec<u8>> {
        let all = self.of.world.stored_below(&format!("{COPIES}blobs/"));
        let below = |name: String| name.splitn(5, '/').last().expect("a name").to_owned();
        all.into_iter().map(|(name, bytes)| (below(name), bytes)).collect()
    }

    /// The blobs of the folders, by their names below these.
    pub fn folder(&self) -> BTreeMap<String, Vec<u8>> {
        let bytes = |name: &String| self.of.landing.blob(LANDING, name).expect("it is stored").bytes.to_vec();
        let blobs = self.of.landing.blobs(LANDING).into_iter();
        blobs.map(|name| (name.split_once('/').expect("a folder").1.to_owned(), bytes(&name))).collect()
    }

    /// Holds what is on record against what is there.
    fn check(&self) {
        for record in self.records() {
            assert_eq!(record["end"], "copied", "{record}");
            assert_eq!(self.copied(), self.folder(), "{record}");
        }
    }

    fn writes(&self, mark: u64) -> Vec<Entry> {
        let puts = |of: &Entry| {
            !matches!(
                of.operation,
                Operation::ListBlobs | Operation::GetBlob | Operation::GetBlobProperties | Operation::Token
            )
        };
        self.of.world.azure.requests().since(mark).into_iter().filter(puts).collect()
    }
}

#[tokio::test]
async fn a_backup_is_copied_by_storage_itself_and_its_record_comes_last() {
    let copying = Copying::new().await;
    let mark = copying.of.world.azure.requests().mark();
    let pass = copying.pass().await;
    assert!(pass.succeeded(), "{pass:?}");
    assert_eq!((copying.copied(), copying.records().len()), (copying.folder(), 1));
    let record = &copying.records()[0];
    let run = &copying.of.records("hsm-a")[0];
    for (field, expected) in [
        ("v", &json!(1)),
        ("run", &run["run"]),
        ("folder", &run["folder"]["path"]),
        ("blobs", &run["folder"]["blobs"]),
        ("bytes", &run["folder"]["bytes"]),
        ("sum", &run["folder"]["sum"]),
    ] {
        assert_eq!(&record[field], expected, "{field}: {record}");
    }
    let writes = copying.writes(mark);
    let (last, blobs) = writes.split_last().expect("something was written");
    assert!(
        blobs.iter().all(|of| of.operation == Operation::PutBlobFromUrl && of.status == 201),
        "{writes:?}"
    );
    assert_eq!((last.operation, last.object.contains("/records/")), (Operation::PutBlob, true), "{last:?}");
    assert_eq!(events(&copying.keeper.logs(), "copy.made"), 1);

    let mark = copying.of.world.azure.requests().mark();
    assert!(copying.pass().await.succeeded());
    assert!(copying.writes(mark).is_empty(), "nothing is copied again: {:?}", copying.writes(mark));
}

#[tokio::test]
async fn a_pass_that_dies_at_any_request_calls_nothing_a_copy_that_is_not_whole() {
    let mut died = 0;
    for closed in [false, true] {
        for at in 0..20 {
            let copying = Copying::new().await;
            copying.of.landing.close_to_copies(closed);
            let met = copying.of.world.trap(at, FaultKind::Hang);
            let is_over = tokio::select! {
                _ = copying.pass() => true,
                () = met.notified() => false,
            };
            copying.of.world.azure.faults().clear();
            copying.check();
            if is_over {
                break;
            }
            died += 1;
            copying.keeper.restart().await.expect("it starts again");
            copying.check();
            let pass = copying.pass().await;
            assert!(pass.succeeded(), "{at}: {pass:?}");
            assert_eq!((copying.copied(), copying.records().len()), (copying.folder(), 1), "{at}");
        }
    }
    assert!(died > 12, "{died}");
}

#[tokio::test]
async fn faults_on_one_call_in_five_leave_no_copy_that_is_not_whole() {
    for seed in 0..4 {
        let copying = Copying::new().await;
        copying.of.landing.close_to_copies(seed % 2 == 0);
        copying.of.world.azure.faults().random(0.2, seed, passing_faults());
        for _ in 0..8 {
            copying.pass().await;
            copying.check();
        }
        copying.of.world.azure.faults().clear();
        assert!(copying.pass().await.succeeded());
        assert_eq!((copying.copied(), copying.records().len()), (copying.folder(), 1), "{seed}");
    }
}

#[tokio::test]
async fn where_a_firewall_keeps_storage_out_the_bytes_go_through_the_keeper() {
    let copying = Copying::new().await;
    copying.of.landing.close_to_copies(true);
    let mark = copying.of.world.azure.requests().mark();
    assert!(copying.pass().await.succeeded());
    assert_eq!((copying.copied(), copying.records().len()), (copying.folder(), 1));
    let writes = copying.writes(mark);
    let asked = |of: &&Entry| of.operation == Operation::PutBlobFromUrl;
    let (refused, blobs): (Vec<_>, Vec<_>) = writes.iter().partition(asked);
    assert!(refused.iter().all(|of| of.status == 403), "{refused:?}");
    assert!(blobs.iter().all(|of| of.operation == Operation::PutBlob && of.status == 201), "{blobs:?}");
}

#[tokio::test]
async fn memory_does_not_grow_with_what_goes_through_the_keeper() {
    let copying = Copying::new().await;
    copying.of.landing.close_to_copies(true);
    copying.enlarge(128 * 1024 * 1024);
    let pid = copying.keeper.pid().expect("it runs");
    let before = peak(pid);
    assert!(copying.pass().await.succeeded());
    assert_eq!((copying.copied() == copying.folder(), copying.records().len()), (true, 1));
    let grown = peak(pid) - before;
    assert!(grown < 48 * 1024, "the peak grew by {grown} KiB");
}

/// The most memory that a process ever had, in KiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is told");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

impl Copying {
    /// Makes one blob of the folder large, as if the HSM had written it so.
    fn enlarge(&self, bytes: usize) {
        let of = &self.of;
        let name = of.landing.blobs(LANDING).pop().expect("a blob");
        let small = of.landing.blob(LANDING, &name).expect("it is stored").bytes.len();
        of.landing.put_blob(LANDING, &name, vec![7; bytes], &[]);
        self.change_record(|record| {
            let folder = record["folder"].as_object_mut().expect("a folder");
            let all = folder["bytes"].as_u64().expect("a number");
            folder.insert("bytes".to_owned(), (all - small as u64 + bytes as u64).into());
            folder.remove("sum");
            folder.remove("written");
        });
    }

    /// Changes the record of the newest backup.
    pub fn change_record(&self, change: impl FnOnce(&mut Value)) {
        let backups = &self.of.world.backups;
        let names = backups.blobs(BACKUPS);
        let name = names.iter().find(|name| name.starts_with("hsms/hsm-a/backups/")).expect("a record");
        backups.damage_blob(BACKUPS, name, |blob| {
            let record = blob.metadata.iter_mut().find(|(key, _)| key == "backup").expect("a record");
            let mut value: Value = serde_json::from_str(&record.1).expect("JSON");
            change(&mut value);
            record.1 = value.to_string();
        });
    }
}

#[tokio::test]
async fn a_folder_that_is_not_as_the_backup_left_it_is_not_copied() {
    for change in ["cut", "flip", "delete", "add"] {
        let copying = Copying::new().await;
        let name = copying.of.landing.blobs(LANDING).pop().expect("a blob");
        match change {
            "cut" => copying.of.landing.put_blob(LANDING, &name, "x", &[]),
            "flip" => {
                let mut bytes = copying.of.landing.blob(LANDING, &name).expect("it is stored").bytes.to_vec();
                bytes[0] ^= 1;
                copying.of.landing.put_blob(LANDING, &name, bytes, &[]);
            }
            "delete" => assert!(copying.of.landing.delete_blob(LANDING, &name)),
            _ => copying.of.landing.put_blob(LANDING, &format!("{name}-more"), "x", &[]),
        }
        let pass = copying.pass().await;
        assert!(!pass.succeeded(), "{change}: {pass:?}");
        assert_eq!((copying.copied().len(), copying.records().len()), (0, 0), "{change}");
        assert_eq!(events(&copying.keeper.logs(), "copy.failed"), 1, "{change}");
    }
}

#[tokio::test]
async fn what_lies_where_a_copy_goes_is_never_changed_and_never_called_a_copy() {
    for (taken, junk) in [(Taken::Conflict, "x"), (Taken::Forbidden, "x"), (Taken::Forbidden, "")] {
        let copying = Copying::new().await;
        copying.of.world.backups.set_taken(taken);
        let run = copying.of.records("hsm-a")[0]["run"].as_str().expect("a run").to_owned();
        let name = format!("{COPIES}blobs/{run}/{}", if junk.is_empty() { "other" } else { "backup" });
        copying.of.world.backups.put_blob(BACKUPS, &name, junk, &[]);
        let pass = copying.pass().await;
        assert!(!pass.succeeded(), "{pass:?}");
        assert_eq!(copying.records().len(), 0);
        let stored = copying.of.world.backups.blob(BACKUPS, &name).expect("it stays");
        assert_eq!(stored.bytes, junk.as_bytes());
    }
}

#[tokio::test]
async fn a_blob_that_another_process_copied_meanwhile_is_compared_and_stays() {
    for taken in [Taken::Conflict, Taken::Forbidden] {
        let copying = Copying::new().await;
        copying.of.world.backups.set_taken(taken);
        let lost = Fault::on(Operation::PutBlobFromUrl).reply(FaultKind::ResetAfter);
        copying.of.world.azure.faults().add(lost.times(2));
        let pass = copying.pass().await;
        assert!(pass.succeeded(), "{pass:?}");
        assert_eq!((copying.copied(), copying.records().len()), (copying.folder(), 1));
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "what an attacker sends does not go through the product")]
async fn the_keeper_can_neither_change_a_copy_nor_delete_it_before_its_time() {
    let copying = Copying::new().await;
    let backups = &copying.of.world.backups;
    backups.set_write_protection(BACKUPS, WriteProtection { days: 30, locked: true });
    assert!(copying.pass().await.succeeded());
    let before = copying.of.world.stored_below(COPIES);
    let wire = Wire::new(&copying.of.world.azure, []);
    let token = copying.of.world.azure.identity().issue("https://storage.azure.com", Some(KEEPER));
    for name in before.keys() {
        for (method, comp, expected) in
            [("PUT", "", 409), ("PUT", "?comp=metadata", 403), ("DELETE", "", 409)]
        {
            let url = format!("{}/{BACKUPS}/{name}{comp}", backups.blob_url());
            let request = wire.http.request(method.parse().expect("a method"), url).bearer_auth(&token);
            let request = request.header("x-ms-version", "2026-04-06");
            let request = match (method, comp) {
                ("PUT", "") => request.header("x-ms-blob-type", "BlockBlob").body("junk"),
                ("PUT", _) => request.body(""),
                _ => request,
            };
            let status = request.send().await.expect("it answers").status().as_u16();
            assert_eq!(status, expected, "{method} {name}{comp}");
        }
    }
    assert_eq!(copying.of.world.stored_below(COPIES), before);
}

#[tokio::test]
async fn what_is_not_copied_within_a_day_is_told_and_what_is_copied_says_since_when() {
    let mut copying = Copying::new().await;
    let status = |status: &Value| status["hsms"][0].clone();
    let codes = |of: &Value| {
        let troubles = of["troubles"].as_array().expect("a list").iter();
        troubles.map(|of| of["type"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    let mut now = copying.of.world.azure.clock().now();
    now = copying.later(now, Duration::hours(26)).await;
    let unseen = status(&copying.of.world.ok("/api/status").await);
    assert!(!codes(&unseen).contains(&"hsm-copy-missing".to_owned()), "no keeper was ever at work: {unseen}");
    assert!(copying.keeper.fire("VerifyBackups", Firing::at(now)).await.succeeded());
    now = copying.later(now, Duration::HOUR).await;
    let missing = status(&copying.of.world.ok("/api/status").await);
    assert!(codes(&missing).contains(&"hsm-copy-missing".to_owned()), "{missing}");
    assert_eq!((missing.get("copy"), missing.get("newestCopied")), (None, None), "{missing}");

    assert!(copying.pass().await.succeeded());
    copying.later(now, Duration::hours(2)).await;
    let copied = status(&copying.of.world.ok("/api/status").await);
    assert!(!codes(&copied).contains(&"hsm-copy-missing".to_owned()), "{copied}");
    assert_eq!(copied["copy"]["state"], "copied", "{copied}");
    assert_eq!(copied["newestCopied"], copied["newestSuccess"]["asOf"], "{copied}");
    let table = copying.of.world.cli(&["hsm", "status"]).await;
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(text.to_lowercase().contains("copied"), "{text}");
}

impl Copying {
    /// Lets time pass, in a process that knows nothing of what was read before.
    async fn later(&mut self, now: time::OffsetDateTime, pause: Duration) -> time::OffsetDateTime {
        self.of.world.at(now + pause);
        self.of.world.restart_with_settings().await;
        now + pause
    }
}
