//! Is everything well?

use keyvault_backup_emulator::{FaultKind, Forbidden, Matcher, Operation, SecretSpec};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::problem;
use crate::world::{BACKUPS, NIGHT, World};

#[tokio::test]
async fn a_vault_with_a_fresh_run_is_well() {
    let mut world = World::with_secrets(2).await;
    let today = world.today();
    world.night(today).await;
    let status = world.ok("/api/status").await;
    let of = &status["sources"][0];
    assert_eq!(
        (&status["ok"], &of["overdue"], &of["failing"]["total"]),
        (&json!(true), &json!(false), &json!(0))
    );
    assert_eq!(
        (&of["lastRun"]["state"], &of["newestSuccess"]["run"]),
        (&json!("Succeeded"), &of["lastRun"]["run"])
    );
    assert!(of["newestSuccess"]["ageSeconds"].as_i64().is_some_and(|age| age < 3600), "{of}");
    assert_eq!(status["expectedIntervalSeconds"], 26 * 3600);
}

#[tokio::test]
async fn a_vault_without_a_fresh_run_is_overdue() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    let status = world.ok("/api/status").await;
    assert_eq!((&status["ok"], &status["sources"][0]["overdue"]), (&json!(false), &json!(true)));
    let mut never = World::with_secrets(1).await;
    let status = never.ok("/api/status").await["sources"][0].take();
    assert_eq!((&status["overdue"], &status["newestSuccess"]), (&json!(true), &json!(null)));
}

#[tokio::test]
async fn what_fails_is_named_until_it_is_backed_up() {
    let mut world = World::with_secrets(2).await;
    let today = world.today();
    world.fault(Matcher::from(Operation::Backup).object("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    // HTTP requests go by the real time, and a night with rounds takes eight hours.
    world.night(today - time::Duration::hours(10)).await;
    let of = world.ok("/api/status").await["sources"][0].take();
    assert_eq!((&of["ok"], &of["lastRun"]["state"]), (&json!(false), &json!("PartiallyFailed")));
    assert_eq!((&of["overdue"], &of["newestSuccess"]["run"]), (&json!(false), &of["lastRun"]["run"]));
    assert_eq!(
        (&of["failing"]["total"], &of["failing"]["objects"][0]["name"]),
        (&json!(1), &json!("secret-1"))
    );
    world.azure.faults().clear();
    let body = json!({ "vault": "kv-a", "objects": [{ "kind": "secret", "name": "secret-1" }] });
    assert_eq!(world.post("/api/backups", body).await.status, 200);
    assert_eq!(world.ok("/api/status").await["sources"][0]["failing"]["total"], 0);
}

#[tokio::test]
async fn a_kind_that_is_not_listed_for_long_makes_its_vault_overdue() {
    let mut world = World::with_each_kind(1).await;
    world.night(NIGHT).await;
    world.fault(Operation::ListKeys, FaultKind::Forbidden(Forbidden::ByPolicy));
    let today = world.today();
    world.troubled_night(today).await;
    let of = world.ok("/api/status").await["sources"][0].take();
    assert_eq!((&of["ok"], &of["overdue"]), (&json!(false), &json!(true)));
    assert_ne!(of["newestSuccess"]["run"], of["lastRun"]["run"]);
}

#[tokio::test]
async fn three_years_with_an_object_that_fails_cost_a_few_listings() {
    let mut world = World::with_secrets(2).await;
    world.fault(Matcher::from(Operation::Backup).object("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.night(NIGHT).await;
    let name = world.manifests("kv-a").remove(0);
    let blob = world.backups.blob(BACKUPS, &name).expect("it is stored");
    let stored = blob.metadata.iter().find(|(key, _)| key == "summary").expect("it has a summary");
    let mut summary: Value = serde_json::from_str(&stored.1).expect("it is JSON");
    for night in 1..1100_i32 {
        let planned = NIGHT - time::Duration::DAY * night;
        summary["planned"] = planned.format(&Rfc3339).expect("a time").into();
        summary["finished"] = summary["planned"].clone();
        let countdown = 99_999_999_999 - planned.unix_timestamp();
        let name = format!("vaults/kv-a/manifests/{countdown:011}-20200101T020000Z-nightly.jsonl.gz");
        world.backups.put_blob(BACKUPS, &name, blob.bytes.to_vec(), &[("summary", &summary.to_string())]);
    }
    let mark = world.azure.requests().mark();
    let of = world.ok("/api/status").await["sources"][0].take();
    assert_eq!(of["failing"]["total"], 1);
    assert_eq!(of["troubles"][1]["type"], "objects-failing", "{of}");
    assert_eq!(of["objects"]["protected"], 1, "{of}");
    assert_eq!(of["newestRestorable"].as_str().map(|at| &at[..10]), Some("2026-01-10"), "{of}");
    let requests = world.azure.requests().since(mark);
    let listed =
        requests.iter().filter(|e| e.operation == Operation::ListBlobs && e.host.starts_with("backups"));
    // One for the newest runs, points and index, one for all names, one for what retention let go, one for its newest pass,
    // one for the last verification, one for how far the second place is, and one for what people accepted.
    assert_eq!(listed.count(), 7);
    let read = requests.iter().filter(|of| of.operation == Operation::GetBlobProperties);
    assert_eq!(read.count(), 1, "of the earliest run, to see when it finished");
}

#[tokio::test]
async fn what_runs_is_shown() {
    let mut world = World::with_secrets(2).await;
    world.fire(NIGHT).await;
    let running = world.ok("/api/status").await["sources"][0]["running"].take();
    assert_eq!(
        (&running[0]["run"], &running[0]["state"]),
        (&json!("20260110T020000Z-nightly"), &json!("Running"))
    );
}

#[tokio::test]
async fn a_damaged_catalogue_is_one_sources_trouble() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    let today = world.today();
    world.night(today).await;
    world.ruin_newest("kv-a");
    let sources = world.ok("/api/status").await["sources"].take();
    assert_eq!((&sources[0]["ok"], &sources[1]["ok"]), (&json!(false), &json!(true)), "{sources}");
    assert_eq!(sources[0]["problem"]["type"], "urn:keyvault-backup:problem:damaged-catalogue");
}

#[tokio::test]
async fn a_job_that_nobody_started_is_not_there() {
    let mut world = World::new().await;
    for id in ["x", "kv-a_x", "kv-z_20260110T020000Z-nightly", "kv-a_20260110T020000Z-nightly"] {
        problem(&world.get(&format!("/api/status/jobs/{id}")).await, 404, "not-found");
    }
}

#[tokio::test]
async fn without_settings_of_sources_the_terminal_tells_of_every_source_that_the_catalogue_has() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    let today = world.today();
    for vault in ["kv-a", "kv-b"] {
        world.azure.vault(vault).put_secret("db", SecretSpec::new("value"));
    }
    world.night(today).await;
    world.set("KEYVAULT_BACKUP_VAULTS", "");
    let status = world.cli(&["status", "--output", "json"]).await;
    let found: Value = serde_json::from_slice(&status.stdout).expect("it is JSON");
    let names: Vec<_> = found["sources"].as_array().expect("a list").iter().map(|of| &of["source"]).collect();
    assert_eq!((names, status.status.code()), (vec![&json!("kv-a"), &json!("kv-b")], Some(0)), "{found}");
    let table = String::from_utf8(world.cli(&["status"]).await.stdout).expect("it is text");
    assert!(table.contains("kv-a") && table.contains(" ok "), "{table}");
}
