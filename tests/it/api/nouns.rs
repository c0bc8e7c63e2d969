//! Sources have one name in requests and answers, and the earlier ones are understood.

use serde_json::{Value, json};

use super::problem;
use crate::{
    hsm_world::HsmWorld,
    world::{NIGHT, World},
};

/// An order for a secret, with the fields that name its source.
fn secret(mut order: Value) -> Value {
    order["objects"] = json!([{ "kind": "secret", "name": "secret-0" }]);
    order
}

#[tokio::test]
async fn a_vault_is_named_by_name_or_url_in_the_field_of_today_or_of_earlier_versions() {
    let mut world = World::with_secrets(1).await;
    world.today();
    for order in [
        json!({ "source": "KV-a" }),
        json!({ "source": "https://kv-a.vault.azure.net/" }),
        json!({ "vault": "kv-a" }),
        json!({ "source": "https://kv-a.vault.azure.net", "vault": "kv-a" }),
    ] {
        let answer = world.post("/api/backups", secret(order.clone())).await;
        let body = answer.json();
        assert_eq!((answer.status, &body["state"]), (200, &json!("Succeeded")), "{order}: {body}");
        assert_eq!(body["source"], "kv-a");
    }
}

#[tokio::test]
async fn names_that_contradict_each_other_begin_nothing() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.vault.put_secret("secret-0", keyvault_backup_emulator::SecretSpec::new("value"));
    for (order, named) in [
        (json!({ "source": "kv-a", "vault": "kv-b" }), "`source` replaces `vault`"),
        (json!({ "source": "kv-a", "hsm": "kv-b" }), "neither `vault` nor `objects`"),
        (json!({ "vault": "kv-a", "hsm": "kv-a" }), "neither `vault` nor `objects`"),
        (json!({ "source": null }), "`source`: expected a string"),
        (json!({ "source": "http://kv-a.vault.azure.net" }), "`source`: expected 3 to 24"),
        (json!({ "source": "https://kv-a.example.org" }), "`source`: expected https://NAME.vault.azure.net"),
    ] {
        let detail = problem(&world.post("/api/backups", secret(order.clone())).await, 400, "invalid-body");
        assert!(detail.contains(named), "{order}: {detail}");
    }
    let other = json!({ "source": "https://kv-a.vault.azure.cn" });
    problem(&world.post("/api/backups", other).await, 404, "unknown-source");
    assert!(world.open_records().is_empty());
}

#[tokio::test]
async fn a_plan_takes_urls_too() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.vault.put_secret("secret-0", keyvault_backup_emulator::SecretSpec::new("value"));
    world.night(NIGHT).await;
    world.today();
    let urls =
        json!({ "source": world.vault.url(), "target": "https://kv-b.vault.azure.net", "everything": true });
    let names = json!({ "source": "kv-a", "target": "kv-b", "everything": true });
    let (by_url, by_name) = (world.plan(urls).await, world.plan(names).await);
    assert_eq!((&by_url["target"], &by_url["digest"]), (&json!("kv-b"), &by_name["digest"]));
    let restore = world.begin(&by_name).await.json();
    assert_eq!((&restore["started"], &restore["finished"]), (&restore["opened"], &restore["ended"]));
    assert!(restore["finished"].is_string(), "{restore}");
}

#[tokio::test]
async fn a_source_that_is_an_hsm_is_backed_up_as_a_whole() {
    let mut of = HsmWorld::new().await;
    of.world.today();
    let answer = of.world.post("/api/backups", json!({ "source": of.hsm.url() })).await;
    assert_eq!((answer.status, &answer.json()["source"]), (202, &json!("hsm-a")), "{}", answer.text());
    of.settle().await;
    assert_eq!((of.backups_started(), of.records("hsm-a").len()), (1, 1));
    let hsm = of.world.ok("/api/status").await["hsms"][0].take();
    assert_eq!((&hsm["source"], &hsm["hsm"]), (&json!("hsm-a"), &json!("hsm-a")));
}

