//! Retention: only the evidence of a newer good state lets anything go.

use std::collections::{BTreeMap, BTreeSet};

use keyvault_backup_emulator::{
    FaultKind, Forbidden, Keeping, Kind, Matcher, Operation, Rights, SecretSpec,
    host::{Firing, Host, HostOptions, Invocation},
};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::{
    checks::events,
    world::{BACKUPS, NIGHT, World},
};

/// What the keeper's identity is called.
pub const KEEPER: &str = "keeper";

/// Days between two nights of these tests.
pub const STEP: i64 = 10;

impl World {
    /// A keeper beside the app that backs up, with its own rights alone. Its nights may be twelve days apart.
    pub async fn with_keeper(&mut self, policy: &str) -> Host {
        self.backups.give(KEEPER, Rights::of("keeper", "backups"));
        self.work.give(KEEPER, Rights::of("keeper", "host"));
        self.set("KEYVAULT_BACKUP_INTERVAL_HOURS", "300");
        self.set("KEYVAULT_BACKUP_RETENTION", policy);
        self.set("RETENTION_SCHEDULE", "0 0 4 30 2 *");
        self.set("VERIFY_SCHEDULE", "0 30 4 30 2 *");
        self.set("COPY_SCHEDULE", "0 15 3 30 2 *");
        self.set("KEYVAULT_BACKUP_VERIFY_WITHIN_DAYS", "1");
        keeper_of(self).await
    }

    /// Runs the command line tool, at the real time, for its JSON.
    pub async fn json(&self, args: &[&str]) -> Value {
        let output = self.cli(&[args, &["-o", "json"]].concat()).await;
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{args:?}: {output:?}"))
    }

    /// What is stored below a prefix.
    pub fn stored_below(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let names = self.backups.blobs(BACKUPS).into_iter().filter(|name| name.starts_with(prefix));
        let bytes = |name: &String| self.backups.blob(BACKUPS, name).expect("it is stored").bytes.to_vec();
        names.map(|name| (name.clone(), bytes(&name))).collect()
    }
}

/// A world whose storage keeps versions and may be deleted from, with a keeper beside the app that backs up.
pub struct Kept {
    pub world: World,
    pub keeper: Host,
    pub nights: i64,
}

impl Kept {
    /// Everything is kept for 30 days, and nothing by counts.
    pub async fn with(secrets: usize, policy: &str) -> Self {
        let mut world = World::with_secrets(secrets).await;
        world.backups.keep(Keeping { versions: true, deleted_days: None });
        let keeper = world.with_keeper(policy).await;
        Self { world, keeper, nights: 0 }
    }

    /// A night, ten days after the last one.
    pub async fn night(&mut self) -> Value {
        self.nights += 1;
        self.world.night(NIGHT + Duration::days(STEP * (self.nights - 1))).await
    }

    /// A pass of retention, two hours after the night.
    pub async fn pass(&self) -> Invocation {
        let now = self.now() + Duration::hours(2);
        self.world.at(now);
        let pass = self.keeper.fire("ApplyRetention", Firing::at(now)).await;
        assert!(pass.succeeded(), "{pass:?}");
        pass
    }

    pub fn now(&self) -> OffsetDateTime {
        self.world.azure.clock().now()
    }

    /// Changes the secret `secret-0`, and has a night.
    pub async fn changed_night(&mut self) {
        let value = format!("value of {}", self.nights);
        self.world.vault.put_secret("secret-0", SecretSpec::new(&value));
        self.night().await;
    }

    /// So many nights, each with a pass. The secret `secret-0` changes before each.
    pub async fn nights(&mut self, count: usize) {
        for _ in 0..count {
            self.changed_night().await;
            self.pass().await;
        }
    }

    /// The blobs of the vault that are stored.
    pub fn stored(&self) -> BTreeSet<String> {
        self.world.stored_below("vaults/").into_keys().collect()
    }

    /// The runs of which a secret has a stored backup.
    pub fn backups_of(&self, secret: &str) -> BTreeSet<String> {
        let tail = format!("/objects/secret/{secret}/backup");
        let blobs = self.world.backups.blobs(BACKUPS);
        blobs
            .iter()
            .filter_map(|name| Some(name.strip_suffix(&tail)?.rsplit_once('/')?.1.to_owned()))
            .collect()
    }

    /// The manifests that are offered: those that no mark hides.
    pub fn points(&self) -> usize {
        self.world.manifests("kv-a").len()
    }
}

