//! What says which of its versions is an object's current one: plans with what the list showed, entries with the
//! order of the versions, and restores that say in what an object differs.

use keyvault_backup_emulator::{Kind, SecretSpec};
use serde_json::{Value, json};

use super::{CLOSED, OPEN, thaw, write_samples};
use crate::world::{JOBS, NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;

/// A vault with two secrets of two versions: of `turned` the older one is current.
async fn sampled() -> World {
    let world = World::with_vaults(&["kv-a", "kv-b"]).await;
    for (name, days) in [("straight", [60, 30]), ("turned", [30, 60])] {
        for days in days {
            world.vault.put_secret(name, SecretSpec::new("a sample").created(NIGHT - DAY * days));
        }
    }
    world.at(NIGHT);
    world
}

/// Changes both, so that they are due again.
fn touch(world: &World) {
    world.at(NIGHT + DAY / 2);
    for name in ["straight", "turned"] {
        world.vault.update(Kind::Secret, name, |of| drop(of.tags.insert("touched".into(), "yes".into())));
    }
}

/// Writes the samples: a closed run, an open one whose messages are not answered, and a restore of which one object
/// differs.
#[tokio::test]
#[ignore = "writes the samples, once"]
async fn freeze_roles() {
    let mut world = sampled().await;
    world.night(NIGHT).await;
    let other = world.azure.vault("kv-b");
    other.configure(|options| options.oldest_current = true);
    let args = ["restore", "--vault", &world.vault.url(), "--into", &other.url(), "--all", "--yes"];
    assert_eq!(world.cli(&args).await.status.code(), Some(1));
    touch(&world);
    world.fire(NIGHT + DAY).await;
    write_samples(&world, &world.messages());
}

#[tokio::test]
async fn a_run_whose_plan_says_what_was_shown_is_finished_and_built_upon() {
    let mut world = sampled().await;
    let messages = thaw(&world, "v2-roles");
    touch(&world);
    world.at(NIGHT + DAY);
    assert_eq!(messages.len(), 4, "the other vault has them, too, restored");
    for message in &messages {
        let done = world.host().await.deliver("BackUpObject", message, 1).await;
        assert!(done.succeeded(), "{done:?}");
    }
    world.settle().await;
    let manifest = world.newest("kv-a");
    assert_eq!(manifest.summary["run"], OPEN);
    for name in ["straight", "turned"] {
        let entry = &manifest.line("secret", name)["entry"];
        assert_eq!(entry["newest"], json!(world.vault.versions(Kind::Secret, name)[1]), "{entry}");
        assert!(entry["order"].is_string(), "{entry}");
    }
    world.night(NIGHT + DAY * 2).await;
    assert_eq!(world.newest("kv-a").fared("secret", "turned"), "unchanged");
}

#[tokio::test]
async fn a_closed_run_is_restored_from_and_its_order_is_compared() {
    let world = sampled().await;
    thaw(&world, "v2-roles");
    let (vault, other) = (world.vault.url(), world.azure.vault("kv-b").url());
    let at = "2026-01-10T12:00:00Z";
    let args =
        ["restore", "--vault", &vault, "--into", &other, "--all", "--at", at, "--yes", "--output", "json"];
    let output = world.cli(&args).await;
    let done: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!((output.status.code(), &done["numbers"]["restored"]), (Some(0), &json!(2)), "{done}");
    assert!(world.manifests("kv-a").iter().any(|name| name.contains(CLOSED)));
}

#[tokio::test]
async fn a_restore_that_differed_says_in_what() {
    let mut world = sampled().await;
    thaw(&world, "v2-roles");
    let record = world.work.blobs(JOBS).into_iter().find(|name| name.starts_with("restores/"));
    let record = record.expect("there is one");
    let id = record.split_once('-').expect("a name").1;
    let report = world.ok(&format!("/api/restores/{id}")).await;
    let objects: Vec<_> = report["objects"].as_array().expect("a list").iter().collect();
    assert_eq!(
        objects.iter().map(|of| &of["outcome"]).collect::<Vec<_>>(),
        ["differs", "restored"],
        "{report}"
    );
    let difference = objects[0]["difference"].as_str().expect("a text");
    assert!(difference.contains("the current one is"), "{difference}");
}
