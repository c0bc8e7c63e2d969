//! A night, from the timer to the manifest.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keyvault_backup::domain::digest::Fingerprint;
use keyvault_backup_emulator::{CertificateSpec, KeySpec, Kind, SecretSpec, VaultHandle};
use serde_json::{Value, json};

use crate::world::{NIGHT, World};

#[tokio::test]
async fn one_secret_from_timer_to_manifest() {
    let mut world = World::new().await;
    world.vault.put_secret("db-password", SecretSpec::new("hunter2").tag("team", "core"));

    let summary = world.night(NIGHT).await;

    assert_eq!(summary["verdict"], "Succeeded");
    let manifest = world.newest("kv-a");
    let entry = &manifest.line("secret", "db-password")["entry"];
    let backup = VaultHandle::open_backup(&world.stored(entry)).expect("the blob is a backup");
    assert_eq!((backup.name.as_str(), backup.versions.len()), ("db-password", 1));
    assert_eq!(entry["tags"], json!({"team": "core"}));
}

#[tokio::test]
async fn every_kind_is_backed_up_and_the_numbers_add_up() {
    let mut world = World::new().await;
    for number in 0..60 {
        world.vault.put_secret(&format!("secret-{number}"), SecretSpec::new("value"));
    }
    world.vault.put_key("key-1", KeySpec::rsa(2048));
    world.vault.put_certificate("tls", CertificateSpec::new("CN=example.org"));
    world.vault.put_secret("off", SecretSpec::new("value").disabled());
    world.vault.put_secret("old", SecretSpec::new("value").expires(NIGHT - time::Duration::days(1)));

    let summary = world.night(NIGHT).await;

    let numbers = &summary["numbers"];
    assert_eq!(
        json!([numbers["listed"], numbers["backed_up"], numbers["managed"], numbers["failed"]]),
        json!([66, 64, 2, 0])
    );
    let manifest = world.newest("kv-a");
    for (kind, name) in [("secret", "off"), ("secret", "old"), ("key", "key-1"), ("certificate", "tls")] {
        assert_eq!(manifest.fared(kind, name), "backed-up", "{kind} {name}");
    }
    assert_eq!(manifest.fared("key", "tls"), "managed");
}

/// What an entry says is what the vault said: the wrapping key, the region, the versions.
#[tokio::test]
async fn an_entry_records_what_the_vault_said() {
    let mut world = World::new().await;
    world.vault.put_secret("db-password", SecretSpec::new("first"));
    world.at(NIGHT);
    world.vault.put_secret("db-password", SecretSpec::new("second"));
    world.night(NIGHT + time::Duration::DAY).await;
    let entry = world.newest("kv-a").line("secret", "db-password")["entry"].clone();
    let blob = world.stored(&entry);
    let jwe = &blob[1 + usize::from(blob[0])..];
    let header = jwe.split(|byte| *byte == b'.').next().expect("it has a first part");
    let header = URL_SAFE_NO_PAD.decode(header).expect("it is base64url");
    let header: Value = serde_json::from_slice(&header).expect("it is JSON");
    assert_eq!(
        (&entry["kid"], &entry["alg"], &entry["enc"]),
        (&header["kid"], &header["alg"], &header["enc"])
    );
    let mut versions = world.vault.versions(Kind::Secret, "db-password");
    assert_eq!(entry["newest"], json!(versions.last()));
    versions.sort();
    let ids = Fingerprint::of_fields(versions.iter().map(String::as_bytes));
    assert_eq!((&entry["versions"], &entry["version_ids"]), (&json!(2), &json!(ids)));
    assert_eq!(entry["region"], "westeurope");
}
