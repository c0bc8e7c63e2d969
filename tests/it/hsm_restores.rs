//! Restores of Managed HSMs, of everything.

use std::time::Duration;

use keyvault_backup_emulator::{Fault, FaultKind, HsmOperationKind, KeySpec, Matcher, Operation};
use serde_json::{Value, json};

use crate::{
    api::problem,
    hsm_world::{HsmWorld, everything},
};

pub fn keys(names: &[&str]) -> Value {
    json!({ "hsm": "hsm-a", "keys": names })
}

impl HsmWorld {
    /// Full restores that the HSM took on.
    fn restores_started(&self) -> usize {
        self.hsm.starts_sent().restores
    }

    /// The HSM holds what it held.
    pub fn assert_restored(&self, before: &(keyvault_backup_emulator::Snapshot, Vec<String>)) {
        let (keys, roles) = self.state();
        assert_eq!(keys.differences(&before.0), Vec::<String>::new());
        assert_eq!(roles, before.1);
    }
}

#[tokio::test]
async fn everything_is_replaced_after_a_fresh_backup_of_what_was_there() {
    let mut of = HsmWorld::backed_up().await;
    let before = of.state();
    of.wreck();
    let (plan, report) = of.restored(everything()).await;
    assert_eq!((&plan["safetyBackup"]["state"], &plan["replacesEverything"]), (&json!("take"), &json!(true)));
    assert!(plan["warning"].as_str().is_some_and(|text| text.contains("replaced")), "{plan}");
    assert_eq!(report["state"], "Succeeded", "{report}");
    of.assert_restored(&before);
    assert_eq!((of.backups_started(), of.restores_started()), (2, 1));
    let safety = &of.records("hsm-a")[0];
    assert_eq!((&report["hsm"]["safetyBackup"], &safety["verdict"]), (&safety["run"], &json!("Succeeded")));
}

#[tokio::test]
async fn a_backup_that_is_young_enough_is_not_made_again() {
    let mut of = HsmWorld::backed_up().await;
    let before = of.state();
    of.fire_now().await;
    of.settle().await;
    of.wreck();
    let (plan, report) = of.restored(everything()).await;
    assert_eq!((&plan["safetyBackup"]["state"], &report["state"]), (&json!("have"), &json!("Succeeded")));
    of.assert_restored(&before);
    assert_eq!(of.backups_started(), 2);
}

