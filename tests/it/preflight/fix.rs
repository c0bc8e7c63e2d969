//! `--fix` makes a container that is missing, and nothing else.

use keyvault_backup_emulator::Operation;
use serde_json::{Value, json};

use super::{healthy, names};
use crate::world::{BACKUPS, JOBS, World};

/// The exit code and the report of `preflight --fix`, and how many containers it asked for.
async fn fix(world: &World) -> (Option<i32>, Value, usize) {
    let mark = world.azure.requests().mark();
    let output = world.cli(&["preflight", "--fix", "-o", "json"]).await;
    let asked = world.azure.requests().since(mark);
    let asked = asked.iter().filter(|of| of.operation == Operation::CreateContainer).count();
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code(), report.unwrap_or_else(|error| panic!("{error}: {output:?}")), asked)
}

#[tokio::test]
async fn a_missing_container_is_made_and_then_found_well() {
    let world = healthy().await;
    world.work.delete_container(JOBS);
    let (code, report, asked) = fix(&world).await;
    assert_eq!((code, &report["findings"], asked), (Some(0), &json!([]), 1), "{report:#}");
    let made = json!([{ "subject": "workstore/backup-jobs", "made": true, "seen": "it was made" }]);
    assert_eq!(report["fixes"], made);
    assert!(world.work.containers().contains(&JOBS.to_owned()));
}

#[tokio::test]
async fn where_no_container_is_missing_nothing_is_made() {
    let world = healthy().await;
    world.work.delete_queue("backup-objects");
    let (code, report, asked) = fix(&world).await;
    assert_eq!((code, names(&report), asked), (Some(1), vec!["queue-missing"], 0), "{report:#}");
    assert_eq!(report.get("fixes"), None);
}

#[tokio::test]
async fn without_the_right_to_make_it_the_container_stays_a_finding() {
    let world = healthy().await;
    world.backups.delete_container(BACKUPS);
    let (code, report, _) = fix(&world).await;
    assert!(code == Some(1) && names(&report).contains(&"container-missing"), "{report:#}");
    let [made, seen] = ["made", "seen"].map(|field| &report["fixes"][0][field]);
    assert_eq!(made, false);
    assert!(seen.as_str().is_some_and(|seen| seen.starts_with("AuthorizationPermissionMismatch")), "{seen}");
    let page = world.cli(&["preflight", "--fix"]).await;
    let page = String::from_utf8_lossy(&page.stdout);
    assert!(page.starts_with("could not make container backups/backups: Authorization"), "{page}");
    assert!(!world.backups.containers().contains(&BACKUPS.to_owned()));
}

#[tokio::test]
async fn only_a_whole_preflight_makes_containers() {
    let world = healthy().await;
    world.backups.delete_container(BACKUPS);
    let output = world.cli(&["preflight", "--fix", "--vault", "kv-a"]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("cannot be used with"), "{output:?}");
    assert!(!world.backups.containers().contains(&BACKUPS.to_owned()));
}
