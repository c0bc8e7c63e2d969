//! The audit trail: nothing begins that is not on it, and what is missing from it shows.

use std::sync::Arc;

use keyvault_backup_emulator::{FaultKind, Forbidden, Kind, Matcher, Operation, host::Host};
use serde_json::{Value, json};
use sha2::Digest as _;
use tokio::sync::Notify;

use crate::{
    api::problem,
    formats::thaw,
    hsm_restores::keys,
    hsm_world::HsmWorld,
    restore_crashes::{backed_up, wish},
    world::{BACKUPS, JOBS, World},
};

/// Writes of blobs whose names start so are refused.
pub fn writes_of(start: &'static str) -> Matcher {
    Matcher::from(Operation::PutBlob)
        .custom(move |of| of.object.split_once('/').is_some_and(|(_, blob)| blob.starts_with(start)))
}

impl World {
    /// What `audit verify` finds: its exit code, and the JSON.
    pub async fn verified(&self) -> (Option<i32>, Value) {
        let output = self.cli(&["audit", "verify", "--output", "json"]).await;
        let found = serde_json::from_slice(&output.stdout);
        (output.status.code(), found.unwrap_or_else(|_| panic!("{output:?}")))
    }

    /// The names of the trail's records.
    pub fn trail(&self) -> Vec<String> {
        self.backups.blobs(BACKUPS).into_iter().filter(|name| name.starts_with("audit/")).collect()
    }

    /// Asks for a backup of the vault, in a process of its own.
    pub async fn ask_anew(&mut self) {
        self.restart_with_settings().await;
        assert_eq!(self.post("/api/backups", json!({ "vault": "kv-a" })).await.status, 202);
    }

    fn refuse(&self, start: &'static str) {
        self.fault(writes_of(start), FaultKind::Forbidden(Forbidden::ByRbac));
    }
}

/// The faults that `audit verify` names, with the records at which they show.
fn faults(found: &Value) -> Vec<(&str, &str)> {
    let text = |of: &'_ Value| of.as_str().unwrap_or_default().to_owned().leak() as &str;
    let faults = found["faults"].as_array().expect("a list").iter();
    faults.map(|of| (text(&of["record"]), text(&of["fault"]))).collect()
}

#[tokio::test]
async fn of_a_trail_without_records_nothing_is_said() {
    let world = World::new().await;
    assert_eq!(
        world.verified().await,
        (Some(2), json!({ "records": 0, "sections": [], "faults": [], "gone": [], "changed": [] }))
    );
    let text = world.cli(&["audit", "verify"]).await.stdout;
    assert!(!String::from_utf8_lossy(&text).contains("whole"), "it is not known to be");
}

#[tokio::test]
async fn each_process_and_each_right_has_sections_of_its_own() {
    let mut world = backed_up().await;
    for _ in 0..2 {
        world.ask_anew().await;
        world.ask_anew().await;
        let plan = world.plan(json!({ "source": "kv-a", "name": "untouched" })).await;
        assert_eq!(world.begin(&plan).await.status, 200, "it is there, so it has ended at once");
    }
    let args = ["restore", "--vault", &world.vault.url(), "--secret", "db", "--yes"];
    assert_eq!(world.cli(&args).await.status.code(), Some(0), "it is there");
    let (code, found) = world.verified().await;
    assert_eq!((code, &found["whole"], &found["records"]), (Some(0), &json!(true), &json!(10)), "{found}");
    let sections: Vec<_> = found["sections"].as_array().expect("a list").iter().collect();
    let of = |right: &str| {
        let right = format!("audit/{right}/");
        sections
            .iter()
            .filter(|of| of["section"].as_str().is_some_and(|name| name.starts_with(&right)))
            .count()
    };
    assert_eq!([of("backup"), of("restore"), of("terminal")], [4, 2, 1], "{found}");
    let times: Vec<_> = sections.iter().map(|of| of["first"].as_str().expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(sections.iter().all(|of| world.trail().iter().any(|name| of["head"]["name"] == **name)));
}

#[tokio::test]
async fn a_section_that_is_missing_or_has_lost_its_newest_record_is_named() {
    let mut world = World::with_secrets(1).await;
    world.today();
    for _ in 0..2 {
        assert_eq!(world.post("/api/backups", json!({ "vault": "kv-a" })).await.status, 202);
    }
    let newest = world.trail().pop().expect("there is a record");
    world.ask_anew().await;
    world.backups.delete_blob(BACKUPS, &newest);
    let (code, found) = world.verified().await;
    assert!(code == Some(1) && faults(&found).len() == 1 && faults(&found)[0].1.contains(&newest), "{found}");
    let section = newest.rsplit_once('/').expect("a section").0.to_owned();
    for name in world.trail().iter().filter(|name| name.starts_with(&section)) {
        world.backups.delete_blob(BACKUPS, name);
    }
    let (code, found) = world.verified().await;
    assert!(code == Some(1) && faults(&found)[0].1.contains("is missing"), "{found}");
}

#[tokio::test]
async fn a_record_that_was_printed_once_is_found_again_or_named() {
    let mut world = World::with_secrets(1).await;
    world.today();
    for _ in 0..2 {
        assert_eq!(world.post("/api/backups", json!({ "vault": "kv-a" })).await.status, 202);
    }
    let (_, found) = world.verified().await;
    let head = found["sections"][0]["head"]["sha256"].as_str().expect("a digest").to_owned();
    let args = ["audit", "verify", "--expect", &head];
    assert_eq!(world.cli(&args).await.status.code(), Some(0));
    let newest = world.trail().pop().expect("there is a record");
    world.backups.delete_blob(BACKUPS, &newest);
    assert_eq!(world.verified().await.0, Some(0), "nothing else knew of it");
    let output = world.cli(&args).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && text.contains(&head) && text.contains("NOT whole"), "{text}");
}

