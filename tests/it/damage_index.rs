//! Damage to the newest index: what it held is found all the same, or in the one before it.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use keyvault_backup_emulator::{
    Kind, SecretSpec,
    host::{Firing, LogLine, TimerStatus},
};
use serde_json::{Value, json};

use crate::world::{BACKUPS, Manifest, NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;
const HOUR: time::Duration = time::Duration::HOUR;
const LAST: &str = "20260112T020000Z-nightly";

/// A world after three nights. After the first one `secret-0` was rotated, and `secret-3` deleted.
async fn after_three_nights() -> World {
    let mut world = World::with_secrets(4).await;
    world.night(NIGHT).await;
    world.vault.put_secret("secret-0", SecretSpec::new("rotated"));
    world.vault.remove(Kind::Secret, "secret-3");
    for night in 1..3 {
        world.night(NIGHT + DAY * night).await;
    }
    world
}

fn truncate(world: &World, name: &str) -> bool {
    world.backups.damage_blob(BACKUPS, name, |blob| blob.bytes = blob.bytes.slice(..blob.bytes.len() - 20))
}

/// Makes the newest manifest one of a newer program. Returns its name.
fn renew(world: &World) -> String {
    let name = world.manifests("kv-a").remove(0);
    world.backups.damage_blob(BACKUPS, &name, |blob| {
        let mut text = String::new();
        GzDecoder::new(blob.bytes.as_ref()).read_to_string(&mut text).expect("it is whole");
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(text.replacen("\"v\":2", "\"v\":3", 1).as_bytes()).expect("it is packed");
        blob.bytes = packed.finish().expect("it is packed").into();
    });
    name
}

async fn tool(world: &World, args: &[&str]) -> (Option<i32>, Value) {
    let vault = world.vault.url();
    let output = world.cli(&[args, &["--vault", &vault, "--output", "json"]].concat()).await;
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

/// What the newest manifest says of the rotated secret's history and of the deleted one.
fn assert_nothing_is_lost(manifest: &Manifest) {
    let rotated = manifest.line("secret", "secret-0");
    assert!(rotated["entry"]["previous"].is_string(), "{rotated}");
    let gone = manifest.line("secret", "secret-3");
    assert_eq!(json!([gone["fared"], gone["entry"]["versions"]]), json!(["gone", 1]));
}

#[tokio::test]
async fn a_damaged_manifest_is_made_again_in_memory_and_named() {
    for flip in [false, true] {
        let mut world = after_three_nights().await;
        let name = world.manifests("kv-a").remove(0);
        assert!(if flip { world.backups.flip_bit(BACKUPS, &name) } else { truncate(&world, &name) });

        let (code, mut listed) = tool(&world, &["list", "objects"]).await;
        let lines = listed["objects"].take();
        assert_eq!((code, lines.as_array().map(Vec::len)), (Some(0), Some(4)), "{lines}");
        assert_eq!(json!([lines[3]["fared"], lines[3]["backup"]["versions"]]), json!(["gone", 1]));
        let history = tool(&world, &["list", "history", "--secret", "secret-0"]).await.1;
        assert_eq!(history["backups"].as_array().map(Vec::len), Some(2), "{history}");
        let (into, what) = (world.azure.vault("kv-empty").url(), ["restore", "--all", "--gone", "--what-if"]);
        let plan = tool(&world, &[&what[..], &["--into", &into]].concat()).await.1;
        assert_eq!(plan["steps"].as_array().map(Vec::len), Some(4), "{plan}");
        assert_eq!(tool(&world, &["show", LAST]).await.0, Some(0));
        let rebuilt = tool(&world, &["rebuild"]).await.1;
        assert!(
            rebuilt["runs"][2]["manifest"].as_str().is_some_and(|text| text.contains("damaged")),
            "{rebuilt}"
        );

        let numbers = world.night(NIGHT + DAY * 3).await["numbers"].clone();
        assert_eq!(json!([numbers["backed_up"], numbers["unchanged"]]), json!([0, 3]));
        world.assert_protected("kv-a");
        assert_nothing_is_lost(&world.newest("kv-a"));
        let named = |line: &LogLine| line.text.contains(&name) && line.text.contains("ERROR");
        assert!(world.handler_lines().await.iter().any(named), "{name} is not in the log");
    }
}

#[tokio::test]
async fn a_manifest_that_is_damaged_or_lost_while_the_next_run_is_open_costs_nothing() {
    for lose in [false, true] {
        let mut world = after_three_nights().await;
        world.vault.put_secret("new", SecretSpec::new("value"));
        world.fire(NIGHT + DAY * 3).await;
        let name = world.manifests("kv-a").remove(0);
        assert!(if lose { world.backups.delete_blob(BACKUPS, &name) } else { truncate(&world, &name) });
        world.settle().await;
        let manifest = world.newest("kv-a");
        assert_eq!(manifest.summary["verdict"], "Succeeded", "{}", manifest.summary);
        assert_eq!(manifest.fared("secret", "secret-1"), "unchanged");
        assert_nothing_is_lost(&manifest);
    }
}

#[tokio::test]
async fn an_index_that_nobody_can_read_is_passed_over_for_the_one_before() {
    for newer in [false, true] {
        let mut world = after_three_nights().await;
        let name = if newer { renew(&world) } else { world.ruin_newest("kv-a") };
        assert_eq!(
            tool(&world, &["list", "objects"]).await.0,
            Some(2),
            "it does not say less than was known"
        );

        let summary = world.night(NIGHT + DAY * 3).await;
        assert_eq!(json!([summary["verdict"], summary["numbers"]["backed_up"]]), json!(["Succeeded", 3]));
        world.assert_protected("kv-a");
        assert_nothing_is_lost(&world.newest("kv-a"));
        assert_eq!(world.newest("kv-a").header["unread"], json!([name]));

        let by_hand = NIGHT + DAY * 3 + HOUR;
        world.at(by_hand);
        let status = TimerStatus::ByHand { next: NIGHT + DAY * 4 };
        world.host().await.fire("NightlyVaultBackup", Firing::at(by_hand).status(status)).await;
        world.settle().await;
        assert_eq!(world.newest("kv-a").summary["numbers"]["unchanged"], 3, "it costs one night");
        assert_eq!(tool(&world, &["list", "objects"]).await.0, Some(0));
        let numbers = world.night(NIGHT + DAY * 4).await["numbers"].clone();
        assert_eq!(json!([numbers["backed_up"], numbers["unchanged"]]), json!([0, 3]));
    }
}
