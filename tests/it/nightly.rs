//! A night, from the timer to the manifest.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keyvault_backup::domain::digest::Fingerprint;
use keyvault_backup_emulator::{CertificateSpec, KeySpec, Kind, SecretSpec, VaultHandle};
use serde_json::{Map, Value, json};

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

/// Tags as large as the vault takes them, in letters that take three times their room as a record.
#[tokio::test]
async fn tags_that_no_record_can_hold_do_not_keep_an_object_from_its_backup() {
    let mut world = World::with_secrets(1).await;
    let (mut few, mut many) = (SecretSpec::new("value"), SecretSpec::new("value"));
    for number in 0..15 {
        few = few.tag(format!("владелец-{number}"), "б".repeat(20));
        many = many.tag(format!("владелец-{number}"), "б".repeat(83));
    }
    world.vault.put_secret("few", few);
    world.vault.put_secret("many", many);
    let summary = world.night(NIGHT + time::Duration::DAY).await;
    assert_eq!((&summary["verdict"], &summary["numbers"]["backed_up"]), (&json!("Succeeded"), &json!(3)));
    world.assert_protected("kv-a");
    let tags = |name| world.newest("kv-a").line("secret", name)["entry"]["tags"].as_object().map(Map::len);
    assert_eq!((tags("few"), tags("many")), (Some(15), None));
}
