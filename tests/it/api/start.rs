//! A backup now.

use keyvault_backup_emulator::{Fault, FaultKind, Kind, Operation, SecretSpec};
use serde_json::{Value, json};

use super::{framework::signed_in, problem};
use crate::world::World;

const JSON: (&str, &str) = ("content-type", "application/json");

/// An order for some of the secrets `secret-0` and on.
pub fn secrets(numbers: std::ops::Range<usize>) -> Value {
    let objects: Vec<_> =
        numbers.map(|number| json!({ "kind": "secret", "name": format!("secret-{number}") })).collect();
    json!({ "vault": "kv-a", "objects": objects })
}

#[tokio::test]
async fn a_vault_is_backed_up_for_whoever_asked() {
    let mut world = World::with_secrets(3).await;
    world.today();
    let answer = world.post("/api/backups", json!({ "vault": "KV-a" })).await;
    assert_eq!((answer.status, answer.header("retry-after")), (202, Some("30")), "{}", answer.text());
    let location = answer.header("location").expect("where the run is").to_owned();
    let running = world.ok(&location).await["sources"][0].take();
    assert_eq!((&running["state"], &running["by"]["via"]), (&json!("Running"), &json!("http")));
    world.advance().await;
    world.settle().await;
    let done = world.ok(&location).await["sources"][0].take();
    assert_eq!((&done["state"], &done["numbers"]["backedUp"]), (&json!("Succeeded"), &json!(3)));
    assert_eq!(done["by"], running["by"]);
    assert!(done["by"]["key"].as_str().is_some_and(|key| key.len() == 8), "{done}");
    world.assert_protected("kv-a");
}

