//! What may pass is tried again the same night, in rounds, before it is anything's outcome.

use std::collections::BTreeSet;

use keyvault_backup_emulator::{Fault, FaultKind, Forbidden, Matcher, Operation, SecretSpec, Service};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::faults::backup_of;
use crate::world::{BACKUPS, JOBS, Manifest, NIGHT, World};

const DAY: Duration = Duration::DAY;
const RUN: &str = "20260110T020000Z-nightly";

impl World {
    /// Works until a time: every minute at last, and every five minutes while it is far away.
    pub async fn until(&mut self, at: OffsetDateTime) {
        while self.azure.clock().now() < at {
            if at - self.azure.clock().now() > Duration::minutes(30) {
                self.azure.clock().advance(std::time::Duration::from_secs(4 * 60));
            }
            self.minutes(1).await;
        }
    }

    /// How long after the first night it is.
    fn since(&self) -> Duration {
        self.azure.clock().now() - NIGHT
    }

    /// How often a vault was asked for a backup of an object, or of all.
    fn asked_for(&self, name: Option<&str>) -> usize {
        let of = |object: &str| name.is_none_or(|name| name == object);
        self.azure.requests().count(|entry| entry.operation == Operation::Backup && of(&entry.object))
    }

    /// What is noted of objects that fail.
    pub fn notes(&self) -> Vec<String> {
        self.work.blobs(JOBS).into_iter().filter(|name| name.starts_with("failing/")).collect()
    }

    /// The night ends whole, and leaves no notes.
    fn assert_whole(&self, objects: usize) {
        let summary = self.newest("kv-a").summary;
        let numbers = &summary["numbers"];
        assert_eq!(
            (&summary["verdict"], &numbers["backed_up"]),
            (&json!("Succeeded"), &json!(objects)),
            "{summary}"
        );
        assert_eq!(self.notes(), Vec::<String>::new());
        self.assert_protected("kv-a");
    }
}

/// Three of ten writes are refused, whoever makes them.
#[tokio::test]
async fn refusals_of_our_own_storage_cost_no_object() {
    for seed in 1..=3 {
        let mut world = World::with_each_kind(30).await;
        let refused = FaultKind::Forbidden(Forbidden::ByRbac);
        world.azure.faults().random_for(Operation::PutBlob, 0.3, seed, [refused]);
        world.fire_with_retries(NIGHT).await;
        world.settle().await;
        world.azure.faults().clear();
        world.assert_whole(90);
    }
}

/// For longer than the deliveries of a message last.
#[tokio::test]
async fn a_storage_that_takes_no_backups_for_minutes_costs_no_object() {
    let mut world = World::with_secrets(20).await;
    world.fire(NIGHT).await;
    let backups = Matcher::from(Operation::PutBlob).custom(|subject| subject.object.ends_with("/backup"));
    world.fault(backups, FaultKind::Forbidden(Forbidden::ByRbac));
    world.until(NIGHT + Duration::minutes(8)).await;
    world.azure.faults().clear();
    assert_eq!(world.notes().len(), 20);
    world.settle().await;
    world.assert_whole(20);
}

#[tokio::test]
async fn one_refused_page_of_a_list_costs_no_kind() {
    let mut world = World::with_each_kind(30).await;
    let refused = Fault::on(Operation::ListKeys).after(1).times(1);
    world.azure.faults().add(refused.reply(FaultKind::Forbidden(Forbidden::ByRbac)));
    world.troubled_night(NIGHT).await;
    world.assert_whole(90);
    assert!(world.since() < Duration::minutes(10), "{}", world.since());
}

