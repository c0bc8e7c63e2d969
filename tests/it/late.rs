//! A night that its timer missed is begun by `AdvanceJobs`, late and once.

use std::time::Duration;

use keyvault_backup_emulator::{Fault, FaultKind, Operation, Service, host::Firing};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    hsm_world::HsmWorld,
    world::{BACKUPS, DAILY, Manifest, NIGHT, World},
};

const DAY: time::Duration = time::Duration::DAY;
const MINUTE: time::Duration = time::Duration::MINUTE;
const NIGHTLY: &str = "20260110T020000Z-nightly";

impl World {
    /// A world that has been looked at since ten minutes before the night.
    async fn before_the_night() -> Self {
        let mut world = Self::with_secrets(3).await;
        world.set("VAULT_BACKUP_SCHEDULE", DAILY);
        world.azure.clock().set(NIGHT - MINUTE * 12);
        for _ in 0..2 {
            world.advance().await;
        }
        world
    }

    /// Storage answers nothing for so long, while the timer fires and the host tries again.
    async fn miss_the_timer(&mut self, function: &str) {
        for storage in [Service::Blob, Service::Queue] {
            self.fault(storage, FaultKind::Status(501));
        }
        let firing = Firing::at(NIGHT).retries(true);
        assert!(!self.host().await.fire(function, firing).await.succeeded());
        self.at(NIGHT + time::Duration::seconds(203));
        self.azure.faults().clear();
    }

    /// Looks once a minute, and works on what is in the queue, until then.
    async fn work_until(&mut self, end: OffsetDateTime) {
        let host = self.host().await;
        while self.azure.clock().now() < end {
            host.pump("BackUpObject").await;
            self.advance().await;
        }
    }

    /// The names of all runs that left anything.
    fn runs(&self) -> Vec<String> {
        let names = self.backups.blobs(BACKUPS).into_iter();
        let plans = names.filter(|name| name.ends_with("/plan.jsonl.gz"));
        plans.map(|name| name.split('/').nth(3).expect("a run").to_owned()).collect()
    }

    fn calls(&self, mark: u64, operation: Operation) -> usize {
        let since = self.azure.requests().since(mark);
        since.iter().filter(|entry| entry.operation == operation).count()
    }
}

/// The outage outlasts the timer and its retries.
#[tokio::test]
async fn a_night_that_begins_in_an_outage_is_begun_after_it() {
    let mut world = World::before_the_night().await;
    world.miss_the_timer("NightlyVaultBackup").await;
    world.work_until(NIGHT + MINUTE * 9).await;
    assert_eq!(world.runs(), Vec::<String>::new(), "the timer may still come");
    world.work_until(NIGHT + MINUTE * 20).await;
    let Manifest { header, summary, .. } = world.newest("kv-a");
    assert_eq!(json!([summary["run"], summary["verdict"]]), json!([NIGHTLY, "Succeeded"]));
    let late = summary["late"].as_u64().expect("it is late");
    assert!((600..=720).contains(&late) && header["late"] == summary["late"], "{summary}");
    world.assert_protected("kv-a");
    let mark = world.azure.requests().mark();
    world.work_until(NIGHT + MINUTE * 60).await;
    assert_eq!((world.runs().len(), world.calls(mark, Operation::ListSecrets)), (1, 0));
}

/// It is shown wherever the run is.
#[tokio::test]
async fn that_a_run_is_late_is_shown() {
    let mut world = World::before_the_night().await;
    world.miss_the_timer("NightlyVaultBackup").await;
    let host = world.host().await;
    while world.open_runs() == 0 {
        assert!(world.azure.clock().now() < NIGHT + DAY, "it is begun");
        world.advance().await;
    }
    let running = world.ok("/api/status").await["sources"][0]["running"][0].clone();
    assert!(running["lateSeconds"].as_u64().is_some_and(|late| late >= 600), "{running}");
    host.pump("BackUpObject").await;
    world.advance().await;
    let late = world.newest("kv-a").summary["late"].clone();
    let item = world.ok("/api/backups/runs").await["runs"][0].clone();
    assert_eq!((&item["lateSeconds"], &item["run"]), (&late, &json!(NIGHTLY)));
    assert_eq!(world.ok(&format!("/api/backups/runs/{NIGHTLY}")).await["sources"][0]["lateSeconds"], late);
    let vault = world.vault.url();
    for (command, said) in [
        (vec!["list", "runs"], "10 minutes"),
        (vec!["list", "vaults"], "10 minutes"),
        (vec!["show", NIGHTLY], ", late by 10 minutes"),
    ] {
        let vault = ["--vault", vault.as_str()];
        let args = command.iter().copied().chain(vault.into_iter().filter(|_| command[1] != "vaults"));
        let shown = world.cli(&args.collect::<Vec<_>>()).await;
        let text = String::from_utf8_lossy(&shown.stdout);
        assert!(text.contains(said), "{command:?}: {text}");
    }
}

