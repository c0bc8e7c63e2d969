//! What a restore would change, at a terminal.

use keyvault_backup_emulator::{FaultKind, Forbidden, KeySpec, Kind, Operation, SecretSpec};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    hsm_world::HsmWorld,
    world::{NIGHT, World},
};

/// The exit code and the changes: each with its object's name.
async fn diff(world: &World, args: &[&str]) -> (Option<i32>, Vec<String>, Value) {
    let output = world.cli(&[&["diff", "--vault", "kv-a", "-o", "json"], args].concat()).await;
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let object = |of: &Value| format!("{} {}", of["change"], of["name"]).replace('"', "");
    let objects = shown["objects"].as_array().expect("a list").iter().map(object).collect();
    (output.status.code(), objects, shown)
}

/// A vault of four secrets, two nights old, in which an object is gone, one is changed and one is new since the second.
async fn moved_on() -> World {
    let mut world = World::with_secrets(3).await;
    world.night(NIGHT).await;
    world.vault.put_secret("secret-3", SecretSpec::new("value"));
    world.night(NIGHT + Duration::DAY).await;
    world.vault.remove(Kind::Secret, "secret-0");
    world.vault.put_secret("secret-1", SecretSpec::new("another"));
    world.vault.put_key("new", KeySpec::rsa(2048));
    world
}

#[tokio::test]
async fn what_is_new_changed_gone_and_the_same_shows_against_any_recovery_point() {
    let world = moved_on().await;
    let newest = ["new new", "gone secret-0", "changed secret-1"];
    let (code, objects, shown) = diff(&world, &[]).await;
    assert_eq!((code, &objects[..]), (Some(1), &newest.map(str::to_owned)[..]), "{shown}");
    assert_eq!(shown["numbers"], json!({ "new": 1, "changed": 1, "gone": 1, "same": 2 }));
    let run = "20260110T020000Z-nightly";
    for args in [["--run", run], ["--at", "2026-01-10T12:00:00Z"]] {
        let (_, objects, shown) = diff(&world, &[&args[..], &["--all"]].concat()).await;
        assert_eq!((objects.len(), &objects[4], &shown["run"]), (5, &"new secret-3".to_owned(), &json!(run)));
    }
}

#[tokio::test]
async fn nothing_differs_right_after_a_backup() {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    assert_eq!(diff(&world, &[]).await.0, Some(0));
    let output = world.cli(&["diff", "--vault", "kv-a"]).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("0 new, 0 changed, 0 gone, 2 same. A restore would bring nothing back"), "{told}");
}

#[tokio::test]
async fn a_kind_that_cannot_be_listed_is_not_known_and_never_gone() {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    world.fault(Operation::ListSecrets, FaultKind::Forbidden(Forbidden::ByPolicy));
    let (code, objects, shown) = diff(&world, &[]).await;
    assert_eq!((code, objects.len(), &shown["numbers"]["gone"]), (Some(1), 0, &json!(0)), "{shown}");
    assert_eq!(shown["unlisted"][0]["kind"], "secret");
    let output = world.cli(&["diff", "--vault", "kv-a"]).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("of the secrets it is not known"), "{told}");
}

#[tokio::test]
async fn a_run_of_some_objects_is_compared_in_these_alone() {
    let world = World::with_secrets(2).await;
    let output = world.cli(&["backup", "--vault", "kv-a", "--secret", "secret-0", "-o", "json"]).await;
    let made: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let (code, objects, _) = diff(&world, &["--run", made["run"].as_str().expect("a name"), "--all"]).await;
    assert_eq!((code, objects), (Some(0), vec!["same secret-0".to_owned()]));
    let output = world.cli(&["diff", "--vault", "kv-a", "--run", "20200101T020000Z-nightly"]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains("list runs --vault kv-a"), "{told}");
}

#[tokio::test]
async fn the_single_keys_of_an_hsm_are_compared_and_its_other_keys_are_not() {
    let mut of = HsmWorld::new().await;
    of.world.set("KEYVAULT_BACKUP_HSM_KEYS", "hsm-a/signing");
    of.hsm.put_key("other", KeySpec::rsa(2048));
    of.fire().await;
    of.settle().await;
    of.world.host().await.pump("BackUpObject").await;
    of.world.settle().await;
    of.lose("signing");
    let output = of.world.cli(&["diff", "--vault", &of.hsm.url(), "-o", "tsv"]).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && told.lines().count() == 2, "{output:?}");
    assert!(told.contains("gone\tkey\tsigning\t"), "{told}");
}
