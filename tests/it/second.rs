//! The second place: another account, into which the keeper copies what is new, with rights there to read and to add.

use std::collections::{BTreeMap, BTreeSet};

use flate2::read::GzDecoder;
use keyvault_backup::azure::container::{Container, Metadata, Version, Written};
use keyvault_backup_emulator::{
    Azure, FaultKind, Keeping, Kind, Matcher, Operation, Rights, SecretSpec, StorageHandle, Taken,
    host::{Firing, Invocation},
};
use serde_json::Value;
use time::Duration;

use crate::{
    retention::{KEEPER, Kept, keeper_of},
    wire::Wire,
    world::{BACKUPS, PERSON, World},
};

/// A world with a keeper and a second place.
pub struct Second {
    pub kept: Kept,
    pub second: StorageHandle,
}

impl World {
    /// A second place, for a keeper that is started after this.
    pub fn with_second_place(&mut self) -> StorageHandle {
        let second = self.azure.storage("secondstore");
        second.create_container(BACKUPS);
        second.keep(Keeping { versions: true, deleted_days: None });
        second.give(KEEPER, Rights::of("keeper", "second"));
        second.give(PERSON, Rights::of("person", "second"));
        self.set("KEYVAULT_BACKUP_SECOND_CONTAINER", &format!("{}/{BACKUPS}", second.blob_url()));
        second
    }
}

/// What a blob is: its bytes and its metadata.
type Blob = (Vec<u8>, BTreeMap<String, String>);

impl Second {
    pub async fn with(secrets: usize) -> Self {
        let mut kept = Kept::with(secrets, "within=30 months=0").await;
        let second = kept.world.with_second_place();
        kept.keeper = keeper_of(&kept.world).await;
        Self { kept, second }
    }

    /// A night in which secret-0 changes.
    pub async fn night(&mut self) {
        self.kept.changed_night().await;
    }

    /// A pass of the copies, an hour after what came before.
    pub async fn pass(&self) -> Invocation {
        let now = self.kept.now() + Duration::HOUR;
        self.kept.world.at(now);
        self.kept.keeper.fire("CopyBackups", Firing::at(now)).await
    }

    pub async fn good_pass(&self) {
        let pass = self.pass().await;
        assert!(pass.succeeded(), "{pass:?}");
    }

    /// Every blob of a place.
    pub fn blobs(place: &StorageHandle) -> BTreeMap<String, Blob> {
        let blob = |name: String| {
            let found = place.blob(BACKUPS, &name).expect("it is stored");
            let metadata = found.metadata.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            (name, (found.bytes.to_vec(), metadata))
        };
        place.blobs(BACKUPS).into_iter().map(blob).collect()
    }

    /// Everything of the first place is in the second, with bytes and metadata, but probes and what tells of the copies.
    pub fn assert_copied(&self) {
        let (first, second) = (Self::blobs(&self.kept.world.backups), Self::blobs(&self.second));
        for (name, blob) in &first {
            if !name.starts_with("preflight/") && !name.starts_with("second/") {
                assert!(second.get(name) == Some(blob), "{name} is not copied as it is");
            }
        }
    }

    /// Whatever a manifest in the second place names is there, byte for byte what the first place has.
    pub fn assert_closed(&self, when: &str) {
        let (first, second) = (Self::blobs(&self.kept.world.backups), Self::blobs(&self.second));
        for (manifest, (bytes, _)) in second.iter().filter(|(name, _)| name.ends_with(".jsonl.gz")) {
            if !manifest.contains("/manifests/") {
                continue;
            }
            for name in named(bytes) {
                assert!(second.contains_key(&name), "{when}: {manifest} names {name}, which is not there");
                assert!(second.get(&name) == first.get(&name), "{when}: {name} is another one");
            }
        }
    }
}

