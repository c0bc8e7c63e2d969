//! Retention over real ages: a night each day, a pass each month, the policy and the interval as they are by default. Each
//! scene ends with the last good backup being restored as it was.

use std::collections::{BTreeMap, BTreeSet};

use keyvault_backup_emulator::{FaultKind, Kind, Matcher, Operation, SecretSpec, Snapshot, host::Firing};
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::{
    checks::events,
    retention::{Kept, keeper_of},
    world::World,
};

/// The first night: so early that the longest scene ends before the real time, at which the command line tool runs.
const START: OffsetDateTime = datetime!(2025-01-10 02:00 UTC);

const DAY: Duration = Duration::DAY;

/// The default policy, which is written out because only a keeper has a default.
const POLICY: &str = "within=35 months=12";

/// A world with two secrets and a keeper, and the day of the next night.
struct Scene {
    kept: Kept,
    day: i32,
}

impl Scene {
    async fn set(settings: &[(&str, &str)]) -> Self {
        let mut kept = Kept::with(0, POLICY).await;
        kept.world.set("KEYVAULT_BACKUP_INTERVAL_HOURS", "26");
        for (name, value) in settings {
            kept.world.set(name, value);
        }
        kept.world.at(START - DAY * 30);
        for secret in ["secret-0", "secret-1"] {
            kept.world.vault.put_secret(secret, SecretSpec::new("the first value"));
        }
        kept.keeper = keeper_of(&kept.world).await;
        Self { kept, day: 0 }
    }

    fn world(&mut self) -> &mut World {
        &mut self.kept.world
    }

    /// So many nights, with a pass after each twenty-eighth. The secret `secret-0` changes before each.
    async fn nights(&mut self, count: i32) {
        for _ in 0..count {
            let value = format!("value of day {}", self.day);
            self.world().vault.put_secret("secret-0", SecretSpec::new(&value));
            let occurrence = START + DAY * self.day;
            let summary = self.world().night(occurrence).await;
            assert_ne!(summary["verdict"], "Failed", "{summary}");
            self.day += 1;
            if self.day % 28 == 0 {
                self.kept.pass().await;
            }
        }
    }

    /// So many days without a night, with a pass on each seventh.
    async fn days(&mut self, count: i32) {
        for _ in 0..count / 7 {
            self.day += 7;
            self.kept.world.at(START + DAY * self.day);
            self.kept.pass().await;
        }
    }

    /// What storage holds of the vault.
    fn stored(&self) -> BTreeMap<String, Vec<u8>> {
        self.kept.world.stored_below("vaults/")
    }

    /// The backups of a secret that are stored, by their runs.
    fn backups_of(&self, secret: &str) -> BTreeSet<String> {
        self.kept.backups_of(secret)
    }

