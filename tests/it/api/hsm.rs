//! Managed HSMs over HTTP: what is listed, how it stands, what is asked for.

use keyvault_backup_emulator::{Fault, FaultKind, Operation};
use serde_json::json;

use super::problem;
use crate::hsm_world::HsmWorld;

#[tokio::test]
async fn a_backup_can_be_asked_for_now() {
    let mut of = HsmWorld::new().await;
    of.world.today();
    let started = of.world.post("/api/backups", json!({ "hsm": "hsm-a" })).await;
    assert_eq!(started.status, 202, "{}", started.text());
    let (run, job) =
        (started.header("location").expect("the run").to_owned(), started.json()["links"]["job"].clone());
    let open = of.world.ok(job.as_str().expect("an address")).await;
    assert_eq!(
        (&open["state"], &open["hsm"]["phase"], &open["by"]["via"]),
        (&json!("Running"), &json!("checking"), &json!("http"))
    );
    of.settle().await;
    let ended = of.world.ok(&run).await;
    let hsm = &ended["sources"][0]["hsm"];
    assert_eq!(
        (&ended["sources"][0]["state"], &ended["sources"][0]["scope"]),
        (&json!("Succeeded"), &json!("hsm"))
    );
    assert!(hsm["folder"].is_string() && hsm["operation"].is_string() && hsm["phase"].is_null(), "{ended}");
    assert_eq!(of.world.ok(job.as_str().expect("an address")).await["state"], "Succeeded");
}

#[tokio::test]
async fn backups_of_hsms_are_listed_beside_those_of_vaults() {
    let mut of = HsmWorld::all_backed_up(&["hsm-a", "hsm-b"]).await;
    let all = of.world.ok("/api/backups").await;
    assert_eq!(all["hsms"].as_array().map(Vec::len), Some(2));
    let only = of.world.ok("/api/backups?source=hsm-b").await;
    assert_eq!(
        (&only["hsms"][0]["source"], only["hsms"].as_array().map(Vec::len)),
        (&json!("hsm-b"), Some(1))
    );
    assert_eq!(of.world.ok("/api/backups?source=kv-a").await["hsms"], json!([]));
    assert_eq!(of.world.ok("/api/backups?kind=key").await["hsms"], json!([]));
    assert_eq!(of.world.ok("/api/backups?at=2020-01-01T00:00:00Z").await["hsms"], json!([]));
    let runs = of.world.ok("/api/backups/runs?source=hsm-a").await;
    assert_eq!((runs["runs"].as_array().map(Vec::len), &runs["runs"][0]["scope"]), (Some(1), &json!("hsm")));
    let run = of.world.ok(runs["runs"][0]["link"].as_str().expect("an address")).await;
    assert_eq!(run["sources"].as_array().map(Vec::len), Some(2), "both ran that night");
}

#[tokio::test]
async fn the_status_says_how_old_the_newest_backup_is_and_why_the_last_one_failed() {
    let mut of = HsmWorld::backed_up().await;
    let status = of.world.ok("/api/status").await;
    let hsm = &status["hsms"][0];
    assert_eq!((&hsm["overdue"], &hsm["ok"], &status["ok"]), (&json!(true), &json!(false), &json!(false)));
    assert!(hsm["newestSuccess"]["ageSeconds"].as_i64().is_some_and(|age| age > 86_400), "{hsm}");
    of.fire_now().await;
    of.settle().await;
    let hsm = of.world.ok("/api/status").await["hsms"][0].clone();
    assert_eq!((&hsm["overdue"], &hsm["ok"]), (&json!(false), &json!(true)), "{hsm}");
    of.world.fault(Operation::StartBackup, FaultKind::Forbidden(keyvault_backup_emulator::Forbidden::ByRbac));
    of.fire_now().await;
    of.settle().await;
    let hsm = of.world.ok("/api/status").await["hsms"][0].clone();
    assert_eq!(
        (&hsm["overdue"], &hsm["ok"], &hsm["lastRun"]["state"]),
        (&json!(false), &json!(false), &json!("Failed"))
    );
    assert!(hsm["lastRun"]["hsm"]["failure"]["text"].is_string(), "{hsm}");
}

