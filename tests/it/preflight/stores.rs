//! Containers and queues.

use std::time::Duration;

use keyvault_backup_emulator::{FaultKind, Forbidden, Matcher, Operation, Rights, Service, WriteProtection};
use serde_json::json;

use super::{allow_deletion, healthy, mended_by, only, preflight};
use crate::world::{BACKUPS, JOBS, PERSON, World};

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

/// What a keeper's preflight finds in the second place, and what it found well there.
async fn in_second(world: &World) -> (Vec<String>, Vec<String>) {
    let (_, report) = preflight(world).await;
    let of = |list: &str, key: &str| {
        let all = report[list].as_array().unwrap_or_else(|| panic!("{report:#}")).iter();
        let all = all.filter(|of| of.to_string().contains("secondstore"));
        all.map(|of| of[key].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    (of("findings", "name"), of("well", "check"))
}

#[tokio::test]
async fn the_second_place_is_for_reading_and_adding_and_nothing_else() {
    let mut world = healthy().await;
    let second = world.with_second_place();
    let protection = WriteProtection { days: 90, locked: true };
    second.set_write_protection(BACKUPS, protection);
    assert_eq!(in_second(&world).await, (vec![], vec![]), "of the apps only the keeper has a right there");
    world.set("KEYVAULT_BACKUP_ROLE", "keeper");
    let (found, well) = in_second(&world).await;
    assert!(found.is_empty() && well.len() >= 5, "{found:?} {well:?}");
    let rights = || Rights::of("keeper", "second");
    for (right, protected, expected) in [
        (rights().with("blobs/delete"), true, vec!["delete-right"]),
        (rights().with("blobs/write"), true, vec!["backups-changeable"]),
        (rights().with("blobs/write"), false, vec!["backups-changeable", "no-write-protection"]),
        (rights().with("blobs/delete"), false, vec!["backups-deletable", "no-write-protection"]),
        (Rights::of("person", "landing").in_container(BACKUPS), true, vec!["container-unwritable"]),
    ] {
        second.take_rights(PERSON);
        second.give(PERSON, right.clone());
        second.set_write_protection(BACKUPS, protected.then_some(protection));
        let mut found = in_second(&world).await.0;
        found.sort();
        assert_eq!(found, expected, "{right:?}");
    }
}
