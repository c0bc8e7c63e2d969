//! The command line tool.

use keyvault_backup_emulator::{
    Fault, FaultKind, Forbidden, KeySpec, Matcher, Operation, SecretSpec, VaultHandle,
};
use serde_json::{Value, json};

use crate::world::{JOBS, NIGHT, World};

async fn json(world: &World, args: &[&str]) -> (i32, Value) {
    let output = world.cli(&[args, &["--output", "json"]].concat()).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{output:?}"));
    (output.status.code().unwrap_or(-1), value)
}

#[tokio::test]
async fn a_whole_vault_from_the_terminal() {
    let world = World::with_secrets(30).await;
    let (code, run) = json(&world, &["backup", "--vault", &world.vault.url()]).await;
    assert_eq!((code, &run["verdict"], &run["numbers"]["backed_up"]), (0, &json!("Succeeded"), &json!(30)));
    assert!(world.work.blobs(JOBS).is_empty(), "no run is left open");
    let (_, again) = json(&world, &["backup", "--vault", &world.vault.url()]).await;
    assert_eq!(again["numbers"]["unchanged"], 30);
}

#[tokio::test]
async fn the_exit_code_tells_all_from_part_from_none() {
    let world = World::with_secrets(3).await;
    let forbidden = || FaultKind::Forbidden(Forbidden::ByPolicy);
    world
        .azure
        .faults()
        .add(Fault::on(Matcher::from(Operation::Backup).object("secret-1")).reply(forbidden()));
    let (code, run) = json(&world, &["backup", "--vault", &world.vault.url()]).await;
    assert_eq!((code, &run["verdict"]), (1, &json!("PartiallyFailed")));
    let failure = &run["failures"][0];
    assert_eq!(
        (&failure["name"], &failure["failure"]["code"]),
        (&json!("secret-1"), &json!("Forbidden/ForbiddenByPolicy"))
    );

    let world = World::with_secrets(3).await;
    world.azure.faults().add(Fault::on(Operation::Backup).reply(forbidden()));
    let (code, run) = json(&world, &["backup", "--vault", &world.vault.url()]).await;
    assert_eq!((code, &run["verdict"]), (2, &json!("Failed")));
}

