//! The first account is gone: everything is listed and restored from the second place, with a person's rights there.

use std::process::Output;

use keyvault_backup_emulator::{CertificateSpec, KeySpec, Kind, Operation, SecretSpec, Snapshot};
use serde_json::Value;
use time::Duration;

use crate::{second::Second, world::BACKUPS};

/// What a terminal does not need when the first account is gone.
pub const OF_THE_FIRST: [&str; 3] =
    ["KEYVAULT_BACKUP_CONTAINER", "KEYVAULT_BACKUP_JOBS_CONTAINER", "KEYVAULT_BACKUP_QUEUE__queueServiceUri"];

impl Second {
    /// Takes the first account out of the world: its blobs, the jobs, and the settings that name them.
    pub fn lose_the_first(&mut self) {
        for (storage, container) in
            [(&self.kept.world.backups, BACKUPS), (&self.kept.world.work, crate::world::JOBS)]
        {
            for name in storage.blobs(container) {
                storage.delete_blob(container, &name);
            }
        }
        self.kept.world.env.retain(|(name, _)| !OF_THE_FIRST.contains(&name.as_str()));
    }

    pub async fn cli(&self, args: &[&str]) -> Output {
        self.kept.world.cli(&[args, &["--from", "second", "-o", "json"]].concat()).await
    }

    pub async fn json(&self, args: &[&str]) -> Value {
        let output = self.cli(args).await;
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{args:?}: {output:?}"))
    }

    fn is_untouched(&self, mark: u64) {
        let requests = self.kept.world.azure.requests().since(mark);
        let other =
            requests.iter().find(|of| of.host.starts_with("backups.") || of.host.starts_with("workstore."));
        assert!(other.is_none(), "nothing of the first account is asked: {other:?}");
    }
}

#[tokio::test]
async fn when_the_first_account_is_gone_every_object_of_every_kept_point_comes_back() {
    let mut second = Second::with(4).await;
    second.kept.world.vault.put_key("key-0", KeySpec::default());
    second.kept.world.vault.put_certificate("tls", CertificateSpec::default());
    let mut snapshots = Vec::new();
    for night in 0..3 {
        second.kept.world.vault.put_secret(&format!("of-night-{night}"), SecretSpec::new("value"));
        second.night().await;
        second.good_pass().await;
        snapshots.push(second.kept.world.vault.snapshot());
    }
    // Byte for byte: every blob of every point of the first place.
    second.assert_copied();
    second.assert_closed("before the first is gone");
    second.lose_the_first();
    second.kept.world.today();
    let (url, mark) = (second.kept.world.vault.url(), second.kept.world.azure.requests().mark());
    let runs = second.json(&["list", "runs", "--vault", &url]).await;
    let runs = runs["runs"].as_array().expect("a list").clone();
    assert_eq!(runs.len(), 3);
    for (run, snapshot) in runs.iter().rev().zip(&snapshots) {
        let own = |live: Snapshot| live.objects.into_iter().filter(|(_, of)| !of.managed).map(|(id, _)| id);
        for (kind, name) in own(second.kept.world.vault.snapshot()) {
            second.kept.world.vault.delete(kind, &name).expect("it is deleted");
            second.kept.world.vault.purge(kind, &name).expect("it is purged");
        }
        let at = run["finished"].as_str().expect("a time");
        let done = second.json(&["restore", "--vault", &url, "--all", "--at", at, "--yes"]).await;
        let all = own(snapshot.clone()).count();
        assert_eq!(
            (&done["numbers"]["restored"], &done["numbers"]["failed"]),
            (&all.into(), &0.into()),
            "{done}"
        );
        let differences = second.kept.world.vault.snapshot().differences(snapshot);
        assert_eq!(differences, Vec::<String>::new(), "as it was at {at}");
    }
    second.is_untouched(mark);
    let trail = second.json(&["audit", "list"]).await;
    let began = trail["records"].as_array().expect("records").iter();
    assert_eq!(began.filter(|of| of["event"] == "restore-started").count(), 3, "{trail}");
    assert!(second.cli(&["audit", "verify"]).await.status.success());
}

