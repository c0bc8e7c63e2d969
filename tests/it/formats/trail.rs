//! The audit trail in sections, which is its form 2, after a trail of form 1.

use serde_json::{Value, json};

use super::{thaw, write_samples};
use crate::world::{BACKUPS, JOBS, World};

const SAMPLES: &str = "v2-trail";

/// Writes the samples: a section of a process that backed up and one of another, a restore, and one at a terminal.
#[tokio::test]
#[ignore = "writes the samples, once for each version of the formats"]
async fn freeze() {
    let mut world = World::with_secrets(1).await;
    world.night(crate::world::NIGHT).await;
    thaw(&world, "v1-hsm");
    for name in world.work.blobs(JOBS) {
        world.work.delete_blob(JOBS, &name);
    }
    world.today();
    for _ in 0..2 {
        world.ask_anew().await;
        assert_eq!(world.post("/api/backups", json!({ "vault": "kv-a" })).await.status, 202);
    }
    let plan = world.plan(json!({ "source": "kv-a", "everything": true })).await;
    assert_eq!(world.begin(&plan).await.status, 200);
    let args = ["restore", "--vault", &world.vault.url(), "--all", "--yes"];
    assert_eq!(world.cli(&args).await.status.code(), Some(0));
    for name in world.backups.blobs(BACKUPS).iter().filter(|name| !name.starts_with("audit/")) {
        world.backups.delete_blob(BACKUPS, name);
    }
    for name in world.work.blobs(JOBS) {
        world.work.delete_blob(JOBS, &name);
    }
    write_samples(&world, &[]);
}

#[tokio::test]
async fn sections_and_what_was_before_them_are_read_and_built_upon() {
    let mut world = World::with_secrets(1).await;
    thaw(&world, SAMPLES);
    let (code, found) = world.verified().await;
    let sections = found["sections"].as_array().expect("a list");
    let records: u64 = sections.iter().filter_map(|of| of["records"].as_u64()).sum();
    assert_eq!((code, sections.len(), &found["records"]), (Some(0), 5, &json!(records)), "{found}");
    let told = world.told().await;
    for (event, times) in [("backup-requested", 4), ("restore-started", 2), ("restore-ended", 2)] {
        assert_eq!(told.iter().filter(|(of, _)| of == event).count(), times, "{told:?}");
    }
    world.today();
    world.ask_anew().await;
    assert_eq!(world.verified().await.0, Some(0));
}

#[tokio::test]
async fn a_newer_record_of_a_section_is_no_fault_that_is_passed_over() {
    let world = World::new().await;
    thaw(&world, SAMPLES);
    let name = world.trail().pop().expect("there is a record");
    world.backups.damage_blob(BACKUPS, &name, |blob| {
        let newer = String::from_utf8_lossy(&blob.bytes).replacen("\"v\":2", "\"v\":3", 1);
        blob.bytes = newer.into_bytes().into();
    });
    let (code, found) = world.verified().await;
    let fault =
        |of: &Value| of["fault"].as_str().is_some_and(|text| text.contains("install the newer version"));
    assert!(code == Some(1) && found["faults"].as_array().is_some_and(|of| of.iter().any(fault)), "{found}");
}
