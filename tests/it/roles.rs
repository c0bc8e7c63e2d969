//! Equality means roles: which of its versions is the current one belongs to an object, at its backup and after its
//! restore.

use keyvault_backup_emulator::{CertificateSpec, Fault, FaultKind, KeySpec, Kind, Operation, SecretSpec};
use serde_json::{Value, json};
use time::Duration;

use crate::world::{NIGHT, World};

const DAY: Duration = Duration::DAY;
const OBJECTS: [(Kind, &str); 3] = [(Kind::Certificate, "tls"), (Kind::Key, "signing"), (Kind::Secret, "db")];

/// A vault whose objects have two versions each, and an empty one. Restores bring the older version back as the current
/// one, in both.
async fn two_versions() -> World {
    let world = World::with_vaults(&["kv-a", "kv-b"]).await;
    let (vault, first) = (&world.vault, NIGHT - DAY * 60);
    vault.put_secret("db", SecretSpec::new("one").created(first));
    vault.put_secret("db", SecretSpec::new("two").tag("team", "core"));
    vault.put_key("signing", KeySpec::ec("P-256").created(first));
    vault.put_key("signing", KeySpec::ec("P-256"));
    vault.put_certificate("tls", CertificateSpec::default().created(first));
    vault.put_certificate("tls", CertificateSpec::default());
    for name in ["kv-a", "kv-b"] {
        world.azure.vault(name).configure(|options| options.oldest_current = true);
    }
    world
}

/// Restores from a terminal: the exit code, and what was printed as JSON.
async fn restore(world: &World, args: &[&str]) -> (i32, Value) {
    let url = world.vault.url();
    let common = ["restore", "--vault", &url, "--yes", "--output", "json"];
    let output = world.cli(&[&common, args].concat()).await;
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code().unwrap_or(-1), value)
}

/// Loses everything and brings it back in the same vault, at the time of the tool.
async fn lose_and_restore(world: &World) -> (i32, Value) {
    for (kind, name) in OBJECTS {
        world.vault.delete(kind, name).expect("it is deleted");
        world.vault.purge(kind, name).expect("it is purged");
    }
    restore(world, &["--all"]).await
}

fn fared(world: &World) -> [String; 3] {
    let manifest = world.newest("kv-a");
    OBJECTS.map(|(kind, name)| manifest.fared(kind.noun(), name).to_owned())
}

#[tokio::test]
async fn an_older_version_that_is_current_after_a_restore_is_a_difference_at_a_terminal() {
    let mut world = two_versions().await;
    world.night(NIGHT).await;
    let other = world.azure.vault("kv-b");
    let (code, done) = restore(&world, &["--into", &other.url(), "--all"]).await;
    assert_eq!(
        (code, &done["numbers"]["restored"], &done["numbers"]["failed"], &done["state"]),
        (2, &json!(0), &json!(3), &json!("Failed"))
    );
    for (at, (kind, name)) in OBJECTS.iter().enumerate() {
        let versions = world.vault.versions(*kind, name);
        let (object, why) =
            (&done["objects"][at], done["objects"][at]["difference"].as_str().expect("a text"));
        assert_eq!((&object["name"], &object["outcome"]), (&json!(name), &json!("differs")));
        let says = format!("the current one is {}, and was {} at the backup", versions[0], versions[1]);
        assert!(why.contains(&says), "{why}");
    }
    let (_, again) = restore(&world, &["--into", &other.url(), "--all"]).await;
    assert_eq!(again["left"][0]["reason"], "live", "it is not called the same afterwards either");
}

#[tokio::test]
async fn an_older_version_that_is_current_after_a_restore_is_a_difference_over_http() {
    let mut world = two_versions().await;
    world.night(NIGHT).await;
    world.today();
    let report = world.restored(json!({ "source": "kv-a", "target": "kv-b", "everything": true })).await;
    assert_eq!((&report["state"], &report["numbers"]["failed"]), (&json!("Failed"), &json!(3)));
    for object in report["objects"].as_array().expect("a list") {
        assert_eq!(object["outcome"], "differs");
        assert!(
            object["difference"].as_str().is_some_and(|text| text.contains("the current one is")),
            "{object}"
        );
    }
}

