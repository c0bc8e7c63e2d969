//! What is backed up, and how runs went.

use std::collections::BTreeSet;

use keyvault_backup_emulator::{FaultKind, Forbidden, Matcher, Operation, SecretSpec};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::problem;
use crate::{
    checks::open,
    world::{NIGHT, World},
};

const DAY: time::Duration = time::Duration::DAY;

fn names(list: &Value) -> Vec<String> {
    let backups = list["backups"].as_array().expect("a list").iter();
    backups.map(|of| format!("{}/{}/{}", of["source"], of["kind"], of["name"])).collect()
}

/// Two vaults with a night behind them.
async fn two_vaults() -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    for number in 0..7 {
        world.vault.put_secret(&format!("app-{number}-password"), SecretSpec::new("hunter2"));
        world.azure.vault("kv-b").put_secret(&format!("DB-{number}"), SecretSpec::new("hunter2"));
    }
    world.night(NIGHT).await;
    world
}

#[tokio::test]
async fn pages_hold_every_object_exactly_once() {
    let mut world = two_vaults().await;
    let whole = names(&world.ok("/api/backups").await);
    assert_eq!((whole.len(), whole.iter().collect::<BTreeSet<_>>().len()), (14, 14));
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = world.ok(&format!("/api/backups?limit=3{after}")).await;
        paged.extend(names(&page));
        let Some(token) = page["continue"].as_str() else { break };
        after = format!("&continue={token}");
    }
    assert_eq!(paged, whole);
}

#[tokio::test]
async fn filters_take_what_they_say() {
    let mut world = two_vaults().await;
    for (filter, count) in [
        ("source=kv-b", 7),
        ("source=KV-B&name=db-3", 1),
        ("kind=key", 0),
        ("kind=secret&name=APP-*", 7),
        ("kind=secret&name=app-", 0),
        ("name=app-*-password", 7),
        ("name=app-*-pass", 0),
        ("name=*3*", 2),
        ("at=2026-01-09T00:00:00Z", 0),
    ] {
        assert_eq!(names(&world.ok(&format!("/api/backups?{filter}")).await).len(), count, "{filter}");
    }
}

#[tokio::test]
async fn an_objects_points_are_listed_newest_first_and_as_of_then() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    let between = world.azure.clock().now();
    world.at(between + time::Duration::HOUR);
    world.vault.put_secret("secret-0", SecretSpec::new("changed"));
    world.night(NIGHT + DAY).await;

    let points = world.ok("/api/backups/kv-a/secret/SECRET-0").await;
    let runs: Vec<_> = points["backups"].as_array().unwrap().iter().map(|point| &point["run"]).collect();
    assert_eq!(runs, ["20260111T020000Z-nightly", "20260110T020000Z-nightly"]);
    let at = between.format(&Rfc3339).unwrap();
    let then = world.ok(&format!("/api/backups?at={at}")).await;
    assert_eq!(then["backups"][0], points["backups"][1]);
    assert_eq!(points["backups"][0]["versions"], 2);
}

#[tokio::test]
async fn what_is_not_there_says_so_and_what_to_do() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    for path in [
        "/api/backups/kv-a/secret/other",
        "/api/backups/runs/20200101T000000Z-nightly",
        "/api/backups/runs/x",
    ] {
        problem(&world.get(path).await, 404, "not-found");
    }
    for path in ["/api/backups?source=kv-z", "/api/backups/kv-z/secret/x", "/api/backups/runs?source=kv-z"] {
        let answer = world.get(path).await;
        assert!(problem(&answer, 404, "unknown-source").contains("kv-z"));
        assert!(answer.json()["next"].as_str().unwrap().contains("KEYVAULT_BACKUP_VAULTS"));
    }
}

#[tokio::test]
async fn a_wrong_value_names_its_parameter() {
    let mut world = World::new().await;
    for (query, named) in [
        ("?limit=0", "`limit`: expected a whole number from 1 to 1000"),
        ("?limit=1001", "`limit`"),
        ("?limit=", "`limit`"),
        ("?kind=hunter2", "`kind`: expected one of"),
        ("?at=yesterday", "`at`: expected a time such as"),
        ("?name=hunter2%20", "`name`: expected 1 to 127"),
        ("?source=a/b", "`source`: expected 3 to 24"),
        ("?continue=hunter2", "`continue`"),
        ("?limit=1&limit=2", "duplicate field `limit`"),
        ("?page=2", "unknown field `page`"),
        ("/kv-a/hunter2/x", "`kind`: expected secret, key or certificate"),
        ("/kv-a/secret/hunter2%20", "`name`"),
    ] {
        let detail = problem(&world.get(&format!("/api/backups{query}")).await, 400, "invalid-parameter");
        assert!(detail.contains(named) && !detail.contains("hunter2"), "{query}: {detail}");
    }
}