/// A role that was assigned a moment ago.
#[tokio::test]
async fn a_right_that_comes_late_costs_nothing() {
    let mut world = World::with_each_kind(2).await;
    world.fault(Service::Vault, FaultKind::Forbidden(Forbidden::ByRbac));
    assert!(!world.fire(NIGHT).await.succeeded());
    world.until(NIGHT + Duration::minutes(10)).await;
    assert_eq!(world.manifests("kv-a"), Vec::<String>::new(), "it waits");
    let requests = world.azure.requests().entries();
    let refused: BTreeSet<_> = requests
        .iter()
        .filter(|entry| entry.status == 403)
        .map(|entry| entry.at.truncate_to_minute())
        .collect();
    assert_eq!(refused.len(), 2, "at growing distances: {refused:?}");
    world.azure.faults().clear();
    world.settle().await;
    world.assert_whole(6);
    assert!(world.since() < Duration::minutes(25), "{}", world.since());
}

/// An outage like 503, but one that the client does not wait for; longer than a message's deliveries last.
#[tokio::test]
async fn an_outage_of_minutes_costs_no_object() {
    let mut world = World::with_secrets(20).await;
    world.fire(NIGHT).await;
    world.fault(Operation::Backup, FaultKind::Status(501));
    world.until(NIGHT + Duration::minutes(6)).await;
    world.azure.faults().clear();
    assert_eq!((world.asked_for(None), world.notes().len()), (100, 20));
    world.settle().await;
    world.assert_whole(20);
    assert!(world.poisoned().is_empty(), "a message that has been noted is done");
    assert!(world.since() < Duration::minutes(30), "{}", world.since());
}

#[tokio::test]
async fn a_firewall_that_is_closed_for_hours_costs_no_object() {
    let mut world = World::with_secrets(20).await;
    world.fire(NIGHT).await;
    world.fault(Service::Vault, FaultKind::Forbidden(Forbidden::ByFirewall));
    world.until(NIGHT + Duration::hours(3)).await;
    world.azure.faults().clear();
    world.settle().await;
    world.assert_whole(20);
    assert!(world.since() < Duration::hours(5), "{}", world.since());
}

