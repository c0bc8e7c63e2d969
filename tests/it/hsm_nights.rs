//! The nights of Managed HSMs: one start, one job, one outcome, whatever happens.

use std::time::Duration;

use keyvault_backup_emulator::{Fault, FaultKind, Forbidden, Matcher, Operation, Service, host::Firing};
use serde_json::json;

use crate::{
    hsm_world::{HsmWorld, LANDING},
    world::{JOBS, NIGHT},
};

#[tokio::test]
async fn a_night_ends_with_a_folder_that_was_seen() {
    let mut of = HsmWorld::new().await;
    let fired = of.fire().await;
    assert!(fired.succeeded(), "{fired:?}");
    of.settle().await;
    let record = &of.records("hsm-a")[0];
    assert_eq!((&record["verdict"], of.backups_started()), (&json!("Succeeded"), 1), "{record}");
    let folder = record["folder"]["path"].as_str().expect("the service's folder");
    let stored: Vec<_> = of
        .landing
        .blobs(LANDING)
        .into_iter()
        .filter(|name| name.starts_with(&format!("{folder}/")))
        .collect();
    assert_eq!(record["folder"]["blobs"], json!(stored.len()));
    assert!(folder.starts_with("mhsm-hsm-a-") && record["folder"]["time"].is_string(), "{record}");
    assert!(record["folder"]["uri"].as_str().expect("as given").ends_with(folder));
}

#[tokio::test]
async fn two_firings_are_one_backup() {
    let mut of = HsmWorld::new().await;
    of.fire().await;
    of.fire().await;
    of.settle().await;
    of.fire().await;
    assert_eq!((of.backups_started(), of.records("hsm-a").len(), of.open().len()), (1, 1, 0));
}

#[tokio::test]
async fn an_operation_is_asked_about_once_a_minute_and_its_end_seen_at_the_next_poll() {
    let mut of = HsmWorld::new().await;
    of.hsm.set_operation_polls(usize::MAX);
    of.fire().await;
    of.world.azure.requests().clear();
    of.minutes(5).await;
    let polls = of.world.azure.requests().count(|entry| entry.operation == Operation::BackupStatus);
    assert_eq!(polls, 5, "one of the check and four of the backup, or five of either");
    of.hsm.finish_operations();
    of.settle().await;
}

#[tokio::test]
async fn a_failing_hsm_does_not_hold_up_another() {
    let mut of = HsmWorld::with(&["hsm-a", "hsm-b"]).await;
    let host = Matcher::any().host("hsm-a.managedhsm.azure.net");
    of.world.azure.faults().add(Fault::on(host).reply(FaultKind::Hang));
    of.world.set("KEYVAULT_BACKUP_REQUEST_TIMEOUT", "1");
    of.fire().await;
    of.minutes(4).await;
    assert_eq!(of.records("hsm-b")[0]["verdict"], "Succeeded");
    assert_eq!(of.records("hsm-a").len(), 0, "it is still tried");
}

#[tokio::test]
async fn what_the_service_says_of_a_failure_is_recorded() {
    let mut of = HsmWorld::new().await;
    of.hsm.attach_identity(false);
    of.fire().await;
    of.settle().await;
    let record = &of.records("hsm-a")[0];
    assert_eq!((&record["verdict"], record["folder"].is_null()), (&json!("Failed"), true));
    assert!(!record["failure"]["text"].as_str().expect("a text").is_empty(), "{record}");
}

#[tokio::test]
async fn success_counts_once_the_container_holds_the_folder() {
    let mut of = HsmWorld::new().await;
    of.fire().await;
    of.minutes(1).await;
    let landing = of.landing.clone();
    of.world.when(Matcher::from(Operation::ListBlobs).host("landing.blob.core.windows.net"), {
        move || {
            for name in landing.blobs(LANDING) {
                landing.delete_blob(LANDING, &name);
            }
        }
    });
    of.settle().await;
    assert_eq!(of.records("hsm-a")[0]["failure"]["code"], "FolderEmpty");
}

#[tokio::test]
async fn a_lost_answer_to_the_start_is_made_up_for_by_the_folder() {
    let mut of = HsmWorld::new().await;
    of.world.fault(Matcher::from(Operation::StartBackup), FaultKind::ResetAfter);
    of.fire().await;
    of.minutes(3).await;
    of.hsm.finish_operations();
    of.settle().await;
    let record = &of.records("hsm-a")[0];
    assert_eq!((of.backups_started(), of.records("hsm-a").len()), (1, 1));
    assert_eq!((&record["verdict"], &record["found"]), (&json!("Succeeded"), &json!(true)), "{record}");
}

#[tokio::test]
async fn a_start_that_never_arrived_is_sent_when_no_folder_appears() {
    let mut of = HsmWorld::new().await;
    of.world.azure.faults().add(Fault::on(Operation::StartBackup).times(1).reply(FaultKind::ResetBefore));
    of.fire().await;
    of.settle().await;
    assert_eq!((of.backups_started(), &of.records("hsm-a")[0]["verdict"]), (1, &json!("Succeeded")));
}

