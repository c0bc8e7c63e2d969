//! Holds, and the storage's own legal holds beside them.

use keyvault_backup_emulator::{Rights, host::Firing};
use serde_json::Value;

use crate::{
    hsm_world::{HsmWorld, LANDING},
    retention::Kept,
    world::{BACKUPS, NIGHT, PERSON, World},
};

/// What a person needs to set and lift a legal hold of the storage.
pub const PROTECT: &str = "blobs/immutableStorage/runAsSuperUser/action";

async fn hold(world: &World, act: &str, args: &[&str]) -> (Option<i32>, Value) {
    let output = world.cli(&[&["hold", act, "-o", "json"], args].concat()).await;
    let printed = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    let read = serde_json::from_slice(printed).unwrap_or_else(|_| panic!("{args:?}: {output:?}"));
    (output.status.code(), read)
}

async fn set(world: &World, args: &[&str]) -> Value {
    let (code, set) = hold(world, "set", &[args, &["--reason", "an inquiry"]].concat()).await;
    assert_eq!(code, Some(0), "{set}");
    set["legalHolds"].clone()
}

async fn release(world: &World, args: &[&str]) {
    let (code, released) = hold(world, "release", &[args, &["--reason", "closed"]].concat()).await;
    assert_eq!(code, Some(0), "{released}");
}

/// The blobs under a legal hold.
fn held(world: &World) -> Vec<String> {
    let is_held = |name: &String| world.backups.blob(BACKUPS, name).is_some_and(|blob| blob.legal_hold);
    world.backups.blobs(BACKUPS).into_iter().filter(is_held).collect()
}

#[tokio::test]
async fn without_the_right_to_it_a_hold_counts_by_its_record_and_says_why_the_storage_has_none() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    kept.nights(1).await;
    let legal = set(&kept.world, &["--vault", "kv-a", "--secret", "secret-0", "--ticket", "INC-1"]).await;
    assert_eq!((&legal["done"], &legal["refused"]), (&0.into(), &1.into()), "{legal}");
    assert!(
        legal["why"].as_str().is_some_and(|why| why.contains("AuthorizationPermissionMismatch")),
        "{legal}"
    );
    kept.nights(8).await;
    assert!(kept.backups_of("secret-0").contains("20260110T020000Z-nightly"), "the record holds it");
}

#[tokio::test]
async fn a_hold_on_one_object_is_on_no_other() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    kept.nights(1).await;
    let legal = set(&kept.world, &["--vault", "kv-a", "--secret", "another", "--ticket", "INC-1"]).await;
    assert_eq!((&legal["done"], &legal["refused"]), (&0.into(), &0.into()), "{legal}");
    kept.nights(8).await;
    assert!(!kept.backups_of("secret-0").contains("20260110T020000Z-nightly"), "it is gone");
}

#[tokio::test]
async fn the_storages_own_hold_stays_until_it_is_lifted_and_no_other_hold_is_on_the_blob() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    kept.nights(2).await;
    let world = &kept.world;
    world.backups.give(PERSON, Rights::of("person", "backups").with(PROTECT));
    let (vault, of) = (["--vault", "kv-a"], |ticket| [["--vault", "kv-a"], ["--ticket", ticket]].concat());
    let all =
        world.backups.blobs(BACKUPS).into_iter().filter(|name| name.starts_with("vaults/kv-a/")).count();
    let whole = set(world, &of("INC-1")).await;
    let one = set(world, &[&vault[..], &["--secret", "secret-0", "--ticket", "INC-2"]].concat()).await;
    assert_eq!((&whole["done"], &whole["refused"], &one["done"]), (&all.into(), &0.into(), &2.into()));
    assert_eq!(held(world).len(), all);

    let (code, refused) = hold(world, "lift", &of("INC-1")).await;
    assert!(code == Some(2) && refused.to_string().contains("is not released"), "{code:?} {refused}");
    release(world, &of("INC-1")).await;
    assert_eq!(held(world).len(), all, "a release leaves them");
    let (code, lifted) = hold(world, "lift", &of("INC-1")).await;
    assert_eq!((code, &lifted["done"]), (Some(0), &(all - 2).into()), "{lifted}");
    assert!(
        held(world).iter().all(|name| name.contains("/objects/secret/secret-0/")) && held(world).len() == 2
    );

    release(world, &of("INC-2")).await;
    assert_eq!(hold(world, "lift", &of("INC-2")).await.1["done"], 2);
    assert_eq!(hold(world, "lift", &of("INC-2")).await.1["done"], 0, "it is safe to run twice");
    assert!(held(world).is_empty());
}

#[tokio::test]
async fn a_hold_is_on_record_although_it_is_not_known_which_blobs_it_is_on() {
    let mut of = HsmWorld::new().await;
    of.world.at(NIGHT);
    of.world.host().await.fire("NightlyHsmBackup", Firing::at(NIGHT)).await;
    of.settle().await;
    of.landing.take_rights(PERSON);
    let legal = set(&of.world, &["--hsm", "hsm-a", "--ticket", "INC-1"]).await;
    assert_eq!(
        (&legal["done"], &legal["refused"], legal["why"].is_string()),
        (&0.into(), &0.into(), true),
        "{legal}"
    );
    assert_eq!(of.world.json(&["hold", "list"]).await["holds"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_hold_on_an_hsm_is_on_its_folders_and_their_records() {
    let mut of = HsmWorld::new().await;
    of.world.at(NIGHT);
    of.world.host().await.fire("NightlyHsmBackup", Firing::at(NIGHT)).await;
    of.settle().await;
    of.world.backups.give(PERSON, Rights::of("person", "backups").with(PROTECT));
    of.landing.give(PERSON, Rights::of("person", "landing").with(PROTECT));
    let blobs = of.landing.blobs(LANDING).len();
    let legal = set(&of.world, &["--hsm", "hsm-a", "--ticket", "INC-1"]).await;
    assert_eq!(legal["done"], blobs + 1, "{legal}");
    let folder = of.landing.blobs(LANDING);
    assert!(folder.iter().all(|name| of.landing.blob(LANDING, name).is_some_and(|blob| blob.legal_hold)));
    assert_eq!(held(&of.world).len(), 1, "the record");
}
