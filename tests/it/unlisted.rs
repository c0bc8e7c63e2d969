//! A vault that does not list all that it holds, or nothing at all.

use std::time::Duration;

use keyvault_backup_emulator::{FaultKind, Forbidden, Matcher, Operation, SecretSpec};
use serde_json::json;

use crate::world::{Manifest, NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;
const LISTS: [Operation; 3] = [Operation::ListSecrets, Operation::ListKeys, Operation::ListCertificates];

#[tokio::test]
async fn a_kind_that_may_not_be_listed_keeps_its_entries() {
    let mut world = World::with_each_kind(2).await;
    world.night(NIGHT).await;
    world.fault(Operation::ListKeys, FaultKind::Forbidden(Forbidden::ByPolicy));
    let summary = world.troubled_night(NIGHT + DAY).await;
    let waited = world.azure.clock().now() - (NIGHT + DAY);
    assert!(waited > time::Duration::hours(8) && waited < time::Duration::hours(9), "{waited}");
    assert_eq!(
        (&summary["verdict"], &summary["numbers"]["unlisted"]),
        (&json!("PartiallyFailed"), &json!(["key"]))
    );
    let manifest = world.newest("kv-a");
    assert_eq!(manifest.fared("key", "key-0"), "carried");
    assert_eq!(manifest.header["unlisted"][0]["failure"]["code"], "Forbidden/ForbiddenByPolicy");
    world.assert_protected("kv-a");

    world.azure.faults().clear();
    assert_eq!(world.night(NIGHT + DAY * 2).await["verdict"], "Succeeded");
    assert_eq!(
        world.newest("kv-a").fared("key", "key-0"),
        "backed-up",
        "what the night before missed is due"
    );
}

#[tokio::test]
async fn a_next_page_on_a_foreign_host_is_never_asked_for() {
    let mut world = World::with_each_kind(1).await;
    let evil = world.azure.vault("evil");
    for (operation, link) in [
        (Operation::ListSecrets, format!("{}/secrets?api-version=2025-07-01", evil.url())),
        (Operation::ListKeys, format!("{}/keys", world.vault.url().replace("https://", "http://"))),
    ] {
        let body = json!({ "value": [], "nextLink": link }).to_string();
        world.fault(operation, FaultKind::Body { status: 200, content_type: "application/json", body });
    }
    let summary = world.night(NIGHT).await;
    assert_eq!(
        (&summary["verdict"], &summary["numbers"]["unlisted"]),
        (&json!("PartiallyFailed"), &json!(["key", "secret"]))
    );
    let unlisted = &world.newest("kv-a").header["unlisted"];
    assert!(unlisted.to_string().contains("refused to call https://evil.vault.azure.net"), "{unlisted}");
    assert_eq!(world.azure.requests().count(|entry| entry.host.contains("evil")), 0);
}

#[tokio::test]
async fn one_vault_does_not_hold_up_another_and_one_that_never_answers_is_closed_as_failed() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.azure.vault("kv-b").put_secret("fine", SecretSpec::new("value"));
    world.fault(Matcher::from(Operation::ListSecrets).host("kv-a"), FaultKind::Status(501));
    let fired = world.fire(NIGHT).await;
    assert!(
        !fired.succeeded() && fired.body.contains("failed: kv-a: Failed to list the secrets"),
        "{}",
        fired.body
    );
    world.minutes(3).await;
    world.assert_protected("kv-b");
    assert_eq!((world.open_runs(), world.manifests("kv-a").len()), (1, 0));

    world.azure.clock().advance(Duration::from_secs(20 * 3600));
    world.advance().await;
    let Manifest { header, summary, .. } = world.newest("kv-a");
    assert_eq!((&summary["verdict"], world.open_runs()), (&json!("Failed"), 0));
    assert_eq!(header["unlisted"][0]["failure"]["status"], 501, "{header}");
}