#[tokio::test]
async fn everything_that_reads_reads_the_second_place() {
    let mut second = Second::with(3).await;
    second.night().await;
    second.night().await;
    second.good_pass().await;
    second.lose_the_first();
    second.kept.world.today();
    let (url, mark) = (second.kept.world.vault.url(), second.kept.world.azure.requests().mark());
    let vaults = second.json(&["list", "vaults"]).await;
    assert_eq!(vaults["vaults"][0]["protected"], 3, "{vaults}");
    let objects = second.json(&["list", "objects", "--vault", &url]).await;
    assert_eq!(objects["objects"].as_array().map(Vec::len), Some(3), "{objects}");
    let history = second.json(&["list", "history", "--vault", &url, "--secret", "secret-0"]).await;
    assert_eq!(history["backups"].as_array().map(Vec::len), Some(2), "{history}");
    let run = second.json(&["show", "20260110T020000Z-nightly", "--vault", &url]).await;
    assert_eq!(run["state"], "Succeeded", "{run}");
    let verified = second.cli(&["verify", "--all"]).await;
    assert!(verified.status.success(), "{verified:?}");
    let same = second.cli(&["diff", "--vault", &url]).await;
    assert!(same.status.success(), "{same:?}");
    second.is_untouched(mark);
}

#[tokio::test]
async fn the_catalogue_is_rebuilt_in_the_second_place() {
    let mut second = Second::with(3).await;
    second.night().await;
    second.good_pass().await;
    second.lose_the_first();
    second.kept.world.today();
    let url = second.kept.world.vault.url();
    let manifest = second.second.blobs(BACKUPS).into_iter().find(|name| name.contains("/manifests/"));
    let manifest = manifest.expect("it is copied");
    let before = second.second.blob(BACKUPS, &manifest).expect("it is there").bytes;
    second.second.delete_blob(BACKUPS, &manifest);
    let rebuilt = second.cli(&["rebuild", "--vault", &url]).await;
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    assert!(
        second
            .second
            .blob(BACKUPS, &manifest)
            .is_some_and(|now| now.bytes.len().abs_diff(before.len()) < 200)
    );
    let objects = second.json(&["list", "objects", "--vault", &url]).await;
    assert_eq!(objects["objects"].as_array().map(Vec::len), Some(3), "{objects}");
}

#[tokio::test]
async fn what_was_found_wrong_in_the_first_place_says_nothing_about_the_second() {
    let mut second = Second::with(2).await;
    second.night().await;
    second.good_pass().await;
    let name =
        second.kept.world.backups.blobs(BACKUPS).into_iter().find(|name| name.contains("/secret-1/backup"));
    second.kept.world.backups.delete_blob(BACKUPS, &name.expect("it is stored"));
    let now = second.kept.now() + Duration::HOUR;
    second.kept.world.at(now);
    second.kept.keeper.fire("VerifyBackups", keyvault_backup_emulator::host::Firing::at(now)).await;
    second.good_pass().await;
    assert!(second.second.blobs(BACKUPS).iter().any(|name| name.starts_with("verifications/vaults/")));
    second.lose_the_first();
    second.kept.world.today();
    let url = second.kept.world.vault.url();
    second.kept.world.vault.delete(Kind::Secret, "secret-1").expect("it is deleted");
    second.kept.world.vault.purge(Kind::Secret, "secret-1").expect("it is purged");
    let done = second.json(&["restore", "--vault", &url, "--secret", "secret-1", "--yes"]).await;
    assert_eq!(done["numbers"]["restored"], 1, "{done}");
    second.kept.world.vault.put_secret("secret-1", SecretSpec::new("other"));
    let mark = second.kept.world.azure.requests().mark();
    let refused = second.cli(&["show", "20260110T020000Z-restore-0f3a9c41"]).await;
    assert!(!refused.status.success(), "restores are recorded in the first place alone: {refused:?}");
    let asked = second.kept.world.azure.requests().since(mark);
    assert!(asked.iter().all(|of| of.operation != Operation::GetBlob), "{asked:?}");
}