/// The blobs that a manifest names.
pub fn named(bytes: &[u8]) -> BTreeSet<String> {
    let lines = std::io::read_to_string(GzDecoder::new(bytes)).expect("it is whole");
    let mut names = BTreeSet::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).expect("it is JSON");
        for entry in [&line["object"]["entry"], &line["object"]["former"]] {
            if let Some(run) = entry["run"].as_str() {
                let text = |key: &str| entry[key].as_str().expect("it is text").to_lowercase();
                let (vault, kind, name) = (text("vault"), text("kind"), text("name"));
                names.insert(format!("vaults/{vault}/runs/{run}/objects/{kind}/{name}/backup"));
            }
        }
    }
    names
}

/// Writes to the second place since a mark.
fn writes(second: &Second, mark: u64) -> usize {
    let requests = second.kept.world.azure.requests().since(mark);
    let is_write = |operation| {
        matches!(operation, Operation::PutBlob | Operation::PutBlobFromUrl | Operation::DeleteBlob)
    };
    requests.iter().filter(|of| of.host.starts_with("secondstore.") && is_write(of.operation)).count()
}

#[tokio::test]
async fn what_is_new_is_copied_and_a_second_pass_changes_nothing() {
    let mut second = Second::with(5).await;
    second.night().await;
    second.night().await;
    second.good_pass().await;
    second.assert_copied();
    second.assert_closed("after a pass");
    let (before, mark) = (Second::blobs(&second.second), second.kept.world.azure.requests().mark());
    second.good_pass().await;
    assert_eq!(writes(&second, mark), 0, "nothing was new");
    assert!(Second::blobs(&second.second) == before);
    second.night().await;
    second.good_pass().await;
    second.assert_copied();
}

#[tokio::test]
async fn a_normal_night_looks_only_at_runs_without_a_manifest_there() {
    let mut second = Second::with(3).await;
    for _ in 0..3 {
        second.night().await;
    }
    second.good_pass().await;
    second.night().await;
    let mark = second.kept.world.azure.requests().mark();
    second.good_pass().await;
    let requests = second.kept.world.azure.requests().since(mark);
    let reads =
        requests.iter().filter(|of| of.operation == Operation::GetBlob && of.host.starts_with("backups."));
    // The run's plan, its backups, its manifest, and what the night left on the trail.
    assert!(reads.count() < 15, "{requests:#?}");
}

/// Kills the keeper at its first request, at its second, and so on, in a pass each, until a pass ends before.
async fn die_at_every_request(how: FaultKind) -> usize {
    let mut second = Second::with(3).await;
    for at in 0.. {
        let number = second.kept.nights;
        second.kept.world.vault.put_secret(&format!("new-{number}"), SecretSpec::new("value"));
        second.kept.world.vault.remove(Kind::Secret, &format!("new-{}", number - 2));
        second.night().await;
        let met = second.kept.world.trap(at, how.clone());
        let died = tokio::select! {
            done = second.pass() => { assert!(done.succeeded(), "{done:?}"); false }
            () = met.notified() => true,
        };
        second.kept.world.azure.faults().clear();
        second.assert_closed(&format!("killed at request {at}"));
        if !died {
            second.assert_copied();
            return at;
        }
        second.kept.keeper.restart().await.expect("it starts again");
        second.good_pass().await;
        second.assert_closed(&format!("after a kill at request {at}"));
        second.assert_copied();
    }
    unreachable!("a pass has an end")
}

#[tokio::test]
async fn a_kill_before_any_request_is_served_leaves_no_index_without_its_bytes() {
    assert!(die_at_every_request(FaultKind::Hang).await > 20);
}

#[tokio::test]
async fn a_kill_after_any_request_was_served_leaves_no_index_without_its_bytes() {
    assert!(die_at_every_request(FaultKind::ResetAfter).await > 20);
}

