//! What format 1 got later: fields that may be missing, and words that older records do not have.

use keyvault_backup_emulator::{FaultKind, Kind, Operation, SecretSpec};
use serde_json::{Value, json};

use super::{thaw, write_samples};
use crate::world::{BACKUPS, NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;
const RUN: &str = "20260111T020000Z-nightly";

/// A vault with a secret of two versions that were made in one second.
async fn sampled() -> World {
    let world = World::new().await;
    for tag in ["first", "second"] {
        world.vault.put_secret("twice", SecretSpec::new("a sample").tag("version", tag).created(NIGHT - DAY));
    }
    world.at(NIGHT);
    world
}

/// Writes the samples: the second night, which could not read the manifest of the first.
#[tokio::test]
#[ignore = "writes the samples, once"]
async fn freeze_later() {
    let mut world = sampled().await;
    world.night(NIGHT).await;
    world.ruin_newest("kv-a");
    let item = |name: &str, managed: bool| json!({ "id": format!("{}/secrets/{name}", world.vault.url()), "managed": managed });
    let body = json!({ "value": [item("account-token", true), item("twice", false)] }).to_string();
    world.fault(
        Operation::ListSecrets,
        FaultKind::Body { status: 200, content_type: "application/json", body },
    );
    world.night(NIGHT + DAY).await;
    for name in world.backups.blobs(BACKUPS).iter().filter(|name| !name.contains(RUN)) {
        world.backups.delete_blob(BACKUPS, name);
    }
    let entry = world.newest("kv-a").line("secret", "twice")["entry"].clone();
    let shown = world.vault.versions(Kind::Secret, "twice").pop();
    assert!(entry["newest"] != json!(shown), "by chance the vault's newest: once more");
    write_samples(&world, &[]);
}

#[tokio::test]
async fn what_came_later_is_read_and_built_upon() {
    let mut world = sampled().await;
    thaw(&world, "v1-later");
    let shown = world.cli(&["show", RUN, "--all", "--vault", &world.vault.url(), "--output", "json"]).await;
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap_or_else(|_| panic!("{shown:?}"));
    let fared: Vec<_> =
        shown["objects"].as_array().expect("a list").iter().map(|line| &line["fared"]).collect();
    assert_eq!(fared, ["vault-managed", "backed-up"]);
    assert_eq!(world.newest("kv-a").header["unread"].as_array().map(Vec::len), Some(1));

    world.night(NIGHT + DAY * 2).await;
    assert_eq!(world.newest("kv-a").fared("secret", "twice"), "unchanged", "it looks like the other version");
}