#[tokio::test]
async fn a_run_shows_its_numbers_and_every_failure_in_the_services_words() {
    let mut world = World::with_secrets(3).await;
    world.fault(Matcher::from(Operation::Backup).object("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.night(NIGHT).await;
    let run = world.ok("/api/backups/runs/20260110T020000Z-nightly").await;
    let of = &run["sources"][0];
    assert_eq!(
        (&of["state"], &of["scope"], &of["by"]),
        (&json!("PartiallyFailed"), &json!("vault"), &json!({"via": "schedule"}))
    );
    assert_eq!((&of["numbers"]["listed"], &of["numbers"]["backedUp"]), (&json!(3), &json!(2)));
    let failed = &of["objects"][0];
    assert_eq!((&failed["name"], &failed["fared"]), (&json!("secret-1"), &json!("failed")));
    assert_eq!(failed["failure"]["status"], 403);
    assert!(failed["failure"]["requestId"].is_string() && failed["failure"]["text"].is_string(), "{failed}");
}

#[tokio::test]
async fn runs_of_every_vault_are_listed_newest_first() {
    let mut world = two_vaults().await;
    world.fire(NIGHT + DAY).await;
    let runs = world.ok("/api/backups/runs").await["runs"].take();
    let states: Vec<_> = runs.as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["Succeeded"; 4], "nothing changed, so the second night closed at once");
    let newest = world.ok("/api/backups/runs?source=kv-b&limit=1").await["runs"].take();
    assert_eq!(
        (&newest[0]["run"], &newest[0]["source"]),
        (&json!("20260111T020000Z-nightly"), &json!("kv-b"))
    );
    assert_eq!(newest.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_open_run_is_running_with_its_counts_so_far() {
    let mut world = World::with_secrets(4).await;
    world.fire(NIGHT).await;
    world.advance().await;
    let run = world.ok("/api/backups/runs/20260110T020000Z-nightly").await["sources"][0].take();
    assert_eq!((&run["state"], &run["progress"]["planned"]), (&json!("Running"), &json!(4)));
    let job = world.ok("/api/status/jobs/kv-a_20260110T020000Z-nightly").await;
    assert_eq!(
        (&job["type"], &job["state"], &job["source"]),
        (&json!("backup"), &json!("Running"), &json!("kv-a"))
    );
    world.settle().await;
    let job = world.ok("/api/status/jobs/kv-a_20260110T020000Z-nightly").await;
    assert_eq!((&job["state"], &job["numbers"]["backedUp"]), (&json!("Succeeded"), &json!(4)));
}

#[tokio::test]
async fn damage_names_the_blob_and_the_remedy() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    let name = world.ruin_newest("kv-a");
    let answer = world.get("/api/backups").await;
    assert!(problem(&answer, 500, "damaged-catalogue").contains(&name));
    assert!(answer.json()["next"].as_str().unwrap().contains("earlier time"));
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_503_with_its_words() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    world.fault(Operation::ListBlobs, FaultKind::Status(503));
    let answer = world.get("/api/backups").await;
    problem(&answer, 503, "service-unavailable");
    assert_eq!(answer.json()["service"]["status"], 503, "{}", answer.text());
}

#[tokio::test]
async fn no_answer_holds_a_backup_or_a_secret() {
    let mut world = two_vaults().await;
    let entry = world.newest("kv-a").lines[0]["entry"].clone();
    let blob = world.stored(&entry);
    open(&blob);
    let blob = String::from_utf8_lossy(&blob[..40]).into_owned();
    for path in [
        "/api/backups",
        "/api/backups/kv-a/secret/app-0-password",
        "/api/backups/runs",
        "/api/backups/runs/20260110T020000Z-nightly",
        "/api/status",
    ] {
        let text = world.get(path).await.text();
        assert!(!text.contains("hunter2") && !text.contains(&blob), "{path}");
    }
}