#[tokio::test]
async fn a_pass_that_was_stopped_is_gone_on_with() {
    let mut second = Second::with(2).await;
    second.night().await;
    let met =
        second.kept.world.trap_on(Matcher::from(Operation::PutBlob).host("secondstore"), 2, FaultKind::Hang);
    tokio::select! {
        done = second.pass() => panic!("it hangs: {done:?}"),
        () = met.notified() => {}
    }
    second.kept.world.azure.faults().clear();
    second.kept.keeper.restart().await.expect("it starts again");
    let look = async |minutes| {
        let now = second.kept.now() + Duration::minutes(minutes);
        second.kept.world.at(now);
        let looked = second.kept.keeper.fire("AdvanceJobs", Firing::at(now)).await;
        assert!(looked.succeeded(), "{looked:?}");
    };
    look(20).await;
    assert!(
        !second.second.blobs(BACKUPS).iter().any(|name| name.contains("/manifests/")),
        "another may be at work"
    );
    look(10).await;
    second.assert_copied();
}

#[tokio::test]
async fn one_call_in_three_fails_and_nothing_is_half() {
    let mut second = Second::with(6).await;
    second.night().await;
    let seen = std::sync::atomic::AtomicUsize::new(0);
    let third = Matcher::any()
        .host("secondstore")
        .custom(move |_| seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(3));
    second.kept.world.fault(third, FaultKind::Status(500));
    for _ in 0..6 {
        second.pass().await;
        second.assert_closed("with faults");
    }
    second.kept.world.azure.faults().clear();
    second.good_pass().await;
    second.assert_copied();
}

#[tokio::test]
async fn what_is_taken_by_something_else_is_told_and_its_point_is_not_called_a_copy() {
    let mut second = Second::with(3).await;
    second.night().await;
    let taken = second.kept.backups_of("secret-1").pop_first().expect("it is backed up");
    let name =
        second.kept.world.backups.blobs(BACKUPS).into_iter().find(|name| name.contains("/secret-1/backup"));
    let name = name.expect("it is stored");
    second.second.put_blob(BACKUPS, &name, "something else", &[]);
    let pass = second.pass().await;
    assert!(
        !pass.succeeded() && format!("{pass:?}").contains("something else by that name"),
        "{taken} {pass:?}"
    );
    assert!(!second.second.blobs(BACKUPS).iter().any(|name| name.contains("/manifests/")));
    assert_eq!(second.second.blob(BACKUPS, &name).expect("it is there").bytes, "something else");
    let status = second.kept.world.ok("/api/status").await;
    assert!(status["secondPlace"]["failedParts"].as_u64() >= Some(1), "{status}");
}

/// What an attacker tries who has an identity of the first place, in the second.
#[tokio::test]
async fn no_identity_of_the_first_place_changes_or_deletes_anything_in_the_second() {
    for identity in [KEEPER, "backup", "restore"] {
        let azure = Azure::start().await.expect("the emulator starts");
        let storage = azure.storage("secondstore");
        storage.create_container(BACKUPS);
        storage.keep(Keeping { versions: true, deleted_days: None });
        storage.give(KEEPER, Rights::of("keeper", "second"));
        // The client of these tests is called nothing.
        if identity == KEEPER {
            storage.give("", Rights::of("keeper", "second"));
        }
        let wire = Wire::new(&azure, [storage.blob_url().replace("https://", "")]);
        let url = format!("{}/{BACKUPS}", storage.blob_url()).parse().expect("a URL");
        let there = Container::new(&url, &wire.connection).expect("the client is built");
        for taken in [Taken::Conflict, Taken::Forbidden] {
            storage.set_taken(taken);
            for name in ["vaults/x", "audit/x", "holds/x", "retention/x", "hsm-copies/x", "owners/x"] {
                storage.put_blob(BACKUPS, name, "kept", &[]);
                let other = || Metadata::from([("entry".to_owned(), "other".to_owned())]);
                assert!(there.put(name, other()).await.is_err(), "{identity} overwrites {name}");
                assert!(
                    there.rewrite(name, "*", b"other".to_vec(), other()).await.is_err(),
                    "{identity} {name}"
                );
                assert!(there.delete(name).await.is_err(), "{identity} deletes {name}");
                assert!(
                    there.set_legal_hold(name, false).await.is_err(),
                    "{identity} lifts a hold of {name}"
                );
                for version in storage.versions(BACKUPS, name) {
                    let version = version.version.clone();
                    assert!(
                        there.delete_version(&version_of(name, version)).await.is_err(),
                        "{identity} {name}"
                    );
                }
                let added = there.add(name, b"other".to_vec(), other()).await;
                assert!(
                    added.is_err() || added.is_ok_and(|added| added == Written::AlreadyThere),
                    "{identity} {name}"
                );
                let kept = storage.blob(BACKUPS, name).expect("it is there");
                assert_eq!(
                    (kept.bytes.as_ref(), kept.metadata.len()),
                    (&b"kept"[..], 0),
                    "{identity} {name}"
                );
            }
        }
        let new = there.add("vaults/new", b"new".to_vec(), Metadata::new()).await;
        assert_eq!(new.is_ok(), identity == KEEPER, "only the keeper adds: {identity} {new:?}");
        let decided =
            there.add("owners/holds/vaults/kv-a/INC-1/0001.released", Vec::new(), Metadata::new()).await;
        assert!(decided.is_err(), "{identity} decides nothing for the owners");
    }
}

