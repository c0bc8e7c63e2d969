//! Restores of Managed HSMs whose handler dies at any moment, among faults, and with secrets to keep.

use keyvault_backup_emulator::{FaultKind, host::HttpAnswer};
use serde_json::{Value, json};

use crate::{
    faults::passing_faults,
    hsm_world::{HsmWorld, LANDING},
    world::{BACKUPS, JOBS},
};

impl HsmWorld {
    /// Begins as a runbook does: under a key, so that it can be said again.
    async fn begin_under(&mut self, plan: &Value, key: &str) -> HttpAnswer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let body = json!({ "plan": plan["digest"], "confirm": "hsm-a" }).to_string();
        self.world.call("POST", "/api/restores", &headers, &body).await
    }

    /// Every restore has one record; it succeeded and was started once, or its answer was lost and it was
    /// started at most once; and the HSM is as that says.
    async fn assert_one_restore(
        &mut self,
        before: &(keyvault_backup_emulator::Snapshot, Vec<String>),
        when: &str,
    ) {
        let restores = self.world.ok("/api/restores").await;
        let restores = restores["restores"].as_array().expect("a list");
        assert_eq!(restores.len(), 1, "{when}: {restores:?}");
        let (restore, starts) = (&restores[0], self.hsm.starts_sent());
        if restore["state"] == "Succeeded" {
            assert_eq!((starts.restores, self.state() == *before), (1, true), "{when}: {restore}");
        } else {
            assert_eq!(restore["hsm"]["failure"]["code"], "AnswerLost", "{when}: {restore}");
            assert!(starts.restores <= 1, "{when}: {starts:?}");
        }
        assert_eq!(starts.backups, 2, "{when}: one of the night, one before the restore");
        let records = self.records("hsm-a");
        assert_eq!((records.len(), &records[0]["verdict"]), (2, &json!("Succeeded")), "{when}");
        self.world.assert_trail_is_whole().await;
    }
}

/// Kills the handler at its first request of a restore, at its second, and so on, until one ends before it is
/// killed.
async fn die_at_every_request(how: FaultKind) -> usize {
    for at in 0_usize.. {
        let mut of = HsmWorld::backed_up().await;
        let before = of.state();
        of.wreck();
        let plan = of.world.plan(json!({ "hsm": "hsm-a", "everything": true })).await;
        let host = of.world.host().await;
        let met = of.world.trap(at, how.clone());
        let died = tokio::select! {
            () = async { of.begin_under(&plan, "once").await; of.settle().await; } => false,
            () = met.notified() => true,
        };
        of.world.azure.faults().clear();
        if died {
            host.restart().await.expect("it starts again");
            let begun = of.begin_under(&plan, "once").await;
            assert!([200, 202].contains(&begun.status), "killed at request {at}: {}", begun.text());
            of.settle().await;
        }
        of.assert_one_restore(&before, &format!("killed at request {at}")).await;
        if !died {
            return at;
        }
    }
    unreachable!("a restore has an end")
}

#[tokio::test]
async fn a_kill_before_any_request_is_served_makes_no_second_restore() {
    assert!(die_at_every_request(FaultKind::Hang).await > 30);
}

#[tokio::test]
async fn a_kill_after_any_request_was_served_makes_no_second_restore() {
    assert!(die_at_every_request(FaultKind::ResetAfter).await > 30);
}

#[tokio::test]
async fn faults_on_every_call_make_no_second_restore() {
    for seed in 1..=4 {
        let mut of = HsmWorld::backed_up().await;
        let before = of.state();
        of.wreck();
        let plan = of.world.plan(json!({ "hsm": "hsm-a", "everything": true })).await;
        of.world.azure.faults().random(0.15, seed, passing_faults());
        while of.begin_under(&plan, "again").await.status >= 500 {}
        of.settle().await;
        assert!(of.world.azure.faults().fired().len() > 5, "there were faults");
        of.world.azure.faults().clear();
        of.assert_one_restore(&before, &format!("seed {seed}")).await;
    }
}

/// What a token is told by.
const SIGNATURE: &str = "dGhpcyBpcyBzZWNyZXQ%3D";

/// Everything of a token that must be found nowhere, and what an access token begins with.
const SECRETS: [&str; 4] = ["dGhpcyBpcyBzZWNyZXQ", "srt=sco", "Bearer ey", "\"access_token\""];

fn assert_clean(what: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in {what}: {text}");
    }
}

#[tokio::test]
async fn a_shared_access_signature_is_written_nowhere() {
    let mut of = HsmWorld::new().await;
    let sas =
        |permissions: &str| format!("?sv=2022-11-02&srt=sco&sp={permissions}&se=2999-01-01&sig={SIGNATURE}");
    of.world.set("KEYVAULT_BACKUP_HSM_BACKUP_SAS", &sas("crdw"));
    of.world.set("KEYVAULT_BACKUP_HSM_RESTORE_SAS", &sas("rl"));
    of.world.set("RUST_LOG", "trace");
    of.hsm.attach_identity(false);
    of.fire().await;
    of.settle().await;
    of.world.today();
    let mut answers = Vec::new();
    // One that works, and one to which the service answers with the token itself.
    let (plan, report) = of.restored(json!({ "hsm": "hsm-a", "everything": true })).await;
    assert_eq!(report["state"], "Succeeded", "{report}");
    answers.extend([plan, report]);
    of.lose("signing");
    let body =
        json!({ "error": { "code": "Bad", "message": format!("bad token {}", sas("rl")) } }).to_string();
    let echo = FaultKind::Body { status: 400, content_type: "application/json", body };
    of.world.fault(keyvault_backup_emulator::Operation::StartKeyRestore, echo);
    let (plan, report) = of.restored(json!({ "hsm": "hsm-a", "keys": ["signing"] })).await;
    assert_eq!(report["state"], "Failed", "{report}");
    answers.extend([plan, report]);
    // A job that fails, and says the bare signature of the token that it was started with.
    let body =
        json!({ "status": "Failed", "statusDetails": format!("{SIGNATURE} did not match"), "error": null });
    let echo = FaultKind::Body { status: 200, content_type: "application/json", body: body.to_string() };
    of.world.fault(keyvault_backup_emulator::Operation::BackupStatus, echo);
    of.fire_now().await;
    of.settle().await;
    assert_eq!(of.records("hsm-a")[0]["verdict"], "Failed");
    of.world.azure.faults().clear();
    let (url, run) = (of.hsm.url(), of.records("hsm-a")[1]["run"].as_str().expect("a run").to_owned());
    for args in [
        &["hsm", "status"][..],
        &["hsm", "check", "--hsm", &url],
        &["hsm", "check", "--hsm", &url, "--restore", &run],
        &["hsm", "backup", "--hsm", &url],
        &["preflight"],
    ] {
        assert_clean("a terminal", &format!("{args:?} {:?}", of.world.cli(args).await));
    }
    for path in ["/api/status", "/api/backups", "/api/backups/runs", "/api/restores"] {
        answers.push(of.world.ok(path).await);
    }
    for answer in answers {
        assert_clean("an answer", &answer.to_string());
    }
    let accounts = [(&of.world.backups, BACKUPS), (&of.world.work, JOBS), (&of.landing, LANDING)];
    for (account, container) in accounts {
        for name in account.blobs(container) {
            let blob = account.blob(container, &name).expect("it is stored");
            assert_clean(&name, &format!("{:?} {}", blob.metadata, String::from_utf8_lossy(&blob.bytes)));
        }
    }
    for line in of.world.host().await.logs() {
        assert_clean("the log", &format!("{line:?}"));
    }
}
