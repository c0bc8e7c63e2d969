//! Verification: what is stored is read again, and what is wrong with it is found and named.

use keyvault_backup_emulator::{
    Fault, FaultKind, Forbidden, Keeping, Kind, Matcher, Operation, StoredBlob,
    host::{Firing, Invocation},
};
use serde_json::Value;
use time::Duration;

use crate::{checks::events, retention::Kept, world::BACKUPS};

impl Kept {
    /// A vault after two nights, of which a pass has verified every backup.
    pub async fn verified(secrets: usize) -> Self {
        let mut kept = Self::with(secrets, "within=3650").await;
        kept.night().await;
        kept.changed_night().await;
        let found = kept.verify().await;
        assert_eq!(found, Vec::<Value>::new());
        kept
    }

    /// A pass that verifies, a day later, and its findings.
    pub async fn verify(&self) -> Vec<Value> {
        let pass = self.verify_at(self.now() + Duration::DAY).await;
        assert!(pass.succeeded(), "{pass:?}");
        self.findings()
    }

    pub async fn verify_at(&self, now: time::OffsetDateTime) -> Invocation {
        self.world.at(now);
        self.keeper.fire("VerifyBackups", Firing::at(now)).await
    }

    /// The newest record of a verification.
    pub fn verification(&self) -> Value {
        let name = self.world.stored_below("verifications/vaults/kv-a/").into_iter().next();
        serde_json::from_slice(&name.expect("a record").1).expect("JSON")
    }

    pub fn findings(&self) -> Vec<Value> {
        self.verification()["findings"].as_array().cloned().unwrap_or_default()
    }

    /// How often the keeper's log has an event.
    pub fn keeper_events(&self, event: &str) -> usize {
        let lines: Vec<_> = self.keeper.logs().into_iter().filter(|line| line.function_console).collect();
        events(&lines, event)
    }

    /// What retention did about points.
    fn stored_marks(&self) -> usize {
        self.world.stored_below("retention/vaults/kv-a/points/").len()
    }

    /// The newest backup of a secret.
    pub fn newest_backup_of(&self, secret: &str) -> String {
        let run = self.backups_of(secret).pop_last().expect("a backup");
        format!("vaults/kv-a/runs/{run}/objects/secret/{secret}/backup")
    }
}

/// A change to a stored blob.
type Change<'a> = &'a dyn Fn(&mut StoredBlob);

/// The faults of findings, and their blobs.
fn named(findings: &[Value]) -> Vec<(&str, &str)> {
    findings.iter().filter_map(|of| Some((of["fault"].as_str()?, of["blob"].as_str()?))).collect()
}

#[tokio::test]
async fn a_sound_vault_has_no_findings_and_its_record_says_what_was_seen() {
    let kept = Kept::verified(4).await;
    let record = kept.verification();
    let counts = &record["counts"];
    assert_eq!(
        (&counts["named"], &counts["stored"], &counts["read"]),
        (&4.into(), &8.into(), &8.into()),
        "{record}"
    );
    assert_eq!(kept.keeper_events("verification.ended"), 1);
}

#[tokio::test]
async fn whatever_is_done_to_a_stored_blob_is_found_and_the_right_thing_is_named() {
    let kept = Kept::verified(3).await;
    let (storage, blob) = (&kept.world.backups, kept.newest_backup_of("secret-1"));
    storage.keep(Keeping::default());
    let other = storage.blob(BACKUPS, &kept.newest_backup_of("secret-2")).expect("it is stored");
    let whole = storage.blob(BACKUPS, &blob).expect("it is stored");
    let swapped: Change<'_> = &|blob| {
        blob.bytes = other.bytes.clone();
        blob.metadata = other.metadata.clone();
    };
    for (fault, change) in [
        ("damaged", &flip as Change<'_>),
        ("missing", &|blob| blob.bytes = blob.bytes.slice(..99)),
        ("missing", &|blob| blob.bytes = blob.bytes.slice(..0)),
        ("damaged", &|blob| blob.metadata.clear()),
        ("differs", swapped),
    ] {
        storage.damage_blob(BACKUPS, &blob, change);
        let found = kept.verify().await;
        assert_eq!(named(&found), [(fault, blob.as_str())], "{found:?}");
        assert_eq!((&found[0]["newest"], &found[0]["name"]), (&true.into(), &"secret-1".into()));
        storage.damage_blob(BACKUPS, &blob, |blob| *blob = whole.clone());
    }
    assert_eq!(kept.verify().await, [] as [Value; 0], "it is whole again");
    storage.delete_blob(BACKUPS, &blob);
    assert_eq!(named(&kept.verify().await), [("missing", blob.as_str())]);
}

