//! The record of the write-once copy of an HSM's backup, and the copy.

use keyvault_backup_emulator::Rights;

use super::{thaw, write_samples};
use crate::{
    hsm_copies::Copying,
    hsm_world::{HsmWorld, LANDING},
    world::{BACKUPS, PERSON},
};

/// Writes the samples: a backup and its copy.
#[tokio::test]
#[ignore = "writes the samples, once"]
async fn freeze_copies() {
    let copying = Copying::new().await;
    assert!(copying.pass().await.succeeded());
    write_samples(&copying.of.world, &[]);
}

#[tokio::test]
async fn a_copy_on_record_is_known_and_is_brought_back() {
    let mut of = HsmWorld::new().await;
    thaw(&of.world, "v2-copies");
    of.world.today();
    let status = of.world.ok("/api/status").await;
    assert_eq!(status["hsms"][0]["copy"]["state"], "copied", "{status}");
    of.landing.give(PERSON, Rights::of("person", "landing").with("blobs/add/action"));
    let back = of.world.cli(&["hsm", "copy-back", "--hsm", "hsm-a"]).await;
    assert!(back.status.success(), "{back:?}");
    let below = |name: &String| name.splitn(5, '/').last().expect("a name").to_owned();
    let names = of.world.stored_below("hsm-copies/hsm-a/blobs/");
    for (name, bytes) in &names {
        let restored = of.landing.blobs(LANDING).into_iter().find(|blob| blob.ends_with(&below(name)));
        let restored = of.landing.blob(LANDING, &restored.expect("it is there")).expect("it is stored");
        assert_eq!(restored.bytes, *bytes, "{name}");
    }
    assert!(
        !names.is_empty() && of.world.backups.blobs(BACKUPS).iter().any(|name| name.contains("/records/"))
    );
}
