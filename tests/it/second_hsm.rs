//! Backups of HSMs in the second place: an HSM comes back from there alone.

use keyvault_backup_emulator::{Fault, FaultKind, Operation, Rights, StorageHandle};
use serde_json::{Value, json};

use crate::{
    hsm_copies::Copying,
    hsm_world::LANDING,
    retention::keeper_of,
    second_from::OF_THE_FIRST,
    world::{BACKUPS, JOBS, PERSON},
};

/// An HSM whose backup is copied, and copied once more into the second place.
async fn copied() -> (Copying, StorageHandle) {
    let mut copying = Copying::new().await;
    let second = copying.of.world.with_second_place();
    copying.keeper = keeper_of(&copying.of.world).await;
    for _ in 0..2 {
        let pass = copying.pass().await;
        assert!(pass.succeeded(), "{pass:?}");
    }
    (copying, second)
}

/// Takes the first account out of the world, the container that HSMs are backed up into, and the jobs. Whoever restores has an
/// account of their own for jobs, and may add where HSMs restore from.
fn lose_the_first(copying: &mut Copying) {
    let world = &mut copying.of.world;
    for (storage, container) in
        [(&world.backups, BACKUPS), (&world.work, JOBS), (&copying.of.landing, LANDING)]
    {
        for name in storage.blobs(container) {
            storage.delete_blob(container, &name);
        }
    }
    world.env.retain(|(name, _)| !OF_THE_FIRST.contains(&name.as_str()));
    let own = world.azure.storage("ownstore");
    own.create_container(JOBS);
    own.give(PERSON, Rights::of("person", "host").in_container(JOBS));
    world.set("KEYVAULT_BACKUP_JOBS_CONTAINER", &format!("{}/{JOBS}", own.blob_url()));
    copying.of.landing.give(PERSON, Rights::of("person", "landing").with("blobs/add/action"));
}

#[tokio::test]
async fn when_the_first_account_is_gone_an_hsm_is_restored_from_the_second_place_alone() {
    let (mut copying, _) = copied().await;
    let (folder, before) = (copying.folder(), copying.of.state());
    lose_the_first(&mut copying);
    copying.of.hsm.set_operation_polls(0);
    let world = &copying.of.world;
    world.azure.faults().add(Fault::on(Operation::CheckBackup).reply(FaultKind::Status(400)));
    let mark = world.azure.requests().mark();
    let back = world.json(&["hsm", "copy-back", "--hsm", "hsm-a", "--from", "second"]).await;
    let brought = copying.folder();
    let brought: std::collections::BTreeMap<_, _> = brought
        .into_iter()
        .map(|(name, bytes)| (name.split_once('/').expect("a folder").1.to_owned(), bytes))
        .collect();
    assert_eq!(brought, folder, "{back}");
    assert_eq!(back["request"], Value::Null, "no app knows of it: {back}");

    let command = back["command"].as_str().expect("a command");
    let words: Vec<_> = command.split_whitespace().skip(1).collect();
    let shown = world.json(&words).await;
    assert_eq!(
        (&shown["folder"], &shown["contents"]["state"]),
        (&back["folder"], &json!("asRecorded")),
        "{shown}"
    );
    copying.of.wreck();
    let words: Vec<_> = words.into_iter().filter(|word| *word != "--what-if").collect();
    let done = world.json(&[&words[..], &["--confirm", "hsm-a", "--yes"]].concat()).await;
    assert_eq!(done["state"], "Succeeded", "{done}");
    assert_eq!(copying.of.state(), before);

    let requests = world.azure.requests().since(mark);
    let first =
        requests.iter().find(|of| of.host.starts_with("backups.") || of.host.starts_with("workstore."));
    assert!(first.is_none(), "nothing of the first account is asked: {first:?}");
    let trail = world.json(&["audit", "list", "--from", "second"]).await;
    let events: Vec<_> =
        trail["records"].as_array().expect("records").iter().map(|of| &of["event"]).collect();
    for event in ["hsm-copy-back", "hsm-restore-started", "hsm-restore-ended"] {
        assert!(events.contains(&&json!(event)), "{event}: {trail}");
    }
    assert!(world.cli(&["audit", "verify", "--from", "second"]).await.status.success());
}