/// A trail of one section with this many records, and what `--expect` takes of its newest.
async fn with_head(records: usize) -> (World, String) {
    let mut world = World::with_secrets(1).await;
    world.today();
    for _ in 0..records {
        assert_eq!(world.post("/api/backups", json!({ "vault": "kv-a" })).await.status, 202);
    }
    let (_, found) = world.verified().await;
    let section = &found["sections"][0];
    assert_eq!((&section["records"], &section["number"]), (&json!(records), &json!(records)), "{found}");
    let text = |of: &Value| of.as_str().expect("text").to_owned();
    let head = format!("{}:{records}:{}", text(&section["section"]), text(&section["head"]["sha256"]));
    (world, head)
}

/// The exit code of `audit verify --expect`, and what it prints.
async fn expecting(world: &World, head: &str) -> (Option<i32>, String) {
    let output = world.cli(&["audit", "verify", "--expect", head]).await;
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn a_tail_that_was_cut_off_is_seen_by_whoever_kept_its_head() {
    let (mut world, head) = with_head(3).await;
    assert_eq!(expecting(&world, &head).await.0, Some(0));
    assert_eq!(world.post("/api/backups", json!({ "vault": "kv-a" })).await.status, 202);
    assert_eq!(expecting(&world, &head).await.0, Some(0), "a section that goes on is as expected");
    for name in world.trail().iter().skip(2) {
        world.backups.delete_blob(BACKUPS, name);
    }
    assert_eq!(world.verified().await.0, Some(0), "nothing else knew of it");
    let (code, text) = expecting(&world, &head).await;
    assert!(code == Some(1) && text.contains("gone: this section has no record 3"), "{text}");
    for name in world.trail() {
        world.backups.delete_blob(BACKUPS, &name);
    }
    let (code, text) = expecting(&world, &head).await;
    assert!(code == Some(1) && text.contains("gone: this section has no record 3"), "{text}");
}

#[tokio::test]
async fn a_newest_record_that_was_written_anew_under_a_fitting_name_is_seen_by_whoever_kept_its_head() {
    let (world, head) = with_head(2).await;
    let newest = world.trail().pop().expect("there is a record");
    let bytes = world.backups.blob(BACKUPS, &newest).expect("it is stored").bytes;
    let text = String::from_utf8_lossy(&bytes).replace("kv-a", "kv-b");
    let (start, _) = newest.rsplit_once('.').expect("a digest");
    let sha256 = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(text.as_bytes()));
    world.backups.delete_blob(BACKUPS, &newest);
    world.backups.put_blob(BACKUPS, &format!("{start}.{sha256}"), text.clone(), &[]);
    assert_eq!(world.verified().await.0, Some(0), "the record fits its name, and nothing else knew of it");
    let (code, text) = expecting(&world, &head).await;
    assert!(code == Some(1) && text.contains("changed: record 2"), "{text}");
    let output = world.cli(&["audit", "verify", "--expect", &head, "-o", "json"]).await;
    let found: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!((&found["changed"], &found["gone"]), (&json!([head]), &json!([])), "{found}");
}

