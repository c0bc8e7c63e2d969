//! Names that change hands: what a certificate's name held before is history, and no backup of the certificate's parts.

use keyvault_backup_emulator::{CertificateSpec, FaultKind, Forbidden, Kind, Operation, SecretSpec};
use serde_json::{Value, json};

use crate::world::{Manifest, NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;

/// A world in which the secrets of many names were backed up, and the names are those of certificates by the next
/// night.
async fn taken_over(names: usize) -> World {
    let mut world = World::new().await;
    for number in 0..names {
        world.vault.put_secret(&format!("tls-{number}"), SecretSpec::new("a plain secret"));
    }
    world.vault.put_secret("kept", SecretSpec::new("value"));
    world.at(NIGHT);
    world.night(NIGHT).await;
    for number in 0..names {
        assert!(world.vault.remove(Kind::Secret, &format!("tls-{number}")));
        world.vault.put_certificate(&format!("tls-{number}"), CertificateSpec::default());
    }
    world.night(NIGHT + DAY).await;
    world
}

async fn read(world: &World, args: &[&str]) -> Value {
    let vault = world.vault.url();
    let output = world.cli(&[args, &["--vault", &vault, "--output", "json"]].concat()).await;
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn previous(manifest: &Manifest, kind: &str, name: &str) -> Value {
    manifest.line(kind, name)["entry"]["previous"].clone()
}

#[tokio::test]
async fn outdated_secrets_are_not_restored_in_place_of_certificates() {
    let mut world = taken_over(40).await;
    let empty = world.azure.vault("kv-empty").url();
    for selection in [&["--all"][..], &["--kind", "certificate", "--kind", "secret"], &["--name", "tls-*"]] {
        let plan = read(&world, &[&["restore", "--into", &empty, "--what-if"], selection].concat()).await;
        let steps = plan["steps"].as_array().cloned().unwrap_or_default();
        let secrets = steps.iter().filter(|step| step["kind"] == "secret").map(|step| &step["name"]);
        assert!(
            secrets.clone().all(|name| name == "kept"),
            "{selection:?}: {:?}",
            secrets.collect::<Vec<_>>()
        );
        assert_eq!(steps.iter().filter(|step| step["kind"] == "certificate").count(), 40, "{selection:?}");
    }
    let listed = world.ok("/api/backups?kind=secret").await["backups"].take();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(world.newest("kv-a").summary["protected"], 41);
}

#[tokio::test]
async fn an_earlier_object_of_a_name_stays_in_its_history() {
    let mut world = taken_over(1).await;
    let [first, ..] = ["20260110T020000Z-nightly"];
    let runs = async |world: &World| {
        let history = read(world, &["list", "history", "--secret", "tls-0"]).await;
        history["backups"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| entry["run"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(runs(&world).await, [first]);
    // The certificate goes as well, and in a night in which no secret can be listed.
    assert!(world.vault.remove(Kind::Certificate, "tls-0"));
    world.fault(Operation::ListSecrets, FaultKind::Forbidden(Forbidden::ByPolicy));
    world.troubled_night(NIGHT + DAY * 2).await;
    world.azure.faults().clear();
    world.night(NIGHT + DAY * 3).await;
    let manifest = world.newest("kv-a");
    assert_eq!(manifest.fared("secret", "tls-0"), "former");
    assert_eq!(manifest.line("secret", "tls-0")["gone"], "2026-01-13T02:00:00Z");
    assert_eq!(runs(&world).await, [first]);
    let empty = world.azure.vault("kv-empty").url();
    let plan = read(&world, &["restore", "--into", &empty, "--all", "--gone", "--what-if"]).await;
    let steps = plan["steps"].as_array().cloned().unwrap_or_default();
    let steps: Vec<_> = steps.iter().map(|step| json!([step["kind"], step["name"]])).collect();
    assert_eq!(steps, [json!(["certificate", "tls-0"]), json!(["secret", "kept"])]);

    // A secret of its own again: its backup is the first of it, and the next in the history of the name.
    world.vault.put_secret("tls-0", SecretSpec::new("another"));
    world.night(NIGHT + DAY * 4).await;
    let manifest = world.newest("kv-a");
    assert_eq!(previous(&manifest, "secret", "tls-0"), first);
    assert_eq!(manifest.line("secret", "tls-0")["former"], json!(null));
    assert_eq!(runs(&world).await, ["20260114T020000Z-nightly", first]);
}
