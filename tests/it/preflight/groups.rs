//! What has one cause is told once, and what is to be copied is whole.

use keyvault_backup_emulator::{Access, Forbidden};
use serde_json::Value;

use super::{backup_rights, commands, healthy, names, preflight};
use crate::world::World;

/// A healthy world with two vaults more, which may only be listed and were never backed up.
async fn without_a_role() -> World {
    let mut world = healthy().await;
    let mut vaults = vec![world.vault.url()];
    for name in ["kv-b", "kv-c"] {
        let vault = world.azure.vault(name);
        let access = Access::only(Forbidden::ByRbac, &["list"]);
        vault.configure(|options| options.access = Some(access));
        vaults.push(vault.url());
    }
    world.set("KEYVAULT_BACKUP_VAULTS", &vaults.join(" "));
    world
}

fn subjects(found: &Value) -> Vec<&str> {
    let subjects = found["subjects"].as_array().expect("a list");
    subjects.iter().map(|of| of["subject"].as_str().expect("a text")).collect()
}

#[tokio::test]
async fn vaults_that_lack_one_role_are_one_finding_with_a_command_for_each() {
    let world = without_a_role().await;
    let (code, report) = preflight(&world).await;
    assert_eq!((code, names(&report)), (Some(1), vec!["cannot-back-up", "never-backed-up"]), "{report:#}");
    let found = &report["findings"][0];
    assert_eq!(
        (subjects(found), &found["subject"]),
        (vec!["kv-b", "kv-c"], &Value::from("kv-b")),
        "{found:#}"
    );
    assert_eq!(found["seen"], found["subjects"][0]["seen"]);
    assert_eq!(commands(found).count(), 2, "{found:#}");
    for (command, vault) in commands(found).zip(["kv-b", "kv-c"]) {
        assert!(
            command.ends_with(&format!(
                "--scope \"$(az keyvault show --name {vault} --query id --output tsv)\""
            )),
            "{command}"
        );
    }
    let remedy = [found["advice"].as_str().expect("a text")].into_iter().chain(commands(found));
    assert_eq!(found["remedy"], remedy.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn at_eighty_columns_each_command_is_one_line() {
    let mut world = without_a_role().await;
    world.vault.configure(|options| options.access = Some(backup_rights().with("get").with("purge")));
    world.set("COLUMNS", "80");
    let (_, report) = preflight(&world).await;
    let page = world.cli(&["preflight"]).await;
    let page = String::from_utf8_lossy(&page.stdout);
    let all: Vec<_> = report["findings"].as_array().expect("a list").iter().flat_map(commands).collect();
    assert!(all.len() > 6, "{all:?}");
    for command in &all {
        assert!(page.lines().any(|line| line == format!("    {command}")), "{command}: {page}");
    }
    // A word that is too long has a line of its own.
    let is_prose = |line: &str| line.trim().contains(' ') && !line.starts_with("    ");
    let is_long = |line: &&str| line.chars().count() > 80 && is_prose(line);
    assert_eq!(page.lines().find(is_long), None, "{page}");
}