fn flip(blob: &mut StoredBlob) {
    let mut bytes = blob.bytes.to_vec();
    *bytes.last_mut().expect("a byte") ^= 2;
    blob.bytes = bytes.into();
}

#[tokio::test]
async fn what_was_written_again_or_deleted_in_storage_is_found_by_its_versions() {
    let kept = Kept::verified(3).await;
    let storage = &kept.world.backups;
    let (forged, deleted) = (kept.newest_backup_of("secret-0"), kept.backups_of("secret-0").pop_first());
    let deleted =
        format!("vaults/kv-a/runs/{}/objects/secret/secret-0/backup", deleted.expect("an older one"));
    // The blob, its entry and its manifest agree: only the versions show it.
    let manifest = kept.world.manifests("kv-a").remove(0);
    for name in [&forged, &manifest] {
        let blob = storage.blob(BACKUPS, name).expect("it is stored");
        storage.put_blob(BACKUPS, name, blob.bytes.clone(), &[]);
        storage.damage_blob(BACKUPS, name, |again| again.metadata = blob.metadata.clone());
    }
    storage.delete_blob(BACKUPS, &deleted);
    let found = kept.verify().await;
    let expected = [("rewritten", manifest.as_str()), ("deleted", &deleted), ("rewritten", &forged)];
    assert_eq!(named(&found), expected, "{found:?}");
    assert!(found[0]["text"].as_str().is_some_and(|text| text.contains("it has 2 versions")), "{found:?}");
    assert_eq!(kept.keeper_events("backup.damaged"), 3);
    assert_eq!(kept.verify().await.len(), 3, "what is open stays open");
    assert_eq!(kept.keeper_events("backup.damaged"), 4, "of what is not the newest one is told once");
}

#[tokio::test]
async fn nothing_is_said_of_a_vault_whose_index_names_nothing() {
    let mut kept = Kept::with(0, "within=3650").await;
    kept.night().await;
    kept.verify().await;
    assert_eq!((kept.keeper_events("verification.ended"), kept.keeper_events("verification.empty")), (0, 1));
}

#[tokio::test]
async fn the_same_night_what_was_found_is_backed_up_again_and_counts_as_the_newest() {
    let mut kept = Kept::verified(3).await;
    let blob = kept.newest_backup_of("secret-1");
    kept.world.backups.flip_bit(BACKUPS, &blob);
    assert_eq!(kept.verify().await[0]["newest"], true);
    kept.world.settle().await;
    let newest = kept.newest_backup_of("secret-1");
    assert!(newest.contains("-verification/"), "{newest}");
    assert_eq!(kept.backups_of("secret-2").len(), 2, "the others stay as they are");
    let found = kept.verify().await;
    assert_eq!((named(&found), &found[0]["newest"]), (vec![("damaged", blob.as_str())], &Value::Null));
    kept.world.settle().await;
    assert_eq!(kept.newest_backup_of("secret-1"), newest, "nothing is backed up once more");
}

#[tokio::test]
async fn of_what_is_gone_from_the_vault_nothing_can_be_backed_up_again_and_nothing_is_tried() {
    let mut kept = Kept::verified(8).await;
    kept.world.vault.delete(Kind::Secret, "secret-1").expect("it is there");
    kept.night().await;
    let blob = kept.newest_backup_of("secret-1");
    kept.world.backups.flip_bit(BACKUPS, &blob);
    assert_eq!(named(&kept.verify().await), [("damaged", blob.as_str())]);
    kept.world.settle().await;
    assert_eq!(
        kept.world
            .stored_below("vaults/kv-a/runs/")
            .keys()
            .filter(|name| name.contains("-verification/"))
            .count(),
        0
    );
}