#[tokio::test]
async fn the_principal_is_on_record() {
    let mut world = World::with_secrets(3).await;
    world.set("WEBSITE_AUTH_ENABLED", "true");
    world.today();
    let writer = signed_in(&["Backup.Write", "Backup.Read"]);
    let body = json!({ "vault": "kv-a", "objects": [{ "kind": "secret", "name": "secret-1" }] });
    let headers = [JSON, ("x-ms-client-principal", writer.as_str())];
    let answer = world.call("POST", "/api/backups", &headers, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let job = answer.json()["links"]["job"].as_str().unwrap().to_owned();
    let job = world.call("GET", &job, &headers[1..], "").await.json();
    assert_eq!(
        (&job["state"], &job["scope"], &job["by"]["name"]),
        (&json!("Succeeded"), &json!("objects"), &json!("Ada"))
    );
    assert_eq!(world.newest("kv-a").header["by"]["principal"]["id"], "00000000-1111");
}

#[tokio::test]
async fn messages_that_cannot_be_sent_now_are_sent_later() {
    let mut world = World::with_secrets(6).await;
    world.today();
    world.fault(Operation::SendMessage, FaultKind::Status(503));
    assert_eq!(world.post("/api/backups", secrets(0..6)).await.status, 202);
    world.azure.faults().clear();
    world.settle().await;
    assert_eq!(world.newest("kv-a").summary["verdict"], "Succeeded");
}

#[tokio::test]
async fn a_lost_answer_to_its_record_does_not_make_a_second_run() {
    let mut world = World::with_secrets(1).await;
    world.today();
    world.host().await;
    world.azure.faults().add(Fault::on(Operation::PutBlob).times(1).reply(FaultKind::ResetAfter));
    let answer = world.post("/api/backups", json!({ "vault": "kv-a" })).await;
    assert_eq!(world.azure.faults().fired().len(), 1);
    let open = world.open_records();
    assert_eq!((answer.status, open.len()), (202, 1), "{open:?}");
    assert!(open[0].ends_with(answer.json()["run"].as_str().expect("a run")), "{open:?}");
}

#[tokio::test]
async fn roles_do_not_imply_each_other() {
    let mut world = World::new().await;
    world.set("WEBSITE_AUTH_ENABLED", "true");
    let body = r#"{"vault":"kv-a"}"#;
    for (role, read, write) in
        [("Backup.Read", 200, 403), ("Backup.Write", 403, 202), ("Restore.Operator", 403, 403)]
    {
        let principal = signed_in(&[role]);
        let headers = [JSON, ("x-ms-client-principal", principal.as_str())];
        assert_eq!(world.call("GET", "/api/backups", &headers[1..], "").await.status, read, "{role}");
        assert_eq!(world.call("POST", "/api/backups", &headers, body).await.status, write, "{role}");
    }
}

#[tokio::test]
async fn a_forged_principal_is_nobody() {
    let mut world = World::with_secrets(1).await;
    world.today();
    let forged = signed_in(&["Backup.Write"]);
    let headers = [JSON, ("x-ms-client-principal", forged.as_str())];
    world.call("POST", "/api/backups", &headers, r#"{"vault":"kv-a"}"#).await;
    world.settle().await;
    let by = world.newest("kv-a").header["by"].clone();
    assert!(by["principal"].is_null() && by["key"].is_string(), "{by}");
}

#[tokio::test]
async fn a_body_that_cannot_be_used_is_refused_by_the_name_of_its_field() {
    let mut world = World::new().await;
    world.vault.put_secret("x", SecretSpec::new("value"));
    let object = |object| json!({ "vault": "kv-a", "objects": [object] });
    for (body, named) in [
        (json!({}), "missing field `source`"),
        (json!([]), "expected"),
        (json!({ "vault": 7 }), "`vault`: expected a string"),
        (json!({ "vault": "hunter2!" }), "`vault`: expected 3 to 24"),
        (json!({ "vault": "kv-a", "all": true }), "unknown field `all`"),
        (json!({ "vault": "kv-a", "objects": null }), "`objects`: expected a sequence"),
        (json!({ "vault": "kv-a", "objects": [] }), "`objects`: expected 1 to 1000"),
        (object(json!({ "kind": "hunter2", "name": "x" })), "`objects[0].kind`: expected one of"),
        (object(json!({ "kind": "key", "name": "hunter2 " })), "`objects[0].name`: expected 1 to 127"),
        (object(json!({ "kind": "key", "name": "x", "version": "1" })), "unknown field `version`"),
    ] {
        let detail = problem(&world.post("/api/backups", body.clone()).await, 400, "invalid-body");
        assert!(detail.contains(named) && !detail.contains("hunter2"), "{body}: {detail}");
    }
    assert!(world.open_records().is_empty());
}

#[tokio::test]
async fn what_is_no_order_at_all_is_a_problem_of_its_own() {
    let mut world = World::new().await;
    problem(&world.post("/api/backups", json!({ "vault": "kv-z" })).await, 404, "unknown-source");
    problem(&world.call("POST", "/api/backups", &[JSON], "{").await, 400, "invalid-body");
    problem(&world.call("POST", "/api/backups", &[], "{}").await, 415, "unsupported-media-type");
    let large = " ".repeat(1024 * 1024 + 1);
    problem(&world.call("POST", "/api/backups", &[JSON], &large).await, 413, "body-too-large");
    let answer = world.post("/api/backups/runs", json!({})).await;
    problem(&answer, 405, "method-not-allowed");
    assert!(answer.header("allow").is_some_and(|allow| allow.contains("GET")), "{answer:?}");
}

#[tokio::test]
async fn a_backup_of_what_is_deleted_before_the_night_is_planned_stays_in_the_index() {
    let mut world = World::with_secrets(6).await;
    let today = world.today();
    assert_eq!(world.post("/api/backups", secrets(0..6)).await.status, 202);
    world.host().await.pump("BackUpObject").await;
    world.vault.remove(Kind::Secret, "secret-5");
    // The night is planned while the run is open, and closes with it.
    let night = today + time::Duration::MINUTE;
    world.night(night).await;
    assert_eq!(world.manifests("kv-a").len(), 2);
    world.night(night + time::Duration::DAY).await;
    let line = world.newest("kv-a").line("secret", "secret-5").clone();
    assert_eq!(json!([line["fared"], line["entry"]["versions"]]), json!(["gone", 1]), "{line}");
}
