//! What is stored of a night that began late.

use keyvault_backup_emulator::{FaultKind, SecretSpec, Service, host::Firing};
use serde_json::{Value, json};

use super::{DAY, thaw, write_samples};
use crate::world::{DAILY, JOBS, NIGHT, World};

const MINUTE: time::Duration = time::Duration::MINUTE;

/// Writes the samples: a run that was late, and the note of a pass after it.
#[tokio::test]
#[ignore = "writes the samples, once"]
async fn freeze_late() {
    let mut world = World::new().await;
    world.set("VAULT_BACKUP_SCHEDULE", DAILY);
    world.vault.put_secret("secret", SecretSpec::new("a sample"));
    world.azure.clock().set(NIGHT - MINUTE * 12);
    world.minutes(2).await;
    world.fault(Service::Blob, FaultKind::Status(501));
    world.at(NIGHT);
    world.host().await.fire("NightlyVaultBackup", Firing::at(NIGHT)).await;
    world.azure.faults().clear();
    world.minutes(15).await;
    write_samples(&world, &[]);
}

#[tokio::test]
async fn a_late_run_is_read_and_made_again() {
    let world = World::new().await;
    thaw(&world, "v2-late");
    let vault = world.vault.url();
    let read = async |args: &[&str]| {
        let output = world.cli(&[args, &["--vault", &vault, "--output", "json"]].concat()).await;
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let newest = world.newest("kv-a");
    assert_eq!((&newest.header["late"], &newest.summary["late"]), (&json!(602), &json!(602)));
    assert_eq!(read(&["rebuild"]).await["runs"][0]["manifest"], "sound");
    assert_eq!(read(&["list", "runs"]).await["runs"][0]["lateSeconds"], 602);
}

/// The note says that the night before is settled: only this one was missed.
#[tokio::test]
async fn the_note_of_a_pass_is_taken_up() {
    let mut world = World::new().await;
    world.set("VAULT_BACKUP_SCHEDULE", DAILY);
    world.vault.put_secret("secret", SecretSpec::new("a sample"));
    thaw(&world, "v2-late");
    assert!(world.work.blob(JOBS, "passes/all").is_some());
    world.at(NIGHT + DAY + MINUTE * 30);
    world.minutes(4).await;
    assert_eq!(world.newest("kv-a").summary["run"], "20260111T020000Z-nightly");
}