#[tokio::test]
async fn retention_lets_nothing_go_for_backups_that_were_found_wrong() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    kept.nights(3).await;
    kept.changed_night().await;
    for run in kept.backups_of("secret-1").into_iter().skip(1) {
        kept.world
            .backups
            .flip_bit(BACKUPS, &format!("vaults/kv-a/runs/{run}/objects/secret/secret-1/backup"));
    }
    assert_eq!(kept.verify().await.len(), 3);
    kept.pass().await;
    assert_eq!(kept.stored_marks(), 0, "the first point has the only good backup of secret-1");
}

#[tokio::test]
async fn a_plan_leaves_out_what_was_found_wrong_or_takes_an_older_backup_and_says_so() {
    let mut kept = Kept::verified(3).await;
    kept.world.env.retain(|(name, _)| !name.starts_with("KEYVAULT_BACKUP_VERIFY"));
    let blob = kept.newest_backup_of("secret-1");
    kept.world.backups.flip_bit(BACKUPS, &blob);
    kept.verify().await;
    kept.world.vault.delete(Kind::Secret, "secret-1").expect("it is there");
    kept.world.vault.purge(Kind::Secret, "secret-1").expect("it is deleted");
    let url = kept.world.vault.url();
    let args = ["restore", "--vault", &url, "--secret", "secret-1", "--what-if"];
    let plan = kept.world.json(&args).await;
    assert_eq!((&plan["restores"], &plan["left"][0]["reason"]), (&0.into(), &"damaged".into()), "{plan}");
    let plan = kept.world.json(&[&args[..], &["--on-damaged", "older"]].concat()).await;
    let step = &plan["steps"][0];
    assert_eq!(step["run"], "20260110T020000Z-nightly", "{plan}");
    assert_eq!(step["insteadOf"], "20260120T020000Z-nightly", "{plan}");
    // Of a backup that is damaged since, the plan finds out by itself, and takes the newest one before it.
    let older = blob.replace("20260120", "20260110");
    kept.world.backups.flip_bit(BACKUPS, &older);
    let plan = kept.world.json(&[&args[..], &["--on-damaged", "older"]].concat()).await;
    assert_eq!((&plan["restores"], &plan["left"][0]["reason"]), (&0.into(), &"damaged".into()), "{plan}");
    let told = kept.world.cli(&[&args[..], &["--on-damaged", "older"]].concat()).await;
    assert!(String::from_utf8_lossy(&told.stdout).contains("damaged"), "{told:?}");
}

#[tokio::test]
async fn the_evidence_of_a_day_has_what_verification_saw_by_its_end() {
    let kept = Kept::verified(3).await;
    kept.world.backups.flip_bit(BACKUPS, &kept.newest_backup_of("secret-1"));
    kept.verify().await;
    kept.world.at(kept.now() + Duration::DAY);
    kept.pass().await;
    let (_, record) = kept.world.stored_below("evidence/").pop_last().expect("a record");
    let record: Value = serde_json::from_slice(&record).expect("JSON");
    let seen = &record["sources"][0]["verification"];
    assert_eq!(
        [&seen["named"], &seen["missing"], &seen["damaged"], &seen["read"]],
        [3, 0, 1, 6].map(Value::from).each_ref()
    );
}

#[tokio::test]
async fn what_was_deleted_before_the_first_pass_is_put_on_record_once_and_a_missing_newest_backup_is_found_all_the_same()
 {
    let mut kept = Kept::with(3, "within=3650").await;
    for _ in 0..3 {
        kept.changed_night().await;
    }
    let storage = &kept.world.backups;
    let backup = |night: usize, secret: &str| {
        let run = kept.backups_of(secret).into_iter().nth(night).expect("a run");
        format!("vaults/kv-a/runs/{run}/objects/secret/{secret}/backup")
    };
    let (by_age, newest, later) = (backup(0, "secret-0"), backup(2, "secret-1"), backup(1, "secret-2"));
    storage.delete_blob(BACKUPS, &by_age);
    storage.delete_blob(BACKUPS, &newest);
    let found = kept.verify().await;
    assert_eq!(named(&found), [("deleted", newest.as_str())], "{found:?}");
    let record = kept.world.stored_below("retention/vaults/kv-a/deleted-before");
    assert!(record.into_values().all(|record| String::from_utf8_lossy(&record).contains(&by_age)));
    storage.delete_blob(BACKUPS, &later);
    let found = kept.verify().await;
    assert_eq!(named(&found), [("deleted", later.as_str()), ("deleted", &newest)], "{found:?}");
}