pub async fn keeper_of(world: &World) -> Host {
    let options = world.host_options();
    let (app, own) = (world.azure.identity().header(), world.azure.identity().header_of(KEEPER));
    let of = |(name, value): (String, String)| if value == app { (name, own.clone()) } else { (name, value) };
    let mut env: Vec<_> = options.env.clone().into_iter().map(of).collect();
    env.push(("KEYVAULT_BACKUP_ROLE".to_owned(), "keeper".to_owned()));
    Host::start(HostOptions { env, ..options }).await.expect("the keeper starts")
}

/// Lets every backup of a secret fail.
fn fail(kept: &Kept, secret: &str) {
    kept.world
        .fault(Matcher::from(Operation::Backup).object(secret), FaultKind::Forbidden(Forbidden::ByRbac));
}

#[tokio::test]
async fn the_last_good_backup_of_what_fails_for_300_days_restores_and_older_points_go() {
    let mut kept = Kept::with(3, "within=30 months=0").await;
    kept.night().await;
    fail(&kept, "secret-1");
    kept.world.vault.put_secret("secret-1", SecretSpec::new("cannot be backed up"));
    let first = kept.backups_of("secret-1");
    kept.nights(29).await;
    assert_eq!(kept.backups_of("secret-1"), first, "its only backup is kept");
    assert!(kept.points() <= 6, "{:?}", kept.world.manifests("kv-a"));
    let changed = kept.backups_of("secret-0");
    assert!((2..=7).contains(&changed.len()), "the older backups of what changed are deleted: {changed:?}");
    let versions = kept.world.backups.blobs(BACKUPS);
    assert!(versions.iter().all(|name| kept.world.backups.versions(BACKUPS, name).len() == 1));

    kept.world.today();
    let url = kept.world.vault.url();
    for secret in ["secret-0", "secret-1", "secret-2"] {
        kept.world.vault.delete(Kind::Secret, secret).expect("it is deleted");
        kept.world.vault.purge(Kind::Secret, secret).expect("it is purged");
    }
    let done = kept.world.cli(&["restore", "--vault", &url, "--all", "--yes", "-o", "json"]).await;
    let done: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
    assert_eq!((&done["numbers"]["restored"], &done["numbers"]["failed"]), (&3.into(), &0.into()), "{done}");
}

#[tokio::test]
async fn what_is_let_go_is_not_offered_and_is_deleted_two_days_later() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    kept.nights(3).await;
    let (before, blobs) = (kept.points(), kept.world.backups.blobs(BACKUPS).len());
    kept.world.vault.put_secret("secret-0", SecretSpec::new("newer"));
    kept.night().await;
    kept.pass().await;
    assert_eq!(kept.points(), before + 1, "nothing is deleted yet");
    assert!(kept.world.backups.blobs(BACKUPS).len() > blobs);
    let url = kept.world.vault.url();
    let listed = kept.world.cli(&["list", "runs", "--vault", &url, "-o", "json"]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("it is JSON");
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(before), "{listed}");
    kept.world.at(kept.now() + Duration::hours(45));
    kept.pass().await;
    assert_eq!(kept.points(), before + 1, "47 hours are no two days");
    kept.pass().await;
    assert_eq!(kept.points(), before);
    let rebuilt = kept.world.cli(&["rebuild", "--vault", &url]).await;
    assert_eq!(rebuilt.status.code(), Some(0), "{rebuilt:?}");
    assert_eq!(kept.points(), before, "what was let go on purpose is not made again");
}

#[tokio::test]
async fn a_vault_that_was_removed_from_the_settings_keeps_everything_until_it_is_released() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    kept.nights(4).await;
    kept.world.set("KEYVAULT_BACKUP_VAULTS", "https://kv-other.vault.azure.net");
    kept.keeper = keeper_of(&kept.world).await;
    let before = kept.world.backups.blobs(BACKUPS);
    for _ in 0..20 {
        kept.world.at(kept.now() + Duration::days(STEP));
        kept.pass().await;
    }
    let after = kept.world.backups.blobs(BACKUPS);
    assert!(before.iter().all(|name| after.contains(name)), "everything is kept");
    let args = ["retention", "release", "--vault", "kv-a", "--reason", "closed in March"];
    let released = kept.world.cli(&args).await;
    assert_eq!(released.status.code(), Some(0), "{released:?}");
    let plan = kept.world.json(&["retention", "plan", "--vault", "kv-a"]).await;
    assert_eq!(plan["sources"][0]["keepsEverything"], Value::Null, "{plan}");
}

