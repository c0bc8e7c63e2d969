//! Manifests that name the versions of backups.

use keyvault_backup_emulator::Keeping;
use serde_json::Value;

use super::{DAY, thaw, write_samples};
use crate::world::{NIGHT, World};

/// Writes the samples: two closed runs, of which the second carries an entry over.
#[tokio::test]
#[ignore = "writes the samples, once"]
async fn freeze_stored_versions() {
    let mut world = World::with_secrets(1).await;
    world.backups.keep(Keeping { versions: true, deleted_days: None });
    world.night(NIGHT).await;
    world.night(NIGHT + DAY).await;
    write_samples(&world, &[]);
}

/// What stands in storage now was written again under the old address.
#[tokio::test]
async fn the_version_in_a_manifest_is_held_against_the_one_that_is_there() {
    let world = World::with_secrets(1).await;
    thaw(&world, "v2-stored-versions");
    let lines = world.newest("kv-a").lines;
    assert_eq!(lines[0]["fared"], "unchanged", "{lines:?}");
    let version = lines[0]["entry"]["stored"]["version"].as_str().expect("a version");
    assert!(version.starts_with("2026-01-10T02:"), "{version}");
    let output = world.cli(&["verify", "--source", "kv-a", "--all", "--output", "json"]).await;
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = report["sources"][0]["findings"].as_array().expect("a list");
    assert_eq!((findings.len(), &findings[0]["fault"]), (1, &"rewritten".into()), "{report}");
}
