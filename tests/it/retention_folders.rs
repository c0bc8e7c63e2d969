//! Retention of backups of whole HSMs in doubt: what binds a folder or its record, and a newest backup that is not whole.

use std::collections::BTreeSet;

use keyvault_backup_emulator::{
    Operation, Policy, Rights, StoredBlob, WriteProtection,
    host::{Firing, Host},
};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    checks::events,
    hsm_world::{HsmWorld, LANDING},
    retention::{KEEPER, STEP},
    world::{BACKUPS, NIGHT},
};

/// A world with an HSM, and a keeper that keeps everything for 30 days and nothing by counts.
pub struct Kept {
    pub of: HsmWorld,
    pub keeper: Host,
    nights: i64,
}

impl Kept {
    /// So many nights, each with a pass.
    pub async fn after(nights: usize) -> Self {
        let mut of = HsmWorld::new().await;
        of.landing.give(KEEPER, Rights::of("keeper", "landing"));
        let keeper = of.world.with_keeper("within=30 months=0").await;
        let mut kept = Self { of, keeper, nights: 0 };
        kept.nights(nights).await;
        kept
    }

    async fn nights(&mut self, count: usize) {
        for _ in 0..count {
            let at = NIGHT + Duration::days(STEP * self.nights);
            self.nights += 1;
            self.of.world.at(at);
            self.of.world.host().await.fire("NightlyHsmBackup", Firing::at(at)).await;
            self.of.settle().await;
            self.pass_in(Duration::hours(2)).await;
        }
    }

    /// A pass after so long.
    async fn pass_in(&self, pause: Duration) {
        let now = self.of.world.azure.clock().now() + pause;
        self.of.world.at(now);
        let pass = self.keeper.fire("ApplyRetention", Firing::at(now)).await;
        assert!(pass.succeeded(), "{pass:?}");
    }

    /// What a pass that verifies, a day later, records of the HSM.
    pub async fn verified(&self) -> Value {
        let now = self.of.world.azure.clock().now() + Duration::DAY;
        self.of.world.at(now);
        let pass = self.keeper.fire("VerifyBackups", Firing::at(now)).await;
        assert!(pass.succeeded(), "{pass:?}");
        let (_, record) =
            self.of.world.stored_below("verifications/hsms/hsm-a/").pop_first().expect("a record");
        serde_json::from_slice(&record).expect("JSON")
    }

    fn events(&self, event: &str) -> usize {
        let lines: Vec<_> = self.keeper.logs().into_iter().filter(|line| line.function_console).collect();
        events(&lines, event)
    }

    /// A pass when the pause of everything that was let go is over.
    async fn after_the_pause(&self) {
        self.pass_in(Duration::days(8)).await;
    }

    /// The blobs of the backups, oldest first.
    pub fn blobs(&self) -> Vec<String> {
        self.of.landing.blobs(LANDING)
    }

