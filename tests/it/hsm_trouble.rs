//! Nights of Managed HSMs that throttle, fall silent, forget or are busy with what nobody knows.

use std::time::Duration;

use keyvault_backup_emulator::{Fault, FaultKind, Forbidden, Matcher, Operation, host::Firing};
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    hsm_world::{HsmWorld, LANDING, everything},
    world::NIGHT,
};

/// An answer of the service in a body of its own.
fn says(status: &str, details: &str) -> FaultKind {
    let body = json!({ "status": status, "statusDetails": details, "error": null, "jobId": "0".repeat(32) });
    FaultKind::Body { status: 200, content_type: "application/json", body: body.to_string() }
}

impl HsmWorld {
    /// Puts a blob into the folder of a backup that began at a time.
    fn put_folder(&self, began: OffsetDateTime, blob: &str) {
        let stamp = time::macros::format_description!("[year][month][day][hour][minute][second]00");
        let stamp = began.format(&stamp).expect("a time");
        self.landing.put_blob(LANDING, &format!("mhsm-hsm-a-{stamp}/{blob}"), "sealed", &[]);
    }

    fn asked(&self, operation: Operation) -> usize {
        self.world.azure.requests().count(|entry| entry.operation == operation)
    }

    fn refused(&self, operation: Operation) -> usize {
        self.world.azure.requests().count(|entry| entry.operation == operation && entry.status == 403)
    }

    fn script(&self, operation: Operation, times: usize, reply: FaultKind) {
        self.world.azure.faults().add(Fault::on(operation).times(times).reply(reply));
    }
}

#[tokio::test]
async fn an_hsm_that_throttles_or_fails_is_asked_once_a_minute_all_the_same() {
    for reply in [FaultKind::Throttled { retry_after: Some(600) }, FaultKind::Status(503)] {
        let mut of = HsmWorld::new().await;
        of.hsm.set_operation_polls(usize::MAX);
        of.fire().await;
        of.minutes(2).await;
        of.script(Operation::BackupStatus, 5, reply);
        of.world.azure.requests().clear();
        of.minutes(5).await;
        assert_eq!(of.asked(Operation::BackupStatus), 5);
        of.hsm.finish_operations();
        of.settle().await;
        assert_eq!(of.records("hsm-a")[0]["verdict"], "Succeeded");
    }
}

#[tokio::test]
async fn a_silent_hsm_holds_up_neither_vaults_nor_other_hsms() {
    let mut of = HsmWorld::with(&["hsm-a", "hsm-b"]).await;
    of.world.set("KEYVAULT_BACKUP_REQUEST_TIMEOUT", "1");
    let silent = keyvault_backup_emulator::Matcher::any().host("hsm-a.managedhsm.azure.net");
    of.world.fault(silent, FaultKind::Hang);
    of.fire().await;
    of.world.fire(NIGHT).await;
    of.world.settle().await;
    of.minutes(3).await;
    assert_eq!(of.records("hsm-b")[0]["verdict"], "Succeeded");
    assert_eq!(of.world.newest("kv-a").summary["verdict"], "Succeeded");
    let status = of.world.ok("/api/status").await;
    let waiting = status["hsms"][0]["running"][0]["hsm"]["waiting"].as_str().expect("it says why").to_owned();
    assert!(waiting.contains("NoAnswer"), "{waiting}");
}

#[tokio::test]
async fn a_job_that_the_service_has_forgotten_ends_in_its_words() {
    let mut of = HsmWorld::new().await;
    of.hsm.set_operation_polls(usize::MAX);
    of.fire().await;
    of.minutes(2).await;
    of.world.fault(Operation::BackupStatus, FaultKind::NotFound);
    of.settle().await;
    let failure = &of.records("hsm-a")[0]["failure"];
    assert_eq!((&failure["status"], of.backups_started()), (&json!(404), 1), "{failure}");
    let said = failure["text"].as_str().expect("a text");
    assert!(said.contains("the container holds no folder that such a backup could have left"), "{said}");
}

