//! Which firing makes which run, and what a night costs.

use keyvault_backup_emulator::{
    CertificateSpec, Fault, FaultKind, KeySpec, Kind, Operation, SecretSpec, Service,
    host::{Firing, TimerStatus},
};
use serde_json::json;

use crate::world::{DAILY, NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;
const HOUR: time::Duration = time::Duration::HOUR;

#[tokio::test]
async fn firing_again_for_an_occurrence_makes_no_second_run() {
    let mut world = World::with_secrets(3).await;
    let host = world.host().await;
    world.fire(NIGHT).await;
    host.fire("NightlyVaultBackup", Firing::at(NIGHT)).await;
    host.fire("NightlyVaultBackup", Firing::at(NIGHT).past_due(true)).await;
    assert_eq!(world.messages().len(), 3, "messages are sent once");
    world.settle().await;
    world.at(NIGHT + HOUR);
    host.fire("NightlyVaultBackup", Firing::at(NIGHT).past_due(true)).await;
    world.settle().await;
    assert_eq!(world.manifests("kv-a").len(), 1);
    assert_eq!(world.answered(Operation::Backup, "secret-0", 200), 1);
}

#[tokio::test]
async fn two_firings_at_the_same_moment_make_one_run() {
    let mut world = World::with_secrets(3).await;
    let host = world.host().await;
    let fire = || host.fire("NightlyVaultBackup", Firing::at(NIGHT));
    let (one, other) = tokio::join!(fire(), fire());
    assert!(one.succeeded() && other.succeeded(), "{one:?} {other:?}");
    assert_eq!(world.open_records().len(), 1);
    world.settle().await;
    // Both may have sent the messages; what comes second finds everything there.
    let stored = world.results("kv-a", "20260110T020000Z-nightly", "/backup").len();
    assert_eq!((world.manifests("kv-a").len(), stored), (1, 3));
    world.assert_protected("kv-a");
}

/// One after the other they would take twenty seconds.
#[tokio::test]
async fn messages_are_sent_at_the_same_time() {
    let mut world = World::with_secrets(100).await;
    let slow = FaultKind::Slow(std::time::Duration::from_millis(200));
    world.azure.faults().add(Fault::on(Operation::SendMessage).reply(slow));
    world.fire(NIGHT).await;
    let requests = world.azure.requests().entries();
    let sent =
        requests.iter().filter(|entry| entry.operation == Operation::SendMessage).map(|entry| entry.at);
    let (first, last) = (sent.clone().min().expect("some"), sent.clone().max().expect("some"));
    assert!(sent.count() == 100 && last - first < time::Duration::seconds(10), "{first} to {last}");
}

#[tokio::test]
async fn a_late_firing_serves_the_occurrence_it_is_late_for() {
    let mut world = World::with_secrets(1).await;
    world.at(NIGHT + HOUR * 3);
    world.host().await.fire("NightlyVaultBackup", Firing::at(NIGHT).past_due(true)).await;
    world.settle().await;
    assert_eq!(world.newest("kv-a").summary["run"], "20260110T020000Z-nightly");
}

#[tokio::test]
async fn firing_by_hand_leaves_tomorrow_free() {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    world.at(NIGHT + HOUR * 8);
    let by_hand = Firing::at(NIGHT + HOUR * 8).status(TimerStatus::ByHand { next: NIGHT + DAY });
    world.host().await.fire("NightlyVaultBackup", by_hand).await;
    world.settle().await;
    assert_eq!(world.newest("kv-a").summary["run"], "20260110T100000Z-manual-0000");
    let tomorrow = world.night(NIGHT + DAY).await;
    assert_eq!(
        json!([tomorrow["run"], tomorrow["numbers"]["unchanged"]]),
        json!(["20260111T020000Z-nightly", 2])
    );
    assert_eq!(world.manifests("kv-a").len(), 3);
}

#[tokio::test]
async fn an_unchanged_night_costs_its_list_pages_and_a_handful() {
    let mut world = World::with_secrets(250).await;
    world.set("KEYVAULT_BACKUP_REQUEST_TIMEOUT", "60");
    world.set("VAULT_BACKUP_SCHEDULE", DAILY);
    world.night(NIGHT).await;
    world.night(NIGHT + DAY).await;
    let mark = world.azure.requests().mark();
    let summary = world.night(NIGHT + DAY * 2).await;
    assert_eq!(summary["numbers"]["unchanged"], 250);
    let requests = world.azure.requests().since(mark);
    let of = |service| requests.iter().filter(|entry| entry.service == service).count();
    // Ten pages of secrets, one of keys, one of certificates. Storage: open the run, look for its plan and
    // for manifests, read the newest, write the plan; list results, read the newest again, write the
    // manifest, forget the run; and one look at open runs, one at open restores and one at what verification found.
    assert_eq!((of(Service::Vault), of(Service::Queue), of(Service::Identity)), (12, 0, 0));
    let storage: Vec<_> =
        requests.iter().filter(|e| e.service == Service::Blob).map(|e| e.operation).collect();
    assert!(storage.len() <= 11, "{storage:?}");
}

#[tokio::test]
async fn what_was_away_for_a_night_is_backed_up_when_it_is_back() {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    world.vault.delete(Kind::Secret, "secret-0").expect("it is there");
    assert_eq!(world.night(NIGHT + DAY).await["numbers"]["listed"], 1);
    world.vault.recover(Kind::Secret, "secret-0").expect("it is deleted");
    let numbers = world.night(NIGHT + DAY * 2).await["numbers"].clone();
    assert_eq!((&numbers["backed_up"], &numbers["unchanged"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn what_changed_is_backed_up_and_nothing_else() {
    let mut world = World::with_each_kind(5).await;
    world.night(NIGHT).await;
    world.at(NIGHT + HOUR);
    world.vault.put_secret("secret-0", SecretSpec::new("rotated"));
    world.vault.update(Kind::Secret, "secret-1", |of| of.enabled = false);
    world.vault.update(Kind::Key, "key-1", |of| {
        of.tags.insert("team".into(), "core".into());
    });
    world.vault.put_certificate("tls-0", CertificateSpec::default());
    world.vault.put_key("key-new", KeySpec::rsa(2048));
    world.vault.remove(Kind::Secret, "secret-4");
    let numbers = world.night(NIGHT + DAY).await["numbers"].clone();
    assert_eq!(
        json!([numbers["listed"], numbers["backed_up"], numbers["unchanged"], numbers["managed"]]),
        json!([25, 5, 10, 10])
    );
    let manifest = world.newest("kv-a");
    assert_eq!(manifest.fared("secret", "secret-4"), "gone");
    assert_eq!(manifest.line("secret", "secret-4")["entry"]["run"], "20260110T020000Z-nightly");
    assert_eq!(manifest.line("secret", "secret-0")["entry"]["previous"], "20260110T020000Z-nightly");
    world.assert_protected("kv-a");
}

#[tokio::test]
async fn everything_is_backed_up_every_seven_days_and_entries_are_carried_meanwhile() {
    let mut world = World::with_each_kind(2).await;
    let mut backed_up = Vec::new();
    for night in 0..15 {
        // A schedule is not exact.
        let summary = world.night(NIGHT + DAY * night + time::Duration::seconds(i64::from(night % 3))).await;
        backed_up.push(summary["numbers"]["backed_up"].as_u64().expect("a number"));
        world.assert_protected("kv-a");
    }
    assert_eq!(backed_up, [6, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 6]);
}

#[tokio::test]
async fn each_vault_has_its_own_manifest() {
    let mut world = World::with_vaults(&["kv-a", "kv-b", "kv-c"]).await;
    for (vault, count) in [("kv-a", 1), ("kv-b", 30), ("kv-c", 0)] {
        for number in 0..count {
            world.azure.vault(vault).put_secret(&format!("s-{number}"), SecretSpec::new("value"));
        }
    }
    world.night(NIGHT).await;
    for (vault, count) in [("kv-a", 1), ("kv-b", 30), ("kv-c", 0)] {
        world.assert_protected(vault);
        let summary = world.newest(vault).summary;
        assert_eq!(
            (&summary["verdict"], &summary["numbers"]["listed"]),
            (&json!("Succeeded"), &json!(count))
        );
    }
}

#[tokio::test]
async fn a_deleted_object_keeps_its_entry_and_one_of_its_name_is_a_change() {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    world.vault.remove(Kind::Secret, "secret-0");
    for night in 1..4 {
        world.night(NIGHT + DAY * night).await;
        assert_eq!(world.newest("kv-a").fared("secret", "secret-0"), "gone");
    }
    world.vault.put_secret("Secret-0", SecretSpec::new("another"));
    assert_eq!(world.night(NIGHT + DAY * 4).await["numbers"]["backed_up"], 1);
    world.assert_protected("kv-a");
    let entry = world.newest("kv-a").line("secret", "Secret-0")["entry"].clone();
    assert_eq!(entry["previous"], "20260110T020000Z-nightly");
}