#[tokio::test]
async fn a_pass_that_ends_early_goes_on_where_it_was() {
    let mut kept = Kept::with(150, "within=3650").await;
    kept.night().await;
    let of_keeper =
        || Matcher::from(Operation::GetBlob).custom(|subject| subject.object.contains("/objects/"));
    kept.world
        .azure
        .faults()
        .add(Fault::on(of_keeper()).after(100).reply(FaultKind::Forbidden(Forbidden::ByRbac)));
    let pass = kept.verify_at(kept.now() + Duration::HOUR).await;
    assert!(!pass.succeeded(), "{pass:?}");
    assert_eq!(kept.world.stored_below("verifications/").len(), 0, "there is no verdict yet");
    kept.world.azure.faults().clear();
    let mark = kept.world.azure.requests().mark();
    let soon = kept.keeper.fire("AdvanceJobs", Firing::at(kept.now())).await;
    assert!(
        soon.succeeded() && kept.world.stored_below("verifications/").is_empty(),
        "it may be at work still"
    );
    kept.world.at(kept.now() + Duration::minutes(6));
    kept.keeper.fire("AdvanceJobs", Firing::at(kept.now())).await;
    let counts = &kept.verification()["counts"];
    assert_eq!((&counts["read"], &counts["named"]), (&150.into(), &150.into()));
    let again = kept.world.azure.requests().since(mark);
    let again =
        again.iter().filter(|of| of.operation == Operation::GetBlob && of.object.contains("/objects/"));
    assert_eq!(again.count(), 150 - 64, "what was read and recorded is not read again");
}

#[tokio::test]
async fn whatever_the_runs_left_is_found_when_it_is_flipped_cut_or_deleted() {
    let kept = Kept::verified(3).await;
    let storage = &kept.world.backups;
    let stored = kept.world.stored_below("vaults/");
    assert_eq!(stored.len(), 3 + 3 + 2 + 2, "backups, plans and manifests of two nights");
    let is_found = async |name: &str| kept.verify().await.iter().any(|of| of["blob"] == name);
    for name in stored.keys() {
        let whole = storage.blob(BACKUPS, name).expect("it is stored");
        for change in [&flip as Change<'_>, &|blob| blob.bytes = blob.bytes.slice(..blob.bytes.len() / 2)] {
            storage.damage_blob(BACKUPS, name, change);
            assert!(is_found(name).await, "{name}: {:?}", kept.findings());
            storage.damage_blob(BACKUPS, name, |blob| *blob = whole.clone());
        }
    }
    assert_eq!(kept.verify().await, [] as [Value; 0]);
    for name in stored.keys().rev() {
        storage.delete_blob(BACKUPS, name);
        assert!(is_found(name).await, "{name}: {:?}", kept.findings());
    }
}

#[tokio::test]
async fn what_was_written_again_is_in_no_plan_but_by_its_first_version_or_an_older_backup() {
    let kept = Kept::verified(3).await;
    let blob = kept.newest_backup_of("secret-1");
    // The plan's own check finds nothing wrong with it: only verification knows.
    let same = kept.world.backups.blob(BACKUPS, &blob).expect("it is stored");
    kept.world.backups.put_blob(BACKUPS, &blob, same.bytes.clone(), &[]);
    kept.world.backups.damage_blob(BACKUPS, &blob, |again| again.metadata = same.metadata.clone());
    kept.verify().await;
    kept.world.vault.delete(Kind::Secret, "secret-1").expect("it is there");
    kept.world.vault.purge(Kind::Secret, "secret-1").expect("it is deleted");
    let url = kept.world.vault.url();
    let args = ["restore", "--vault", &url, "--secret", "secret-1", "--what-if"];
    for (more, restored) in [
        (&[][..], None),
        (&["--first-version"], Some("20260120T020000Z-nightly")),
        (&["--on-damaged", "older"], Some("20260110T020000Z-nightly")),
    ] {
        let plan = kept.world.json(&[&args[..], more].concat()).await;
        assert_eq!(plan["steps"][0]["run"].as_str(), restored, "{more:?}: {plan}");
    }
}