#[tokio::test]
async fn a_job_that_the_service_has_forgotten_succeeded_if_its_whole_folder_is_there() {
    let mut of = HsmWorld::new().await;
    of.fire().await;
    of.minutes(2).await;
    of.world.fault(Operation::BackupStatus, FaultKind::NotFound);
    of.hsm.finish_operations();
    of.settle().await;
    let record = &of.records("hsm-a")[0];
    assert_eq!((&record["verdict"], &record["found"]), (&json!("Succeeded"), &json!(true)), "{record}");
    let note = record["note"].as_str().expect("it says how that is known");
    assert!(
        note.contains("does not say how the operation ended") && note.contains("the same in 10 listings"),
        "{note}"
    );
    assert_eq!(of.backups_started(), 1);
    of.world.today();
    of.wreck();
    of.world.azure.faults().clear();
    assert_eq!(of.restored(everything()).await.1["state"], "Succeeded", "it can be restored");
}

#[tokio::test]
async fn a_folder_that_still_grows_keeps_a_forgotten_job_open() {
    let mut of = HsmWorld::new().await;
    of.hsm.set_operation_polls(usize::MAX);
    of.fire().await;
    of.minutes(2).await;
    of.world.fault(Operation::BackupStatus, FaultKind::NotFound);
    let began = of.world.azure.clock().now();
    for number in 0..45 {
        of.put_folder(began, &format!("keys/{number:05}"));
        of.minutes(1).await;
    }
    assert!(of.records("hsm-a").is_empty(), "it still grows");
    of.settle().await;
    assert_eq!(of.records("hsm-a")[0]["folder"]["blobs"], 45);
}

#[tokio::test]
async fn a_container_that_cannot_be_read_is_no_evidence_against_a_forgotten_job() {
    let mut of = HsmWorld::new().await;
    of.fire().await;
    of.minutes(2).await;
    of.world.fault(Operation::BackupStatus, FaultKind::NotFound);
    let of_the_landing = Matcher::any().operation(Operation::ListBlobs).object(LANDING);
    of.world.azure.faults().add(Fault::on(of_the_landing).times(50).reply(FaultKind::Status(403)));
    of.hsm.finish_operations();
    of.minutes(45).await;
    let status = of.world.ok("/api/status").await.to_string();
    assert!(status.contains("its folder cannot be searched for"), "{status}");
    of.world.azure.faults().clear();
    of.world.fault(Operation::BackupStatus, FaultKind::NotFound);
    of.settle().await;
    assert_eq!(of.records("hsm-a")[0]["verdict"], "Succeeded");
}

#[tokio::test]
async fn a_key_restore_that_the_service_has_forgotten_says_what_the_hsm_holds_now() {
    for (back, says) in [(true, "holds a key signing now, with 1 version;"), (false, "holds no key signing")]
    {
        let mut of = HsmWorld::backed_up().await;
        of.lose("signing");
        of.hsm.set_operation_polls(usize::MAX);
        let plan = of.world.plan(json!({ "hsm": "hsm-a", "keys": ["signing"] })).await;
        let begun = of.begin(&plan).await;
        of.world.fault(Operation::RestoreStatus, FaultKind::NotFound);
        of.minutes(40).await;
        assert_eq!(of.open().len(), 1, "the HSM says that it is busy with a restore");
        of.hsm.finish_operations();
        if !back {
            of.lose("signing");
        }
        let report = of.followed(&begun).await;
        let said = report["hsm"]["failure"]["text"].as_str().unwrap_or_default();
        assert!(report["state"] == "Failed" && said.contains(says), "{report}");
    }
}

#[tokio::test]
async fn the_job_of_an_hsm_that_is_no_longer_configured_ends() {
    let mut of = HsmWorld::with(&["hsm-a", "hsm-b"]).await;
    of.hsm.set_operation_polls(usize::MAX);
    of.fire().await;
    of.minutes(2).await;
    of.world.set("KEYVAULT_BACKUP_HSMS", "https://hsm-b.managedhsm.azure.net");
    of.world.restart_with_settings().await;
    let look = of.world.advance().await;
    assert!(!look.succeeded() && look.body.contains("KEYVAULT_BACKUP_HSMS"), "{}", look.body);
    of.world.azure.clock().advance(Duration::from_secs(12 * 3600));
    of.settle().await;
    assert_eq!(of.records("hsm-a")[0]["failure"]["code"], "NotConfigured");
}

#[tokio::test]
async fn a_check_that_meets_a_busy_hsm_is_left_to_the_start() {
    let mut of = HsmWorld::new().await;
    of.world.fault(Operation::CheckBackup, FaultKind::Conflict);
    of.fire().await;
    of.minutes(3).await;
    assert_eq!((&of.records("hsm-a")[0]["verdict"], of.backups_started()), (&json!("Succeeded"), 1));
}

