//! Two people: a plan is carried out only after a person approved it who neither planned nor carries it out.

use keyvault_backup_emulator::{
    FaultKind, Forbidden, Kind, Operation, SecretSpec, Webhook, host::HttpAnswer,
};
use serde_json::{Value, json};

use crate::{
    api::{framework::signed_in_as, problem},
    hsm_world::{HsmWorld, everything},
    pairs::{backed_up_with, into},
    world::{JOBS, NIGHT, World},
};

const APPROVALS: &str = "KEYVAULT_BACKUP_APPROVALS";
const OPERATOR: &str = "Restore.Operator";
const APPROVER: &str = "Restore.Approver";

/// A person with app roles.
#[derive(Clone, Copy)]
struct Person(&'static str, &'static [&'static str]);

const OTTO: Person = Person("Otto", &[OPERATOR]);
const ADA: Person = Person("Ada", &[APPROVER]);
/// May do both, but not with one plan.
const BEA: Person = Person("Bea", &[OPERATOR, APPROVER]);

/// Demands approvals, and that callers sign in.
fn demand(world: &mut World, approvals: &str) {
    world.set(APPROVALS, approvals);
    world.set("KEYVAULT_BACKUP_AUTHENTICATION", "required");
    world.set("WEBSITE_AUTH_ENABLED", "true");
}

/// Two vaults, the first backed up with one secret.
async fn demanding(approvals: &str) -> World {
    backed_up_with(|world| demand(world, approvals)).await
}

impl World {
    async fn by(&mut self, who: Person, method: &str, path: &str, body: Value) -> HttpAnswer {
        let Person(name, roles) = who;
        let principal = signed_in_as(name, &format!("id-of-{name}"), roles);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("content-type", "application/json"), ("x-ms-client-principal", principal.as_str())];
        self.call(method, path, &headers, &body).await
    }

    async fn plan_by(&mut self, who: Person, request: Value) -> Value {
        let answer = self.by(who, "POST", "/api/restores/plan", request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    async fn approved_by(&mut self, who: Person, plan: &Value) -> HttpAnswer {
        self.by(who, "POST", &format!("{}/approval", path_of(plan)), Value::Null).await
    }

    async fn begun_by(&mut self, who: Person, plan: &Value) -> HttpAnswer {
        let body = json!({ "plan": plan["digest"], "confirm": plan["target"] });
        self.by(who, "POST", "/api/restores", body).await
    }

    /// How many restores there are.
    async fn begun(&mut self) -> usize {
        let list = self.by(OTTO, "GET", "/api/restores", Value::Null).await.json();
        list["restores"].as_array().map_or(0, Vec::len)
    }
}

/// A plan without how old its backups are, which a second changes.
fn ageless(plan: &Value) -> Value {
    let mut plan = plan.clone();
    for step in plan["steps"].as_array_mut().into_iter().flatten() {
        step["ageSeconds"] = Value::Null;
    }
    plan
}

fn path_of(plan: &Value) -> String {
    format!("/api/restores/plan/{}", plan["digest"].as_str().expect("a digest"))
}

#[tokio::test]
async fn a_plan_is_carried_out_after_a_second_person_approved_it_and_all_of_it_is_on_the_trail() {
    let mut world = demanding("all").await;
    let plan = world.plan_by(OTTO, into("kv-b")).await;
    problem(&world.begun_by(OTTO, &plan).await, 409, "approval-needed");
    assert_eq!(world.begun().await, 0);

    let seen = world.by(ADA, "GET", &path_of(&plan), Value::Null).await.json();
    assert_eq!(
        (&ageless(&seen["plan"]), &seen["needsApproval"], &seen["plannedBy"][0]["id"], &seen["approval"]),
        (&ageless(&plan), &json!(true), &json!("id-of-Otto"), &Value::Null)
    );
    let approval = world.approved_by(ADA, &plan).await;
    assert_eq!(approval.status, 200, "{}", approval.text());
    assert_eq!(world.approved_by(ADA, &plan).await.json(), approval.json(), "it does not hold longer");

    let done = world.begun_by(OTTO, &plan).await;
    assert_eq!((done.status, &done.json()["state"]), (200, &json!("Succeeded")), "{}", done.text());
    let seen = world.by(OTTO, "GET", &path_of(&plan), Value::Null).await.json();
    assert_eq!(
        (&seen["approval"]["restore"], &seen["approval"]["by"]["id"]),
        (&done.json()["id"], &json!("id-of-Ada"))
    );
    let trail = world.cli(&["audit", "list", "--output", "json"]).await;
    let trail: Value = serde_json::from_slice(&trail.stdout).expect("it is JSON");
    let told: Vec<_> = trail["records"].as_array().expect("a list").iter().collect();
    let told: Vec<_> = told.iter().map(|of| (of["event"].as_str(), of["by"]["id"].as_str())).collect();
    let [otto, ada] = ["id-of-Otto", "id-of-Ada"].map(Some);
    let expected = [
        ("restore-planned", otto),
        ("restore-approved", ada),
        ("restore-started", otto),
        ("restore-ended", otto),
    ];
    assert!(expected.iter().all(|(event, who)| told.contains(&(Some(*event), *who))), "{told:?}");
}

#[tokio::test]
async fn a_plan_that_waits_for_a_second_person_is_told_once() {
    let hook = Webhook::start().await.expect("a port");
    let set = |world: &mut World| {
        demand(world, "all");
        world.set("KEYVAULT_BACKUP_NOTIFY", &hook.url("path"));
    };
    let mut world = backed_up_with(set).await;
    world.plan_by(OTTO, into("kv-b")).await;
    world.passes_for(15).await;
    let told: Vec<_> = hook.received().into_iter().filter(|of| of.body.contains("approval-asked")).collect();
    assert!(told.len() == 1 && told[0].body.contains("Otto") && told[0].body.contains("kv-a into kv-b"));
}

#[tokio::test]
async fn who_planned_it_or_carries_it_out_does_not_approve_it() {
    let mut world = demanding("all").await;
    let plan = world.plan_by(OTTO, into("kv-b")).await;
    world.plan_by(BEA, into("kv-b")).await;
    let detail = problem(&world.approved_by(BEA, &plan).await, 409, "approval-refused");
    assert!(detail.contains("you planned it"), "{detail}");

    let plan = world.plan_by(OTTO, into("kv-a")).await;
    assert_eq!(world.approved_by(BEA, &plan).await.status, 200);
    let detail = problem(&world.begun_by(BEA, &plan).await, 409, "approval-needed");
    assert!(detail.contains("another person"), "{detail}");
    // To plan it afterwards is to plan it, too.
    world.plan_by(BEA, into("kv-a")).await;
    let detail = problem(&world.begun_by(OTTO, &plan).await, 409, "approval-needed");
    assert!(detail.contains("a person who planned it"), "{detail}");
    assert_eq!(world.approved_by(ADA, &plan).await.status, 200, "a third person can");
    assert_eq!(world.begun_by(BEA, &plan).await.status, 200);
}

#[tokio::test]
async fn a_plan_that_moved_was_planned_by_the_caller_who_got_it() {
    let mut world = demanding("all").await;
    let plan = world.plan_by(OTTO, into("kv-b")).await;
    assert_eq!(world.approved_by(ADA, &plan).await.status, 200);
    world.azure.vault("kv-b").put_secret("db", SecretSpec::new("mine"));
    let moved = world.begun_by(BEA, &plan).await;
    problem(&moved, 409, "plan-moved");
    let new = &moved.json()["plan"];
    problem(&world.begun_by(BEA, new).await, 409, "approval-needed");
    problem(&world.approved_by(BEA, new).await, 409, "approval-refused");
}

#[tokio::test]
async fn an_approval_is_for_one_restore_and_ends() {
    let mut world = demanding("all").await;
    let plan = world.plan_by(OTTO, into("kv-b")).await;
    assert_eq!(world.approved_by(ADA, &plan).await.status, 200);
    assert_eq!(world.begun_by(OTTO, &plan).await.status, 200);
    let other = world.azure.vault("kv-b");
    other.delete(Kind::Secret, "db").expect("it is deleted");
    other.purge(Kind::Secret, "db").expect("it is purged");
    let detail = problem(&world.begun_by(OTTO, &plan).await, 409, "approval-needed");
    assert!(detail.contains("was used by restore"), "{detail}");

    assert_eq!(world.approved_by(ADA, &plan).await.status, 200, "once more");
    let name = format!("restore-approvals/{}", plan["digest"].as_str().expect("a digest"));
    let ended = world.work.damage_blob(JOBS, &name, |blob| {
        for (_, text) in &mut blob.metadata {
            let mut approval: Value = serde_json::from_str(text).expect("it is JSON");
            approval["until"] = approval["at"].clone();
            *text = approval.to_string();
        }
    });
    assert!(ended);
    let detail = problem(&world.begun_by(OTTO, &plan).await, 409, "approval-needed");
    assert!(detail.contains("has ended at"), "{detail}");
    assert_eq!(world.approved_by(ADA, &plan).await.status, 200, "a new one");
    assert_eq!(world.begun_by(OTTO, &plan).await.status, 200);
}

#[tokio::test]
async fn an_approval_that_no_restore_began_by_still_stands() {
    let mut world = demanding("all").await;
    let first = world.plan_by(OTTO, into("kv-b")).await;
    assert_eq!(world.approved_by(ADA, &first).await.status, 200);
    let mut request = into("kv-b");
    request["onConflict"] = json!("skip");
    let second = world.plan_by(OTTO, request).await;
    assert_eq!(world.approved_by(ADA, &second).await.status, 200);
    world.fault(Operation::Restore, FaultKind::Forbidden(Forbidden::ByRbac));
    let held = world.begun_by(OTTO, &first).await;
    assert_eq!(held.status, 202, "{}", held.text());
    assert_eq!(world.begun_by(OTTO, &second).await.status, 409, "the target is taken");
    let path = format!("/api/restores/{}", held.json()["id"].as_str().expect("a name"));
    assert_eq!(world.by(OTTO, "DELETE", &path, Value::Null).await.status, 202, "it ends soon");
    for _ in 0..10 {
        world.advance().await;
    }
    world.azure.faults().clear();
    let done = world.begun_by(OTTO, &second).await;
    assert_eq!(done.status, 200, "{}", done.text());
}

#[tokio::test]
async fn of_two_requests_at_once_one_uses_the_approval() {
    let mut world = demanding("all").await;
    let plan = world.plan_by(OTTO, into("kv-b")).await;
    assert_eq!(world.approved_by(ADA, &plan).await.status, 200);
    let host = world.host().await;
    let (key, principal) = (host.key("Restores"), signed_in_as("Otto", "id-of-Otto", OTTO.1));
    let headers = [
        ("x-functions-key", key.as_str()),
        ("content-type", "application/json"),
        ("x-ms-client-principal", principal.as_str()),
    ];
    let body = json!({ "plan": plan["digest"] }).to_string();
    let post = || host.http("POST", "/api/restores", &headers, body.as_str());
    let (first, second) = futures::join!(post(), post());
    let good = [first.status, second.status].into_iter().filter(|status| *status < 300).count();
    assert_eq!((good, world.begun().await), (1, 1), "{} {}", first.text(), second.text());
}

#[tokio::test]
async fn only_plans_that_the_setting_means_need_it() {
    let mut world = demanding("cross-vault").await;
    let plan = world.plan_by(OTTO, into("kv-a")).await;
    let detail = problem(&world.approved_by(ADA, &plan).await, 409, "approval-refused");
    assert!(detail.contains("needs no approval"), "{detail}");
    assert_eq!(world.begun_by(OTTO, &plan).await.status, 200);
    let plan = world.plan_by(OTTO, into("kv-b")).await;
    problem(&world.begun_by(OTTO, &plan).await, 409, "approval-needed");
}

#[tokio::test]
async fn each_role_does_its_own_part() {
    let mut world = demanding("all").await;
    let plan = world.plan_by(OTTO, into("kv-b")).await;
    problem(&world.approved_by(OTTO, &plan).await, 403, "missing-role");
    problem(&world.by(ADA, "POST", "/api/restores/plan", into("kv-b")).await, 403, "missing-role");
    problem(&world.begun_by(ADA, &plan).await, 403, "missing-role");
    let reader = Person("Rita", &["Backup.Read"]);
    problem(&world.by(reader, "GET", &path_of(&plan), Value::Null).await, 403, "missing-role");
    let unknown = json!({ "digest": "ab".repeat(32) });
    problem(&world.approved_by(ADA, &unknown).await, 404, "unknown-plan");
    problem(&world.by(ADA, "GET", "/api/restores/plan/ab", Value::Null).await, 400, "invalid-parameter");
}

#[tokio::test]
async fn a_kept_plan_is_read_in_pages() {
    let mut world = demanding("all").await;
    world.vault.put_secret("second", SecretSpec::new("value"));
    world.night(NIGHT + time::Duration::DAY * 400).await;
    let plan = world.plan_by(OTTO, into("kv-b")).await;
    let first = world.by(ADA, "GET", &format!("{}?limit=1", path_of(&plan)), Value::Null).await.json();
    let next = first["plan"]["continue"].as_str().expect("there is more");
    let path = format!("{}?limit=1&continue={next}", path_of(&plan));
    let second = world.by(ADA, "GET", &path, Value::Null).await.json();
    let name = |page: &Value| page["plan"]["steps"][0]["name"].clone();
    assert_eq!([name(&first), name(&second)], ["db", "second"].map(Value::from));
    assert_eq!(second["plan"]["digest"], plan["digest"]);
}

/// A message of the queue says nothing of approvals: the restore's own record has it, and the step asks for it.
#[tokio::test]
async fn a_message_carries_out_what_was_approved_and_nothing_else() {
    let mut world = demanding("none").await;
    let refused = || FaultKind::Forbidden(Forbidden::ByRbac);
    world.fault(Operation::Restore, refused());
    let plan = world.plan_by(OTTO, into("kv-b")).await;
    let started = world.begun_by(OTTO, &plan).await;
    assert_eq!(started.status, 202, "{}", started.text());
    world.azure.faults().clear();
    world.set(APPROVALS, "all");
    world.restart_with_settings().await;
    let asked = world.azure.requests().total(Operation::Restore);
    let message = |started: &HttpAnswer| {
        json!({ "version": 1, "restore": started.json()["id"], "kind": "secret", "object": "db" }).to_string()
    };
    let done = world.host().await.deliver("RestoreObject", &message(&started), 1).await;
    assert!(done.succeeded() && done.logs[0].contains("failed: NotApproved"), "{done:?}");
    assert_eq!(world.azure.requests().total(Operation::Restore), asked, "the vault was asked for nothing");

    world.vault.delete(Kind::Secret, "db").expect("it is deleted");
    world.vault.purge(Kind::Secret, "db").expect("it is purged");
    let plan = world.plan_by(OTTO, into("kv-a")).await;
    assert_eq!(world.approved_by(ADA, &plan).await.status, 200);
    world.fault(Operation::Restore, refused());
    let started = world.begun_by(OTTO, &plan).await;
    assert_eq!(started.status, 202, "{}", started.text());
    world.azure.faults().clear();
    let done = world.host().await.deliver("RestoreObject", &message(&started), 1).await;
    assert!(done.succeeded() && done.logs[0].ends_with("restored"), "{done:?}");
}

#[tokio::test]
async fn a_repeated_request_uses_the_approval_of_the_first() {
    let mut world = demanding("all").await;
    let plan = world.plan_by(OTTO, into("kv-b")).await;
    let principal = signed_in_as("Otto", "id-of-Otto", OTTO.1);
    let headers = [
        ("content-type", "application/json"),
        ("x-ms-client-principal", principal.as_str()),
        ("idempotency-key", "ticket-4711"),
    ];
    let body = json!({ "plan": plan["digest"] }).to_string();
    problem(&world.call("POST", "/api/restores", &headers, &body).await, 409, "approval-needed");
    assert_eq!(world.approved_by(ADA, &plan).await.status, 200);
    let first = world.call("POST", "/api/restores", &headers, &body).await;
    let second = world.call("POST", "/api/restores", &headers, &body).await;
    assert_eq!((first.status, first.json()["id"].clone()), (200, second.json()["id"].clone()));
    assert_eq!(world.begun().await, 1);
}

#[tokio::test]
async fn a_terminal_is_not_bound() {
    let world = demanding("all").await;
    let (from, to) = (world.vault.url(), world.azure.vault("kv-b").url());
    let output = world.cli(&["restore", "--vault", &from, "--into", &to, "--all", "--yes"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test]
async fn an_app_does_not_start_with_approvals_and_without_the_authentication_that_they_need() {
    let mut world = demanding("all").await;
    world.set("KEYVAULT_BACKUP_AUTHENTICATION", "keys");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_keyvault-backup"));
    command.arg("serve").env_clear().envs(world.env.clone()).env("FUNCTIONS_CUSTOMHANDLER_PORT", "0");
    let output = command.kill_on_drop(true).output().await.expect("it starts");
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(!output.status.success() && told.contains("KEYVAULT_BACKUP_APPROVALS: approvals need"), "{told}");
}

#[tokio::test]
async fn an_hsm_is_replaced_after_an_approval_alone_also_when_its_turn_comes() {
    let mut of = HsmWorld::backed_up().await;
    demand(&mut of.world, "none");
    of.world.restart_with_settings().await;
    let plan = of.world.plan_by(OTTO, everything()).await;
    let begun = of.world.begun_by(OTTO, &plan).await;
    assert_eq!(begun.status, 202, "{}", begun.text());
    demand(&mut of.world, "hsm");
    of.world.restart_with_settings().await;
    of.settle().await;
    let path = format!("/api/restores/{}", begun.json()["id"].as_str().expect("a name"));
    let report = of.world.by(OTTO, "GET", &path, Value::Null).await.json();
    assert_eq!(
        (&report["state"], &report["hsm"]["failure"]["code"]),
        (&json!("Failed"), &json!("NotApproved")),
        "{report}"
    );
    assert_eq!(of.hsm.starts_sent().restores, 0);

    let plan = of.world.plan_by(OTTO, everything()).await;
    problem(&of.world.begun_by(OTTO, &plan).await, 409, "approval-needed");
    assert_eq!(of.world.approved_by(ADA, &plan).await.status, 200);
    let begun = of.world.begun_by(OTTO, &plan).await;
    assert_eq!(begun.status, 202, "{}", begun.text());
    of.settle().await;
    let path = format!("/api/restores/{}", begun.json()["id"].as_str().expect("a name"));
    let report = of.world.by(OTTO, "GET", &path, Value::Null).await.json();
    assert_eq!((&report["state"], of.hsm.starts_sent().restores), (&json!("Succeeded"), 1), "{report}");
}
