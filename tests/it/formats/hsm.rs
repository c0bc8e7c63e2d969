//! What Managed HSMs left when format 1 was current: good and failed backups, a restore that ended, an open one that
//! waits for its backup, and a night that waits for a busy HSM.

use keyvault_backup_emulator::{FaultKind, Matcher, Operation};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{thaw, write_samples};
use crate::{hsm_world::HsmWorld, world::JOBS};

const SAMPLES: &str = "v1-hsm";

/// The HSMs that the samples speak of.
async fn sampled() -> HsmWorld {
    HsmWorld::with(&["hsm-a", "hsm-b"]).await
}

#[tokio::test]
#[ignore = "writes the samples, once for each version of the formats"]
async fn freeze() {
    let mut of = sampled().await;
    of.fire().await;
    of.settle().await;
    of.hsm.attach_identity(false);
    of.fire_now().await;
    of.settle().await;
    of.hsm.attach_identity(true);
    of.world.today();
    of.lose("signing");
    let (_, report) = of.restored(json!({ "hsm": "hsm-a", "keys": ["signing", "missing"] })).await;
    assert_eq!(report["state"], "PartiallyFailed", "{report}");
    assert_eq!(of.world.post("/api/backups", json!({ "hsm": "hsm-a" })).await.status, 202);
    of.settle().await;
    of.hsm.set_operation_polls(usize::MAX);
    of.minutes(40).await;
    let plan = of.world.plan(json!({ "hsm": "hsm-a", "everything": true })).await;
    of.begin(&plan).await;
    let busy = Matcher::from(Operation::StartBackup).host("hsm-b.managedhsm.azure.net");
    of.world.fault(busy, FaultKind::Conflict);
    of.fire_now().await;
    of.minutes(4).await;
    write_samples(&of.world, &[]);
}

/// The samples in a world whose HSMs know nothing of what was under way.
async fn thawed() -> HsmWorld {
    let of = sampled().await;
    thaw(&of.world, SAMPLES);
    let opened = |name: &String| {
        let job = of.world.work.blob(JOBS, name).expect("it is there");
        let job: Value = serde_json::from_slice(&job.bytes).expect("it is JSON");
        let opened = job["opened"].as_str().expect("a time");
        OffsetDateTime::parse(opened, &time::format_description::well_known::Rfc3339).expect("a time")
    };
    let last = of.open().iter().map(opened).max().expect("some are open");
    of.world.at(last + time::Duration::minutes(5));
    of
}

#[tokio::test]
async fn backups_and_restores_are_shown() {
    let mut of = thawed().await;
    let runs = of.world.ok("/api/backups/runs").await;
    let runs = runs["runs"].as_array().expect("a list");
    let states = |state: &str| runs.iter().filter(|run| run["state"] == state).count();
    assert_eq!((states("Succeeded"), states("Failed"), states("Running")), (4, 1, 3), "{runs:?}");
    let restores = of.world.ok("/api/restores").await;
    let restores = restores["restores"].as_array().expect("a list");
    let mut states: Vec<_> = restores.iter().filter_map(|of| of["state"].as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["PartiallyFailed", "Running"]);
    let output = of.world.cli(&["hsm", "status", "--output", "json"]).await;
    assert!(output.status.success(), "{output:?}");
    of.world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn open_jobs_are_taken_up_and_ended() {
    let mut of = thawed().await;
    of.settle().await;
    assert_eq!(of.records("hsm-b")[0]["verdict"], "Succeeded", "the busy one is free now");
    let restores = of.world.ok("/api/restores").await;
    let ended = restores["restores"].as_array().expect("a list");
    // Nobody knows the backup any more that it waits for.
    let given_up = |of: &&Value| of["hsm"]["failure"]["code"] == "NoSafetyBackup";
    assert_eq!(ended.iter().filter(given_up).count(), 1, "{ended:?}");
    of.world.assert_trail_is_whole().await;
}