/// The app is away from before the night until five, and the host does not make up for the timer.
#[tokio::test]
async fn a_night_in_which_the_app_is_down_is_begun_when_it_is_back() {
    let mut world = World::before_the_night().await;
    let host = world.host().await;
    host.restart().await.expect("it starts again");
    world.at(NIGHT + MINUTE * 180);
    world.work_until(NIGHT + MINUTE * 190).await;
    let summary = world.newest("kv-a").summary;
    assert_eq!(json!([summary["run"], summary["verdict"]]), json!([NIGHTLY, "Succeeded"]));
    assert!(summary["late"].as_u64().is_some_and(|late| late < 183 * 60), "{summary}");
    // A new process knows it by its note, or looks it up.
    host.restart().await.expect("it starts again");
    let mark = world.azure.requests().mark();
    world.work_until(NIGHT + MINUTE * 200).await;
    assert_eq!((world.runs().len(), world.calls(mark, Operation::ListSecrets)), (1, 0));
}

/// The host fires the timer late, as it does when it comes back, at the same moment.
#[tokio::test]
async fn a_timer_that_fires_late_and_advance_jobs_make_one_run() {
    let mut world = World::before_the_night().await;
    world.at(NIGHT + MINUTE * 180);
    let host = world.host().await;
    let (timer, ()) = tokio::join!(
        host.fire("NightlyVaultBackup", Firing::at(NIGHT).past_due(true)),
        world.work_until(NIGHT + MINUTE * 182)
    );
    assert!(timer.succeeded(), "{timer:?}");
    world.settle().await;
    assert_eq!((world.runs(), world.manifests("kv-a").len()), (vec![NIGHTLY.to_owned()], 1));
    assert_eq!(world.answered(Operation::Backup, "secret-0", 200), 1);
    world.assert_protected("kv-a");
}

/// An app that was installed at noon has missed nothing.
#[tokio::test]
async fn what_was_due_before_the_first_start_is_not_begun() {
    let mut world = World::with_secrets(2).await;
    world.set("VAULT_BACKUP_SCHEDULE", DAILY);
    world.at(NIGHT + MINUTE * 600);
    world.work_until(NIGHT + MINUTE * 620).await;
    assert_eq!(world.runs(), Vec::<String>::new());
    world.at(NIGHT + DAY + MINUTE * 9);
    world.work_until(NIGHT + DAY + MINUTE * 20).await;
    assert_eq!(world.runs(), ["20260111T020000Z-nightly"]);
}

/// A timer whose times are not known, or that is switched off, misses nothing.
#[tokio::test]
async fn nothing_is_begun_on_a_guess() {
    let settings = [
        ("VAULT_BACKUP_SCHEDULE", "12:00:00"),
        ("WEBSITE_TIME_ZONE", "Europe/Berlin"),
        ("AzureWebJobs.NightlyVaultBackup.Disabled", "true"),
    ];
    for (name, value) in settings {
        let mut world = World::with_secrets(1).await;
        world.set("VAULT_BACKUP_SCHEDULE", DAILY);
        world.set(name, value);
        world.work_until(NIGHT + MINUTE * 2).await;
        world.at(NIGHT + DAY + MINUTE * 10);
        world.work_until(NIGHT + DAY + MINUTE * 20).await;
        assert_eq!(world.runs(), Vec::<String>::new(), "{name}");
    }
}