fn version_of(name: &str, id: Option<String>) -> Version {
    let (name, etag) = (name.to_owned(), "*".to_owned());
    Version {
        name,
        id,
        is_current: false,
        bytes: 4,
        etag,
        written: None,
        immutable_until: None,
        legal_hold: false,
    }
}

/// A keeper in the hands of an attacker deletes and marks in the first place what it may. What was copied is offered in the second.
#[tokio::test]
async fn what_a_keeper_lets_go_in_the_first_place_is_still_offered_in_the_second() {
    let mut second = Second::with(2).await;
    for _ in 0..3 {
        second.night().await;
        second.good_pass().await;
    }
    let before = Second::blobs(&second.second);
    for run in ["20260110T020000Z-nightly", "20260120T020000Z-nightly", "20260130T020000Z-nightly"] {
        let mark = format!("retention/vaults/kv-a/points/{run}/0001");
        second.kept.world.backups.put_blob(BACKUPS, &mark, "", &[("mark", "swept")]);
    }
    for name in second.kept.world.backups.blobs(BACKUPS) {
        if name.starts_with("vaults/") {
            second.kept.world.backups.delete_blob(BACKUPS, &name);
        }
    }
    second.good_pass().await;
    let after = Second::blobs(&second.second);
    assert!(before.iter().all(|(name, blob)| after.get(name) == Some(blob)), "nothing of the copy is gone");
    assert!(
        after.keys().any(|name| name.starts_with("retention/vaults/kv-a/points/")),
        "the marks are copied"
    );
    second.kept.world.today();
    let url = second.kept.world.vault.url();
    let runs =
        second.kept.world.cli(&["list", "runs", "--vault", &url, "--from", "second", "-o", "json"]).await;
    let runs: Value = serde_json::from_slice(&runs.stdout).unwrap_or_else(|_| panic!("{runs:?}"));
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(3), "{runs}");
}

/// A backup that is gone in the first place before it was copied keeps no point away.
#[tokio::test]
async fn a_point_is_copied_without_what_the_first_place_has_lost() {
    let mut second = Second::with(3).await;
    second.night().await;
    let name =
        second.kept.world.backups.blobs(BACKUPS).into_iter().find(|name| name.contains("/secret-1/backup"));
    second.kept.world.backups.delete_blob(BACKUPS, &name.expect("it is stored"));
    second.good_pass().await;
    second.assert_copied();
    let lines: Vec<_> = second.kept.keeper.logs().into_iter().filter(|line| line.function_console).collect();
    assert_eq!(crate::checks::events(&lines, "second.lacking"), 1);
}

