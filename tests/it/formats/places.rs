//! What says where a vault was: plans and manifests with its whereabouts, entries with their place, a move that is
//! open, and a restore that leaves a place to the service.

use keyvault_backup_emulator::{Kind, SecretSpec};
use serde_json::{Value, json};

use super::{thaw, write_samples};
use crate::world::{NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;

/// A vault with two secrets, which the settings say lies there.
async fn sampled(subscription: &str) -> World {
    let mut world = World::new().await;
    world.set("KEYVAULT_BACKUP_PLACES", &format!("kv-a={subscription}/europe"));
    for name in ["db", "web"] {
        world.vault.put_secret(name, SecretSpec::new("a sample").created(NIGHT - DAY * 60));
    }
    world.at(NIGHT);
    world
}

/// Writes the samples: a run, one that saw the vault moved, and a restore of everything as before the move.
#[tokio::test]
#[ignore = "writes the samples, once"]
async fn freeze_places() {
    let mut world = sampled("one").await;
    world.night(NIGHT).await;
    world.set("KEYVAULT_BACKUP_PLACES", "kv-a=two/europe");
    world.restart_with_settings().await;
    world.night(NIGHT + DAY).await;
    world.vault.remove(Kind::Secret, "db");
    let args =
        ["restore", "--vault", &world.vault.url(), "--all", "--at", "2026-01-10T12:00:00Z", "--other-place"];
    assert_eq!(world.cli(&[&args[..], &["--yes"]].concat()).await.status.code(), Some(0));
    write_samples(&world, &[]);
}

#[tokio::test]
async fn a_vault_that_moved_is_known_to_have_moved_and_built_upon() {
    let mut world = sampled("two").await;
    thaw(&world, "v2-places");
    let night = world.night(NIGHT + DAY * 2).await;
    let numbers = &night["numbers"];
    assert_eq!((&numbers["unchanged"], &night["verdict"]), (&json!(2), &json!("PartiallyFailed")), "{night}");
    assert_eq!(night["moved"]["from"]["subscription"], "one");
    let history = world.ok("/api/backups/kv-a/secret/db").await;
    let marks = history["backups"].as_array().expect("a list").iter().map(|of| of["elsewhere"].clone());
    assert_eq!(marks.collect::<Vec<_>>(), [Value::Null, json!("settings")]);
    let rebuilt = world.cli(&["rebuild", "--vault", &world.vault.url()]).await;
    assert!(!String::from_utf8_lossy(&rebuilt.stdout).contains("differs"), "{rebuilt:?}");
}

#[tokio::test]
async fn a_restore_that_left_the_place_to_the_service_is_read() {
    let mut world = sampled("two").await;
    thaw(&world, "v2-places");
    let restores = world.ok("/api/restores").await;
    let id = restores["restores"][0]["id"].as_str().expect("a name").to_owned();
    let report = world.ok(&format!("/api/restores/{id}")).await;
    assert_eq!((&report["state"], &report["problem"]), (&json!("Succeeded"), &Value::Null), "{report}");
}