#[tokio::test]
async fn a_check_that_never_ends_is_not_waited_for() {
    let mut of = HsmWorld::new().await;
    of.script(Operation::BackupStatus, 14, says("InProgress", ""));
    of.fire().await;
    of.minutes(12).await;
    assert_eq!(of.backups_started(), 0);
    of.settle().await;
    assert_eq!((&of.records("hsm-a")[0]["verdict"], of.backups_started()), (&json!("Succeeded"), 1));
}

#[tokio::test]
async fn a_folder_that_grows_is_not_whole() {
    let mut of = HsmWorld::new().await;
    // The start never arrives, and somebody else's backup writes meanwhile.
    of.script(Operation::StartBackup, 1, FaultKind::ResetBefore);
    of.fire().await;
    of.minutes(2).await;
    let began = of.world.azure.clock().now();
    for number in 0..20 {
        of.put_folder(began, &format!("keys/{number:05}"));
        of.minutes(1).await;
        assert!(of.records("hsm-a").is_empty(), "it still grows");
    }
    of.settle().await;
    let record = &of.records("hsm-a")[0];
    assert_eq!((&record["folder"]["blobs"], &record["found"]), (&json!(20), &json!(true)), "{record}");
    assert_eq!(of.backups_started(), 0);
}

#[tokio::test]
async fn a_folder_that_was_finished_before_is_not_what_is_under_way() {
    let mut of = HsmWorld::new().await;
    of.world.at(NIGHT - time::Duration::minutes(30));
    of.put_folder(NIGHT - time::Duration::minutes(31), "backup");
    of.put_folder(NIGHT - time::Duration::minutes(31), "keys/00000");
    of.script(Operation::StartBackup, 3, FaultKind::Conflict);
    of.fire().await;
    of.settle().await;
    let record = &of.records("hsm-a")[0];
    assert_eq!((of.backups_started(), &record["verdict"]), (1, &json!("Succeeded")));
    assert!(record["found"].is_null(), "{record}");
}

#[tokio::test]
async fn a_restore_does_not_trust_an_older_backup_of_what_it_replaces() {
    let mut of = HsmWorld::backed_up().await;
    let plan = of.world.plan(everything()).await;
    let now = of.world.azure.clock().now();
    of.put_folder(now - time::Duration::minutes(40), "backup");
    of.script(Operation::StartBackup, 1, FaultKind::Conflict);
    let begun = of.begin(&plan).await;
    assert_eq!(of.followed(&begun).await["state"], "Succeeded");
    assert_eq!(of.backups_started(), 2, "one of its own");
}

#[tokio::test]
async fn what_a_failed_backup_left_is_not_taken_for_a_good_one() {
    let mut of = HsmWorld::new().await;
    of.fire().await;
    of.minutes(2).await;
    of.put_folder(of.world.azure.clock().now(), "keys/00000");
    of.script(Operation::BackupStatus, 1, says("Failed", "the storage went away"));
    of.minutes(2).await;
    assert_eq!(of.records("hsm-a")[0]["verdict"], "Failed");
    of.hsm.finish_operations();
    let folders = of.landing.blobs(LANDING);
    for name in folders.iter().filter(|name| name.ends_with("/backup")) {
        of.landing.delete_blob(LANDING, name);
    }
    of.script(Operation::StartBackup, 1, FaultKind::Conflict);
    of.world.azure.clock().advance(Duration::from_secs(120));
    of.fire_now().await;
    of.settle().await;
    let record = &of.records("hsm-a")[0];
    assert_eq!((&record["verdict"], record["found"].is_null()), (&json!("Succeeded"), true), "{record}");
}

#[tokio::test]
async fn a_start_that_is_answered_with_a_failure_is_not_sent_again_and_keeps_its_words() {
    let mut of = HsmWorld::backed_up().await;
    let body = json!({ "error": { "code": "ServerBusy", "message": "the partition is moving" } }).to_string();
    let busy = FaultKind::Body { status: 503, content_type: "application/json", body };
    of.world.fault(Operation::StartRestore, busy);
    let (_, report) = of.restored(everything()).await;
    let text = report["hsm"]["failure"]["text"].as_str().expect("a text");
    assert!(text.contains("the partition is moving"), "{text}");
    assert_eq!(of.asked(Operation::StartRestore), 1);
}

