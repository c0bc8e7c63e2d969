//! Containers and queues.

use std::time::Duration;

use keyvault_backup_emulator::{FaultKind, Forbidden, Matcher, Operation, Service, WriteProtection};
use serde_json::json;

use super::{allow_deletion, healthy, mended_by, only, preflight};
use crate::world::{BACKUPS, JOBS};

fn on(host: &str, operation: Operation) -> Matcher {
    Matcher::from(operation).host(format!("{host}.blob.core.windows.net"))
}

#[tokio::test]
async fn a_container_that_is_not_there() {
    let world = healthy().await;
    world.work.delete_container(JOBS);
    let words = ["az storage container create --account-name workstore --name backup-jobs"];
    mended_by(&world, "container-missing", &words).await;
}

#[tokio::test]
async fn a_container_that_cannot_be_read() {
    let world = healthy().await;
    world.fault(on("workstore", Operation::ListBlobs), FaultKind::Forbidden(Forbidden::ByRbac));
    mended_by(
        &world,
        "container-unreadable",
        &["'Storage Blob Data Contributor'", "workstore", "containers/backup-jobs"],
    )
    .await;
}

#[tokio::test]
async fn a_container_that_cannot_be_written_to() {
    let world = healthy().await;
    world.fault(on("backups", Operation::PutBlob), FaultKind::Forbidden(Forbidden::ByRbac));
    mended_by(&world, "container-unwritable", &["Key Vault Backup Blob Writer", "containers/backups"]).await;
}

#[tokio::test]
async fn backups_that_could_be_deleted() {
    let world = healthy().await;
    allow_deletion(&world);
    // Write protection stops it, and only that.
    mended_by(&world, "delete-right", &["az role assignment list --assignee", "containers/backups"]).await;
    world.backups.set_write_protection(BACKUPS, None);
    let (_, report) = preflight(&world).await;
    assert_eq!(report["findings"][0]["name"], "backups-deletable", "{report:#}");
}

#[tokio::test]
async fn backups_without_write_protection() {
    let world = healthy().await;
    world.backups.set_write_protection(BACKUPS, None);
    mended_by(&world, "no-write-protection", &["retention.immutabilityDays"]).await;
}

#[tokio::test]
async fn write_protection_that_is_not_locked_is_told() {
    let world = healthy().await;
    world.backups.set_write_protection(BACKUPS, WriteProtection { days: 14, locked: false });
    mended_by(&world, "protection-unlocked", &["lock-immutability.sh --account backups"]).await;
}

#[tokio::test]
async fn jobs_that_cannot_be_deleted() {
    let world = healthy().await;
    world.fault(on("workstore", Operation::DeleteBlob), FaultKind::Forbidden(Forbidden::ByRbac));
    mended_by(&world, "jobs-undeletable", &["'Storage Blob Data Contributor'"]).await;
}

#[tokio::test]
async fn an_account_behind_a_firewall() {
    let world = healthy().await;
    let closed = Matcher::from(Service::Blob).host("workstore");
    world.fault(closed, FaultKind::Forbidden(Forbidden::ByFirewall));
    mended_by(&world, "network-closed", &["private-endpoint-connection", "--name workstore"]).await;
}

#[tokio::test]
async fn a_queue_that_is_not_there() {
    let world = healthy().await;
    world.work.delete_queue("backup-objects");
    mended_by(
        &world,
        "queue-missing",
        &["az storage queue create --account-name workstore --name backup-objects"],
    )
    .await;
}

#[tokio::test]
async fn a_queue_that_cannot_be_looked_at() {
    let world = healthy().await;
    world.fault(Operation::GetQueue, FaultKind::Forbidden(Forbidden::ByRbac));
    mended_by(&world, "queue-unreadable", &["'Storage Queue Data Reader'", "workstore"]).await;
}

#[tokio::test]
async fn messages_that_were_given_up() {
    let world = healthy().await;
    world.work.queue("backup-objects-poison").send("e30=", Duration::ZERO, None);
    let found = only(&world, "poisoned").await;
    assert!(found["subject"] == json!("workstore/backup-objects-poison") && found["severity"] == "warning");
    mended_by(&world, "poisoned", &["az storage message peek --queue-name backup-objects-poison"]).await;
}
