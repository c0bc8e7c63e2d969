//! The index as of now and as of earlier, and what it costs among years of nights.

use keyvault_backup_emulator::{Operation, SecretSpec};
use serde_json::Value;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::world::{BACKUPS, NIGHT, World};

const DAY: Duration = Duration::DAY;

/// The run of each secret's backup as of a time, and the requests that it took to find out.
async fn runs_at(world: &World, at: Option<OffsetDateTime>) -> (Vec<String>, Vec<Operation>) {
    world.azure.requests().clear();
    let at = at.map(|at| at.format(&Rfc3339).expect("it can be written"));
    let url = world.vault.url();
    let mut args = vec!["list", "objects", "--vault", &url, "--output", "json"];
    args.extend(at.iter().flat_map(|at| ["--at", at.as_str()]));
    let output = world.cli(&args).await;
    let lines: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let run = |line: &Value| line["backup"]["run"].as_str().unwrap_or("none").to_owned();
    let asked = world.azure.requests().entries().into_iter().map(|entry| entry.operation);
    (
        lines["objects"].as_array().expect("a list").iter().map(run).collect(),
        asked.filter(|of| *of != Operation::Token).collect(),
    )
}

async fn three_nights() -> World {
    let mut world = World::with_secrets(2).await;
    for night in 0..3 {
        world.night(NIGHT + DAY * night).await;
        world.vault.put_secret("secret-1", SecretSpec::new(format!("after night {night}")));
    }
    world
}

/// As many older manifests as three years leave behind.
fn grow_old(world: &World) {
    let name = world.manifests("kv-a").pop().expect("the first night's");
    let blob = world.backups.blob(BACKUPS, &name).expect("it is stored");
    let summary: Value = serde_json::from_str(blob.meta("summary").expect("it has one")).expect("it is JSON");
    for night in 1..=1100_i32 {
        let planned = NIGHT - DAY * night;
        let countdown = 99_999_999_999 - planned.unix_timestamp();
        let day = planned.format(&Rfc3339).expect("it can be written");
        let mut summary = summary.clone();
        (summary["planned"], summary["finished"]) = (day.as_str().into(), day.as_str().into());
        let name = format!("vaults/kv-a/manifests/{countdown:011}-20250101T020000Z-nightly.jsonl.gz");
        world.backups.put_blob(BACKUPS, &name, blob.bytes.clone(), &[("summary", &summary.to_string())]);
    }
}

#[tokio::test]
async fn the_index_as_of_each_night_has_that_nights_backups() {
    let world = three_nights().await;
    let first = "20260110T020000Z-nightly";
    for (at, expected) in [
        (Some(NIGHT + Duration::HOUR), first),
        (Some(NIGHT + DAY + Duration::HOUR), "20260111T020000Z-nightly"),
        (Some(NIGHT + DAY * 2 + Duration::HOUR), "20260112T020000Z-nightly"),
        (None, "20260112T020000Z-nightly"),
    ] {
        assert_eq!(runs_at(&world, at).await.0, [first, expected], "{at:?}");
    }
    let (url, before) = (world.vault.url(), (NIGHT - DAY).format(&Rfc3339).expect("it can be written"));
    let output = world.cli(&["list", "objects", "--vault", &url, "--at", &before]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("There was no backup of vault kv-a"), "{said}");
}

#[tokio::test]
async fn years_of_nights_do_not_cost_more() {
    let mut world = three_nights().await;
    grow_old(&world);
    for at in [None, Some(NIGHT + DAY + Duration::HOUR), Some(NIGHT - DAY * 900)] {
        let (_, asked) = runs_at(&world, at).await;
        let listed = asked.iter().filter(|of| **of == Operation::ListBlobs).count();
        // One for the verifications, which say when each backup was read. As of a time, one more for the newest run, which says
        // where the vault lies now, one for what was let go, and one for what was forgotten.
        let most = if at.is_some() { 5 } else { 2 };
        assert!(listed <= most && asked.len() <= 7, "{at:?}: {asked:?}");
    }
    world.azure.requests().clear();
    world.night(NIGHT + DAY * 3).await;
    let listed = world
        .azure
        .requests()
        .count(|entry| entry.operation == Operation::ListBlobs && entry.path.contains("manifests"));
    assert_eq!(listed, 1, "planning reads one page of manifests");
}