#[tokio::test]
async fn what_was_found_is_backed_up_though_a_process_dies_between_the_plan_and_the_record_of_the_run() {
    let mut kept = Kept::verified(3).await;
    kept.world.backups.flip_bit(BACKUPS, &kept.newest_backup_of("secret-1"));
    kept.verify().await;
    let record = Matcher::from(Operation::PutBlob)
        .custom(|of| of.object.contains("backup-runs/") && of.object.contains("-verification"));
    kept.world.fault(record, FaultKind::Forbidden(Forbidden::ByRbac));
    assert!(!kept.world.advance().await.succeeded(), "the run has a plan and no record");
    kept.world.azure.faults().clear();
    kept.world.restart_with_settings().await;
    kept.world.settle().await;
    assert!(kept.newest_backup_of("secret-1").contains("-verification/"));
}

/// Makes the version of a blob another one, as if it had been written again and the former version purged.
fn replace(kept: &Kept, blob: &str) {
    let later =
        |blob: &mut StoredBlob| blob.version = blob.version.as_ref().map(|id| id.replace("2026-", "2027-"));
    assert!(kept.world.backups.damage_blob(BACKUPS, blob, later));
}

#[tokio::test]
async fn what_was_written_again_is_found_though_its_first_version_was_purged() {
    let mut kept = Kept::verified(3).await;
    kept.night().await;
    let entry = kept.world.newest("kv-a").line("secret", "secret-1")["entry"].clone();
    let (blob, older) = (kept.newest_backup_of("secret-1"), kept.backups_of("secret-0").pop_first());
    let version = kept.world.backups.blob(BACKUPS, &blob).and_then(|blob| blob.version).expect("a version");
    assert_eq!(entry["stored"]["version"], version.as_str(), "carried over from the run that stored it");
    let older = format!("vaults/kv-a/runs/{}/objects/secret/secret-0/backup", older.expect("a run"));
    for name in [&blob, &older] {
        replace(&kept, name);
    }
    let found = kept.verify().await;
    assert_eq!(named(&found), [("rewritten", older.as_str()), ("rewritten", &blob)], "{found:?}");
    assert_eq!((&found[0]["newest"], &found[1]["newest"]), (&Value::Null, &true.into()));
    let rebuilt = kept.world.json(&["rebuild", "--vault", &kept.world.vault.url()]).await;
    let states = rebuilt["runs"].as_array().expect("a list").iter().map(|run| &run["manifest"]);
    assert!(states.eq(["sound"; 3]), "what the manifests say is what is there: {rebuilt}");
}

#[tokio::test]
async fn a_manifest_that_names_no_versions_or_those_of_another_container_says_nothing_of_them() {
    let kept = Kept::verified(3).await;
    let storage = &kept.world.backups;
    for change in ["\"in\"", "\"stored\""] {
        for name in kept.world.manifests("kv-a") {
            storage.damage_blob(BACKUPS, &name, |blob| blob.bytes = retold(&blob.bytes, change).into());
        }
        replace(&kept, &kept.newest_backup_of("secret-1"));
        assert_eq!(kept.verify().await, [] as [Value; 0], "{change}");
    }
}

/// A manifest without a word in its lines, or with another container.
fn retold(manifest: &[u8], word: &str) -> Vec<u8> {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(manifest), &mut text).expect("text");
    assert!(text.contains(word), "{text}");
    let text = match word {
        "\"in\"" => text.replace("\"in\":\"", "\"in\":\"00000000\",\"was\":\""),
        word => text.replace(word, "\"unknown\""),
    };
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut out, text.as_bytes()).expect("written");
    out.finish().expect("finished")
}