#[tokio::test]
async fn what_never_passes_has_failed_after_the_last_round_with_the_services_words() {
    let mut world = World::with_secrets(3).await;
    world.fault(backup_of("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.night(NIGHT).await;
    assert!(world.since() > Duration::hours(7) && world.since() < Duration::minutes(8 * 60 + 10));
    let line = world.newest("kv-a").line("secret", "secret-1").clone();
    let said = line["failure"]["text"].as_str().expect("text").to_owned();
    assert!(
        said.contains("Caller is not authorized") && said.ends_with("(tried in 6 rounds over 8 hours)"),
        "{said}"
    );
    assert_eq!((world.asked_for(Some("secret-1")), world.asked_for(None)), (6, 8), "the bound");
    assert_eq!(world.notes(), Vec::<String>::new());
}

/// The other bound: what the deliveries of a message may help with.
#[tokio::test]
async fn an_outage_without_an_end_costs_five_tries_a_round() {
    let mut world = World::with_secrets(4).await;
    world.fault(Operation::Backup, FaultKind::Status(501));
    world.night(NIGHT).await;
    assert_eq!(world.asked_for(None), 4 * 6 * 5);
    let versions = world.azure.requests().count(|entry| entry.operation == Operation::ListVersions);
    assert_eq!(versions, 4 * 6 * 5);
}

/// What our own storage refuses is not said of the vault.
#[tokio::test]
async fn who_refused_is_named() {
    let mut world = World::with_secrets(2).await;
    let its_backup =
        Matcher::from(Operation::PutBlob).custom(|subject| subject.object.ends_with("secret-1/backup"));
    world.fault(its_backup, FaultKind::Forbidden(Forbidden::ByRbac));
    world.night(NIGHT).await;
    let failure = world.newest("kv-a").line("secret", "secret-1")["failure"].clone();
    assert!(failure["code"].as_str().is_some_and(|code| code.starts_with("Storage/")), "{failure}");
    assert!(failure["text"].as_str().is_some_and(|text| text.contains("own storage failed")), "{failure}");
}

#[tokio::test]
async fn a_later_run_of_the_schedule_ends_the_rounds_of_an_earlier_one() {
    let mut world = World::with_secrets(3).await;
    world.fault(backup_of("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.fire(NIGHT).await;
    world.minutes(30).await;
    assert_eq!((world.open_runs(), world.manifests("kv-a").len()), (1, 0));
    world.fire(NIGHT + Duration::HOUR).await;
    world.minutes(2).await;
    let closed = world.newest("kv-a");
    assert_eq!((&closed.header["run"], &closed.summary["numbers"]["failed"]), (&json!(RUN), &json!(1)));
    assert_eq!(world.open_runs(), 1, "the later one goes on");
    world.azure.faults().clear();
    world.settle().await;
    assert_eq!(world.newest("kv-a").summary["verdict"], "Succeeded");
    world.assert_protected("kv-a");
}

/// What the caller of an asked run waits for are the deliveries of one message.
#[tokio::test]
async fn a_run_that_was_asked_for_has_one_round() {
    let mut world = World::with_secrets(3).await;
    let today = world.today();
    world.fault(backup_of("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    assert_eq!(world.post("/api/backups", json!({ "vault": "kv-a" })).await.status, 202);
    world.settle().await;
    assert!(world.azure.clock().now() - today < Duration::minutes(12));
    let Manifest { summary, .. } = world.newest("kv-a");
    assert_eq!((&summary["verdict"], world.asked_for(Some("secret-1"))), (&json!("PartiallyFailed"), 5));
    assert_eq!(world.notes(), Vec::<String>::new());
}

/// The handler dies while it sends a round, and while it works on one. What is refused until then has rounds left.
#[tokio::test]
async fn kills_in_the_middle_of_rounds_lose_nothing() {
    let mut world = World::with_secrets(12).await;
    world.fault(backup_of("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.fire(NIGHT).await;
    for (at, minutes) in [(3, 14), (9, 20), (1, 40)] {
        world.minutes(minutes).await;
        let host = world.host().await;
        let met = world.trap_on(Matcher::any(), at, FaultKind::Hang);
        tokio::select! {
            () = async { loop { world.minutes(1).await; } } => {}
            () = met.notified() => {}
        }
        world.azure.faults().clear();
        world.fault(backup_of("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
        host.restart().await.expect("it starts again");
    }
    world.until(NIGHT + Duration::hours(2)).await;
    world.azure.faults().clear();
    world.settle().await;
    world.assert_whole(12);
    assert!(world.since() < DAY && world.asked_for(Some("secret-1")) <= 9, "the bound");
}

/// What late messages leave of closed runs goes with the next notes of the vault.
#[tokio::test]
async fn notes_of_closed_runs_do_not_pile_up() {
    let mut world = World::with_secrets(2).await;
    world.work.put_blob(JOBS, "failing/kv-a/20260101T020000Z-nightly/secret/secret-0", "", &[]);
    world.fault(backup_of("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.night(NIGHT + DAY).await;
    assert_eq!(world.notes(), Vec::<String>::new());
}

/// Without its plan a run has no object to record a failure for: the notes keep the words.
#[tokio::test]
async fn notes_stay_where_the_plan_is_lost() {
    let mut world = World::with_secrets(2).await;
    world.fault(backup_of("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.fire(NIGHT).await;
    world.until(NIGHT + Duration::minutes(20)).await;
    let plan = format!("vaults/kv-a/runs/{RUN}/plan.jsonl.gz");
    world.backups.put_blob(BACKUPS, &plan, b"broken".to_vec(), &[]);
    world.azure.clock().advance(std::time::Duration::from_secs(20 * 3600));
    world.minutes(2).await;
    assert_eq!((world.open_runs(), world.notes().len()), (0, 1));
}

/// A night in which everything comes in asks for no notes.
#[tokio::test]
async fn an_ordinary_night_asks_for_no_notes() {
    let mut world = World::with_each_kind(3).await;
    for days in 0..2 {
        world.night(NIGHT + DAY * days).await;
    }
    assert_eq!(world.azure.requests().count(|entry| entry.path.contains("failing")), 0);
}

#[tokio::test]
async fn what_is_tried_again_is_shown_with_the_newest_reason() {
    let mut world = World::with_secrets(3).await;
    world.fault(backup_of("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.fire(NIGHT).await;
    world.minutes(5).await;
    let running = world.ok("/api/status").await["sources"][0]["running"][0].take();
    let again = &running["triedAgain"];
    assert_eq!(
        (&running["state"], &again["objects"], &again["round"]),
        (&json!("Running"), &json!(1), &json!(1))
    );
    assert_eq!(again["failure"]["code"], "Forbidden/ForbiddenByRbac");
    let next = again["next"].as_str().expect("a time").to_owned();
    assert!(next.starts_with("2026-01-10T02:1"), "{next}");
    assert_eq!(
        world.ok(&format!("/api/backups/runs/{RUN}")).await["sources"][0]["triedAgain"]["next"],
        next.as_str()
    );
    let vault = world.vault.url();
    for args in [&["show", RUN, "--vault", &vault][..], &["jobs"]] {
        let shown = world.cli(args).await;
        let text = [shown.stdout, shown.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains("1 object fails, tried again at 2026-01-10T02:1"), "{text}");
        assert!(text.contains("in round 2 of 6: Forbidden/ForbiddenByRbac"), "{text}");
    }
}

#[tokio::test]
async fn a_vault_that_cannot_be_listed_is_shown_with_the_reason() {
    let mut world = World::with_secrets(1).await;
    world.fault(Service::Vault, FaultKind::Forbidden(Forbidden::ByFirewall));
    world.fire(NIGHT).await;
    let again = world.ok("/api/status").await["sources"][0]["running"][0]["triedAgain"].take();
    assert_eq!((&again["objects"], &again["round"]), (&json!(null), &json!(0)));
    assert_eq!(
        (&again["failure"]["code"], &again["next"]),
        (&json!("Forbidden/ForbiddenByFirewall"), &json!("2026-01-10T02:05:00Z"))
    );
}

/// What the timer's log line says of a run has a half for what was done and one for what failed, and none that is empty.
#[tokio::test]
async fn the_line_of_a_timer_has_no_empty_half() {
    for (vaults, expected) in [
        (&["kv-a"][..], format!("run {RUN}: failed: kv-a: Failed to list")),
        (&["kv-a", "kv-b"][..], format!("run {RUN}: kv-b: messages sent: 1; failed: kv-a: Failed to list")),
    ] {
        let mut world = World::with_vaults(vaults).await;
        for vault in vaults {
            world.azure.vault(vault).put_secret("secret", SecretSpec::new("value"));
        }
        let refused = Matcher::from(Service::Vault).host("kv-a.vault.azure.net");
        world.fault(refused, FaultKind::Forbidden(Forbidden::ByFirewall));
        assert!(!world.fire(NIGHT).await.succeeded());
        let lines = world.handler_lines().await;
        assert!(lines.iter().any(|line| line.text.contains(&expected)), "{expected}: {lines:#?}");
    }
}

/// A vault of which one object fails is not overdue while that is tried again: by the status, and by what the alert
/// waits for.
#[tokio::test]
async fn a_run_that_goes_on_for_an_object_has_covered_its_vault() {
    let mut world = World::with_secrets(3).await;
    let today = world.today();
    let overdue = async |world: &mut World| world.ok("/api/status").await["sources"][0]["overdue"].take();
    world.fault(backup_of("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    world.fire(today).await;
    world.minutes(5).await;
    assert_eq!(overdue(&mut world).await, true, "the first round is not over");
    world.minutes(20).await;
    assert_eq!((world.open_runs(), overdue(&mut world).await), (1, json!(false)));
    let lines = world.handler_lines().await;
    let told = |line: &Value| {
        line["event"] == "run.round" && line["run.covers"] == true && line["run.unanswered"] == 1
    };
    assert!(lines.iter().filter_map(|line| serde_json::from_str(&line.text).ok()).any(|line| told(&line)));
}
