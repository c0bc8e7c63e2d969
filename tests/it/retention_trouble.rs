//! Retention in trouble: kills, overwritten blobs, and backups of whole HSMs.

use std::collections::BTreeSet;

use keyvault_backup_emulator::{FaultKind, Rights, host::Firing};
use serde_json::Value;
use time::Duration;

use crate::{
    hsm_world::{HsmWorld, LANDING},
    retention::{KEEPER, Kept, STEP},
    world::{BACKUPS, NIGHT},
};

impl Kept {
    /// A pass in which the keeper dies at its request number `at`, unless the pass takes fewer, and the pass after it.
    /// Says whether it died.
    async fn pass_with_a_kill(&self, at: usize) -> bool {
        let now = self.now() + Duration::hours(2);
        self.world.at(now);
        let met = self.world.trap(at, FaultKind::Hang);
        let died = tokio::select! {
            _ = self.keeper.fire("ApplyRetention", Firing::at(now)) => false,
            () = met.notified() => true,
        };
        self.world.azure.faults().clear();
        if died {
            self.keeper.restart().await.expect("it starts again");
            self.pass().await;
        }
        died
    }
}

#[tokio::test]
async fn a_pass_that_dies_at_any_request_ends_as_if_it_had_not() {
    let (mut killed, mut whole) =
        (Kept::with(2, "within=30 months=0").await, Kept::with(2, "within=30 months=0").await);
    let mut died = 0;
    for at in 0..26 {
        killed.changed_night().await;
        whole.changed_night().await;
        died += usize::from(killed.pass_with_a_kill(at).await);
        whole.pass().await;
        killed.world.assert_protected("kv-a");
    }
    assert!(died > 10, "{died}");
    for kept in [&killed, &whole] {
        kept.world.at(kept.now() + Duration::days(3));
        kept.pass().await;
    }
    assert_eq!(killed.stored(), whole.stored());
}

#[tokio::test]
async fn an_overwritten_manifest_is_not_believed_and_what_it_named_stays() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    kept.nights(3).await;
    let before = kept.stored();
    let second = kept.world.manifests("kv-a")[1].clone();
    let newest = kept.world.manifests("kv-a")[0].clone();
    let bytes = kept.world.backups.blob(BACKUPS, &newest).expect("it is stored");
    let summary = bytes.metadata.iter().find(|(key, _)| key == "summary").expect("a summary").1.clone();
    kept.world.backups.put_blob(BACKUPS, &second, bytes.bytes.to_vec(), &[("summary", &summary)]);
    kept.nights(3).await;
    let after = kept.stored();
    assert!(before.iter().all(|name| after.contains(name)), "{:?}", before.difference(&after));
}

#[tokio::test]
async fn a_history_shows_where_backups_were_let_go() {
    let mut kept = Kept::with(1, "within=30 months=0 years=2").await;
    kept.nights(8).await;
    let url = kept.world.vault.url();
    let list = ["list", "history", "--vault", &url, "--secret", "secret-0", "-o", "json"];
    let output = kept.world.cli(&list).await;
    let history: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let backups = history["backups"].as_array().expect("a list");
    let runs: Vec<_> = backups.iter().map(|of| of["run"].as_str().expect("a run")).collect();
    assert_eq!(runs.last(), Some(&"20260110T020000Z-nightly"), "the first of the year is kept: {runs:?}");
    let gaps: Vec<_> = backups.iter().map(|of| of["gap"] == true).collect();
    assert_eq!(gaps.iter().filter(|gap| **gap).count(), 1, "{history}");
    assert!(gaps[gaps.len() - 2], "before the first of the year: {history}");
}

#[tokio::test]
async fn old_backups_of_a_whole_hsm_go_with_their_folders_and_the_newest_stays() {
    let mut of = HsmWorld::new().await;
    of.landing.give(KEEPER, Rights::of("keeper", "landing"));
    let keeper = of.world.with_keeper("within=30 months=0").await;
    let mut folders = BTreeSet::new();
    for night in 0..7 {
        let at = NIGHT + Duration::days(STEP * night);
        of.world.at(at);
        of.world.host().await.fire("NightlyHsmBackup", Firing::at(at)).await;
        of.settle().await;
        folders.extend(of.landing.blobs(LANDING).iter().map(|blob| folder(blob)));
        let now = of.world.azure.clock().now() + Duration::hours(2);
        of.world.at(now);
        let pass = keeper.fire("ApplyRetention", Firing::at(now)).await;
        assert!(pass.succeeded(), "{pass:?}");
    }
    let left: BTreeSet<String> = of.landing.blobs(LANDING).iter().map(|blob| folder(blob)).collect();
    let (folders, left): (Vec<_>, Vec<_>) = (folders.into_iter().collect(), left.into_iter().collect());
    assert_eq!(folders.len(), 7);
    assert!(left.len() < 7 && folders.ends_with(&left), "the oldest are gone: {left:?}");
    assert_eq!(of.records("hsm-a").len(), left.len(), "with their records");
}

/// The folder of a backup that a blob belongs to.
fn folder(blob: &str) -> String {
    blob.split_once('/').map_or(blob, |(folder, _)| folder).to_owned()
}

#[tokio::test]
async fn a_role_is_a_wall_for_routes_too() {
    let kept = Kept::with(1, "within=30").await;
    for (function, method, path, expected) in [
        ("Restores", "POST", "/api/restores", 403),
        ("Restores", "GET", "/api/restores", 403),
        ("Backups", "POST", "/api/backups", 403),
        ("Status", "GET", "/api/status/health", 200),
        ("Status", "GET", "/api/status/retention", 200),
    ] {
        let key = kept.keeper.key(function);
        let headers = [("x-functions-key", key.as_str()), ("content-type", "application/json")];
        let answer = kept.keeper.http(method, path, &headers, "{}").await;
        assert_eq!(answer.status, expected, "{path}: {}", answer.text());
        let refused = answer.status == 403;
        assert!(!refused || answer.text().contains("other-app"), "{path}: {}", answer.text());
    }
}
