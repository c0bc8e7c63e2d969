//! Losses that a person acknowledges.

use keyvault_backup_emulator::{Kind, SecretSpec};
use serde_json::{Value, json};

use super::{DAY, now};
use crate::world::{BACKUPS, World};

/// A vault that was emptied the night before last, after a night in which all was well; and the run that saw it.
async fn emptied() -> (World, String) {
    let mut world = World::with_secrets(6).await;
    world.night_in(-3).await;
    for number in 0..6 {
        world.vault.remove(Kind::Secret, &format!("secret-{number}"));
    }
    let lost = world.night(now() - DAY).await;
    (world, lost["run"].as_str().expect("text").to_owned())
}

impl World {
    /// Acknowledges what a run saw.
    async fn acknowledge(&self, run: &str) -> (i32, Value) {
        self.person(&["acknowledge", "--run", run, "--reason", "moved to kv-b"]).await
    }
}

#[tokio::test]
async fn a_loss_is_trouble_until_it_is_acknowledged_and_then_at_once_none() {
    let (mut world, run) = emptied().await;
    for quiet in 0..20 {
        let (verdict, _, _, clean) = world.night_in(quiet).await;
        assert_eq!((verdict.as_str(), clean), ("PartiallyFailed", false), "night {quiet}");
    }
    let of = world.source().await;
    let loss = &of["losses"][0];
    assert_eq!((&of["ok"], &loss["run"], &loss["acknowledged"]), (&json!(false), &json!(run), &json!(null)));
    assert_eq!((&loss["how"], &loss["gone"], &loss["stillGone"]), (&json!("emptied"), &json!(6), &json!(6)));
    let (code, said) = world.acknowledge(&run).await;
    assert_eq!((code, &said["already"], &said["losses"][0]["gone"]), (0, &json!(false), &json!(6)));
    let of = world.source().await;
    assert_eq!((&of["ok"], &of["lastRun"]["state"]), (&json!(true), &json!("PartiallyFailed")));
    assert_eq!(of["losses"][0]["acknowledged"]["reason"], "moved to kv-b");
    let (verdict, _, _, clean) = world.night_in(20).await;
    assert_eq!((verdict.as_str(), clean), ("Succeeded", true));
    let of = world.source().await;
    assert_eq!((&of["ok"], &of["losses"]), (&json!(true), &json!([])));
    let (whole, trail) = world.recorded().await;
    assert!(whole && trail == ["loss-acknowledged"], "{trail:?}");
}

#[tokio::test]
async fn an_acknowledgement_is_of_what_one_run_saw_and_is_given_once() {
    let (mut world, run) = emptied().await;
    assert_eq!(world.acknowledge(&run).await.0, 0);
    let (code, said) = world.acknowledge(&run).await;
    assert_eq!((code, &said["already"]), (0, &json!(true)));
    let said =
        world.cli(&["acknowledge", "--vault", &world.vault.url(), "--run", &run, "--reason", "again"]).await;
    assert!(String::from_utf8_lossy(&said.stdout).contains("was already acknowledged, on"), "{said:?}");
    let name = format!("acknowledged/kv-a/losses/{run}");
    assert!(world.backups.blob(BACKUPS, &name).is_some(), "{:?}", world.backups.blobs(BACKUPS));
    assert_eq!(world.recorded().await, (true, vec!["loss-acknowledged".to_owned()]));
    for number in 0..6 {
        world.vault.put_secret(&format!("other-{number}"), SecretSpec::new("value"));
    }
    world.night_in(0).await;
    for number in 0..6 {
        world.vault.remove(Kind::Secret, &format!("other-{number}"));
    }
    let second = world.night(now() + DAY).await["run"].take();
    assert_eq!(world.source().await["ok"], false, "it is another loss");
    let (code, said) = world.acknowledge("20200101T020000Z-nightly").await;
    assert!(
        code == 2 && said.to_string().contains(&format!("were found by {}", second.as_str().expect("text"))),
        "{said}"
    );
}

#[tokio::test]
async fn where_nothing_is_lost_nothing_is_acknowledged() {
    let mut world = World::with_secrets(1).await;
    let run = world.night(now()).await["run"].as_str().expect("text").to_owned();
    let (code, said) = world.acknowledge(&run).await;
    assert!(code == 2 && said.to_string().contains("every loss and move of kv-a is acknowledged"), "{said}");
    let hsm =
        ["acknowledge", "--vault", "https://hsm-a.managedhsm.azure.net", "--run", &run, "--reason", "x"];
    let output = world.cli(&hsm).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("it is a Managed HSM"), "{output:?}");
    assert!(world.backups.blobs(BACKUPS).iter().all(|name| !name.starts_with('a')), "nothing is recorded");
}

#[tokio::test]
async fn a_manifest_is_made_again_after_its_loss_was_acknowledged() {
    let (mut world, run) = emptied().await;
    world.night_in(0).await;
    assert_eq!(world.acknowledge(&run).await.0, 0);
    world.night_in(1).await;
    assert_eq!(world.newest("kv-a").header["acknowledged"], json!([run]));
    let stored = |world: &World| -> Vec<_> {
        let blob = |name: &String| world.backups.blob(BACKUPS, name).map(|of| (of.bytes, of.metadata));
        world.manifests("kv-a").iter().map(blob).collect()
    };
    let before = stored(&world);
    for name in world.manifests("kv-a") {
        world.backups.delete_blob(BACKUPS, &name);
    }
    let (code, said) = world.person(&["rebuild"]).await;
    assert!(code == 0 && stored(&world) == before, "{said}");
}

#[tokio::test]
async fn preflight_names_a_loss_and_what_acknowledges_it() {
    let (mut world, run) = emptied().await;
    world.night_in(0).await;
    let found = |report: &Value| {
        let findings = report["findings"].as_array().expect("a list").iter();
        findings
            .filter(|of| of["name"] == "many-objects-gone")
            .map(|of| of["remedy"].to_string())
            .collect::<Vec<_>>()
    };
    let remedies = found(&world.ok("/api/status/preflight").await);
    assert!(remedies.len() == 1 && remedies[0].contains(&format!("--run {run} --reason")), "{remedies:?}");
    assert_eq!(world.acknowledge(&run).await.0, 0);
    // The app gives its report out again for two minutes.
    world.restart_with_settings().await;
    assert!(found(&world.ok("/api/status/preflight").await).is_empty());
}
