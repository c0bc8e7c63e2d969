//! What says that the form of a backup was not known: entries, the manifest and its summary, and the plan of a restore.

use keyvault_backup_emulator::{BackupForm, Kind, SecretSpec};
use serde_json::{Value, json};

use super::{thaw, write_samples};
use crate::world::{NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;

/// A vault with two secrets.
async fn sampled() -> World {
    let world = World::new().await;
    for name in ["db", "web"] {
        world.vault.put_secret(name, SecretSpec::new("a sample").created(NIGHT - DAY * 60));
    }
    world.at(NIGHT);
    world
}

/// Writes the samples: a run that met one form, one that met another, and a restore.
#[tokio::test]
#[ignore = "writes the samples, once"]
async fn freeze_forms() {
    let mut world = sampled().await;
    world.vault.configure(|options| options.backup_form = BackupForm::NextMagic);
    world.night(NIGHT).await;
    world.vault.configure(|options| options.backup_form = BackupForm::NextCipher);
    world.night(NIGHT + DAY).await;
    world.vault.remove(Kind::Secret, "db");
    let restored = world.cli(&["restore", "--vault", &world.vault.url(), "--all", "--yes"]).await;
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    write_samples(&world, &[]);
}

#[tokio::test]
async fn backups_of_unknown_forms_are_known_to_be_such() {
    let mut world = sampled().await;
    thaw(&world, "v2-forms");
    let status = world.ok("/api/status").await;
    let unknown = &status["sources"][0]["unknownForms"];
    assert_eq!((&unknown["total"], &unknown["objects"][1]["name"]), (&json!(2), &json!("web")), "{status}");
    let history = world.ok("/api/backups/kv-a/secret/db").await;
    let clear = |at: usize| &history["backups"][at]["clear"];
    assert_eq!(clear(0)["tag"], "AzureKeyVaultSecretBackupV1.microsoft.com", "{history}");
    assert_eq!(clear(1)["header"], json!(["alg", "enc", "kid", "ver"]), "{history}");
    let night = world.night(NIGHT + DAY * 2).await;
    let numbers = &night["numbers"];
    assert_eq!((&numbers["backed_up"], &numbers["unknown_form"]), (&json!(2), &Value::Null), "{night}");
    let rebuilt = world.cli(&["rebuild", "--vault", &world.vault.url()]).await;
    assert!(!String::from_utf8_lossy(&rebuilt.stdout).contains("differs"), "{rebuilt:?}");
}

#[tokio::test]
async fn a_restore_of_one_is_read() {
    let mut world = sampled().await;
    thaw(&world, "v2-forms");
    let restores = world.ok("/api/restores").await;
    let id = restores["restores"][0]["id"].as_str().expect("a name").to_owned();
    let report = world.ok(&format!("/api/restores/{id}")).await;
    assert_eq!((&report["state"], &report["problem"]), (&json!("Succeeded"), &Value::Null), "{report}");
}
