//! Restores from the terminal.

use keyvault_backup_emulator::{
    CertificateSpec, FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation, SecretSpec, VaultHandle,
};
use serde_json::{Value, json};
use time::Duration;

use crate::world::{BACKUPS, NIGHT, World};

/// A vault with every kind, several versions, tags, attributes; backed up one night.
async fn backed_up() -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    let vault = &world.vault;
    vault.put_secret("db", SecretSpec::new("one").created(NIGHT - Duration::days(60)));
    vault.put_secret("db", SecretSpec::new("two").tag("team", "core").content_type("text/plain"));
    vault.put_secret("off", SecretSpec::new("value").disabled().expires(NIGHT + Duration::days(900)));
    vault.put_key("signing", KeySpec::ec("P-256").tag("team", "core"));
    vault.put_certificate("tls", CertificateSpec::new("CN=example.org"));
    world.night(NIGHT).await;
    world
}

async fn restore(world: &World, args: &[&str]) -> (i32, Value) {
    let url = world.vault.url();
    let output =
        world.cli(&[&["restore", "--vault", &url, "--yes", "--output", "json"], args].concat()).await;
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code().unwrap_or(-1), value)
}

fn delete_and_purge(vault: &VaultHandle, kind: Kind, name: &str) {
    vault.delete(kind, name).expect("it is deleted");
    vault.purge(kind, name).expect("it is purged");
}

#[tokio::test]
async fn what_was_purged_comes_back_as_it_was() {
    let world = backed_up().await;
    let before = world.vault.snapshot();
    for (kind, name) in [(Kind::Secret, "db"), (Kind::Key, "signing"), (Kind::Certificate, "tls")] {
        delete_and_purge(&world.vault, kind, name);
    }
    let (code, done) = restore(&world, &["--all"]).await;
    assert_eq!(
        (code, &done["numbers"]["restored"], &done["numbers"]["skipped"], &done["numbers"]["failed"]),
        (0, &json!(3), &json!(1), &json!(0))
    );
    assert_eq!(world.vault.snapshot().differences(&before), Vec::<String>::new());
}

#[tokio::test]
async fn a_whole_vault_goes_into_an_empty_one() {
    let world = backed_up().await;
    let other = world.azure.vault("kv-b");
    let (code, done) = restore(&world, &["--into", &other.url(), "--all"]).await;
    assert_eq!((code, &done["numbers"]["restored"]), (0, &json!(4)));
    assert_eq!(other.snapshot().differences(&world.vault.snapshot()), Vec::<String>::new());
    let (code, again) = restore(&world, &["--into", &other.url(), "--all"]).await;
    assert_eq!(
        (code, &again["numbers"]["restored"], &again["numbers"]["skipped"]),
        (0, &json!(0), &json!(4)),
        "nothing is left to do"
    );
}

#[tokio::test]
async fn a_plan_changes_nothing_and_says_what_stands_in_the_way() {
    let world = backed_up().await;
    world.vault.put_secret("db", SecretSpec::new("three"));
    world.vault.delete(Kind::Key, "signing").expect("it is deleted");
    let (code, shown) = restore(&world, &["--all", "--what-if"]).await;
    let left = shown["left"].as_array().expect("a list");
    let reason = |name: &str| &left.iter().find(|left| left["name"] == name).expect("it is there")["reason"];
    assert_eq!((code, reason("db"), reason("signing")), (1, &json!("live"), &json!("soft-deleted")));
    assert_eq!(world.vault.deleted(Kind::Key), ["signing"]);
}

#[tokio::test]
async fn a_soft_deleted_object_is_recovered_or_purged_only_when_asked() {
    let world = backed_up().await;
    let before = world.vault.snapshot();
    world.vault.delete(Kind::Secret, "db").expect("it is deleted");
    let (code, _) = restore(&world, &["--secret", "db"]).await;
    assert_eq!(code, 2, "by default it is in the way");
    let (code, _) = restore(&world, &["--kind", "secret", "--on-conflict", "purge-deleted"]).await;
    assert_eq!((code, world.vault.deleted(Kind::Secret).len()), (1, 1), "a purge wants the name spelled out");
    let (code, _) = restore(&world, &["--secret", "db", "--on-conflict", "purge-deleted"]).await;
    assert_eq!((code, world.vault.snapshot().differences(&before)), (0, Vec::new()));
    world.vault.delete(Kind::Secret, "db").expect("it is deleted");
    let (code, done) = restore(&world, &["--secret", "db", "--on-conflict", "recover-deleted"]).await;
    assert_eq!((code, &done["objects"][0]["outcome"]), (0, &json!("recovered")));
}

#[tokio::test]
async fn nothing_is_purged_for_a_backup_that_cannot_be_restored() {
    let world = backed_up().await;
    world.vault.delete(Kind::Secret, "db").expect("it is deleted");
    let stored = world.backups.blobs(BACKUPS).into_iter().find(|name| name.ends_with("secret/db/backup"));
    world.backups.flip_bit(BACKUPS, &stored.expect("it is stored"));
    let (code, done) = restore(&world, &["--secret", "db", "--on-conflict", "purge-deleted"]).await;
    assert_eq!((code, &done["numbers"]["failed"]), (2, &json!(1)));
    assert_eq!(world.vault.deleted(Kind::Secret), ["db"], "it can still be recovered");
}

#[tokio::test]
async fn the_certificate_is_named_to_whoever_asks_for_its_key() {
    let world = backed_up().await;
    let (code, shown) = restore(&world, &["--key", "tls", "--what-if"]).await;
    assert_eq!((code, &shown["left"][0]["reason"]), (2, &json!("managed")));
}

#[tokio::test]
async fn another_geography_is_refused_before_it_is_called() {
    let mut world = backed_up().await;
    world.set("KEYVAULT_BACKUP_PLACES", "kv-a=/europe kv-b=/us");
    let other = world.azure.vault("kv-b").url();
    let (code, shown) = restore(&world, &["--into", &other, "--all", "--what-if"]).await;
    assert_eq!((code, &shown["left"][0]["reason"]), (2, &json!("other-place")));
}

#[tokio::test]
async fn without_a_terminal_nobody_can_have_agreed() {
    let world = backed_up().await;
    delete_and_purge(&world.vault, Kind::Secret, "db");
    let url = world.vault.url();
    let output = world.cli(&["restore", "--vault", &url, "--secret", "db"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--yes"), "{output:?}");
    assert_eq!(world.vault.versions(Kind::Secret, "db").len(), 0);
}

#[tokio::test]
async fn what_was_never_backed_up_is_named() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.vault.put_secret("db", SecretSpec::new("one"));
    world.vault.put_secret("refused", SecretSpec::new("two"));
    let refused = Matcher::from(Operation::Backup).object("refused");
    world.fault(refused, FaultKind::Forbidden(Forbidden::ByPolicy));
    world.night(NIGHT).await;
    let other = world.azure.vault("kv-b").url();
    let (code, shown) = restore(&world, &["--into", &other, "--all", "--what-if"]).await;
    assert_eq!((code, &shown["left"][0]["reason"]), (1, &json!("never-backed-up")));
    let (code, done) = restore(&world, &["--into", &other, "--all"]).await;
    assert_eq!((code, &done["state"]), (1, &json!("PartiallyFailed")), "{done}");
    assert_eq!(
        ["planned", "restored", "failed", "neverBackedUp"].map(|name| &done["numbers"][name]),
        [2, 1, 0, 1]
    );
    let (code, again) = restore(&world, &["--into", &other, "--all"]).await;
    assert_eq!((code, &again["numbers"]["alreadyThere"]), (1, &json!(1)), "{again}");
}