#[tokio::test]
async fn what_no_point_names_stays_and_is_counted_where_that_is_asked_for() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    let stray = "vaults/kv-a/runs/20260105T020000Z-manual-0001/objects/secret/secret-0/backup";
    kept.world.backups.put_blob(BACKUPS, stray, "of a run that left no manifest", &[]);
    kept.nights(8).await;
    assert!(kept.world.backups.blob(BACKUPS, stray).is_some(), "it is older than any point that is kept");
    let plan = kept.world.json(&["retention", "plan", "--strays"]).await;
    assert_eq!(plan["sources"][0]["strays"], serde_json::json!({ "backups": 1, "bytes": 30 }), "{plan}");
    assert!(plan["sources"][0]["dropped"].as_u64() < plan["sources"][0]["kept"].as_u64(), "{plan}");
    let unasked = kept.world.json(&["retention", "plan"]).await;
    assert_eq!(unasked["sources"][0]["strays"], Value::Null);
}

#[tokio::test]
async fn an_app_that_was_off_for_200_days_loses_nothing() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    kept.nights(3).await;
    let before = kept.world.backups.blobs(BACKUPS);
    for _ in 0..20 {
        kept.world.at(kept.now() + Duration::days(STEP));
        kept.pass().await;
    }
    let after = kept.world.backups.blobs(BACKUPS);
    assert!(before.iter().all(|name| after.contains(name)));
    // The next night covers the vault; then more than half would go, and only a person lets that happen.
    kept.nights += 20;
    kept.night().await;
    let passes = kept.world.stored_below("retention/passes/");
    kept.pass().await;
    assert_eq!(kept.points(), 4);
    assert_eq!(
        kept.world.stored_below("retention/passes/"),
        passes,
        "until then it is not applied, which status says"
    );
    let lines: Vec<_> = kept.keeper.logs().into_iter().filter(|line| line.function_console).collect();
    assert_eq!(events(&lines, "retention.consent"), 1);
}

#[tokio::test]
async fn a_full_pass_that_is_rarer_than_the_policy_stops_only_the_keeper() {
    let mut kept = Kept::with(1, "within=30").await;
    kept.world.set("KEYVAULT_BACKUP_FULL_PASS_DAYS", "31");
    kept.keeper = keeper_of(&kept.world).await;
    assert_eq!(kept.night().await["verdict"], "Succeeded");
    let now = kept.now();
    let pass = kept.keeper.fire("ApplyRetention", Firing::at(now)).await;
    assert!(!pass.succeeded() && format!("{pass:?}").contains("KEYVAULT_BACKUP_RETENTION"), "{pass:?}");
}

#[tokio::test]
async fn a_pass_that_ended_well_for_every_source_is_on_record_and_no_other() {
    let mut kept = Kept::with(1, "within=30").await;
    kept.night().await;
    let last = async |kept: &mut Kept| kept.world.ok("/api/status").await["retention"].take();
    assert_eq!(last(&mut kept).await, serde_json::json!({ "applied": false }));
    kept.pass().await;
    let noted = last(&mut kept).await;
    assert!(noted["lastPass"].as_str().is_some_and(|at| at.starts_with("2026-01-10T0")), "{noted}");
    assert_eq!(noted["applied"], false, "that was months ago");

    kept.world.set("KEYVAULT_BACKUP_FULL_PASS_DAYS", "31");
    kept.keeper = keeper_of(&kept.world).await;
    kept.world.today();
    kept.keeper.fire("ApplyRetention", Firing::at(kept.now())).await;
    assert_eq!(last(&mut kept).await, noted, "it stood still");
    kept.world.set("KEYVAULT_BACKUP_FULL_PASS_DAYS", "7");
    kept.keeper = keeper_of(&kept.world).await;
    kept.pass().await;
    assert_eq!(last(&mut kept).await["applied"], true);
}

/// With `gone=2` the policy has an error in it, which stops no backup.
#[tokio::test]
async fn what_is_gone_stays_in_the_index_for_as_long_as_the_policy_says() {
    for (policy, days, expected) in [
        ("within=5 gone=30", 30, true),
        ("within=5 gone=30", 32, false),
        ("within=5; kv-a: gone=40", 32, true),
        ("within=5 gone=2", 32, true),
    ] {
        let mut world = World::with_secrets(2).await;
        world.set("KEYVAULT_BACKUP_RETENTION", policy);
        world.night(NIGHT).await;
        world.vault.remove(Kind::Secret, "secret-1");
        world.night(NIGHT + Duration::DAY).await;
        let summary = world.night(NIGHT + Duration::days(1 + days)).await;
        assert_eq!(summary["verdict"], "Succeeded", "{policy}: {summary}");
        let known = world.newest("kv-a").lines.iter().any(|line| line["name"] == "secret-1");
        assert_eq!(known, expected, "{policy}, {days} days later");
    }
}