#[tokio::test]
async fn a_run_closes_in_as_many_requests_and_also_where_storage_cannot_list_versions() {
    let mut kept = Kept::with(3, "within=3650").await;
    let lists = |kept: &Kept, mark| {
        let requests = kept.world.azure.requests().since(mark);
        requests
            .iter()
            .filter(|of| of.operation == Operation::ListBlobs && of.path.contains("include="))
            .count()
    };
    kept.night().await;
    let mark = kept.world.azure.requests().mark();
    kept.changed_night().await;
    let with_versions = lists(&kept, mark);
    let of_versions = Matcher::from(Operation::ListBlobs).custom(|of| of.path.contains("versions"));
    kept.world.fault(of_versions, FaultKind::Status(400));
    let mark = kept.world.azure.requests().mark();
    kept.changed_night().await;
    let manifest = kept.world.newest("kv-a");
    assert_eq!(
        (manifest.fared("secret", "secret-0"), &manifest.summary["verdict"]),
        ("backed-up", &"Succeeded".into())
    );
    assert_eq!(lists(&kept, mark), with_versions + 1);
}

impl Kept {
    /// When each backup of a secret was last verified, the newest first.
    async fn verified_at(&mut self, secret: &str) -> Vec<Value> {
        let history = self.world.ok(&format!("/api/backups/kv-a/secret/{secret}")).await;
        let backups = history["backups"].as_array().expect("a list");
        backups.iter().map(|backup| backup["verified"].clone()).collect()
    }
}

#[tokio::test]
async fn a_backup_says_when_it_was_last_verified_if_that_is_known() {
    let mut kept = Kept::with(3, "within=3650").await;
    kept.night().await;
    assert_eq!(kept.verified_at("secret-0").await, [Value::Null], "no pass has read it");
    kept.verify().await;
    let at = kept.verification()["started"].clone();
    assert!(at.is_string());
    let listed = kept.world.ok("/api/backups?name=secret-1").await;
    assert_eq!(listed["backups"][0]["verified"], at, "{listed}");
    kept.changed_night().await;
    assert_eq!(kept.verified_at("secret-0").await, [Value::Null, at], "no pass has read the new one");
    kept.world.backups.flip_bit(BACKUPS, &kept.newest_backup_of("secret-0"));
    kept.verify().await;
    let again = kept.verification()["started"].clone();
    assert_eq!(
        kept.verified_at("secret-0").await,
        [Value::Null, again.clone()],
        "a finding is open about it"
    );
    let url = kept.world.vault.url();
    let listed = kept.world.json(&["list", "objects", "--vault", &url]).await;
    let shown = [0, 1].map(|at| listed["objects"][at]["backup"]["verified"].clone());
    assert_eq!(shown, [Value::Null, again], "{listed}");
    let history = kept.world.cli(&["list", "history", "--vault", &url, "--secret", "secret-1"]).await;
    assert!(String::from_utf8_lossy(&history.stdout).contains("VERIFIED"), "{history:?}");
    let record = kept.world.stored_below("verifications/vaults/kv-a/").pop_first().expect("a record").0;
    kept.world.backups.damage_blob(BACKUPS, &record, |record| record.metadata.clear());
    assert_eq!(kept.verified_at("secret-0").await, [Value::Null, Value::Null], "what it found is not known");
}