#[tokio::test]
async fn with_a_scope_a_plan_is_of_the_whole_hsm() {
    let mut of = HsmWorld::backed_up().await;
    of.lose("signing");
    let plan = of.world.plan(json!({ "source": "hsm-a", "scope": "hsm", "keys": ["signing"] })).await;
    let former = of.world.plan(json!({ "hsm": "hsm-a", "keys": ["signing"] })).await;
    assert_eq!((&plan["target"], &plan["digest"]), (&json!("hsm-a"), &former["digest"]), "{plan}");
    for (body, named) in [
        (json!({ "scope": "hsm", "everything": true }), "missing field `source`"),
        (json!({ "source": "hsm-a", "scope": "vault", "everything": true }), "`scope`: expected `hsm`"),
        (json!({ "hsm": "hsm-a", "target": "hsm-b", "everything": true }), "`target` replaces `hsm`"),
    ] {
        let detail = problem(&of.world.post("/api/restores/plan", body.clone()).await, 400, "invalid-body");
        assert!(detail.contains(named), "{body}: {detail}");
    }
    // Without it, it is of the keys that are backed up one by one; here there are none.
    let alone = json!({ "source": "hsm-a", "everything": true });
    problem(&of.world.post("/api/restores/plan", alone).await, 422, "nothing-selected");
}

#[tokio::test]
async fn a_whole_hsm_has_another_job_than_its_keys_of_the_same_night() {
    let mut of = HsmWorld::new().await;
    of.world.set("KEYVAULT_BACKUP_HSM_KEYS", "hsm-a/signing");
    of.fire().await;
    of.world.settle().await;
    of.settle().await;
    let run = "20260110T020000Z-nightly";
    let keys = of.world.ok(&format!("/api/status/jobs/hsm-a_{run}")).await;
    assert_eq!((&keys["scope"], &keys["numbers"]["backedUp"]), (&json!("objects"), &json!(1)), "{keys}");
    let whole = of.world.ok(&format!("/api/status/jobs/hsm-a_{run}_hsm")).await;
    assert_eq!((&whole["scope"], &whole["job"]), (&json!("hsm"), &json!(format!("hsm-a_{run}_hsm"))));
    let shown = of.world.cli(&["show", &format!("hsm-a_{run}_hsm"), "-o", "json"]).await;
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("it is JSON");
    assert_eq!(shown["hsm"]["folder"], whole["hsm"]["folder"], "{shown}");
    problem(&of.world.get(&format!("/api/status/jobs/kv-a_{run}_hsm")).await, 404, "not-found");
}

#[tokio::test]
async fn a_container_that_is_missing_is_named_with_the_command_that_makes_it() {
    let mut world = World::with_secrets(1).await;
    world.set("KEYVAULT_BACKUP_CONTAINER", &format!("{}/nowhere", world.backups.blob_url()));
    let answer = world.get("/api/backups/runs").await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    let next = answer.json()["next"].as_str().expect("what to do").to_owned();
    let make = "az storage container create --account-name backups --name nowhere --auth-mode login";
    assert!(next.contains(make) && next.contains("`keyvault-backup preflight --fix`"), "{next}");
}

#[tokio::test]
async fn a_preflight_checks_one_source_and_shows_what_is_severe() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    let subjects = |report: &Value| {
        let all =
            ["well", "unknown", "findings"].map(|part| report[part].as_array().expect("a list").clone());
        let subjects = all.iter().flatten().map(|of| of["subject"].as_str().expect("a subject").to_owned());
        subjects.collect::<std::collections::BTreeSet<_>>()
    };
    let whole = world.ok("/api/status/preflight").await;
    assert!(subjects(&whole).len() > 2, "{whole}");
    let url = "/api/status/preflight?source=https://kv-b.vault.azure.net";
    let one = world.ok(url).await;
    assert_eq!(subjects(&one).into_iter().collect::<Vec<_>>(), ["kv-b"], "{one}");
    let severe = world.ok("/api/status/preflight?source=kv-b&severity=error").await;
    let names = |report: &Value| -> Vec<_> {
        report["findings"].as_array().expect("a list").iter().map(|of| of["severity"].clone()).collect()
    };
    assert!(
        names(&severe).iter().all(|of| of == "error") && names(&severe).len() < names(&one).len(),
        "{one}"
    );
    assert_eq!(severe["ok"], one["ok"], "it tells of everything");
    let detail = problem(&world.get("/api/status/preflight?severity=bad").await, 400, "invalid-parameter");
    assert!(detail.contains("`severity`: expected one of info, warning, error"), "{detail}");
    problem(&world.get("/api/status/preflight?source=kv-z").await, 404, "unknown-source");
}