    /// Loses everything in the vault and restores the newest good state of it, which must be this one: each version,
    /// attribute and value.
    async fn restores(&mut self, good: &Snapshot) {
        self.kept.world.azure.faults().clear();
        self.kept.world.today();
        let vault = self.kept.world.vault.clone();
        for secret in ["secret-0", "secret-1"] {
            vault.delete(Kind::Secret, secret).expect("it is deleted");
            vault.purge(Kind::Secret, secret).expect("it is purged");
        }
        let done = self.kept.world.json(&["restore", "--vault", &vault.url(), "--all", "--yes"]).await;
        assert_eq!(
            (&done["numbers"]["restored"], &done["numbers"]["failed"]),
            (&2.into(), &0.into()),
            "{done}"
        );
        assert_eq!(vault.snapshot().differences(good), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_object_that_fails_for_400_nights() {
    let mut scene = Scene::set(&[]).await;
    scene.nights(1).await;
    let failing = Matcher::from(Operation::Backup).object("secret-1");
    scene.world().fault(failing, FaultKind::Status(400));
    let first = scene.kept.world.vault.snapshot();
    scene.world().vault.put_secret("secret-1", SecretSpec::new("a value that was never backed up"));
    let backup = scene.backups_of("secret-1");
    scene.nights(400).await;
    assert_eq!(scene.world().newest("kv-a").fared("secret", "secret-1"), "failed");
    let first_night = |name: &String| name.contains("20250110T020000Z");
    assert!(!scene.world().manifests("kv-a").iter().any(first_night), "its point has gone");
    assert_eq!(scene.backups_of("secret-1"), backup, "and its only backup has not");
    // 35 days, 12 months, the nights since the last pass, and those that it has let go and not deleted yet.
    let (points, newer) = (scene.kept.points(), scene.backups_of("secret-0").len());
    assert!((47..=110).contains(&points) && newer <= points, "{points} points, {newer} backups");

    let mut good = scene.kept.world.vault.snapshot();
    let of_failing = (Kind::Secret, "secret-1".to_owned());
    good.objects.insert(of_failing.clone(), first.objects[&of_failing].clone());
    scene.restores(&good).await;
}

#[tokio::test]
async fn a_vault_that_is_removed_from_the_settings_for_a_year() {
    let mut scene = Scene::set(&[]).await;
    scene.nights(60).await;
    let good = scene.kept.world.vault.snapshot();
    scene.world().set("KEYVAULT_BACKUP_VAULTS", "https://kv-other.vault.azure.net");
    scene.kept.keeper = keeper_of(&scene.kept.world).await;
    let before = scene.stored();
    scene.days(371).await;
    assert_eq!(scene.stored(), before, "nothing of it has gone in a year");
    let plan = scene.kept.world.json(&["retention", "plan", "--vault", "kv-a"]).await;
    assert_eq!(plan["sources"][0]["dropped"], 0, "{plan}");

    let (of, why) = (["--vault", "kv-a"], ["--reason", "closed in March"]);
    scene.kept.world.json(&[&["retention", "release"], &of[..], &why].concat()).await;
    let now = scene.world().today();
    scene.kept.pass().await;
    assert_eq!(scene.stored(), before, "more than half would go, and nobody has seen the plan");
    let applied =
        scene.kept.world.json(&[&["retention", "apply"], &of[..], &["--really"], &why].concat()).await;
    assert!(applied["dropped"].as_array().is_some_and(|runs| runs.len() > 20), "{applied}");
    scene.world().at(now + DAY * 3);
    scene.kept.pass().await;
    let after = scene.stored();
    assert!(after.len() < before.len() / 2, "{} blobs of {} are left", after.len(), before.len());
    assert!(after.iter().all(|(name, bytes)| before.get(name) == Some(bytes)));
    scene.restores(&good).await;
}

#[tokio::test]
async fn an_app_that_is_off_for_200_days() {
    let mut scene = Scene::set(&[]).await;
    scene.nights(69).await;
    let good = scene.kept.world.vault.snapshot();
    let (before, points) = (scene.stored(), scene.kept.points());
    scene.days(200).await;
    let after = scene.stored();
    assert!(before.iter().all(|(name, bytes)| after.get(name) == Some(bytes)), "nothing has gone");
    let plan = scene.kept.world.json(&["retention", "plan", "--vault", "kv-a"]).await;
    let plan = &plan["sources"][0];
    assert_eq!((&plan["kept"], &plan["dropped"]), (&points.into(), &0.into()), "all is offered: {plan}");
    assert!(plan["keepsEverything"].as_str().is_some_and(|why| why.contains("overdue")), "{plan}");
    scene.restores(&good).await;
}

#[tokio::test]
async fn a_full_pass_that_is_longer_than_the_policy() {
    let mut scene = Scene::set(&[("KEYVAULT_BACKUP_FULL_PASS_DAYS", "40")]).await;
    let mut passes = 0;
    for day in 0..50 {
        let value = format!("value of day {day}");
        scene.world().vault.put_secret("secret-0", SecretSpec::new(&value));
        let summary = scene.world().night(START + DAY * day).await;
        assert_eq!(summary["verdict"], "Succeeded", "backups go on: {summary}");
        if day % 7 == 0 {
            let now = scene.kept.now();
            let pass = scene.kept.keeper.fire("ApplyRetention", Firing::at(now)).await;
            assert!(!pass.succeeded() && pass.body.contains("KEYVAULT_BACKUP_RETENTION"), "{pass:?}");
            passes += 1;
        }
    }
    assert_eq!(scene.kept.points(), 50, "the keeper stands still");
    let lines: Vec<_> = scene.kept.keeper.logs().into_iter().filter(|line| line.function_console).collect();
    assert_eq!(events(&lines, "retention.failed"), passes, "and says so");
    let found = scene.kept.world.json(&["retention", "plan"]).await;
    assert!(found["errors"][0]["error"].as_str().is_some_and(|error| error.contains("within=")), "{found}");

    let good = scene.kept.world.vault.snapshot();
    scene.world().set("KEYVAULT_BACKUP_FULL_PASS_DAYS", "35");
    scene.kept.keeper = keeper_of(&scene.kept.world).await;
    scene.kept.pass().await;
    assert!(scene.kept.points() == 50, "what goes is deleted two days later");
    let plan = scene.kept.world.json(&["retention", "plan", "--vault", "kv-a"]).await;
    assert!(plan["sources"][0]["pending"].as_array().is_some_and(|runs| runs.len() > 5), "{plan}");
    scene.restores(&good).await;
}