#[tokio::test]
async fn the_newest_record_of_all_cannot_be_changed_unseen() {
    let mut world = World::with_secrets(1).await;
    world.today();
    world.ask_anew().await;
    let newest = world.trail().pop().expect("there is a record");
    world.backups.damage_blob(BACKUPS, &newest, |blob| {
        let text = String::from_utf8_lossy(&blob.bytes).replace("kv-a", "kv-b");
        blob.bytes = text.into_bytes().into();
    });
    let (code, found) = world.verified().await;
    assert_eq!((code, faults(&found)), (Some(1), vec![(&*newest, "it was changed after it was written")]));
}

#[tokio::test]
async fn the_trail_of_older_programs_goes_on_in_sections() {
    let mut world = World::with_secrets(1).await;
    thaw(&world, "v1-restore");
    let old = world.trail();
    world.today();
    world.ask_anew().await;
    let (code, found) = world.verified().await;
    assert_eq!((code, &found["sections"][0]["records"]), (Some(0), &json!(old.len())), "{found}");
    assert_eq!(found["sections"][0]["section"], "audit", "{found}");
    let newest = old.last().expect("there is a record");
    world.backups.delete_blob(BACKUPS, newest);
    let (code, found) = world.verified().await;
    assert!(code == Some(1) && faults(&found)[0].1.contains(newest), "{found}");
    world.backups.put_blob(BACKUPS, newest, "{}", &[]);
    let (_, found) = world.verified().await;
    assert!(faults(&found).iter().any(|(_, fault)| fault.contains("was changed since")), "{found}");
}

#[tokio::test]
async fn what_does_not_belong_to_the_trail_is_named() {
    let mut world = World::with_secrets(1).await;
    world.today();
    world.ask_anew().await;
    world.backups.put_blob(BACKUPS, "audit/backup/notes", "{}", &[]);
    let (code, found) = world.verified().await;
    assert!(code == Some(1) && faults(&found)[0].0 == "audit/backup/notes", "{found}");
}

#[tokio::test]
async fn no_backup_begins_when_the_trail_cannot_be_written() {
    let mut of = HsmWorld::new().await;
    of.world.today();
    of.world.refuse("audit/");
    let object = json!([{ "kind": "secret", "name": "secret-0" }]);
    for order in
        [json!({ "vault": "kv-a" }), json!({ "vault": "kv-a", "objects": object }), json!({ "hsm": "hsm-a" })]
    {
        let detail = problem(&of.world.post("/api/backups", order).await, 503, "service-unavailable");
        assert!(detail.starts_with("Nothing was begun, because the audit trail"), "{detail}");
    }
    assert_eq!((of.world.open_records().len(), of.open().len(), of.world.messages().len()), (0, 0, 0));
    assert_eq!(of.world.backups.blobs(BACKUPS), Vec::<String>::new(), "not even a plan");
    of.world.azure.faults().clear();
    assert_eq!(of.world.post("/api/backups", json!({ "vault": "kv-a" })).await.status, 202);
}