#[tokio::test]
async fn one_kind_that_cannot_be_listed_all_night_does_not_hold_up_the_others() {
    let mut world = World::with_each_kind(2).await;
    world.fault(Operation::ListSecrets, FaultKind::Status(501));
    world.fire(NIGHT).await;
    world.azure.clock().advance(Duration::from_secs(12 * 60));
    world.advance().await;
    world.advance().await;
    assert!(world.messages().is_empty(), "it may yet be listed");
    world.advance().await;
    assert_eq!(world.messages().len(), 4);
    world.settle().await;
    let Manifest { header, summary, .. } = world.newest("kv-a");
    assert_eq!(
        json!([summary["verdict"], summary["numbers"]["backed_up"], summary["numbers"]["unlisted"]]),
        json!(["PartiallyFailed", 4, ["secret"]])
    );
    assert_eq!(header["unlisted"][0]["failure"]["status"], 501, "{header}");
}

#[tokio::test]
async fn a_vault_of_which_nothing_can_be_listed_is_waited_for() {
    let mut world = World::with_secrets(2).await;
    for operation in LISTS {
        world.fault(operation, FaultKind::Status(501));
    }
    world.fire(NIGHT).await;
    world.azure.clock().advance(Duration::from_secs(5 * 3600));
    world.advance().await;
    world.azure.faults().clear();
    world.settle().await;
    assert_eq!(world.newest("kv-a").summary["verdict"], "Succeeded");
    world.assert_protected("kv-a");
}

/// Of the other kinds there is nothing to back up, but they were listed to their ends.
#[tokio::test]
async fn a_run_goes_on_without_a_kind_also_where_nothing_else_is_due() {
    let mut world = World::with_each_kind(1).await;
    world.night(NIGHT).await;
    world.fault(Operation::ListSecrets, FaultKind::Status(501));
    let summary = world.troubled_night(NIGHT + DAY).await;
    let numbers = &summary["numbers"];
    assert_eq!(
        json!([summary["verdict"], numbers["unchanged"], numbers["unlisted"]]),
        json!(["PartiallyFailed", 2, ["secret"]])
    );
    world.assert_protected("kv-a");
}

/// Whoever asked waits: a kind that may not be listed is waited for a quarter of an hour.
#[tokio::test]
async fn a_run_that_was_asked_for_does_not_wait_long_for_a_right() {
    let mut world = World::with_each_kind(1).await;
    let today = world.today();
    world.fault(Operation::ListKeys, FaultKind::Forbidden(Forbidden::ByRbac));
    assert_eq!(world.post("/api/backups", json!({ "vault": "kv-a" })).await.status, 202);
    world.settle().await;
    let waited = world.azure.clock().now() - today;
    assert!(waited < time::Duration::minutes(25), "{waited}");
    assert_eq!(world.newest("kv-a").summary["numbers"]["unlisted"], json!(["key"]));
}

#[tokio::test]
async fn an_odd_item_in_one_list_does_not_hold_up_the_other_kinds() {
    let mut world = World::with_each_kind(1).await;
    let body = json!({ "value": [{ "id": "https://kv-a.vault.azure.net/secrets/a%20b" }] }).to_string();
    world.fault(
        Operation::ListSecrets,
        FaultKind::Body { status: 200, content_type: "application/json", body },
    );
    let summary = world.night(NIGHT).await;
    assert_eq!(
        (&summary["numbers"]["backed_up"], &summary["numbers"]["unlisted"]),
        (&json!(2), &json!(["secret"]))
    );
    assert_eq!(world.newest("kv-a").header["unlisted"][0]["failure"]["code"], "BadAnswer");
}

#[tokio::test]
async fn a_vault_that_is_no_longer_configured_does_not_keep_its_run_open() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.fault(Matcher::from(Operation::ListSecrets).host("kv-b"), FaultKind::Status(501));
    world.fire(NIGHT).await;
    let kv_a = world.vault.url();
    world.set("KEYVAULT_BACKUP_VAULTS", &kv_a);
    world.restart_with_settings().await;
    world.minutes(2).await;
    world.azure.clock().advance(Duration::from_secs(20 * 3600));
    world.advance().await;
    assert_eq!((&world.newest("kv-b").summary["verdict"], world.open_runs()), (&json!("Failed"), 0));
}
