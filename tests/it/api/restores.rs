//! Restores over HTTP: plan, carry out, follow.

use keyvault_backup_emulator::{
    CertificateSpec, Delays, Fault, FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation, SecretSpec,
    host::HttpAnswer,
};
use serde_json::{Value, json};
use time::Duration;

use super::problem;
use crate::world::{BACKUPS, NIGHT, World};

/// A vault with every kind, several versions, tags, attributes; backed up one night, and it is today.
async fn backed_up() -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    let vault = &world.vault;
    vault.put_secret("db", SecretSpec::new("one").created(NIGHT - Duration::days(60)));
    vault.put_secret("db", SecretSpec::new("two").tag("team", "core").content_type("text/plain"));
    vault.put_secret("off", SecretSpec::new("value").disabled().expires(NIGHT + Duration::days(900)));
    vault.put_key("signing", KeySpec::ec("P-256").tag("team", "core"));
    vault.put_certificate("tls", CertificateSpec::new("CN=example.org"));
    world.night(NIGHT).await;
    world.today();
    world
}

impl World {
    /// Plans, and returns the plan.
    pub async fn plan(&mut self, request: Value) -> Value {
        let answer = self.post("/api/restores/plan", request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Carries a plan out.
    pub async fn begin(&mut self, plan: &Value) -> HttpAnswer {
        self.post("/api/restores", json!({ "plan": plan["digest"] })).await
    }

    /// Works until a restore has ended, for at most two hours of the driven clock, and returns its report.
    pub async fn ended(&mut self, started: &HttpAnswer) -> Value {
        let location = started.header("location").expect("where to follow it").to_owned();
        for _ in 0..120 {
            self.host().await.pump("RestoreObject").await;
            self.advance().await;
            let report = self.ok(&location).await;
            if report["state"] != "Running" {
                return report;
            }
        }
        panic!("the restore is still running");
    }

    /// Plans, carries out, follows to the end.
    pub async fn restored(&mut self, request: Value) -> Value {
        let plan = self.plan(request).await;
        let started = self.begin(&plan).await;
        assert!([200, 202].contains(&started.status), "{}", started.text());
        self.ended(&started).await
    }

    fn lose(&self, kind: Kind, name: &str) {
        self.vault.delete(kind, name).expect("it is deleted");
        self.vault.purge(kind, name).expect("it is purged");
    }
}

fn numbers(report: &Value) -> [u64; 5] {
    ["planned", "restored", "skipped", "failed", "pending"]
        .map(|of| report["numbers"][of].as_u64().expect("a number"))
}

#[tokio::test]
async fn a_whole_vault_goes_into_an_empty_one() {
    let mut world = backed_up().await;
    let report = world.restored(json!({ "source": "kv-a", "target": "kv-b", "everything": true })).await;
    assert_eq!((&report["state"], numbers(&report)), (&json!("Succeeded"), [4, 4, 0, 0, 0]));
    assert!(report["objects"].as_array().expect("a list").iter().all(|of| of["outcome"] == "restored"));
    let other = world.azure.vault("kv-b");
    assert_eq!(other.snapshot().differences(&world.vault.snapshot()), Vec::<String>::new());
    assert_eq!(report["by"]["via"], "http");
    assert!(world.work.blobs("backup-jobs").iter().all(|name| !name.starts_with("open-restores/")));
}

#[tokio::test]
async fn one_object_is_restored_within_the_request() {
    let mut world = backed_up().await;
    let before = world.vault.snapshot();
    world.lose(Kind::Secret, "db");
    let plan = world.plan(json!({ "source": "kv-a", "objects": [{ "kind": "secret", "name": "db" }] })).await;
    assert_eq!((&plan["steps"][0]["action"], &plan["purges"]), (&json!("restore"), &json!(0)));
    let done = world.begin(&plan).await;
    assert_eq!((done.status, &done.json()["state"]), (200, &json!("Succeeded")), "{}", done.text());
    assert_eq!(world.vault.snapshot().differences(&before), Vec::<String>::new());
}

#[tokio::test]
async fn restoring_again_finds_everything_there() {
    let mut world = backed_up().await;
    let wish = json!({ "source": "kv-a", "target": "kv-b", "everything": true });
    world.restored(wish.clone()).await;
    let plan = world.plan(wish).await;
    let again = world.begin(&plan).await;
    assert_eq!(again.status, 200, "nothing is left to do: {}", again.text());
    assert_eq!((&plan["foreseen"], &again.json()["state"]), (&json!("Succeeded"), &json!("Succeeded")));
    assert_eq!(numbers(&again.json()), [4, 0, 4, 0, 0]);
    assert_eq!(again.json()["numbers"]["alreadyThere"], 4);
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_restore() {
    let mut world = backed_up().await;
    world.lose(Kind::Key, "signing");
    let plan = world.plan(json!({ "source": "kv-a", "kinds": ["key"] })).await;
    let body = json!({ "plan": plan["digest"] }).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "ticket-4711")];
    let first = world.call("POST", "/api/restores", &headers, &body).await;
    let second = world.call("POST", "/api/restores", &headers, &body).await;
    assert_eq!((first.status, first.json()["id"].clone()), (200, second.json()["id"].clone()));
    let other = world.plan(json!({ "source": "kv-a", "kinds": ["secret"] })).await;
    let other = json!({ "plan": other["digest"] }).to_string();
    problem(&world.call("POST", "/api/restores", &headers, &other).await, 409, "idempotency-key-reused");
}

#[tokio::test]
async fn a_plan_that_has_moved_is_answered_anew_and_not_carried_out() {
    let mut world = backed_up().await;
    let plan = world.plan(json!({ "source": "kv-a", "target": "kv-b", "everything": true })).await;
    world.azure.vault("kv-b").put_secret("db", SecretSpec::new("mine"));
    let answer = world.begin(&plan).await;
    problem(&answer, 409, "plan-moved");
    let new = &answer.json()["plan"];
    assert_eq!((&new["left"][0]["reason"], &new["inTheWay"]), (&json!("live"), &json!(1)));
    assert_eq!(world.azure.vault("kv-b").versions(Kind::Key, "signing").len(), 0);
    let started = world.begin(new).await;
    let report = world.ended(&started).await;
    assert_eq!((&report["state"], numbers(&report)), (&json!("PartiallyFailed"), [4, 3, 0, 1, 0]));
}

#[tokio::test]
async fn a_purge_takes_the_vault_minutes_and_is_waited_for() {
    let mut world = backed_up().await;
    let before = world.vault.snapshot();
    world.azure.knobs().set_delays(Delays::longest());
    world.vault.delete(Kind::Secret, "db").expect("it is deleted");
    world.azure.clock().advance(std::time::Duration::from_secs(600));
    let wish = json!({ "source": "kv-a", "objects": [{ "kind": "secret", "name": "db" }], "onConflict": "purgeDeleted" });
    let plan = world.plan(wish).await;
    assert_eq!((&plan["steps"][0]["action"], &plan["purges"]), (&json!("purgeAndRestore"), &json!(1)));
    let started = world.begin(&plan).await;
    assert_eq!(started.status, 202, "the name is not free yet: {}", started.text());
    let waiting = world.ok(started.header("location").expect("where")).await;
    assert_eq!(waiting["objects"][0]["outcome"], "waiting");
    let report = world.ended(&started).await;
    assert_eq!(report["state"], "Succeeded", "{report}");
    assert_eq!(world.vault.snapshot().differences(&before), Vec::<String>::new());
}

#[tokio::test]
async fn a_deleted_object_is_recovered_when_the_vault_is_through() {
    let mut world = backed_up().await;
    world.azure.knobs().set_delays(Delays::longest());
    world.vault.delete(Kind::Certificate, "tls").expect("it is deleted");
    world.azure.clock().advance(std::time::Duration::from_secs(600));
    let plan = world.plan(json!({ "source": "kv-a", "name": "t*", "onConflict": "recoverDeleted" })).await;
    let started = world.begin(&plan).await;
    assert_eq!(started.status, 202, "{}", started.text());
    let report = world.ended(&started).await;
    assert_eq!(
        (&report["state"], &report["objects"][0]["outcome"]),
        (&json!("Succeeded"), &json!("recovered"))
    );
}

#[tokio::test]
async fn one_restore_at_a_time_works_on_a_vault() {
    let mut world = backed_up().await;
    let wish = |kind: &str| json!({ "source": "kv-a", "target": "kv-b", "kinds": [kind, "key"] });
    let (first, second) = (world.plan(wish("secret")).await, world.plan(wish("certificate")).await);
    world.fault(Operation::Restore, FaultKind::Forbidden(Forbidden::ByRbac));
    let started = world.begin(&first).await;
    assert_eq!(started.status, 202);
    world.azure.faults().clear();
    let refused = world.begin(&second).await;
    let id = started.json()["id"].as_str().expect("a name").to_owned();
    assert!(problem(&refused, 409, "target-taken").contains(&id));
    assert_eq!(world.ended(&started).await["state"], "Succeeded");
    problem(&world.begin(&second).await, 409, "plan-moved");
}

#[tokio::test]
async fn a_damaged_backup_stands_in_the_way_before_anything_is_purged() {
    let mut world = backed_up().await;
    world.vault.delete(Kind::Secret, "db").expect("it is deleted");
    let stored = world.backups.blobs(BACKUPS).into_iter().find(|name| name.ends_with("secret/db/backup"));
    world.backups.flip_bit(BACKUPS, &stored.expect("it is stored"));
    let wish = json!({ "source": "kv-a", "objects": [{ "kind": "secret", "name": "db" }], "onConflict": "purgeDeleted" });
    let plan = world.plan(wish).await;
    assert_eq!((&plan["left"][0]["reason"], &plan["purges"]), (&json!("damaged"), &json!(0)));
}

#[tokio::test]
async fn each_object_has_its_outcome() {
    let mut world = backed_up().await;
    let keys = Matcher::from(Operation::Restore).kind(Kind::Key);
    world.azure.faults().add(Fault::on(keys).reply(FaultKind::Forbidden(Forbidden::ByPolicy)));
    let report = world.restored(json!({ "source": "kv-a", "target": "kv-b", "everything": true })).await;
    assert_eq!((&report["state"], numbers(&report)), (&json!("PartiallyFailed"), [4, 3, 0, 1, 0]));
    let failed: Vec<_> =
        report["objects"].as_array().expect("a list").iter().filter(|of| of["outcome"] == "failed").collect();
    assert_eq!(
        (failed.len(), &failed[0]["name"], &failed[0]["failure"]["status"]),
        (1, &json!("signing"), &json!(403))
    );
}

#[tokio::test]
async fn objects_and_restores_are_paged() {
    let mut world = backed_up().await;
    let report = world.restored(json!({ "source": "kv-a", "target": "kv-b", "everything": true })).await;
    let path = format!("/api/restores/{}", report["id"].as_str().expect("a name"));
    let (mut names, mut next) = (Vec::new(), Some(format!("{path}?limit=3")));
    while let Some(path_and_query) = next {
        let page = world.ok(&path_and_query).await;
        names.extend(page["objects"].as_array().expect("a list").iter().map(|of| of["name"].clone()));
        next = page["continue"].as_str().map(|after| format!("{path}?limit=3&continue={after}"));
    }
    assert_eq!(names, ["tls", "signing", "db", "off"]);
    let list = world.ok("/api/restores?limit=1").await;
    assert_eq!(list["restores"][0]["id"], report["id"]);
    let after = list["continue"].as_str().expect("there may be more").to_owned();
    assert_eq!(world.ok(&format!("/api/restores?continue={after}")).await["restores"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_asked_is_named() {
    let mut world = backed_up().await;
    for (body, status, name, word) in [
        (json!({ "source": "kv-a" }), 400, "invalid-body", "everything"),
        (json!({ "source": "kv-a", "everthing": true }), 400, "invalid-body", "everthing"),
        (json!({ "source": "kv-x", "everything": true }), 404, "unknown-source", "kv-x"),
        (
            json!({ "source": "kv-a", "objects": [{ "kind": "secret", "name": "a/b" }] }),
            400,
            "invalid-body",
            "objects[0].name",
        ),
        (
            json!({ "source": "kv-a", "everything": true, "onConflict": "overwrite" }),
            400,
            "invalid-body",
            "onConflict",
        ),
        (json!({ "source": "kv-a", "everything": true, "at": "yesterday" }), 400, "invalid-body", "`at`"),
    ] {
        let answer = world.post("/api/restores/plan", body.clone()).await;
        let detail = problem(&answer, status, name);
        assert!(detail.contains(word), "{body}: {detail}");
    }
    problem(&world.post("/api/restores", json!({ "plan": "ab" })).await, 400, "invalid-body");
    problem(&world.post("/api/restores", json!({ "plan": "ab".repeat(32) })).await, 404, "unknown-plan");
    problem(&world.get("/api/restores/20261122T101112Z-restore-0f3a9c41").await, 404, "not-found");
    problem(&world.get("/api/restores/20261122T101112Z-nightly").await, 400, "invalid-parameter");
}

#[tokio::test]
async fn a_backup_key_does_not_open_restores() {
    let mut world = backed_up().await;
    let host = world.host().await;
    let key = host.key("Backups");
    let answer = host.http("GET", "/api/restores", &[("x-functions-key", &key)], "").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_missing_right_to_purge_shows_in_the_plan() {
    let mut world = backed_up().await;
    world.vault.delete(Kind::Secret, "db").expect("it is deleted");
    world.fault(Matcher::from(Operation::Purge), FaultKind::Forbidden(Forbidden::ByPolicy));
    let wish = json!({ "source": "kv-a", "objects": [{ "kind": "secret", "name": "db" }], "onConflict": "purgeDeleted" });
    let plan = world.plan(wish).await;
    assert_eq!((&plan["left"][0]["reason"], &plan["purges"]), (&json!("may-not-purge"), &json!(0)));
}