#[tokio::test]
async fn no_restore_begins_when_the_trail_cannot_be_written() {
    let mut world = backed_up().await;
    world.wreck();
    let plan = world.plan(wish()).await;
    world.refuse("audit/");
    let detail = problem(&world.begin_under(&plan, "ticket").await, 503, "service-unavailable");
    assert!(detail.starts_with("Nothing was begun, because the audit trail"), "{detail}");
    assert_eq!((world.open_restores(), world.vault.deleted(Kind::Secret)), (vec![], vec!["db".to_owned()]));
    world.azure.faults().clear();
    assert_eq!(world.see_through(&plan, "another").await["state"], "Succeeded", "the vault is free");
    world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn no_restore_of_an_hsm_begins_when_the_trail_cannot_be_written() {
    let mut of = HsmWorld::backed_up().await;
    of.lose("signing");
    let plan = of.world.plan(keys(&["signing"])).await;
    of.world.refuse("audit/");
    problem(&of.begin(&plan).await, 503, "service-unavailable");
    let taken = of.world.work.blobs(JOBS).into_iter().filter(|name| name.starts_with("hsm-targets/")).count();
    assert_eq!((of.open().len(), taken), (0, 0));
    of.world.azure.faults().clear();
    let begun = of.begin(&plan).await;
    assert_eq!(of.followed(&begun).await["state"], "Succeeded");
    of.world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn what_is_on_the_trail_and_not_on_record_does_not_run_and_the_caller_knows() {
    let mut of = HsmWorld::backed_up().await;
    of.lose("signing");
    let plan = of.world.plan(keys(&["signing"])).await;
    for start in ["backup-runs/", "hsm-jobs/", "restores/"] {
        of.world.refuse(start);
    }
    let trail = of.world.trail().len();
    let object = json!([{ "kind": "secret", "name": "secret-0" }]);
    for order in
        [json!({ "vault": "kv-a" }), json!({ "vault": "kv-a", "objects": object }), json!({ "hsm": "hsm-a" })]
    {
        let detail = problem(&of.world.post("/api/backups", order).await, 503, "service-unavailable");
        assert!(
            detail.contains("Nothing was begun: run ") && detail.contains("on the audit trail"),
            "{detail}"
        );
    }
    let detail = problem(&of.begin(&plan).await, 503, "service-unavailable");
    assert!(detail.contains("Nothing was begun: restore "), "{detail}");
    assert_eq!((of.world.open_records().len(), of.open().len(), of.world.messages().len()), (0, 0, 0));
    assert_eq!(of.world.trail().len(), trail + 4);
    of.world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn what_may_have_begun_is_not_said_to_have_not() {
    let mut world = World::with_secrets(1).await;
    world.today();
    world.fault(writes_of("backup-runs/"), FaultKind::Status(500));
    let detail =
        problem(&world.post("/api/backups", json!({ "vault": "kv-a" })).await, 503, "service-unavailable");
    assert!(detail.contains("It is not known whether run"), "{detail}");
}

/// Begins one plan in two instances under one key, the second while the first one's record of it is on its way, and
/// returns what both say.
async fn begun_twice(world: &mut World, plan: &Value) -> [Value; 2] {
    let first = world.host().await;
    let second = first.another(world.host_options()).await.expect("it starts");
    let through = Arc::new(Notify::new());
    let met = world.trap_on(writes_of("audit/restore/"), 0, FaultKind::Held(Arc::clone(&through)));
    let key = first.key("Restores");
    let headers =
        [("content-type", "application/json"), ("x-functions-key", &*key), ("idempotency-key", "ticket")];
    let body = json!({ "plan": plan["digest"] }).to_string();
    let post = async |host: &Host| host.http("POST", "/api/restores", &headers, body.clone()).await;
    let late = async {
        met.notified().await;
        let answer = post(&second).await;
        through.notify_one();
        answer
    };
    let (early, late) = futures::join!(post(&first), late);
    [early, late].map(|answer| {
        assert!([200, 202].contains(&answer.status), "{}", answer.text());
        answer.json()
    })
}

#[tokio::test]
async fn two_instances_that_begin_a_restore_under_one_key_tell_of_it_once() {
    let mut world = backed_up().await;
    world.wreck();
    let plan = world.plan(wish()).await;
    let [one, other] = begun_twice(&mut world, &plan).await;
    assert_eq!(one["id"], other["id"]);
    assert_eq!(world.see_through(&plan, "ticket").await["state"], "Succeeded");
    assert_eq!(world.told().await.iter().filter(|(event, _)| event == "restore-started").count(), 1);
    world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn two_instances_that_begin_a_restore_of_an_hsm_under_one_key_tell_of_it_once() {
    let mut of = HsmWorld::backed_up().await;
    of.lose("signing");
    let plan = of.world.plan(keys(&["signing"])).await;
    let [one, other] = begun_twice(&mut of.world, &plan).await;
    assert_eq!(one["id"], other["id"]);
    let told = of.world.told().await;
    assert_eq!(told.iter().filter(|(event, _)| event == "hsm-restore-started").count(), 1, "{told:?}");
    of.world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn an_end_that_could_not_be_told_is_told_later_and_once() {
    let mut world = backed_up().await;
    world.wreck();
    let plan = world.plan(wish()).await;
    let started = world.begin_under(&plan, "ticket").await;
    let path = started.header("location").expect("where to follow it").to_owned();
    world.refuse("audit/");
    for _ in 0..20 {
        world.host().await.pump("RestoreObject").await;
        world.advance().await;
    }
    assert_eq!(world.ok(&path).await["state"], "Succeeded", "the record comes first");
    assert!(!world.open_restores().is_empty(), "and is still looked at");
    world.azure.faults().clear();
    for _ in 0..3 {
        world.advance().await;
    }
    assert_eq!((world.open_restores(), world.told().await.len()), (vec![], 2));
    world.assert_trail_is_whole().await;
}
