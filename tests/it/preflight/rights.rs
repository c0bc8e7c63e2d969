//! Rights in a vault: too few, and too many.

use keyvault_backup_emulator::{Access, Forbidden, Kind, VaultHandle};
use serde_json::json;

use super::{backup_rights, healthy, mended_by, only, preflight};
use crate::world::World;

const CALLER: &str = "22222222-bbbb-4bbb-8bbb-222222222222";

fn allow(vault: &VaultHandle, access: Access) {
    vault.configure(|options| options.access = Some(access));
}

async fn with(access: Access) -> World {
    let world = healthy().await;
    allow(&world.vault, access);
    world
}

/// A world as a restore app sees it: it may restore into the vault.
async fn target(access: &[&'static str]) -> World {
    let mut world = healthy().await;
    world.set("KEYVAULT_BACKUP_ROLE", "restore");
    allow(&world.vault, Access::only(Forbidden::ByRbac, access));
    world
}

#[tokio::test]
async fn a_kind_that_cannot_be_listed() {
    let world = with(backup_rights().without(Kind::Key, "list")).await;
    let found = only(&world, "cannot-list").await;
    assert!(found["seen"].as_str().is_some_and(|seen| seen.contains("cannot list keys:")), "{found}");
    let words = [
        "az role assignment create",
        "--assignee-object-id",
        CALLER,
        "Key Vault Backup Operator",
        "--name kv-a",
    ];
    mended_by(&world, "cannot-list", &words).await;
}

#[tokio::test]
async fn an_object_that_cannot_be_backed_up() {
    let world = with(backup_rights().without(Kind::Certificate, "backup")).await;
    mended_by(&world, "cannot-back-up", &["az role assignment create", CALLER]).await;
}

#[tokio::test]
async fn a_vault_with_access_policies_is_mended_with_one() {
    let world = with(Access::only(Forbidden::ByPolicy, &["list"])).await;
    let words = ["az keyvault set-policy --name kv-a", CALLER, "--secret-permissions list backup"];
    mended_by(&world, "cannot-back-up", &words).await;
}

#[tokio::test]
async fn a_firewall_is_opened_for_the_address_that_it_names() {
    let world = with(Access::only(Forbidden::ByFirewall, &[])).await;
    mended_by(
        &world,
        "network-closed",
        &["az keyvault network-rule add --name kv-a --ip-address 203.0.113.7"],
    )
    .await;
}

#[tokio::test]
async fn a_vault_without_a_public_network_wants_a_private_endpoint() {
    let world = with(Access::only(Forbidden::ByConnection, &[])).await;
    mended_by(&world, "network-closed", &["private-endpoint-connection list", "kv-a"]).await;
}

#[tokio::test]
async fn an_identity_that_could_read_values() {
    let world = with(backup_rights().with("get")).await;
    mended_by(&world, "reads-values", &["az role assignment list --assignee", CALLER, "kv-a"]).await;
}

#[tokio::test]
async fn an_identity_that_could_purge() {
    let world = with(backup_rights().with("purge")).await;
    mended_by(&world, "can-purge", &["az role assignment delete"]).await;
}

#[tokio::test]
async fn a_backup_app_that_could_restore() {
    let world = with(Access::only(Forbidden::ByPolicy, &["list", "backup", "restore"])).await;
    // A policy is set to what it should be; a role would have to be found first.
    mended_by(&world, "can-restore", &["az keyvault set-policy", "list backup --key"]).await;
}

#[tokio::test]
async fn a_restore_app_with_the_rights_to_restore_is_well() {
    let world = target(&["list", "restore"]).await;
    let (code, report) = preflight(&world).await;
    assert_eq!((code, &report["findings"]), (Some(0), &json!([])), "{report:#}");
}

#[tokio::test]
async fn a_restore_app_that_could_back_up_is_told_and_no_more() {
    let world = target(&["list", "restore", "backup"]).await;
    assert_eq!(only(&world, "can-back-up").await["severity"], "info");
}

#[tokio::test]
async fn a_restore_app_that_cannot_restore() {
    let world = target(&["list"]).await;
    mended_by(&world, "cannot-restore", &["Key Vault Restore Operator", "kv-a"]).await;
}

#[tokio::test]
async fn a_vault_that_is_only_restored_from_is_no_fault() {
    let world = target(&[]).await;
    assert_eq!(only(&world, "not-a-target").await["severity"], "info");
}

#[tokio::test]
async fn what_is_throttled_is_not_known_and_not_well() {
    let world = healthy().await;
    let matcher = keyvault_backup_emulator::Matcher::from(keyvault_backup_emulator::Operation::Purge);
    world.fault(matcher, keyvault_backup_emulator::FaultKind::Throttled { retry_after: None });
    let (code, report) = preflight(&world).await;
    assert_eq!((code, report["unknown"].as_array().map(Vec::len)), (Some(1), Some(3)), "{report:#}");
    assert_eq!(report["findings"], json!([]));
}