#[tokio::test]
async fn a_source_that_another_process_verifies_has_not_failed() {
    let mut kept = Kept::with(70, "within=3650").await;
    kept.night().await;
    let read = Matcher::from(Operation::GetBlob).custom(|of| of.object.contains("/objects/"));
    kept.world.azure.faults().add(Fault::on(read).after(65).reply(FaultKind::Forbidden(Forbidden::ByRbac)));
    assert!(!kept.verify_at(kept.now() + Duration::HOUR).await.succeeded());
    kept.world.azure.faults().clear();
    let again = kept.keeper.fire("VerifyBackups", Firing::at(kept.now())).await;
    assert!(again.succeeded(), "{again:?}");
    let events = ["verification.failed", "verification.busy", "verification.ended"];
    assert_eq!(events.map(|event| kept.keeper_events(event)), [1, 1, 0]);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_told_and_stops_retention_until_the_next_pass() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    for _ in 0..5 {
        kept.changed_night().await;
    }
    kept.verify().await;
    let record = kept.world.stored_below("verifications/vaults/kv-a/").pop_first().expect("a record").0;
    kept.world.backups.damage_blob(BACKUPS, &record, |record| record.metadata.clear());
    let source = kept.world.ok("/api/status").await["sources"][0].take();
    assert_eq!(source["verified"], "unknown", "{source}");
    let troubles = source["troubles"].as_array().expect("a list");
    assert!(troubles.iter().any(|of| of["type"] == "verification-unreadable"), "{source}");
    let now = kept.now() + Duration::hours(2);
    kept.world.at(now);
    assert!(!kept.keeper.fire("ApplyRetention", Firing::at(now)).await.succeeded());
    assert_eq!(kept.stored_marks(), 0);
    kept.verify().await;
    kept.pass().await;
    assert!(kept.stored_marks() > 0, "the next pass has made a new record");
}

/// The object of a backup's name.
fn object_of(blob: &str) -> &str {
    blob.split("/objects/").nth(1).unwrap_or(blob)
}

#[tokio::test]
async fn whatever_is_overwritten_with_the_backup_of_another_object_is_found() {
    let kept = Kept::verified(3).await;
    let storage = &kept.world.backups;
    let stored: Vec<String> = kept.world.stored_below("vaults/").into_keys().collect();
    let other = |name: &str| {
        let is_other = |of: &&String| of.ends_with("/backup") && object_of(of) != object_of(name);
        let other = stored.iter().find(is_other).expect("a backup of another object");
        storage.blob(BACKUPS, other).expect("it is stored")
    };
    storage.keep(Keeping::default());
    for name in &stored {
        let (whole, other) = (storage.blob(BACKUPS, name).expect("it is stored"), other(name));
        storage.damage_blob(BACKUPS, name, |blob| {
            (blob.bytes, blob.metadata) = (other.bytes.clone(), other.metadata.clone());
        });
        let found = kept.verify().await;
        assert!(named(&found).iter().any(|(_, blob)| blob == name), "{name}: {found:?}");
        if name.ends_with("/backup") {
            assert!(found.len() == 1 && ["differs", "missing"].contains(&named(&found)[0].0), "{found:?}");
        }
        storage.damage_blob(BACKUPS, name, |blob| *blob = whole.clone());
    }
    assert_eq!(kept.verify().await, [] as [Value; 0]);
    storage.keep(Keeping { versions: true, deleted_days: None });
    let others: Vec<_> = stored.iter().map(|name| (name, other(name))).collect();
    for (name, other) in others {
        storage.put_blob(BACKUPS, name, other.bytes.clone(), &[]);
        storage.damage_blob(BACKUPS, name, |blob| blob.metadata = other.metadata.clone());
    }
    let found = kept.verify().await;
    assert!(named(&found).into_iter().map(|(_, blob)| blob).eq(&stored), "{found:?}");
}

#[tokio::test]
async fn every_object_whose_newest_backup_was_overwritten_has_a_good_one_again_the_same_night() {
    let mut kept = Kept::verified(3).await;
    let names = ["secret-0", "secret-1", "secret-2"].map(|secret| kept.newest_backup_of(secret));
    let blobs = names.each_ref().map(|name| kept.world.backups.blob(BACKUPS, name).expect("it is stored"));
    for (at, name) in names.iter().enumerate() {
        let other = &blobs[(at + 1) % 3];
        kept.world.backups.put_blob(BACKUPS, name, other.bytes.clone(), &[]);
        kept.world.backups.damage_blob(BACKUPS, name, |blob| blob.metadata = other.metadata.clone());
    }
    assert_eq!(kept.verify().await.iter().filter(|of| of["newest"] == true).count(), 3);
    kept.world.settle().await;
    for secret in ["secret-0", "secret-1", "secret-2"] {
        assert!(kept.newest_backup_of(secret).contains("-verification/"), "{secret}");
    }
    let found = kept.verify().await;
    assert!(found.len() == 3 && found.iter().all(|of| of.get("newest").is_none()), "{found:?}");
}