#[tokio::test]
async fn nothing_counts_as_sent_without_a_token() {
    let mut of = HsmWorld::backed_up().await;
    let plan = of.world.plan(json!({ "hsm": "hsm-a", "keys": ["signing"] })).await;
    assert!(plan["obstacle"].is_object(), "{plan}");
    of.lose("signing");
    let plan = of.world.plan(json!({ "hsm": "hsm-a", "keys": ["signing"] })).await;
    of.world.restart_with_settings().await;
    of.script(Operation::RestoreStatus, 1, FaultKind::ResetBefore);
    let begun = of.begin(&plan).await;
    assert_eq!(of.followed(&begun).await["state"], "Succeeded", "it was tried again");
    assert_eq!(of.hsm.starts_sent().key_restores, 1);
}

#[tokio::test]
async fn the_rule_about_backups_is_met_where_it_shows_in_the_job() {
    let mut of = HsmWorld::backed_up().await;
    let words = "You must complete a full backup of the HSM at least 30 minutes before a restore";
    of.hsm.require_recent_backup(None);
    let plan = of.world.plan(everything()).await;
    let begun = of.begin(&plan).await;
    while of.asked(Operation::StartRestore) == 0 {
        of.minutes(1).await;
    }
    of.hsm.finish_operations();
    of.script(Operation::RestoreStatus, 1, says("Failed", words));
    of.minutes(5).await;
    let waiting = of.world.ok(begun.header("location").expect("where")).await;
    assert!(waiting["hsm"]["waiting"].as_str().is_some_and(|why| why.contains(words)), "{waiting}");
    let report = of.followed(&begun).await;
    assert_eq!(report["state"], "Succeeded", "{report}");
    assert_eq!(of.hsm.starts_sent().restores, 2, "once more, when it was time");
}

#[tokio::test]
async fn a_restore_waits_for_a_backup_that_is_under_way() {
    let mut of = HsmWorld::backed_up().await;
    of.hsm.set_operation_polls(usize::MAX);
    of.fire_now().await;
    of.minutes(2).await;
    let plan = of.world.plan(everything()).await;
    let begun = of.begin(&plan).await;
    of.minutes(3).await;
    let waiting = of.world.ok(begun.header("location").expect("where")).await;
    assert!(waiting["hsm"]["waiting"].as_str().is_some_and(|why| why.contains("nightly")), "{waiting}");
    of.hsm.set_operation_seconds(60);
    of.hsm.finish_operations();
    assert_eq!(of.followed(&begun).await["state"], "Succeeded");
}

#[tokio::test]
async fn a_nightly_backup_comes_through_right_after_somebody_elses_restore() {
    let mut of = HsmWorld::backed_up().await;
    of.hsm.set_cooldown(Duration::from_secs(600));
    let (_, report) = of.restored(everything()).await;
    assert_eq!(report["state"], "Succeeded");
    of.fire_now().await;
    of.settle().await;
    assert!(of.records("hsm-a").iter().all(|record| record["verdict"] == "Succeeded"));
}

