//! A certificate is a key and a secret of its name, too: plans check their steps across kinds, against each other and
//! against the target.

use keyvault_backup_emulator::{CertificateSpec, KeySpec, Kind, Matcher, Operation, SecretSpec, VaultHandle};
use serde_json::{Value, json};
use time::Duration;

use crate::world::{NIGHT, World};

/// How many names were plain secrets and are certificates now.
const NAMES: usize = 40;

/// Two vaults: in one, secrets were backed up on the first night; by the second, certificates have their names.
async fn secrets_that_became_certificates() -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    let name = |number: usize| format!("tls-{number:02}");
    for number in 0..NAMES {
        world.vault.put_secret(&name(number), SecretSpec::new("outdated"));
    }
    world.night(NIGHT).await;
    for number in 0..NAMES {
        world.vault.remove(Kind::Secret, &name(number));
        world.vault.put_certificate(&name(number), CertificateSpec::default());
    }
    world.night(NIGHT + Duration::DAY).await;
    world.today();
    world
}

/// Checks that the other vault has the certificates, and nothing that they were before.
fn assert_certificates(world: &World) {
    let other = world.azure.vault("kv-b");
    assert_eq!(other.snapshot().differences(&world.vault.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn forty_names_that_are_certificates_now_come_back_as_certificates_over_http() {
    for wish in [
        json!({ "everything": true }),
        json!({ "everything": true, "gone": true }),
        json!({ "name": "tls-*" }),
        json!({ "kinds": ["secret", "certificate"] }),
    ] {
        let mut world = secrets_that_became_certificates().await;
        let mut request = wish.clone();
        (request["source"], request["target"]) = (json!("kv-a"), json!("kv-b"));
        let plan = world.plan(request).await;
        assert_eq!((&plan["inTheWay"], plan["steps"].as_array().map(Vec::len)), (&json!(0), Some(NAMES)));
        let started = world.begin(&plan).await;
        let report = world.ended(&started).await;
        assert_eq!(
            (&report["state"], &report["numbers"]["restored"]),
            (&json!("Succeeded"), &json!(NAMES)),
            "{wish}"
        );
        assert_certificates(&world);
    }
}

#[tokio::test]
async fn forty_names_that_are_certificates_now_come_back_as_certificates_from_a_terminal() {
    let world = secrets_that_became_certificates().await;
    let (code, done) = restore(&world, &["--all"]).await;
    assert_eq!(
        (code, &done["numbers"]["restored"], &done["numbers"]["failed"]),
        (0, &json!(NAMES), &json!(0)),
        "{done}"
    );
    assert_certificates(&world);
}

#[tokio::test]
async fn what_a_name_was_before_is_restored_as_of_that_time() {
    let world = secrets_that_became_certificates().await;
    let (code, _) = restore(&world, &["--secret", "tls-00"]).await;
    assert_eq!(code, 2, "it belongs to the certificate now");
    let (code, done) = restore(&world, &["--secret", "tls-00", "--at", "2026-01-10T12:00:00Z"]).await;
    assert_eq!((code, &done["numbers"]["restored"]), (0, &json!(1)), "{done}");
    assert!(world.azure.vault("kv-b").backup(Kind::Secret, "tls-00").is_some(), "it is a plain secret");
}

/// A vault with one object of a kind, named `tls`, backed up; and an empty one.
async fn with_one(kind: Kind) -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    put(&world.vault, kind);
    world.night(NIGHT).await;
    world.today();
    world
}

fn put(vault: &VaultHandle, kind: Kind) {
    match kind {
        Kind::Secret => vault.put_secret("tls", SecretSpec::new("value")),
        Kind::Key => vault.put_key("tls", KeySpec::ec("P-256")),
        Kind::Certificate => vault.put_certificate("tls", CertificateSpec::default()),
    };
}

/// Restores into the other vault from a terminal.
async fn restore(world: &World, args: &[&str]) -> (i32, Value) {
    let (url, other) = (world.vault.url(), world.azure.vault("kv-b").url());
    let common = ["restore", "--vault", &url, "--into", &other, "--yes", "--output", "json"];
    let output = world.cli(&[&common, args].concat()).await;
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code().unwrap_or(-1), value)
}

/// Restores the object that is spelled out, in both ways: each says what is in the way, and changes nothing.
async fn is_in_the_way(world: &mut World, kind: Kind, conflict: &str, reason: &str) {
    let before = world.azure.vault("kv-b").snapshot();
    let objects = json!([{ "kind": kind, "name": "tls" }]);
    let request = json!({ "source": "kv-a", "target": "kv-b", "objects": objects, "onConflict": conflict });
    let plan = world.plan(request).await;
    assert_eq!(
        (&plan["left"][0]["reason"], plan["steps"].as_array().map(Vec::len)),
        (&json!(reason), Some(0))
    );
    assert_eq!(plan["left"][0]["skipped"], json!(conflict == "skip"), "{plan}");
    let why = plan["left"][0]["why"].as_str().expect("a text");
    let other = reason.rsplit('-').next().expect("a kind");
    assert!(
        why.contains(&format!("{other} of that name")) && why.contains("restore into another vault"),
        "{why}"
    );
    let option = format!("--{}", kind.noun());
    let conflict = conflict.replace("Deleted", "-deleted");
    let (_, done) = restore(world, &[&option, "tls", "--on-conflict", &conflict]).await;
    assert_eq!(
        (&done["left"][0]["reason"], &done["numbers"]["restored"]),
        (&json!(reason), &json!(0)),
        "{done}"
    );
    assert_eq!(world.azure.vault("kv-b").snapshot(), before);
}

#[tokio::test]
async fn a_plain_key_or_secret_is_in_the_way_of_a_certificate() {
    let mut world = with_one(Kind::Certificate).await;
    let other = world.azure.vault("kv-b");
    for kind in [Kind::Key, Kind::Secret] {
        put(&other, kind);
        for conflict in ["fail", "skip", "recoverDeleted", "purgeDeleted"] {
            is_in_the_way(&mut world, Kind::Certificate, conflict, &format!("live-{}", kind.noun())).await;
        }
        other.delete(kind, "tls").expect("it is deleted");
        for conflict in ["fail", "skip", "recoverDeleted", "purgeDeleted"] {
            let reason = format!("soft-deleted-{}", kind.noun());
            is_in_the_way(&mut world, Kind::Certificate, conflict, &reason).await;
            assert_eq!(other.deleted(kind), ["tls"], "nothing was done to it");
        }
        other.purge(kind, "tls").expect("it is purged");
    }
    assert_eq!(restore(&world, &["--certificate", "tls"]).await.0, 0);
}

#[tokio::test]
async fn a_certificate_is_in_the_way_of_a_plain_key_or_secret() {
    for kind in [Kind::Key, Kind::Secret] {
        let mut world = with_one(kind).await;
        let other = world.azure.vault("kv-b");
        put(&other, Kind::Certificate);
        for conflict in ["fail", "skip", "recoverDeleted", "purgeDeleted"] {
            is_in_the_way(&mut world, kind, conflict, "live-certificate").await;
        }
        other.delete(Kind::Certificate, "tls").expect("it is deleted");
        for conflict in ["fail", "skip", "recoverDeleted", "purgeDeleted"] {
            is_in_the_way(&mut world, kind, conflict, "soft-deleted-certificate").await;
            assert_eq!(other.deleted(Kind::Certificate), ["tls"], "nothing was done to it");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_recovered_brings_its_key_and_its_secret() {
    let world = with_one(Kind::Certificate).await;
    let other = world.azure.vault("kv-b");
    put(&other, Kind::Certificate);
    other.delete(Kind::Certificate, "tls").expect("it is deleted");
    let recover = ["--on-conflict", "recover-deleted", "--secret", "tls"];
    let (code, done) = restore(&world, &recover).await;
    assert_eq!(
        (code, &done["left"][0]["reason"]),
        (2, &json!("managed")),
        "the certificate was not asked for"
    );
    let (code, done) = restore(&world, &[&recover[..], &["--certificate", "tls"]].concat()).await;
    assert_eq!((code, &done["objects"][0]["outcome"]), (0, &json!("recovered")), "{done}");
    assert_eq!(done["left"][0]["reason"], json!("with-certificate"));
    assert_eq!(other.objects(Kind::Secret), ["tls"]);
}

#[tokio::test]
async fn an_object_of_another_kind_that_comes_after_the_plan_ends_the_step_at_once() {
    for (kind, rival) in [(Kind::Certificate, Kind::Key), (Kind::Secret, Kind::Certificate)] {
        let mut world = with_one(kind).await;
        let other = world.azure.vault("kv-b");
        world.when(Matcher::from(Operation::Restore), move || put(&other, rival));
        let objects = json!([{ "kind": kind, "name": "tls" }]);
        let plan = world.plan(json!({ "source": "kv-a", "target": "kv-b", "objects": objects })).await;
        assert_eq!(plan["inTheWay"], 0);
        let done = world.begin(&plan).await;
        assert_eq!((done.status, &done.json()["state"]), (200, &json!("Failed")), "{}", done.text());
        let report = world.ok(&format!("/api/restores/{}", done.json()["id"].as_str().expect("an id"))).await;
        let text = report["objects"][0]["failure"]["text"].as_str().expect("a text");
        assert!(text.contains(&format!("the target has a {} of that name", rival.noun())), "{report}");
    }
}

#[tokio::test]
async fn a_secret_that_is_a_certificates_by_then_is_not_called_recovered() {
    let mut world = with_one(Kind::Secret).await;
    let other = world.azure.vault("kv-b");
    put(&other, Kind::Secret);
    other.delete(Kind::Secret, "tls").expect("it is deleted");
    let objects = json!([{ "kind": "secret", "name": "tls" }]);
    let request =
        json!({ "source": "kv-a", "target": "kv-b", "objects": objects, "onConflict": "recoverDeleted" });
    let plan = world.plan(request).await;
    assert_eq!(plan["steps"][0]["action"], "recover");
    world.when(Matcher::from(Operation::ListVersions), move || put(&other, Kind::Certificate));
    let done = world.begin(&plan).await;
    assert_eq!((done.status, &done.json()["state"]), (200, &json!("Failed")), "{}", done.text());
}