#[tokio::test]
async fn objects_by_name_make_a_run_of_their_own_that_the_next_night_folds_in() {
    let mut world = World::with_secrets(3).await;
    world.vault.put_key("signing", KeySpec::rsa(2048));
    let today = world.today();
    world.night(today - time::Duration::DAY).await;
    world.vault.put_secret("secret-1", SecretSpec::new("rotated"));
    world.today();
    let vault = world.vault.url();
    let (code, run) =
        json(&world, &["backup", "--vault", &vault, "--secret", "secret-1", "--key", "signing"]).await;
    assert_eq!((code, &run["numbers"]["backed_up"]), (0, &json!(2)));
    let next = world.night(today + time::Duration::DAY).await;
    assert_eq!((&next["numbers"]["backed_up"], &next["numbers"]["unchanged"]), (&json!(0), &json!(4)));
    let (_, history) = json(&world, &["list", "history", "--vault", &vault, "--secret", "secret-1"]).await;
    assert_eq!(history.as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn an_object_that_was_asked_for_and_is_not_there_is_a_failure() {
    let world = World::with_secrets(1).await;
    let (code, run) = json(&world, &["backup", "--vault", &world.vault.url(), "--secret", "typo"]).await;
    assert_eq!((code, &run["failures"][0]["name"]), (2, &json!("typo")));
}

#[tokio::test]
async fn a_file_is_what_az_writes() {
    let world = World::with_secrets(1).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret.backup");
    let path = path.to_str().expect("a path");
    let args = ["backup", "--vault", &world.vault.url(), "--secret", "secret-0", "--file", path];
    let (code, written) = json(&world, &args).await;
    let bytes = std::fs::read(path).expect("the file is there");
    assert_eq!((code, &written["bytes"]), (0, &json!(bytes.len())));
    assert_eq!(VaultHandle::open_backup(&bytes).expect("it is a backup").name, "secret-0");

    let refused = world.cli(&args).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"), "{refused:?}");
    let (code, _) = json(&world, &[&args[..], &["--force"]].concat()).await;
    assert_eq!(code, 0);
}

#[tokio::test]
async fn a_file_of_each_kind_is_restored() {
    let world = World::with_each_kind(1).await;
    let (copy, folder) = (world.azure.vault("kv-b"), tempfile::tempdir().expect("a folder"));
    for (kind, name) in [("secret", "secret-0"), ("key", "key-0"), ("certificate", "tls-0")] {
        let path = folder.path().join(kind).display().to_string();
        let written = ["backup", "--vault", &world.vault.url(), &format!("--{kind}"), name, "--file", &path];
        assert_eq!(json(&world, &written).await.0, 0);
        let (code, said) = json(&world, &["restore", "--vault", &copy.url(), "--file", &path, "--yes"]).await;
        assert_eq!((code, &said["kind"], &said["name"]), (0, &json!(kind), &json!(name)));
    }
    assert_eq!(copy.snapshot().differences(&world.vault.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn what_if_writes_nothing() {
    let world = World::with_secrets(3).await;
    let (code, plan) = json(&world, &["backup", "--vault", &world.vault.url(), "--what-if"]).await;
    assert_eq!((code, plan["objects"].as_array().map(Vec::len)), (0, Some(3)));
    assert_eq!(world.azure.requests().total(Operation::PutBlob), 0);
    assert_eq!(world.azure.requests().total(Operation::Backup), 0);
}

#[tokio::test]
async fn confirm_without_a_terminal_does_nothing() {
    let world = World::with_secrets(1).await;
    let output = world.cli(&["backup", "--vault", &world.vault.url(), "--confirm"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(world.azure.requests().total(Operation::PutBlob), 0);
}

#[tokio::test]
async fn rebuild_writes_the_manifest_that_was_lost() {
    let mut world = World::with_secrets(3).await;
    world.night(NIGHT).await;
    let name = world.manifests("kv-a").remove(0);
    let before = world.backups.blob("backups", &name).expect("it is stored").bytes;
    world.backups.delete_blob("backups", &name);
    let (code, runs) = json(&world, &["rebuild", "--vault", &world.vault.url()]).await;
    assert_eq!((code, &runs[0]["manifest"]), (0, &json!("written again")));
    assert_eq!(world.backups.blob("backups", &name).expect("it is stored again").bytes, before);
}

#[tokio::test]
async fn listings_say_what_there_is() {
    let mut world = World::with_secrets(3).await;
    world.night(NIGHT).await;
    let vault = world.vault.url();
    let (_, vaults) = json(&world, &["list", "vaults"]).await;
    assert_eq!(vaults[0]["newest"]["protected"], 3);
    let (_, runs) = json(&world, &["list", "runs", "--vault", &vault]).await;
    assert_eq!(runs[0]["run"], "20260110T020000Z-nightly");
    let (_, objects) = json(&world, &["list", "objects", "--vault", &vault, "--name", "RET-2"]).await;
    assert_eq!(objects.as_array().map(Vec::len), Some(1));
    let (code, shown) = json(&world, &["show", "20260110T020000Z-nightly", "--vault", &vault, "--all"]).await;
    assert_eq!((code, shown["objects"].as_array().map(Vec::len)), (0, Some(3)));
}

#[tokio::test]
async fn settings_that_cannot_work_are_all_named() {
    let mut world = World::new().await;
    world.set("KEYVAULT_BACKUP_CONTAINER", "http://backups.blob.core.windows.net/x");
    world.set("KEYVAULT_BACKUP_VAULT_RATE", "many");
    let output = world.cli(&["list", "vaults"]).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("KEYVAULT_BACKUP_CONTAINER") && text.contains("KEYVAULT_BACKUP_VAULT_RATE"),
        "{text}"
    );
}
