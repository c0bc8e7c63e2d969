//! The record of a backup of a Managed HSM that has the blobs in its folder.

use serde_json::Value;

use super::{thaw, write_samples};
use crate::{
    hsm_world::{HsmWorld, LANDING, everything},
    world::BACKUPS,
};

/// Writes the samples: a good backup.
#[tokio::test]
#[ignore = "writes the samples, once"]
async fn freeze_folders() {
    let of = HsmWorld::backed_up().await;
    write_samples(&of.world, &[]);
}

#[tokio::test]
async fn the_blobs_in_the_record_say_what_is_missing() {
    let mut of = HsmWorld::new().await;
    thaw(&of.world, "v2-folders");
    of.world.today();
    let record = of.world.backups.blobs(BACKUPS).into_iter().find(|name| name.starts_with("hsms/"));
    let record = of.world.backups.blob(BACKUPS, &record.expect("a record")).expect("it is stored");
    let inventory: Value = serde_json::from_slice(&record.bytes).expect("JSON");
    let blobs = inventory["blobs"].as_array().expect("a list");
    let folder = of.records("hsm-a")[0]["folder"]["path"].as_str().expect("a path").to_owned();
    for blob in &blobs[1..] {
        let bytes = vec![0; blob["bytes"].as_u64().and_then(|bytes| bytes.try_into().ok()).expect("a size")];
        of.landing.put_blob(
            LANDING,
            &format!("{folder}/{}", blob["name"].as_str().expect("a name")),
            bytes,
            &[],
        );
    }
    let plan = of.world.plan(everything()).await;
    let missing = format!("{} is missing", blobs[0]["name"].as_str().expect("a name"));
    assert!(plan["contents"]["why"].as_str().is_some_and(|why| why.contains(&missing)), "{plan}");
}