#[tokio::test]
async fn somebody_elses_backup_serves_if_its_time_fits() {
    let mut of = HsmWorld::new().await;
    // Nobody knows of the one that began a few minutes before, and goes on into the night.
    of.hsm.set_operation_seconds(1200);
    let before = NIGHT - time::Duration::minutes(5);
    of.world.at(before);
    of.world.host().await.fire("NightlyHsmBackup", Firing::at(before)).await;
    while of.backups_started() == 0 {
        of.minutes(1).await;
    }
    for name in of.open() {
        of.world.work.delete_blob(JOBS, &name);
    }
    of.fire().await;
    of.minutes(4).await;
    of.hsm.finish_operations();
    of.settle().await;
    let record = &of.records("hsm-a")[0];
    assert_eq!(
        (of.backups_started(), &record["verdict"], &record["found"]),
        (1, &json!("Succeeded"), &json!(true))
    );
}

/// Kills the handler at its first request of a night, at its second, and so on, until a night ends before it
/// is killed.
async fn die_at_every_request(how: FaultKind) -> usize {
    for at in 0_usize.. {
        let mut of = HsmWorld::new().await;
        of.world.at(NIGHT);
        let host = of.world.host().await;
        let met = of.world.trap(at, how.clone());
        let died = tokio::select! {
            () = async { of.fire().await; of.settle().await; } => false,
            () = met.notified() => true,
        };
        of.world.azure.faults().clear();
        if died {
            host.restart().await.expect("it starts again");
            // Before its first request is answered a job does not exist: the host makes up for the firing.
            host.fire("NightlyHsmBackup", Firing::at(NIGHT).past_due(true)).await;
            of.settle().await;
        }
        let records = of.records("hsm-a");
        assert_eq!((of.backups_started(), records.len()), (1, 1), "killed at request {at}: {records:?}");
        assert_eq!(records[0]["verdict"], "Succeeded", "killed at request {at}: {}", records[0]);
        if !died {
            return at;
        }
    }
    unreachable!("a night has an end")
}

#[tokio::test]
async fn a_kill_before_any_request_is_served_makes_no_second_start() {
    assert!(die_at_every_request(FaultKind::Hang).await > 10);
}

#[tokio::test]
async fn a_kill_after_any_request_was_served_makes_no_second_start() {
    assert!(die_at_every_request(FaultKind::ResetAfter).await > 10);
}

#[tokio::test]
async fn a_job_that_outlives_its_limit_is_reported_once_and_followed() {
    let mut of = HsmWorld::new().await;
    of.hsm.set_operation_polls(usize::MAX);
    of.fire().await;
    of.world.azure.clock().advance(Duration::from_secs(7 * 3600));
    of.minutes(3).await;
    let logs = of.world.host().await.logs();
    let reports = logs.iter().filter(|line| format!("{line:?}").contains("job.overdue")).count();
    assert_eq!((reports, of.open().len()), (1, 1));
    of.hsm.finish_operations();
    of.settle().await;
    assert_eq!(of.records("hsm-a")[0]["verdict"], "Succeeded");
}

#[tokio::test]
async fn single_keys_are_backed_up_beside_the_whole() {
    let mut of = HsmWorld::new().await;
    of.world.set("KEYVAULT_BACKUP_HSM_KEYS", "hsm-a/signing");
    of.fire().await;
    of.world.settle().await;
    of.settle().await;
    let manifest = of.world.newest("hsm-a");
    assert_eq!((manifest.fared("key", "signing"), of.records("hsm-a").len()), ("backed-up", 1));
}

/// They have the rounds that objects of vaults have.
#[tokio::test]
async fn single_keys_that_fail_in_a_way_that_may_pass_are_backed_up_the_same_night() {
    for trouble in [FaultKind::Status(503), FaultKind::Forbidden(Forbidden::ByRbac)] {
        let mut of = HsmWorld::new().await;
        of.world.set("KEYVAULT_BACKUP_HSM_KEYS", "hsm-a/signing");
        of.world.fault(Operation::Backup, trouble.clone());
        of.fire().await;
        of.world.until(NIGHT + time::Duration::minutes(8)).await;
        assert_eq!(of.world.manifests("hsm-a"), Vec::<String>::new(), "{trouble:?}: it waits");
        of.world.azure.faults().clear();
        of.world.settle().await;
        let manifest = of.world.newest("hsm-a");
        assert_eq!(manifest.summary["verdict"], "Succeeded", "{trouble:?}");
        assert_eq!(manifest.fared("key", "signing"), "backed-up", "{trouble:?}");
    }
}

#[tokio::test]
async fn two_looks_in_one_second_send_one_start() {
    let mut of = HsmWorld::new().await;
    of.fire().await;
    // Both read the record before either has noted anything.
    of.world.azure.knobs().set_latency(Service::Blob, Duration::from_millis(40));
    of.world.azure.clock().advance(Duration::from_secs(60));
    let (host, now) = (of.world.host().await, of.world.azure.clock().now());
    tokio::join!(host.fire("AdvanceJobs", Firing::at(now)), host.fire("AdvanceJobs", Firing::at(now)));
    let starts = of.world.azure.requests().count(|entry| entry.operation == Operation::StartBackup);
    assert_eq!((starts, of.backups_started()), (1, 1));
    of.settle().await;
    assert_eq!(of.records("hsm-a").len(), 1);
}
