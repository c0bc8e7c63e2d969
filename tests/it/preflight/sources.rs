//! Sources, ages, versions, clocks and settings.

use keyvault_backup_emulator::SecretSpec;
use serde_json::json;

use super::{back_up, healthy, install, mended_by, names, only, preflight};
use crate::world::World;

#[tokio::test]
async fn a_vault_that_is_not_there() {
    let mut world = healthy().await;
    let vaults = format!("{} https://kv-gone.vault.azure.net", world.vault.url());
    world.set("KEYVAULT_BACKUP_VAULTS", &vaults);
    let (code, report) = preflight(&world).await;
    let found = &report["findings"][0];
    assert_eq!(
        (code, &found["name"], &found["subject"]),
        (Some(1), &json!("host-unreachable"), &json!("kv-gone"))
    );
    assert!(
        found["remedy"].as_str().is_some_and(|words| words.contains("KEYVAULT_BACKUP_VAULTS")),
        "{found}"
    );
}

#[tokio::test]
async fn where_nothing_can_be_reached_nothing_was_checked() {
    let mut world = World::new().await;
    let gone = [
        ("KEYVAULT_BACKUP_VAULTS", "https://kv-gone.vault.azure.net"),
        ("KEYVAULT_BACKUP_CONTAINER", "https://gone.blob.core.windows.net/backups"),
        ("KEYVAULT_BACKUP_JOBS_CONTAINER", "https://gone.blob.core.windows.net/jobs"),
        ("KEYVAULT_BACKUP_QUEUE__queueServiceUri", "https://gone.queue.core.windows.net"),
    ];
    for (name, value) in gone {
        world.set(name, value);
    }
    let (code, report) = preflight(&world).await;
    assert_eq!(code, Some(2), "{report:#}");
}

#[tokio::test]
async fn an_identity_without_tokens() {
    let mut world = healthy().await;
    world.set("IDENTITY_HEADER", "wrong");
    let (code, report) = preflight(&world).await;
    let names = names(&report);
    assert!(code == Some(2) && names.iter().all(|name| *name == "no-token"), "{report:#}");
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_named_all_at_once() {
    let mut world = World::new().await;
    world.set("KEYVAULT_BACKUP_VAULTS", "https://kv-a.vault.azure.net https://kv-a.vault.azure.net");
    world.set("KEYVAULT_BACKUP_ROLE", "root");
    let output = world.cli(&["preflight"]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("kv-a is there twice"), "{said}");
    assert!(said.contains("KEYVAULT_BACKUP_ROLE"), "{said}");
}

#[tokio::test]
async fn a_vault_that_was_never_backed_up() {
    let mut world = healthy().await;
    let other = world.azure.vault("kv-b");
    other.configure(|options| options.access = Some(super::backup_rights()));
    world.set("KEYVAULT_BACKUP_VAULTS", &format!("{} {}", world.vault.url(), other.url()));
    mended_by(&world, "never-backed-up", &["keyvault-backup backup --vault https://kv-b.vault.azure.net"])
        .await;
}

#[tokio::test]
async fn a_vault_that_was_not_backed_up_lately() {
    let mut world = World::with_secrets(1).await;
    world.night(crate::world::NIGHT).await;
    world.today();
    let (code, report) = preflight(&world).await;
    let late = report["findings"].as_array().expect("a list").iter().find(|of| of["name"] == "overdue");
    assert!(code == Some(1) && late.is_some_and(|of| of["subject"] == "kv-a"), "{report:#}");
}

/// A world with a secret of so many versions, backed up today.
async fn with_versions(name: &str, versions: usize) -> World {
    let mut world = World::new().await;
    for number in 0..versions {
        world.vault.put_secret(name, SecretSpec::new(number.to_string()));
    }
    install(&mut world);
    back_up(&world).await;
    world
}

#[tokio::test]
async fn objects_that_near_the_limit_of_versions() {
    let world = with_versions("busy", 400).await;
    let found = only(&world, "versions-near-limit").await;
    assert!(found["seen"].as_str().is_some_and(|seen| seen.ends_with("secret busy (400)")), "{found}");
}

#[tokio::test]
async fn objects_that_are_over_the_limit_of_versions() {
    let world = with_versions("worn", 501).await;
    let (_, report) = preflight(&world).await;
    let found = &report["findings"][1];
    assert_eq!(names(&report), ["never-backed-up", "versions-over-limit"]);
    assert!(
        found["remedy"].as_str().is_some_and(|words| words.contains("--secret worn --reason TEXT")),
        "{found}"
    );
}

#[tokio::test]
async fn an_object_that_fails_alone_does_not_make_its_vault_overdue() {
    let mut world = World::with_each_kind(1).await;
    for number in 0..501 {
        world.vault.put_secret("worn", SecretSpec::new(number.to_string()));
    }
    install(&mut world);
    back_up(&world).await;
    only(&world, "versions-over-limit").await;
}

#[tokio::test]
async fn what_is_accepted_is_no_fault_any_more() {
    let mut world = World::with_each_kind(1).await;
    for number in 0..501 {
        world.vault.put_secret("worn", SecretSpec::new(number.to_string()));
    }
    install(&mut world);
    back_up(&world).await;
    let vault = world.vault.url();
    let until = (world.azure.clock().now() + time::Duration::days(30)).date().to_string();
    let accept =
        ["accept", "--vault", &vault, "--secret", "worn", "--reason", "moved in spring", "--until", &until];
    assert!(world.cli(&accept).await.status.success());
    let found = only(&world, "failures-accepted").await;
    assert!(found["seen"].as_str().is_some_and(|seen| seen.contains("secret worn")), "{found}");
}

#[tokio::test]
async fn a_clock_that_is_off() {
    let world = healthy().await;
    let ahead = world.azure.clock().now() + time::Duration::minutes(20);
    world.at(ahead);
    let found = only(&world, "clock-skew").await;
    assert!(found["seen"].as_str().is_some_and(|seen| seen.contains("behind")), "{found}");
}

#[tokio::test]
async fn one_container_for_two_purposes() {
    let mut world = healthy().await;
    world.set("KEYVAULT_BACKUP_JOBS_CONTAINER", &format!("{}/backups", world.backups.blob_url()));
    let (_, report) = preflight(&world).await;
    let names = names(&report);
    assert!(names.contains(&"container-shared"), "{names:?}");
}

#[tokio::test]
async fn a_damaged_catalogue_is_a_finding_that_names_the_way_out() {
    let mut world = World::with_each_kind(1).await;
    install(&mut world);
    back_up(&world).await;
    world.ruin_newest("kv-a");
    let (_, report) = preflight(&world).await;
    let found = &report["findings"][0];
    assert_eq!(found["name"], "catalogue-unreadable", "{report:#}");
    assert_eq!(found["commands"], json!([format!("keyvault-backup rebuild --vault {}", world.vault.url())]));
}