#[tokio::test]
async fn evidence_and_numbers_say_how_far_the_second_place_is() {
    let mut second = Second::with(2).await;
    second.night().await;
    second.good_pass().await;
    let of_day = second.kept.now().date();
    second.kept.world.at(second.kept.now() + Duration::DAY);
    second.kept.pass().await;
    let name = format!("evidence/{}", of_day.to_string().replace('-', "/"));
    let record = second.kept.world.backups.blob(BACKUPS, &name).expect("the day has its record").bytes;
    let record: Value = serde_json::from_slice(&record).expect("JSON");
    let seen = &record["sources"][0]["second"];
    assert_eq!(
        (&seen["behind"], seen["newest"].as_str().map(|at| &at[..10])),
        (&0.into(), Some("2026-01-10")),
        "{record}"
    );
    // A night after the last pass: nothing has copied it.
    second.night().await;
    let next = second.kept.now().date();
    second.kept.world.at(second.kept.now() + Duration::DAY);
    second.kept.pass().await;
    let name = format!("evidence/{}", next.to_string().replace('-', "/"));
    let record = second.kept.world.backups.blob(BACKUPS, &name).expect("the day has its record").bytes;
    let record: Value = serde_json::from_slice(&record).expect("JSON");
    assert!(record["sources"][0]["second"]["behind"].as_u64() > Some(0), "{record}");

    second.good_pass().await;
    second.kept.world.today();
    let numbers = second.kept.world.cli(&["metrics"]).await;
    let numbers = String::from_utf8_lossy(&numbers.stdout).into_owned();
    for line in [
        "keyvault_backup_second_place_behind_seconds{source=\"kv-a\",kind=\"vault\"} 0",
        "keyvault_backup_second_place_failed_parts 0",
    ] {
        assert!(numbers.contains(line), "{line}: {numbers}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("status.html").display().to_string();
    second.kept.world.cli(&["status", "--html", &file]).await;
    let page = std::fs::read_to_string(&file).expect("it is written");
    assert!(page.contains("<dt>Second place</dt><dd><b>has it all</b>"), "{page}");
    let to = of_day.to_string();
    let path = folder.path().join("evidence").display().to_string();
    let made = second.kept.world.cli(&["evidence", "--from", &to, "--to", &to, "--output", &path]).await;
    assert!(made.status.success(), "{made:?}");
    let page = std::fs::read_to_string(format!("{path}/evidence.html")).expect("it is written");
    assert!(page.contains("has it all"), "{page}");
}

#[tokio::test]
async fn what_is_large_is_copied_by_storage_itself_or_in_pieces_and_never_held_whole() {
    let mut second = Second::with(1).await;
    second.night().await;
    let put = |second: &Second, number: u8| {
        let name = format!("hsm-copies/hsm-a/blobs/run-{number}/large");
        let bytes = vec![number; 9 * 1024 * 1024];
        second.kept.world.backups.put_blob(BACKUPS, &name, bytes, &[("of", "an HSM")]);
        name
    };
    for (number, closed) in [(1, false), (2, true)] {
        put(&second, number);
        second.kept.world.backups.close_to_copies(closed);
        let mark = second.kept.world.azure.requests().mark();
        second.good_pass().await;
        second.assert_copied();
        let requests = second.kept.world.azure.requests().since(mark);
        let large = requests.iter().filter(|of| of.object.ends_with("/large"));
        let by_storage =
            large.clone().filter(|of| of.operation == Operation::PutBlobFromUrl && of.status == 201);
        let pieces = large.filter(|of| of.operation == Operation::GetBlob && of.host.starts_with("backups."));
        assert_eq!((by_storage.count(), pieces.count()), if closed { (0, 3) } else { (1, 0) }, "{closed}");
    }
    second.kept.world.backups.close_to_copies(false);
    let name = put(&second, 3);
    second.second.put_blob(BACKUPS, &name, "something else", &[]);
    let pass = second.pass().await;
    assert!(!pass.succeeded() && format!("{pass:?}").contains("something else by that name"), "{pass:?}");
    assert_eq!(second.second.blob(BACKUPS, &name).expect("it is there").bytes, "something else");
}

/// As if retention or a person let a backup go between the listing and the reading of it.
#[tokio::test]
async fn a_point_whose_backup_is_let_go_while_it_is_copied_says_so_wherever_it_is_read() {
    let mut second = Second::with(3).await;
    second.night().await;
    let backups = second.kept.world.backups.clone();
    let goes = Matcher::any().custom(move |of| {
        let is_read = matches!(of.operation, Operation::GetBlob | Operation::PutBlobFromUrl);
        if let Some((container, name)) = of.object.split_once('/').filter(|_| is_read)
            && name.ends_with("/secret-1/backup")
        {
            backups.delete_blob(container, name);
        }
        false
    });
    second.kept.world.fault(goes, FaultKind::Hang);
    second.good_pass().await;
    assert!(second.kept.backups_of("secret-1").is_empty(), "it was let go meanwhile");
    let lines: Vec<_> = second.kept.keeper.logs().into_iter().filter(|line| line.function_console).collect();
    assert_eq!(crate::checks::events(&lines, "second.lacking"), 1);
    let status = second.kept.world.ok("/api/status").await;
    assert_eq!(status["sources"][0]["secondPlaceLacking"], 1, "{status}");
    second.kept.world.today();
    let url = second.kept.world.vault.url();
    let run = "20260110T020000Z-nightly";
    let shown = second.kept.world.cli(&["show", run, "--vault", &url, "--from", "second"]).await;
    let said = String::from_utf8_lossy(&shown.stderr);
    assert!(said.contains("was copied without the backup of secret secret-1"), "{shown:?}");
    for args in [&["show", run][..], &["list", "runs"]] {
        let args = [args, &["--vault", &url]].concat();
        let of = async |args: &[&str]| {
            let said = second.kept.world.json(args).await;
            said.get("runs").map_or(said.clone(), |runs| runs[0].clone())["copiedWithout"].clone()
        };
        assert_eq!(of(&[&args[..], &["--from", "second"]].concat()).await, 1);
        assert_eq!(of(&args).await, Value::Null, "it says so of the copy alone");
    }
}

/// A run that is complete there is compared again within thirty days, and what is gone there is copied again.
#[tokio::test]
async fn what_is_gone_in_the_second_place_is_copied_again_within_thirty_days() {
    let mut second = Second::with(2).await;
    second.night().await;
    second.good_pass().await;
    let name = second.second.blobs(BACKUPS).into_iter().find(|name| name.contains("/secret-1/backup"));
    let name = name.expect("it is copied");
    second.second.delete_blob(BACKUPS, &name);
    let mut passes = 0;
    while second.second.blob(BACKUPS, &name).is_none() {
        second.kept.world.at(second.kept.now() + Duration::hours(23));
        second.good_pass().await;
        passes += 1;
        assert!(passes <= 30, "its turn has come");
    }
}

#[tokio::test]
async fn status_says_when_the_second_place_is_behind_for_more_than_a_day() {
    let mut second = Second::with(2).await;
    second.night().await;
    second.good_pass().await;
    let of_vault = async |second: &mut Second| {
        let status = second.kept.world.ok("/api/status").await;
        let vault =
            status["sources"].as_array().expect("sources").iter().find(|of| of["source"] == "kv-a").cloned();
        let vault = vault.expect("it is there");
        let types: Vec<_> =
            vault["troubles"].as_array().expect("a list").iter().map(|of| of["type"].clone()).collect();
        (vault["secondPlaceBehindSince"].clone(), types.contains(&"second-place-late".into()))
    };
    assert_eq!(of_vault(&mut second).await, (Value::Null, false));
    let ended = second.kept.now();
    // The keeper has lost its right there, and tries every night.
    second.second.take_rights(KEEPER);
    second.night().await;
    let (since, late) = of_vault(&mut second).await;
    let since = since.as_str().expect("a time").to_owned();
    assert!(late && since.starts_with(&ended.date().to_string()), "{since} {ended}");
    let pass = second.pass().await;
    assert!(!pass.succeeded() && format!("{pass:?}").contains("AuthorizationPermissionMismatch"), "{pass:?}");
    assert!(of_vault(&mut second).await.1, "it still is");
    second.second.give(KEEPER, Rights::of("keeper", "second"));
    second.good_pass().await;
    assert_eq!(of_vault(&mut second).await, (Value::Null, false));
}