#[tokio::test]
async fn two_requests_at_once_under_one_key_are_one_restore() {
    let mut of = HsmWorld::backed_up().await;
    let plan = of.world.plan(everything()).await;
    let body = json!({ "plan": plan["digest"], "confirm": "hsm-a" }).to_string();
    let host = of.world.host().await;
    let key = host.key("Restores");
    let headers =
        [("content-type", "application/json"), ("idempotency-key", "once"), ("x-functions-key", &key)];
    let ask = || host.http("POST", "/api/restores", &headers, body.as_str());
    let (first, second) = tokio::join!(ask(), ask());
    assert_eq!(first.json()["id"], second.json()["id"], "{} {}", first.text(), second.text());
    assert_eq!(of.followed(&first).await["state"], "Succeeded");
    assert_eq!(of.hsm.starts_sent().restores, 1);
    of.world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn two_looks_at_once_end_a_restore_once() {
    let mut of = HsmWorld::backed_up().await;
    let plan = of.world.plan(everything()).await;
    let begun = of.begin(&plan).await;
    while of.asked(Operation::StartRestore) == 0 {
        of.minutes(1).await;
    }
    of.hsm.finish_operations();
    of.world.azure.clock().advance(Duration::from_secs(60));
    let (host, now) = (of.world.host().await, of.world.azure.clock().now());
    tokio::join!(host.fire("AdvanceJobs", Firing::at(now)), host.fire("AdvanceJobs", Firing::at(now)));
    assert_eq!(of.followed(&begun).await["state"], "Succeeded");
    of.world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn a_start_that_is_refused_for_ever_ends_all_the_same() {
    let mut of = HsmWorld::new().await;
    of.script(Operation::StartBackup, usize::MAX, FaultKind::Status(503));
    of.fire().await;
    for _ in 0..50 {
        of.world.azure.clock().advance(Duration::from_secs(3600));
        of.minutes(2).await;
    }
    assert_eq!((of.open().len(), &of.records("hsm-a")[0]["verdict"]), (0, &json!("Failed")));
}

#[tokio::test]
async fn a_container_that_cannot_be_read_is_what_a_job_says_it_waits_for() {
    let mut of = HsmWorld::new().await;
    of.fire().await;
    of.minutes(2).await;
    of.hsm.finish_operations();
    let of_the_landing = Matcher::any().operation(Operation::ListBlobs).object(LANDING);
    of.world.azure.faults().add(Fault::on(of_the_landing).reply(FaultKind::Status(403)));
    of.minutes(2).await;
    let status = of.world.ok("/api/status").await.to_string();
    assert!(status.contains("the container cannot be read"), "{status}");
    of.world.azure.faults().clear();
    of.settle().await;
    assert_eq!(of.records("hsm-a")[0]["verdict"], "Succeeded");
}

#[tokio::test]
async fn what_was_found_counts_once_where_its_job_could_not_be_forgotten() {
    let mut of = HsmWorld::new().await;
    of.script(Operation::StartBackup, 1, FaultKind::ResetAfter);
    of.fire().await;
    of.minutes(3).await;
    of.hsm.finish_operations();
    of.script(Operation::DeleteBlob, 6, FaultKind::Status(503));
    of.settle().await;
    assert_eq!((of.backups_started(), of.records("hsm-a").len()), (1, 1));
    assert_eq!(of.records("hsm-a")[0]["found"], true);
}

#[tokio::test]
async fn an_inner_code_is_better_than_none() {
    let mut of = HsmWorld::new().await;
    let error = json!({ "code": null, "message": null, "innererror": { "code": "PartitionMoving" } });
    let body = json!({ "status": "Failed", "statusDetails": null, "error": error, "jobId": "0".repeat(32) });
    of.fire().await;
    of.minutes(2).await;
    let failed = FaultKind::Body { status: 200, content_type: "application/json", body: body.to_string() };
    of.script(Operation::BackupStatus, 1, failed);
    of.settle().await;
    assert_eq!(of.records("hsm-a")[0]["failure"]["code"], "PartitionMoving");
}

#[tokio::test]
async fn a_night_that_fails_at_once_says_so() {
    let mut of = HsmWorld::new().await;
    of.script(Operation::CheckBackup, 1, FaultKind::Status(400));
    of.script(Operation::StartBackup, 1, FaultKind::Status(400));
    let fired = of.fire().await;
    assert!(fired.logs.iter().any(|line| line.contains("hsm-a: Failed")), "{:?}", fired.logs);
}

/// A role that was just assigned counts some minutes later.
#[tokio::test]
async fn a_right_that_is_on_its_way_does_not_cost_the_night() {
    let mut of = HsmWorld::new().await;
    let refused = || FaultKind::Forbidden(Forbidden::ByRbac);
    of.script(Operation::CheckBackup, 3, refused());
    of.script(Operation::StartBackup, 3, refused());
    of.fire().await;
    of.settle().await;
    assert_eq!(of.records("hsm-a")[0]["verdict"], "Succeeded");
    assert_eq!(of.refused(Operation::StartBackup), 3);
}

/// One that never comes is waited for, at growing distances, and is then what the record says.
#[tokio::test]
async fn a_right_that_never_comes_is_recorded_in_the_words_of_the_service() {
    let mut of = HsmWorld::new().await;
    of.world.fault(Operation::StartBackup, FaultKind::Forbidden(Forbidden::ByRbac));
    of.fire().await;
    of.settle().await;
    let record = of.records("hsm-a").remove(0);
    assert_eq!((&record["verdict"], &record["failure"]["code"]), (&json!("Failed"), &json!("AccessDenied")));
    let asked = of.refused(Operation::StartBackup);
    assert!((8..20).contains(&asked), "{asked}");
}
