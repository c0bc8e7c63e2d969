//! Damage to what is stored: nothing stops the next night, and what is read says what is wrong.

use keyvault_backup_emulator::{Operation, SecretSpec};
use serde_json::{Value, json};

use crate::world::{BACKUPS, JOBS, Manifest, NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;
const RUN: &str = "20260110T020000Z-nightly";

/// A world after three nights: all entries stand in the newest manifest, which carries them from the first.
async fn after_three_nights() -> World {
    let mut world = World::with_secrets(4).await;
    for night in 0..3 {
        world.night(NIGHT + DAY * night).await;
    }
    world
}

/// The night after damage protects everything, whether it backs it up anew or knows that it need not.
async fn next_night(mut world: World) -> (World, Value) {
    let summary = world.night(NIGHT + DAY * 3).await;
    assert_eq!(summary["verdict"], "Succeeded", "{summary}");
    world.assert_protected("kv-a");
    let numbers = summary["numbers"].clone();
    (world, json!([numbers["backed_up"], numbers["unchanged"]]))
}

#[tokio::test]
async fn a_missing_manifest_costs_nothing_but_itself() {
    let world = after_three_nights().await;
    world.backups.delete_blob(BACKUPS, &world.manifests("kv-a")[0]);
    assert_eq!(next_night(world).await.1, json!([0, 4]));
}

#[tokio::test]
async fn damage_to_an_older_manifest_does_not_matter() {
    let world = after_three_nights().await;
    world.backups.flip_bit(BACKUPS, &world.manifests("kv-a")[1]);
    assert_eq!(next_night(world).await.1, json!([0, 4]));
}

#[tokio::test]
async fn a_manifest_that_lost_its_metadata_is_still_used() {
    let world = after_three_nights().await;
    world.backups.damage_blob(BACKUPS, &world.manifests("kv-a")[0], |blob| blob.metadata.clear());
    assert_eq!(next_night(world).await.1, json!([0, 4]));
}

#[tokio::test]
async fn a_backup_whose_record_is_lost_is_a_failure_of_its_run_and_due_on_the_next() {
    let mut world = World::with_secrets(3).await;
    world.fire(NIGHT).await;
    world.host().await.pump("BackUpObject").await;
    let blob = |name: &str| format!("vaults/kv-a/runs/{RUN}/objects/secret/{name}/backup");
    world.backups.damage_blob(BACKUPS, &blob("secret-0"), |blob| blob.metadata.clear());
    world.backups.damage_blob(BACKUPS, &blob("secret-1"), |blob| blob.bytes = blob.bytes.slice(..100));
    world.settle().await;
    let manifest = world.newest("kv-a");
    assert_eq!(
        (&manifest.summary["verdict"], &manifest.summary["numbers"]["failed"]),
        (&json!("PartiallyFailed"), &json!(2))
    );
    for name in ["secret-0", "secret-1"] {
        let failure = &manifest.line("secret", name)["failure"];
        assert_eq!(failure["code"], "RecordUnreadable");
        assert!(failure["text"].as_str().is_some_and(|text| text.contains(&blob(name))), "{failure}");
    }
    assert_eq!(world.night(NIGHT + DAY).await["numbers"]["backed_up"], 2);
    world.assert_protected("kv-a");
}

#[tokio::test]
async fn a_plan_that_is_lost_while_its_run_is_open_is_made_again() {
    let mut world = World::with_secrets(3).await;
    world.fire(NIGHT).await;
    world.backups.delete_blob(BACKUPS, &format!("vaults/kv-a/runs/{RUN}/plan.jsonl.gz"));
    world.settle().await;
    assert_eq!(world.newest("kv-a").summary["verdict"], "Succeeded");
    world.assert_protected("kv-a");
}

#[tokio::test]
async fn a_damaged_plan_is_named_at_every_look_and_does_not_hold_up_the_next_night() {
    let mut world = World::with_secrets(3).await;
    world.fire(NIGHT).await;
    world.lose_messages();
    let plan = format!("vaults/kv-a/runs/{RUN}/plan.jsonl.gz");
    world.backups.flip_bit(BACKUPS, &plan);
    let look = world.advance().await;
    assert!(!look.succeeded() && look.body.contains(&plan), "{}", look.body);
    world.fire(NIGHT + DAY).await;
    world.minutes(2).await;
    assert_eq!(world.newest("kv-a").summary["run"], "20260111T020000Z-nightly");
    world.assert_protected("kv-a");
    // After twenty hours the run closes all the same, with what its blobs say.
    let left = world.work.blobs(JOBS);
    assert!(left.iter().all(|name| name.starts_with("passes/")), "{left:?}");
    let closed = Manifest::read(&world, &world.manifests("kv-a")[1]);
    assert_eq!(closed.header["unlisted"][0]["failure"]["code"], "PlanLost");
    assert_eq!(closed.summary["verdict"], "Failed");
}

#[tokio::test]
async fn a_job_record_that_cannot_be_read_holds_up_nothing_and_is_named() {
    let mut world = World::with_secrets(1).await;
    world.work.put_blob(JOBS, "backup-runs/kv-a/20260101T020000Z-nightly", "", &[("job", "{\"v\":1}")]);
    world.fire(NIGHT).await;
    world.minutes(2).await;
    world.assert_protected("kv-a");
    let named = |line: &keyvault_backup_emulator::host::LogLine| {
        line.text.contains("run.unreadable") && line.text.contains("20260101T020000Z-nightly")
    };
    let lines = world.handler_lines().await;
    assert!(lines.iter().any(named), "{lines:?}");
    assert_eq!((world.open_runs(), world.manifests("kv-a").len()), (0, 1));
}

#[tokio::test]
async fn rebuild_leaves_a_closed_run_alone_whose_plan_is_lost() {
    let world = after_three_nights().await;
    world.backups.delete_blob(BACKUPS, &format!("vaults/kv-a/runs/{RUN}/plan.jsonl.gz"));
    let before = world.backups.blobs(BACKUPS);
    let rebuilt = world.cli(&["rebuild", "--vault", &world.vault.url(), "--output", "json"]).await;
    let text = String::from_utf8_lossy(&rebuilt.stdout).into_owned();
    assert!(text.contains("plan is lost") && text.matches("\"sound\":true").count() == 2, "{text}");
    assert_eq!(rebuilt.status.code(), Some(1), "what cannot be checked is not said to be sound");
    assert_eq!(world.backups.blobs(BACKUPS), before);
}

#[tokio::test]
async fn rebuild_says_which_manifest_is_not_what_its_blobs_say() {
    let world = after_three_nights().await;
    let blob = format!("vaults/kv-a/runs/{RUN}/objects/secret/secret-0/backup");
    world.backups.delete_blob(BACKUPS, &blob);
    let rebuilt = world.cli(&["rebuild", "--vault", &world.vault.url(), "--output", "json"]).await;
    let runs: Value = serde_json::from_slice(&rebuilt.stdout).expect("it is JSON");
    assert_eq!(rebuilt.status.code(), Some(1));
    assert!(runs["runs"][0]["manifest"].as_str().is_some_and(|text| text.contains("differs")), "{runs}");
    assert_eq!(world.azure.requests().total(Operation::DeleteBlob), 3, "one for each run that closed");
}

#[tokio::test]
async fn a_run_without_plan_or_manifest_is_made_from_its_blobs() {
    let mut world = World::with_secrets(3).await;
    world.night(NIGHT).await;
    world.vault.put_secret("secret-0", SecretSpec::new("rotated"));
    world.backups.delete_blob(BACKUPS, &world.manifests("kv-a")[0]);
    world.backups.delete_blob(BACKUPS, &format!("vaults/kv-a/runs/{RUN}/plan.jsonl.gz"));
    let rebuilt = world.cli(&["rebuild", "--vault", &world.vault.url(), "--output", "json"]).await;
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    assert_eq!(world.newest("kv-a").lines.len(), 3);
    let next = world.night(NIGHT + DAY).await;
    assert_eq!(next["verdict"], "Succeeded");
    world.assert_protected("kv-a");
}
