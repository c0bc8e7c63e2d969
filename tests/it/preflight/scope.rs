//! A preflight of some sources, and of findings of some severity.

use std::collections::BTreeSet;

use keyvault_backup_emulator::{Access, Forbidden};
use serde_json::{Value, json};

use super::{backup_rights, healthy, names};
use crate::{hsm_world::HsmWorld, world::World};

/// The exit code and the report of a preflight with arguments.
async fn with(world: &World, args: &[&str]) -> (Option<i32>, Value) {
    let output = world.cli(&[&["preflight", "-o", "json"], args].concat()).await;
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code(), report.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

/// Everything that the report is about.
fn subjects(report: &Value) -> BTreeSet<&str> {
    let list = |of: &'static str| report[of].as_array().expect("a list");
    let grouped = list("findings").iter().flat_map(|found| found["subjects"].as_array().expect("a list"));
    let each = grouped.chain(list("unknown")).chain(list("well"));
    each.filter_map(|of| of["subject"].as_str()).collect()
}

#[tokio::test]
async fn of_a_vault_that_is_named_only_what_concerns_it_is_checked() {
    let mut world = healthy().await;
    let other = world.azure.vault("kv-b");
    other.configure(|options| options.access = Some(Access::only(Forbidden::ByRbac, &["list"])));
    world.work.delete_queue("backup-objects");
    // It need not be in the settings.
    world.set("KEYVAULT_BACKUP_VAULTS", "");
    let (code, report) = with(&world, &["--vault", "kv-a"]).await;
    assert_eq!((code, subjects(&report)), (Some(0), BTreeSet::from(["kv-a"])), "{report:#}");
    let (code, report) = with(&world, &["--vault", &other.url()]).await;
    assert_eq!((code, subjects(&report)), (Some(1), BTreeSet::from(["kv-b"])), "{report:#}");
    assert_eq!(names(&report), ["cannot-back-up", "never-backed-up"]);
    let (_, report) = with(&world, &["--vault", "kv-a", "--vault-name", "kv-b"]).await;
    assert_eq!(subjects(&report), BTreeSet::from(["kv-a", "kv-b"]));
}

#[tokio::test]
async fn of_an_hsm_that_is_named_only_what_concerns_it_is_checked() {
    let mut of = HsmWorld::new().await;
    of.world.set("KEYVAULT_BACKUP_HSM_KEYS", "HSM-A/gone hsm-b/other");
    let (_, report) = with(&of.world, &["--hsm", "hsm-a"]).await;
    assert!(names(&report).contains(&"key-missing"), "{report:#}");
    assert_eq!(subjects(&report), BTreeSet::from(["hsm-a"]), "{report:#}");
}

#[tokio::test]
async fn what_is_less_severe_is_not_shown_and_still_counts() {
    let mut world = healthy().await;
    world.set("KEYVAULT_BACKUP_ROLE", "all");
    world.vault.configure(|options| options.access = Some(backup_rights().with("restore").with("get")));
    for (severity, expected) in [("warning", json!("reads-values")), ("error", Value::Null)] {
        let (code, report) = with(&world, &["--severity", severity]).await;
        assert_eq!((code, &report["findings"][0]["name"]), (Some(1), &expected), "{report:#}");
        assert_eq!(report["ok"], false);
    }
    let page = world.cli(&["preflight", "--severity", "error"]).await;
    let page = String::from_utf8_lossy(&page.stdout);
    assert!(page.contains("0 findings, 1 less severe not shown"), "{page}");
}