/// Nothing is asked but what is open, as before. A new process reads its note, and looks up what it does not know.
#[tokio::test]
async fn a_night_that_began_in_time_costs_no_request_more() {
    let mut world = World::before_the_night().await;
    world.night(NIGHT).await;
    let asked = async |world: &mut World, until: OffsetDateTime| {
        let mark = world.azure.requests().mark();
        world.work_until(until).await;
        let since = world.azure.requests().since(mark);
        let ordinary =
            [Operation::ListBlobs, Operation::PutBlob, Operation::ReceiveMessages, Operation::Token];
        let beside = since.iter().filter(|entry| !ordinary.contains(&entry.operation));
        beside.map(|entry| entry.operation).collect::<Vec<_>>()
    };
    assert_eq!(asked(&mut world, NIGHT + MINUTE * 30).await, []);
    world.host().await.restart().await.expect("it starts again");
    let after = asked(&mut world, NIGHT + MINUTE * 40).await;
    assert!(after.len() <= 2, "{after:?}");
    assert_eq!(asked(&mut world, NIGHT + MINUTE * 60).await, []);
}

/// A vault that the outage did not reach is left alone.
#[tokio::test]
async fn only_the_vaults_that_did_not_begin_are_begun() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.set("VAULT_BACKUP_SCHEDULE", DAILY);
    for vault in ["kv-a", "kv-b"] {
        world.azure.vault(vault).put_secret("secret", keyvault_backup_emulator::SecretSpec::new("value"));
    }
    world.azure.clock().set(NIGHT - MINUTE * 12);
    world.advance().await;
    let fault = Fault::on(
        keyvault_backup_emulator::Matcher::from(Service::Blob).custom(|call| call.path.contains("kv-b")),
    );
    world.azure.faults().add(fault.reply(FaultKind::Status(501)));
    world.fire(NIGHT).await;
    world.azure.faults().clear();
    world.work_until(NIGHT + MINUTE * 20).await;
    let late = |vault: &str| world.newest(vault).summary["late"].is_u64();
    assert_eq!((late("kv-a"), late("kv-b")), (false, true));
}

/// The backup of an HSM is sent once.
#[tokio::test]
async fn an_hsm_whose_night_was_missed_is_backed_up_once() {
    let mut of = HsmWorld::new().await;
    of.world.set("HSM_BACKUP_SCHEDULE", DAILY);
    of.world.set("KEYVAULT_BACKUP_HSM_KEYS", "hsm-a/signing");
    of.world.azure.clock().set(NIGHT - MINUTE * 12);
    of.minutes(2).await;
    of.world.miss_the_timer("NightlyHsmBackup").await;
    of.world.work_until(NIGHT + MINUTE * 30).await;
    let record = of.records("hsm-a").remove(0);
    assert_eq!(json!([record["run"], record["verdict"]]), json!([NIGHTLY, "Succeeded"]));
    let item: Value = of.world.ok("/api/backups/runs").await["runs"].clone();
    let late = |scope: &str| {
        let items = item.as_array().expect("a list").iter();
        items.filter(|item| item["scope"] == scope && item["lateSeconds"].is_u64()).count()
    };
    assert_eq!((late("hsm"), late("objects")), (1, 1), "{item}");
    of.world.host().await.restart().await.expect("it starts again");
    of.world.work_until(NIGHT + MINUTE * 60).await;
    assert_eq!((of.backups_started(), of.records("hsm-a").len(), of.open().len()), (1, 1, 0));
}

/// It goes on as any run whose process died while it was planned.
#[tokio::test]
async fn a_process_that_is_killed_in_a_late_start_is_followed_by_one_that_goes_on() {
    let mut world = World::before_the_night().await;
    world.miss_the_timer("NightlyVaultBackup").await;
    world.work_until(NIGHT + MINUTE * 9).await;
    let met = world.trap_on(Operation::ListSecrets, 0, FaultKind::Hang);
    let host = world.host().await;
    tokio::select! {
        () = world.work_until(NIGHT + MINUTE * 30) => panic!("it lists"),
        () = met.notified() => {}
    }
    world.azure.faults().clear();
    host.restart().await.expect("it starts again");
    world.azure.clock().advance(Duration::from_secs(40 * 60));
    world.settle().await;
    assert_eq!(world.runs(), [NIGHTLY]);
    assert_eq!(world.newest("kv-a").summary["verdict"], "Succeeded");
}