#[tokio::test]
async fn without_the_answer_the_current_version_is_read_from_the_list() {
    for (oldest, state, outcome) in [(true, "Failed", "differs"), (false, "Succeeded", "alreadyThere")] {
        let mut world = two_versions().await;
        world.night(NIGHT).await;
        world.today();
        world.azure.vault("kv-b").configure(|options| options.oldest_current = oldest);
        world.azure.faults().add(Fault::on(Operation::Restore).times(1).reply(FaultKind::ResetAfter));
        let report =
            world.restored(json!({ "source": "kv-a", "target": "kv-b", "kinds": ["secret", "key"] })).await;
        assert_eq!(report["state"], state, "{report}");
        let outcomes = report["objects"].as_array().expect("a list");
        assert!(outcomes.iter().any(|of| of["outcome"] == outcome), "{report}");
    }
}

#[tokio::test]
async fn what_is_compared_and_what_is_not_is_said_beside_the_outcome() {
    let mut world = two_versions().await;
    world.night(NIGHT).await;
    world.azure.vault("kv-b").configure(|options| options.oldest_current = false);
    let (url, other) = (world.vault.url(), world.azure.vault("kv-b").url());
    let output = world.cli(&["restore", "--vault", &url, "--into", &other, "--all", "--yes"]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("3 restored and compared"), "{text}");
    assert!(text.contains("Not compared") && text.contains("rotation and release policy"), "{text}");
}

/// The night after a restore whose difference was accepted backs the objects up as they are now; then they are
/// unchanged, before and after a full pass.
#[tokio::test]
async fn a_difference_that_was_accepted_makes_nothing_due_every_night() {
    let mut world = two_versions().await;
    world.set("KEYVAULT_BACKUP_FULL_PASS_DAYS", "3");
    world.night(NIGHT).await;
    assert_eq!(lose_and_restore(&world).await.0, 2, "it differs");
    let [backed_up, unchanged] = ["backed-up", "unchanged"].map(|of| [of; 3].map(str::to_owned));
    let expected = [&backed_up, &unchanged, &backed_up, &unchanged, &unchanged];
    for (night, expected) in (1..).zip(expected) {
        world.night(NIGHT + DAY * night).await;
        assert_eq!(&fared(&world), expected, "night {night}");
        let manifest = world.newest("kv-a");
        for (kind, name) in OBJECTS {
            let entry = &manifest.line(kind.noun(), name)["entry"];
            assert_eq!(
                entry["newest"],
                json!(world.vault.versions(kind, name)[1]),
                "the current one: {entry}"
            );
            assert!(entry["order"].is_string(), "{entry}");
        }
    }
    // A service that keeps the order brings them back as they are now.
    let before = world.vault.snapshot();
    world.vault.configure(|options| options.oldest_current = false);
    let (code, done) = lose_and_restore(&world).await;
    assert_eq!((code, &done["numbers"]["restored"]), (0, &json!(3)), "{done}");
    assert_eq!(world.vault.snapshot().differences(&before), Vec::<String>::new());
}

/// What was asked for by name is backed up without a list, so the newest version is taken for the current one; the next
/// night sees that it is not, once.
#[tokio::test]
async fn a_backup_without_a_list_makes_an_object_due_once() {
    let mut world = two_versions().await;
    world.night(NIGHT).await;
    lose_and_restore(&world).await;
    let today = world.today();
    let asked = json!({ "vault": "kv-a", "objects": [{ "kind": "secret", "name": "db" }] });
    assert_eq!(world.post("/api/backups", asked).await.status, 200);
    for (night, expected) in [(1, "backed-up"), (2, "unchanged"), (3, "unchanged")] {
        world.night(today + DAY * night).await;
        assert_eq!(fared(&world)[2], expected, "night {night}");
    }
}