#[tokio::test]
async fn restores_of_both_kinds_are_listed_and_paged() {
    let mut of = HsmWorld::backed_up().await;
    of.world.night(crate::world::NIGHT).await;
    of.world.today();
    of.lose("signing");
    let (_, first) = of.restored(json!({ "hsm": "hsm-a", "keys": ["signing"] })).await;
    let plan = of.world.plan(json!({ "source": "kv-a", "everything": true })).await;
    let second = of.world.begin(&plan).await.json();
    let all = of.world.ok("/api/restores").await;
    let ids: Vec<_> = all["restores"].as_array().expect("a list").iter().map(|of| of["id"].clone()).collect();
    assert!(ids.len() == 2 && ids.contains(&first["id"]) && ids.contains(&second["id"]), "{all}");
    let page = of.world.ok("/api/restores?limit=1").await;
    let after = page["continue"].as_str().expect("there is more").to_owned();
    let rest = of.world.ok(&format!("/api/restores?limit=1&continue={after}")).await;
    assert_eq!([&page["restores"][0]["id"], &rest["restores"][0]["id"]], [&ids[0], &ids[1]]);
    let job = of.world.ok(&format!("/api/status/jobs/{}", first["id"].as_str().expect("a name"))).await;
    assert_eq!((&job["type"], &job["keys"][0]["outcome"]), (&json!("hsmRestore"), &json!("restored")));
}

#[tokio::test]
async fn what_cannot_be_asked_is_named() {
    let mut of = HsmWorld::new().await;
    for (body, status, name, word) in [
        (json!({ "hsm": "hsm-a" }), 400, "invalid-body", "everything"),
        (json!({ "hsm": "hsm-a", "everything": true, "keys": ["a"] }), 400, "invalid-body", "everything"),
        (json!({ "hsm": "hsm-a", "everthing": true }), 400, "invalid-body", "everthing"),
        (json!({ "hsm": "hsm-a", "objects": [] }), 400, "invalid-body", "objects"),
        (json!({ "hsm": null }), 400, "invalid-body", "`hsm`: expected a string"),
        (json!({ "hsm": "hsm-a", "keys": ["a/b"] }), 400, "invalid-body", "keys[0]"),
        (json!({ "hsm": "hsm-a", "everything": true, "run": "last" }), 400, "invalid-body", "`run`"),
        (
            json!({ "hsm": "hsm-a", "everything": true, "run": "20261122T020000Z-nightly", "at": "2026-11-22T10:00:00Z" }),
            400,
            "invalid-body",
            "not both",
        ),
        (json!({ "hsm": "hsm-x", "everything": true }), 404, "unknown-source", "hsm-x"),
    ] {
        let detail = problem(&of.world.post("/api/restores/plan", body.clone()).await, status, name);
        assert!(detail.contains(word), "{body}: {detail}");
    }
    for (body, status, name) in [
        (json!({ "hsm": "hsm-x" }), 404, "unknown-source"),
        (json!({ "hsm": "hsm-a", "vault": "kv-a" }), 400, "invalid-body"),
        (json!({ "vault": "hsm-a" }), 400, "invalid-body"),
    ] {
        problem(&of.world.post("/api/backups", body).await, status, name);
    }
    assert!(of.open().is_empty() && of.world.open_records().is_empty());
}

#[tokio::test]
async fn a_lost_answer_to_the_record_of_a_backup_makes_no_second_one() {
    let mut of = HsmWorld::new().await;
    of.world.today();
    of.world.azure.faults().add(Fault::on(Operation::PutBlob).times(1).reply(FaultKind::ResetAfter));
    let answer = of.world.post("/api/backups", json!({ "hsm": "hsm-a" })).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    of.settle().await;
    assert_eq!((of.backups_started(), of.records("hsm-a").len()), (1, 1));
}