    fn folders(&self) -> Vec<String> {
        let folder = |blob: &String| blob.split_once('/').map(|(folder, _)| folder.to_owned());
        self.blobs().iter().filter_map(folder).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The names of the records, newest first.
    fn records(&self) -> Vec<String> {
        let blobs = self.of.world.backups.blobs(BACKUPS).into_iter();
        blobs.filter(|name| name.starts_with("hsms/hsm-a/backups/")).collect()
    }

    /// What the marks say, oldest first.
    fn marks(&self) -> Vec<String> {
        let backups = &self.of.world.backups;
        let marks = backups.blobs(BACKUPS).into_iter().filter(|name| name.starts_with("retention/hsms/"));
        let said = |name: String| backups.blob(BACKUPS, &name)?.meta("mark").map(str::to_owned);
        marks.filter_map(said).collect()
    }
}

#[tokio::test]
async fn a_folder_goes_a_week_after_its_point_and_with_its_record() {
    let kept = Kept::after(4).await;
    let (folders, records) = (kept.folders(), kept.records());
    assert_eq!((folders.len(), kept.marks()), (4, vec!["dropped".to_owned()]));
    kept.pass_in(Duration::hours(7 * 24 - 1)).await;
    assert_eq!(kept.folders(), folders, "an hour is missing");
    kept.pass_in(Duration::hours(2)).await;
    assert_eq!(kept.folders(), folders[1..]);
    assert_eq!(kept.records(), records[..3]);
    assert_eq!(kept.marks(), ["dropped", "sweeping", "swept"]);
}

#[tokio::test]
async fn what_speaks_against_it_in_the_pause_offers_a_backup_again() {
    type Change = fn(&Kept, &[String]);
    let changes: [(&str, Change); 4] = [
        ("a legal hold on a blob of the folder", |kept, blobs| {
            assert!(kept.of.landing.damage_blob(LANDING, &blobs[0], |blob| blob.legal_hold = true));
        }),
        ("a legal hold on the record", |kept, _| {
            let record = kept.records().pop().expect("a record");
            assert!(kept.of.world.backups.damage_blob(BACKUPS, &record, |blob| blob.legal_hold = true));
        }),
        ("the newest backup has lost a blob", |kept, blobs| {
            assert!(kept.of.landing.delete_blob(LANDING, blobs.last().expect("a blob")));
        }),
        ("a record that cannot be read", |kept, _| {
            let record = &kept.records()[1];
            assert!(kept.of.world.backups.damage_blob(BACKUPS, record, |blob| blob.metadata.clear()));
        }),
    ];
    for (what, change) in changes {
        let kept = Kept::after(4).await;
        change(&kept, &kept.blobs());
        let before = kept.blobs();
        kept.after_the_pause().await;
        assert_eq!(kept.blobs(), before, "{what}");
        assert_eq!(kept.marks(), ["dropped", "reinstated"], "{what}: it is not let go again");
    }
}

#[tokio::test]
async fn a_hold_on_one_key_is_on_every_backup_of_the_hsm() {
    let mut kept = Kept::after(1).await;
    let hold = ["hold", "set", "--hsm", "hsm-a", "--key", "signing", "--ticket", "INC-1", "--reason", "law"];
    let set = kept.of.world.json(&hold).await;
    assert_eq!((&set["number"], &set["on"]), (&1.into(), &"key signing".into()), "{set}");
    kept.nights(4).await;
    assert_eq!((kept.folders().len(), kept.marks()), (5, vec![]));
}

#[tokio::test]
async fn a_hold_on_one_run_of_an_hsm_is_on_no_other() {
    let mut kept = Kept::after(2).await;
    let folders = kept.folders();
    let run = "20260110T020000Z-nightly";
    let hold = ["hold", "set", "--hsm", "hsm-a", "--run", run, "--ticket", "INC-1", "--reason", "law"];
    assert_eq!(kept.of.world.json(&hold).await["on"], run);
    kept.nights(4).await;
    let left = kept.folders();
    assert_eq!((left.contains(&folders[0]), left.contains(&folders[1])), (true, false), "{left:?}");
}

#[tokio::test]
async fn a_folder_that_changed_is_found_and_one_that_cannot_be_seen_is_not_verified() {
    let kept = Kept::after(2).await;
    let sound = kept.verified().await;
    assert_eq!((&sound["counts"]["named"], sound.get("findings")), (&json!(2), None), "{sound}");
    let ended = kept.keeper.logs().into_iter().find(|line| line.text.contains("verification.ended"));
    assert!(ended.expect("a line").text.contains(r#""source.kind":"hsm""#), "not single keys of it");
    let (newest, folder) = (kept.blobs().pop(), kept.folders().pop());
    kept.of.landing.delete_blob(LANDING, &newest.expect("a blob"));
    let found = kept.verified().await["findings"].take();
    let of = &found[0];
    assert_eq!((&of["fault"], &of["newest"], &of["blob"]), (&json!("folder"), &json!(true), &json!(folder)));
    assert_eq!((found.as_array().map(Vec::len), kept.events("backup.damaged")), (Some(1), 1), "{found}");
    let verified = kept.events("verification.ended");
    kept.of.landing.take_rights(KEEPER);
    kept.of.landing.give(KEEPER, Rights::of("keeper", "landing").in_container("elsewhere"));
    assert_eq!(kept.verified().await["counts"]["unverified"], 2);
    assert_eq!((kept.events("verification.ended"), kept.events("verification.empty")), (verified, 1));
}

/// A change to a stored blob.
type Damage = fn(&mut StoredBlob);

/// What the findings say, where nothing else was found.
fn told(record: &Value) -> Vec<&str> {
    let findings = record["findings"].as_array().into_iter().flatten();
    findings.filter_map(|of| of["text"].as_str()).collect()
}

#[tokio::test]
async fn a_finding_about_a_folder_names_the_blobs_that_are_not_as_they_were() {
    let kept = Kept::after(2).await;
    let blob = kept.blobs().pop().expect("a blob");
    let (landing, name) = (&kept.of.landing, blob.split_once('/').expect("a folder").1);
    let whole = landing.blob(LANDING, &blob).expect("it is stored");
    let mut lists = 0;
    let table: [(Damage, &str); 4] = [
        (|blob| blob.content_md5 = Some([7; 16]), " has another MD5."),
        (|blob| blob.bytes = blob.bytes.slice(1..), " bytes instead of "),
        (|blob| blob.last_modified += Duration::SECOND, " was written again."),
        (|blob| blob.content_md5 = None, ""),
    ];
    for (damage, says) in table {
        landing.damage_blob(LANDING, &blob, damage);
        let mark = kept.of.world.azure.requests().mark();
        let record = kept.verified().await;
        let texts = told(&record);
        assert_eq!(texts.len(), usize::from(!says.is_empty()), "{record}");
        assert!(texts.iter().all(|text| text.contains(name) && text.contains(says)), "{texts:?}");
        let requests = kept.of.world.azure.requests().since(mark);
        lists =
            requests.iter().filter(|of| of.operation == Operation::ListBlobs && of.object == LANDING).count();
        landing.damage_blob(LANDING, &blob, |blob| *blob = whole.clone());
    }
    assert_eq!(lists, 2, "one listing for each folder");
    landing.delete_blob(LANDING, &blob);
    landing.put_blob(LANDING, &format!("{blob}x"), whole.bytes.clone(), &[]);
    let record = kept.verified().await;
    assert!(told(&record)[0].contains(&format!("{name} is missing, {name}x was added")), "{record}");
}

#[tokio::test]
async fn a_record_of_an_older_program_is_compared_by_what_it_has() {
    let kept = Kept::after(1).await;
    let (landing, backups) = (&kept.of.landing, &kept.of.world.backups);
    for name in kept.records() {
        backups.damage_blob(BACKUPS, &name, |record| {
            let mut json: Value = serde_json::from_str(&record.metadata[0].1).expect("JSON");
            assert!(json["folder"].as_object_mut().expect("a folder").remove("sum").is_some());
            record.metadata[0].1 = json.to_string();
            record.bytes = Vec::new().into();
        });
    }
    let blob = kept.blobs().pop().expect("a blob");
    landing.damage_blob(LANDING, &blob, |blob| blob.content_md5 = Some([7; 16]));
    assert_eq!(told(&kept.verified().await), [] as [&str; 0]);
    landing.damage_blob(LANDING, &blob, |blob| blob.bytes = blob.bytes.slice(1..));
    let record = kept.verified().await;
    assert!(told(&record)[0].contains("Something is missing or was cut."), "{record}");
}

impl Kept {
    /// A pass that copies what is not copied yet.
    async fn copied(&self) {
        let now = self.of.world.azure.clock().now() + Duration::HOUR;
        self.of.world.at(now);
        let pass = self.keeper.fire("CopyBackups", Firing::at(now)).await;
        assert!(pass.succeeded(), "{pass:?}");
    }

    /// The names of what is stored of copies.
    fn copies(&self) -> Vec<String> {
        self.of.world.stored_below("hsm-copies/").into_keys().collect()
    }

    /// The runs of which something is stored among the copies.
    fn runs_of_copies(&self) -> BTreeSet<String> {
        let blobs = self.copies().into_iter().filter(|name| name.contains("/blobs/"));
        blobs.filter_map(|name| Some(name.split('/').nth(3)?.to_owned())).collect()
    }
}

#[tokio::test]
async fn a_folder_and_its_copy_go_together_and_are_held_together() {
    let mut kept = Kept::after(2).await;
    let (gone, held) = ("20260110T020000Z-nightly", "20260120T020000Z-nightly");
    let set = ["hold", "set", "--hsm", "hsm-a", "--run", held, "--ticket", "INC-1", "--reason", "law"];
    assert_eq!(kept.of.world.json(&set).await["on"], held);
    for _ in 0..5 {
        kept.copied().await;
        kept.nights(1).await;
    }
    kept.copied().await;
    kept.after_the_pause().await;
    let (left, folders) = (kept.runs_of_copies(), kept.folders());
    assert!(left.contains(held) && !left.contains(gone), "{left:?}");
    assert!(folders.len() == left.len() && left.len() < 6, "{folders:?} {left:?}");
    assert_eq!(kept.copies().iter().filter(|name| name.contains("/records/")).count(), left.len());
    assert_eq!(told(&kept.verified().await), [] as [&str; 0], "what went is not missed");
}

#[tokio::test]
async fn what_binds_a_copy_keeps_its_folder_too() {
    type Change = fn(&Kept, &str);
    let changes: [(&str, Change); 3] = [
        ("a legal hold on a blob of the copy", |kept, copy| {
            assert!(kept.of.world.backups.damage_blob(BACKUPS, copy, |blob| blob.legal_hold = true));
        }),
        ("a policy on a blob of the copy", |kept, copy| {
            let until = kept.of.world.azure.clock().now() + Duration::days(60);
            let policy = Some(Policy { until, locked: true });
            assert!(kept.of.world.backups.damage_blob(BACKUPS, copy, |blob| blob.policy = policy));
        }),
        ("a blob that was copied later", |kept, copy| {
            kept.of.world.backups.put_blob(BACKUPS, &format!("{copy}-more"), "x", &[]);
        }),
    ];
    for (what, change) in changes {
        let mut kept = Kept::after(1).await;
        kept.copied().await;
        kept.nights(3).await;
        assert_eq!(kept.marks(), ["dropped"], "{what}");
        let copy = kept.copies().into_iter().find(|name| name.contains("/blobs/")).expect("a copy");
        change(&kept, &copy);
        let before = (kept.blobs(), kept.copies());
        kept.after_the_pause().await;
        assert_eq!((kept.blobs(), kept.copies()), before, "{what}");
        assert_eq!(kept.marks()[..2], ["dropped", "reinstated"], "{what}");
    }
}

#[tokio::test]
async fn a_copy_under_write_protection_goes_with_its_folder_when_storage_lets_it() {
    let mut kept = Kept::after(1).await;
    let protection = WriteProtection { days: 45, locked: true };
    kept.of.world.backups.set_write_protection(BACKUPS, protection);
    kept.nights(1).await;
    kept.copied().await;
    kept.nights(3).await;
    kept.pass_in(Duration::days(8)).await;
    assert_eq!(
        (kept.folders().len(), kept.marks()),
        (5, vec![]),
        "storage keeps the copy, so the point is kept"
    );
    kept.nights(2).await;
    kept.after_the_pause().await;
    let left = kept.runs_of_copies();
    assert!(!left.contains("20260110T020000Z-nightly") && kept.folders().len() == 5, "{left:?}");
}

#[tokio::test]
async fn a_copy_that_is_not_as_recorded_is_found_and_the_backup_stays_good() {
    let kept = Kept::after(2).await;
    kept.copied().await;
    assert_eq!(told(&kept.verified().await), [] as [&str; 0]);
    let copies = kept.copies();
    let copy = copies.iter().rfind(|name| name.contains("/blobs/")).expect("a copy").clone();
    let whole = kept.of.world.backups.blob(BACKUPS, &copy).expect("it is stored");
    let name = copy.splitn(5, '/').last().expect("a name");
    let table: [(Damage, &str); 3] = [
        (|blob| blob.content_md5 = Some([7; 16]), " has another MD5"),
        (|blob| blob.bytes = blob.bytes.slice(1..), " bytes instead of "),
        (|blob| blob.content_md5 = None, ""),
    ];
    for (damage, says) in table {
        kept.of.world.backups.damage_blob(BACKUPS, &copy, damage);
        let record = kept.verified().await;
        let texts = told(&record);
        assert_eq!(texts.len(), usize::from(!says.is_empty()), "{record}");
        assert!(texts.iter().all(|text| text.contains(name) && text.contains(says)), "{texts:?}");
        kept.of.world.backups.damage_blob(BACKUPS, &copy, |blob| *blob = whole.clone());
    }
    assert!(kept.of.world.backups.delete_blob(BACKUPS, &copy));
    let record = kept.verified().await;
    let found = &record["findings"][0];
    assert_eq!((&found["fault"], &found["newest"]), (&json!("copy"), &Value::Null), "{record}");
    assert!(
        found["text"].as_str().is_some_and(|text| text.contains(&format!("{name} is missing"))),
        "{found}"
    );
    let status = kept.of.world.json(&["hsm", "status"]).await;
    let troubles = status["hsms"][0]["troubles"].to_string();
    assert!(!troubles.contains("backups-damaged"), "the folder is whole: {troubles}");
}