#[tokio::test]
async fn nothing_is_replaced_without_the_name_of_the_hsm() {
    let mut of = HsmWorld::backed_up().await;
    let plan = of.world.plan(everything()).await;
    for confirm in [json!({}), json!({ "confirm": "hsm-b" }), json!({ "confirm": "" })] {
        let mut body = confirm;
        body["plan"] = plan["digest"].clone();
        let answer = of.world.post("/api/restores", body).await;
        problem(&answer, 409, "confirmation-needed");
        assert!(answer.json()["next"].as_str().is_some_and(|next| next.contains(r#""confirm": "hsm-a""#)));
    }
    assert_eq!((of.backups_started(), of.restores_started(), of.open().len()), (1, 0, 0));
}

#[tokio::test]
async fn a_backup_of_another_security_domain_is_refused_before_the_hsm_is_called() {
    let mut of = HsmWorld::all_backed_up(&["hsm-a", "hsm-b"]).await;
    let plan = of.world.plan(json!({ "hsm": "hsm-a", "source": "hsm-b", "everything": true })).await;
    assert_eq!(plan["obstacle"]["name"], "other-security-domain");
    let answer = of.begin(&plan).await;
    assert!(problem(&answer, 409, "not-possible").contains("KEYVAULT_BACKUP_HSM_DOMAINS"));
    assert_eq!((of.backups_started(), of.restores_started()), (1, 0));
}

#[tokio::test]
async fn a_shared_security_domain_that_is_declared_is_used_and_a_wrong_declaration_is_the_services_word() {
    for shared in [true, false] {
        let mut of = HsmWorld::with(&["hsm-a", "hsm-b"]).await;
        let (a, b) = (of.hsm.clone(), of.world.azure.hsm("hsm-b"));
        if shared {
            b.set_security_domain(&a.security_domain());
        }
        b.put_key("of-b", KeySpec::rsa(2048));
        of.world.set("KEYVAULT_BACKUP_HSM_DOMAINS", "hsm-a=hsm-b");
        of.fire().await;
        of.settle().await;
        of.world.today();
        let request = json!({ "hsm": "hsm-a", "source": "hsm-b", "everything": true });
        let (_, report) = of.restored(request).await;
        if shared {
            assert_eq!(report["state"], "Succeeded", "{report}");
            assert_eq!(a.keys().differences(&b.keys()), Vec::<String>::new());
        } else {
            let failure = &report["hsm"]["failure"];
            assert_eq!(
                (&report["state"], &failure["text"]),
                (&json!("Failed"), &json!("Invalid backup provided"))
            );
        }
    }
}

#[tokio::test]
async fn a_refusal_for_want_of_a_recent_backup_is_met_by_one() {
    let mut of = HsmWorld::backed_up().await;
    let before = of.state();
    of.fire_now().await;
    of.settle().await;
    // Young enough by our setting, and not by the service's rule.
    of.minutes(10).await;
    of.hsm.require_recent_backup(Duration::from_secs(120));
    of.wreck();
    let (plan, report) = of.restored(everything()).await;
    assert_eq!((&plan["safetyBackup"]["state"], &report["state"]), (&json!("have"), &json!("Succeeded")));
    assert_eq!((of.backups_started(), of.restores_started()), (3, 1));
    of.assert_restored(&before);
}

#[tokio::test]
async fn a_refusal_of_too_young_a_backup_is_shown_and_waited_out() {
    let mut of = HsmWorld::backed_up().await;
    let words = "A full backup of the HSM must be completed at least 30 minutes before a restore";
    let body = json!({ "error": { "code": "BadRequest", "message": words } }).to_string();
    let refusal = FaultKind::Body { status: 400, content_type: "application/json", body };
    of.world.azure.faults().add(Fault::on(Operation::StartRestore).times(1).reply(refusal));
    of.hsm.require_recent_backup(None);
    let plan = of.world.plan(everything()).await;
    let begun = of.begin(&plan).await;
    of.minutes(10).await;
    let waiting = of.world.ok(begun.header("location").expect("where")).await;
    assert!(waiting["hsm"]["waiting"].as_str().is_some_and(|why| why.contains(words)), "{waiting}");
    let report = of.followed(&begun).await;
    assert_eq!((&report["state"], of.restores_started()), (&json!("Succeeded"), 1), "{report}");
    let operations = of.hsm.operations();
    let ended =
        operations.iter().filter(|of| of.kind == HsmOperationKind::Backup).filter_map(|of| of.ended).max();
    let restored = operations.iter().find(|of| of.kind == HsmOperationKind::Restore).expect("it was started");
    assert!(restored.started - ended.expect("it has ended") >= time::Duration::minutes(30), "{operations:?}");
}

#[tokio::test]
async fn a_service_that_insists_on_its_rule_ends_the_restore_in_its_words() {
    let mut of = HsmWorld::backed_up().await;
    of.hsm.require_recent_backup(Duration::ZERO);
    let (_, report) = of.restored(everything()).await;
    assert_eq!((&report["state"], of.restores_started()), (&json!("Failed"), 0));
    let text = report["hsm"]["failure"]["text"].as_str().expect("a text");
    assert!(text.contains("within the last 30 minutes"), "{text}");
}

#[tokio::test]
async fn the_nightly_backup_waits_for_a_restore_and_says_why() {
    let mut of = HsmWorld::backed_up().await;
    let plan = of.world.plan(everything()).await;
    of.hsm.set_operation_seconds(900);
    let begun = of.begin(&plan).await;
    of.minutes(2).await;
    of.fire_now().await;
    let id = begun.json()["id"].as_str().expect("a name").to_owned();
    let status = of.world.ok("/api/status").await;
    let running = status["hsms"][0]["running"].as_array().expect("a list");
    let nightly = running.iter().find(|run| run["run"].as_str().is_some_and(|run| run.ends_with("nightly")));
    let safety = begun.json()["hsm"]["safetyBackup"].clone();
    let waiting = nightly.expect("it is open")["hsm"]["waiting"].as_str().expect("it waits").to_owned();
    assert!(waiting.contains(&id) || waiting.contains(safety.as_str().expect("a run")), "{waiting}");
    of.minutes(20).await;
    let status = of.world.ok("/api/status").await;
    let waiting = &status["hsms"][0]["running"][0]["hsm"]["waiting"];
    assert!(waiting.as_str().is_some_and(|why| why.contains(&id)), "{status}");
    assert_eq!(of.followed(&begun).await["state"], "Succeeded");
    assert!(of.records("hsm-a").iter().all(|record| record["verdict"] == "Succeeded"));
    let last = of.hsm.operations().pop().expect("there are operations");
    assert_eq!((last.kind, of.backups_started()), (HsmOperationKind::Backup, 3), "after the restore");
}

#[tokio::test]
async fn an_hsm_that_is_still_busy_after_it_succeeded_is_asked_again() {
    let mut of = HsmWorld::backed_up().await;
    of.world.azure.faults().add(Fault::on(Operation::StartRestore).times(3).reply(FaultKind::Conflict));
    let (_, report) = of.restored(everything()).await;
    assert_eq!((&report["state"], of.restores_started()), (&json!("Succeeded"), 1), "{report}");
}

#[tokio::test]
async fn one_restore_at_a_time_has_the_hsm() {
    let mut of = HsmWorld::backed_up().await;
    of.lose("signing");
    let (all, key) = (of.world.plan(everything()).await, of.world.plan(keys(&["signing"])).await);
    let first = of.begin(&all).await;
    let refused = of.begin(&key).await;
    let id = first.json()["id"].as_str().expect("a name").to_owned();
    assert!(problem(&refused, 409, "target-taken").contains(&id));
    assert_eq!(of.followed(&first).await["state"], "Succeeded");
    problem(&of.begin(&key).await, 409, "plan-moved");
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_restore() {
    let mut of = HsmWorld::backed_up().await;
    let plan = of.world.plan(everything()).await;
    let body = json!({ "plan": plan["digest"], "confirm": "hsm-a" }).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "ticket-4711")];
    let first = of.world.call("POST", "/api/restores", &headers, &body).await;
    let second = of.world.call("POST", "/api/restores", &headers, &body).await;
    assert_eq!((first.status, &first.json()["id"]), (202, &second.json()["id"]));
    of.settle().await;
    let third = of.world.call("POST", "/api/restores", &headers, &body).await;
    assert_eq!((third.status, &third.json()["id"], of.restores_started()), (200, &first.json()["id"], 1));
}

#[tokio::test]
async fn a_lost_answer_to_a_restore_is_not_sent_again() {
    let mut of = HsmWorld::backed_up().await;
    of.world.fault(Operation::StartRestore, FaultKind::ResetAfter);
    let (_, report) = of.restored(everything()).await;
    let failure = &report["hsm"]["failure"];
    assert_eq!((&report["state"], &failure["code"]), (&json!("Failed"), &json!("AnswerLost")), "{report}");
    let sent = of
        .world
        .azure
        .requests()
        .count(|entry| entry.operation == Operation::StartRestore && entry.status != 401);
    assert_eq!((sent, of.restores_started()), (1, 1));
}

#[tokio::test]
async fn a_safety_backup_that_fails_leaves_the_hsm_as_it_is() {
    let mut of = HsmWorld::backed_up().await;
    of.wreck();
    let before = of.state();
    of.hsm.attach_identity(false);
    let (_, report) = of.restored(everything()).await;
    assert_eq!(report["hsm"]["failure"]["code"], "NoSafetyBackup", "{report}");
    of.assert_restored(&before);
    assert_eq!(of.restores_started(), 0);
}

#[tokio::test]
async fn the_backup_is_chosen_by_run_or_by_time() {
    let mut of = HsmWorld::backed_up().await;
    let first = of.records("hsm-a")[0].clone();
    of.fire_now().await;
    of.settle().await;
    let mut request = everything();
    assert_ne!(of.world.plan(request.clone()).await["run"], first["run"]);
    request["run"] = first["run"].clone();
    assert_eq!(of.world.plan(request).await["folder"], first["folder"]["path"]);
    let mut request = everything();
    request["at"] = json!("2026-02-01T00:00:00Z");
    assert_eq!(of.world.plan(request.clone()).await["run"], first["run"]);
    request["at"] = json!("2020-01-01T00:00:00Z");
    let refused = of.world.post("/api/restores/plan", request).await;
    let detail = problem(&refused, 422, "nothing-selected");
    assert!(detail.starts_with("There was no backup of HSM hsm-a as of 2020-01-01T00:00:00Z."), "{detail}");
    let next = refused.json()["next"].take();
    let first = next.as_str().and_then(|next| next.strip_prefix("Ask for ")?.strip_suffix(" or later."));
    let mut request = everything();
    request["at"] = first.expect("a time").into();
    assert_eq!(of.world.plan(request).await["foreseen"], "Succeeded");
    let mut request = everything();
    request["run"] = "20200101T000000Z-nightly".into();
    let detail = problem(&of.world.post("/api/restores/plan", request).await, 422, "nothing-selected");
    assert!(
        detail.contains("matches run 20200101T000000Z-nightly") && detail.contains("recovery points"),
        "{detail}"
    );
}

#[tokio::test]
async fn what_was_made_while_a_restore_was_kept_waiting_is_backed_up_before_it() {
    let mut of = HsmWorld::backed_up().await;
    of.fire_now().await;
    of.settle().await;
    of.hsm.require_recent_backup(None);
    of.world.azure.faults().add(Fault::on(Operation::StartRestore).times(90).reply(FaultKind::Conflict));
    let (plan, report) = of.restored(everything()).await;
    assert_eq!(
        (&plan["safetyBackup"]["state"], &report["state"]),
        (&json!("have"), &json!("Succeeded")),
        "{report}"
    );
    assert_eq!((of.backups_started(), of.restores_started()), (3, 1), "one more, that no plan asked for");
}

#[tokio::test]
async fn a_restore_that_is_kept_waiting_for_hours_after_its_backup_is_given_up() {
    let mut of = HsmWorld::backed_up().await;
    of.wreck();
    let before = of.state();
    of.world.azure.faults().add(Fault::on(Operation::StartRestore).times(300).reply(FaultKind::Conflict));
    let (_, report) = of.restored(everything()).await;
    assert_eq!(report["hsm"]["failure"]["code"], "OldSafetyBackup", "{report}");
    of.assert_restored(&before);
    assert_eq!(of.restores_started(), 0);
}

#[tokio::test]
async fn a_restore_that_has_failed_is_not_begun_again_where_its_traces_could_not_be_cleared() {
    let mut of = HsmWorld::backed_up().await;
    of.world.azure.faults().add(Fault::on(Operation::StartRestore).times(1).reply(FaultKind::Status(400)));
    let its_record =
        Matcher::any().operation(Operation::DeleteBlob).custom(|of| of.object.contains("-restore-"));
    of.world.azure.faults().add(Fault::on(its_record).times(6).reply(FaultKind::Status(503)));
    let (_, report) = of.restored(everything()).await;
    assert_eq!((&report["state"], of.restores_started()), (&json!("Failed"), 0), "{report}");
    of.settle().await;
    assert_eq!((of.restores_started(), of.open().len()), (0, 0));
}
