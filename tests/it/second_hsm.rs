//! Backups of HSMs in the second place: an HSM comes back from there alone.

use keyvault_backup_emulator::{Fault, FaultKind, Operation, Rights, StorageHandle, host::Firing};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    hsm_copies::Copying,
    hsm_world::{HsmWorld, LANDING},
    retention::{KEEPER, keeper_of},
    second_from::OF_THE_FIRST,
    world::{BACKUPS, JOBS, PERSON},
};

/// An HSM whose backup is copied, and copied once more into the second place.
async fn copied(mut copying: Copying) -> (Copying, StorageHandle) {
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
    let (mut copying, _) = copied(Copying::new().await).await;
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

#[tokio::test]
async fn an_hsm_whose_copies_do_not_reach_the_second_place_is_late_there() {
    // In January: status goes by the real time.
    let mut of = HsmWorld::with(&["hsm-a"]).await;
    of.fire().await;
    of.settle().await;
    let (mut copying, second) = copied(Copying::of(of).await).await;
    let of_hsm = async |copying: &mut Copying| {
        let status = copying.of.world.ok("/api/status").await;
        let hsm = &status["hsms"][0];
        let late =
            hsm["troubles"].as_array().expect("a list").iter().any(|of| of["type"] == "second-place-late");
        (hsm["secondPlaceBehindSince"].is_string(), late)
    };
    assert_eq!(of_hsm(&mut copying).await, (false, false));
    second.take_rights(KEEPER);
    let next = copying.of.world.azure.clock().now() + Duration::DAY;
    copying.of.world.at(next);
    copying.of.fire_now().await;
    copying.of.settle().await;
    assert!(!copying.pass().await.succeeded(), "nothing reaches the second place");
    assert_eq!(of_hsm(&mut copying).await, (true, true));
    second.give(KEEPER, Rights::of("keeper", "second"));
    assert!(copying.pass().await.succeeded());
    assert_eq!(of_hsm(&mut copying).await, (false, false));
}

/// Backups every ten days up to now, of which the first place keeps 30 days and deletes the others, with their copies.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the tool cannot be told another time")]
async fn a_backup_of_an_hsm_that_the_first_place_deleted_goes_in_the_second_with_its_copy() {
    let mut of = HsmWorld::with(&["hsm-a"]).await;
    of.world.set("KEYVAULT_BACKUP_INTERVAL_HOURS", "300");
    let now = time::OffsetDateTime::now_utc();
    of.world.at(now - Duration::days(111));
    of.fire_now().await;
    of.settle().await;
    let (mut copying, second) = copied(Copying::of(of).await).await;
    for days in [100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 1] {
        copying.of.world.at(now - Duration::days(days));
        copying.of.fire_now().await;
        copying.of.settle().await;
        assert!(copying.pass().await.succeeded());
        let at = copying.of.world.azure.clock().now();
        assert!(copying.keeper.fire("ApplyRetention", Firing::at(at)).await.succeeded());
        assert!(copying.pass().await.succeeded());
    }
    copying.of.world.today();
    second.take_rights(PERSON);
    second.give(PERSON, Rights::of("owner", "second"));
    let copies = || {
        let blobs =
            second.blobs(BACKUPS).into_iter().filter(|name| name.starts_with("hsm-copies/hsm-a/records/"));
        blobs.count()
    };
    let (before, world) = (copies(), &copying.of.world);
    let plan = world.json(&["retention", "plan", "--second", "--hsm", "hsm-a"]).await;
    let goes = plan["sources"][0]["dropped"].as_u64().expect("a number");
    assert!(goes > 0, "{plan}");
    // As many blobs of as many bytes: only what is in them differs.
    let blobs = second.blobs(BACKUPS).into_iter().filter(|name| name.starts_with("hsm-copies/hsm-a/blobs/"));
    let newest = blobs.max().expect("a blob");
    let bytes = second.blob(BACKUPS, &newest).expect("it is stored").bytes;
    let damaged: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
    second.put_blob(BACKUPS, &newest, damaged, &[]);
    let plan = world.json(&["retention", "plan", "--second", "--hsm", "hsm-a"]).await;
    assert_eq!(plan["sources"][0]["dropped"], 0, "what takes its place was not seen whole: {plan}");
    let looked = world.cli(&["verify", "--from", "second", "--all", "--source", "hsm-a", "-o", "json"]).await;
    let looked: Value = serde_json::from_slice(&looked.stdout).expect("it is JSON");
    let found = &looked["sources"][0]["findings"][0];
    assert_eq!((&found["fault"], &found["newest"]), (&json!("folder"), &json!(true)), "{looked}");
    second.put_blob(BACKUPS, &newest, bytes, &[]);
    let apply = ["retention", "apply", "--second", "--hsm", "hsm-a", "--really", "--reason", "expired"];
    let mut died = 0;
    for at in (0..600).step_by(11) {
        let how = if at % 2 == 0 { FaultKind::Hang } else { FaultKind::ResetAfter };
        let met = world.trap(at, how);
        let is_over = tokio::select! {
            done = world.cli(&apply) => done.status.success(),
            () = met.notified() => false,
        };
        world.azure.faults().clear();
        died += usize::from(!is_over);
        // What is offered is whole.
        let looked = world.cli(&["verify", "--from", "second", "--all", "--source", "hsm-a"]).await;
        assert!(looked.status.success(), "{at}: {looked:?}");
        if is_over {
            break;
        }
    }
    assert!(died > 5, "{died}");
    let done = world.json(&apply).await;
    assert_eq!(done["blobs"], 0, "nothing is left: {done}");
    assert_eq!(before - copies(), usize::try_from(goes).expect("a few"));
    let verified = world.cli(&["verify", "--second", "--all", "--source", "hsm-a"]).await;
    assert!(verified.status.success(), "{verified:?}");
    copying.of.landing.give(PERSON, Rights::of("person", "landing").with("blobs/add/action"));
    let back = world.json(&["hsm", "copy-back", "--hsm", "hsm-a", "--from", "second"]).await;
    assert!(back["added"].as_u64() > Some(0), "the newest comes back: {back}");
}