#[tokio::test]
async fn a_role_is_a_wall_for_functions() {
    let kept = Kept::with(1, "within=30").await;
    let refused = kept.keeper.fire("NightlyVaultBackup", Firing::at(kept.now())).await;
    assert!(!refused.succeeded(), "a keeper backs nothing up");
    assert!(kept.world.manifests("kv-a").is_empty() && kept.world.open_records().is_empty());
    let mut kept = kept;
    let now = kept.now();
    let refused = kept.world.host().await.fire("ApplyRetention", Firing::at(now)).await;
    assert!(!refused.succeeded(), "an app that backs up deletes nothing");
}

#[tokio::test]
async fn a_hold_in_the_pause_offers_the_point_again_with_everything_that_it_names() {
    let mut kept = Kept::with(2, "within=30 months=0").await;
    kept.nights(4).await;
    let before = kept.world.backups.blobs(BACKUPS);
    let url = kept.world.vault.url();
    let listed = |output: std::process::Output| -> Vec<String> {
        let runs: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        let runs = runs["runs"].as_array().cloned().unwrap_or_default();
        runs.iter().map(|run| run["run"].as_str().expect("a name").to_owned()).collect()
    };
    let list = ["list", "runs", "--vault", &url, "-o", "json"];
    assert_eq!(listed(kept.world.cli(&list).await).len(), 3, "the first point was let go");
    let run = "20260110T020000Z-nightly";
    let hold =
        ["hold", "set", "--vault", "kv-a", "--run", run, "--ticket", "INC-1", "--reason", "an inquiry"];
    let set = kept.world.cli(&hold).await;
    assert_eq!(set.status.code(), Some(0), "{set:?}");
    kept.world.at(kept.now() + Duration::days(3));
    kept.pass().await;
    assert_eq!(listed(kept.world.cli(&list).await).len(), 4, "it is offered again");
    let after = kept.world.backups.blobs(BACKUPS);
    assert!(before.iter().all(|name| after.contains(name)), "and nothing of it is deleted");
    let release = ["hold", "release", "--vault", "kv-a", "--ticket", "INC-1", "--reason", "closed"];
    assert_eq!(kept.world.cli(&release).await.status.code(), Some(0));
    kept.pass().await;
    assert_eq!(listed(kept.world.cli(&list).await).len(), 3, "and goes when the hold is released");
}

#[tokio::test]
async fn no_app_can_add_what_only_people_decide() {
    let mut kept = Kept::with(1, "within=30").await;
    kept.night().await;
    // A vault that is not configured may be released.
    let old = kept.world.manifests("kv-a")[0].replace("kv-a", "kv-old");
    kept.world.backups.put_blob(BACKUPS, &old, Vec::new(), &[]);
    let (own, app) =
        (kept.world.azure.identity().header_of(KEEPER), kept.world.azure.identity().header().to_owned());
    for header in [own, app] {
        let of = |(name, value): (String, String)| {
            let is_identity = name == "IDENTITY_HEADER";
            if is_identity { (name, header.clone()) } else { (name, value) }
        };
        let env: Vec<_> = kept.world.env.clone().into_iter().map(of).collect();
        for args in [
            vec!["hold", "set", "--vault", "kv-a", "--ticket", "INC-1", "--reason", "r"],
            vec!["retention", "release", "--vault", "kv-old", "--reason", "r"],
            vec!["retention", "release", "--vault", "kv-old", "--reason", "r", "--withdraw"],
        ] {
            let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_keyvault-backup"));
            command.args(&args).env_clear().envs(env.clone());
            let refused = command.output().await.expect("the command runs");
            assert_ne!(refused.status.code(), Some(0), "{args:?}: {refused:?}");
            let said = String::from_utf8_lossy(&refused.stderr);
            assert!(said.contains("AuthorizationPermissionMismatch"), "{args:?}: {said}");
        }
    }
    let blobs = kept.world.backups.blobs(BACKUPS);
    let of_people = |name: &&String| name.starts_with("holds/") || name.starts_with("retention/people/");
    assert_eq!(blobs.iter().filter(of_people).count(), 0, "{blobs:?}");
}
