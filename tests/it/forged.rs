//! Messages of somebody who may send messages to `backup-objects` and nothing else. They neither put a backup
//! where none belongs nor keep one from being taken.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyvault_backup_emulator::{
    FaultKind, Forbidden, Matcher, Operation, SecretSpec,
    host::{Invocation, PumpReport},
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::world::{BACKUPS, NIGHT, World};

const DAY: time::Duration = time::Duration::DAY;
const TONIGHT: &str = "20260110T020000Z-nightly";
const TOMORROW: &str = "20260111T020000Z-nightly";

fn message(run: &str, planned: OffsetDateTime, object: &str) -> Value {
    json!({
        "version": 1, "vault": "kv-a", "run": run, "planned": planned.unix_timestamp(), "kind": "secret",
        "object": object,
    })
}

impl World {
    /// Sends a message and has it delivered until it is done with or lies in the poison queue.
    async fn smuggle(&mut self, message: &Value) -> PumpReport {
        self.work.queue("backup-objects").send(&STANDARD.encode(message.to_string()), Duration::ZERO, None);
        let (host, mut report) = (self.host().await, PumpReport::default());
        for _ in 0..5 {
            report.add(host.pump("BackUpObject").await);
            self.azure.clock().advance(Duration::from_secs(61));
        }
        report
    }

    async fn hand_over(&mut self, message: &Value) -> Invocation {
        let delivered = self.host().await.deliver("BackUpObject", &message.to_string(), 1).await;
        Invocation::clone(&delivered)
    }
}

#[tokio::test]
async fn a_message_for_a_run_to_come_does_not_keep_that_run_from_its_work() {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    let blobs = world.backups.blobs(BACKUPS);
    for run in [TOMORROW, "20990101T000000Z-nightly"] {
        let report = world.smuggle(&message(run, NIGHT + DAY, "secret-0")).await;
        assert_eq!((report.failed, report.poisoned), (5, 1), "{run}");
    }
    assert_eq!(world.backups.blobs(BACKUPS), blobs, "nothing was stored for it");
    let deliveries = world.host().await.invocations();
    let text = &deliveries.last().expect("it was delivered").body;
    assert!(text.contains("there is no run 20990101T000000Z-nightly of vault kv-a"), "{text}");

    world.vault.put_secret("secret-0", SecretSpec::new("rotated"));
    let summary = world.night(NIGHT + DAY).await;
    assert_eq!((&summary["verdict"], &summary["numbers"]["backed_up"]), (&json!("Succeeded"), &json!(1)));
    world.assert_protected("kv-a");
}

#[tokio::test]
async fn a_message_for_a_closed_run_changes_nothing_whatever_time_it_claims() {
    let mut world = World::with_secrets(2).await;
    let refused = Matcher::from(Operation::Backup).object("secret-1");
    world.fault(refused, FaultKind::Forbidden(Forbidden::ByPolicy));
    world.night(NIGHT).await;
    world.azure.faults().clear();
    let blobs = world.backups.blobs(BACKUPS);
    world.azure.clock().advance(Duration::from_secs(61));
    for planned in [NIGHT, NIGHT + time::Duration::minutes(3), NIGHT + DAY * 900] {
        let done = world.hand_over(&message(TONIGHT, planned, "secret-1")).await;
        assert!(done.succeeded() && done.logs[0].contains("is closed"), "{done:?}");
    }
    assert_eq!(world.backups.blobs(BACKUPS), blobs);
}

#[tokio::test]
async fn a_message_for_what_its_run_does_not_back_up_is_refused() {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    world.vault.put_secret("secret-0", SecretSpec::new("rotated"));
    world.fire(NIGHT + DAY).await;
    world.vault.put_secret("late", SecretSpec::new("value"));
    for object in ["secret-1", "late"] {
        let done = world.hand_over(&message(TOMORROW, NIGHT + DAY, object)).await;
        let text = format!("run {TOMORROW} of vault kv-a does not back up secret {object}");
        assert!(!done.succeeded() && done.body.contains(&text), "{done:?}");
    }
    world.settle().await;
    assert_eq!(world.newest("kv-a").summary["numbers"]["backed_up"], 1);
}

#[tokio::test]
async fn what_a_message_says_of_its_object_is_not_believed() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    world.vault.put_secret("secret-0", SecretSpec::new("rotated"));
    world.fire(NIGHT + DAY).await;
    let mut forged = message(TOMORROW, NIGHT - DAY * 9, "secret-0");
    forged["previous"] = "20250101T020000Z-nightly".into();
    forged["asked"] = true.into();
    assert!(world.hand_over(&forged).await.succeeded());
    world.settle().await;
    assert_eq!(world.newest("kv-a").line("secret", "secret-0")["entry"]["previous"], TONIGHT);
}

/// The host merges a message's fields over its own: the first throttled try would be the last.
#[tokio::test]
async fn a_message_that_hides_what_the_host_says_is_refused() {
    let mut world = World::with_secrets(1).await;
    world.fault(Operation::Backup, FaultKind::Status(501));
    world.fire(NIGHT).await;
    for (field, value) in [
        ("DequeueCount", json!(5)),
        ("dequeuecount", json!("5")),
        ("sys", json!({ "UtcNow": "2031-01-01T00:00:00Z" })),
    ] {
        let mut forged = message(TONIGHT, NIGHT, "secret-0");
        forged[field] = value;
        let done = world.hand_over(&forged).await;
        assert!(!done.succeeded() && done.body.contains("hides what the host says"), "{done:?}");
    }
    assert!(world.results("kv-a", TONIGHT, "/outcome").is_empty());
    world.azure.faults().clear();
    world.settle().await;
    world.assert_protected("kv-a");
}

#[tokio::test]
async fn a_plan_is_read_once_however_many_messages_ask_for_it() {
    let mut world = World::with_secrets(60).await;
    world.fire(NIGHT).await;
    let mark = world.azure.requests().mark();
    world.host().await.pump("BackUpObject").await;
    let read = world.azure.requests().since(mark);
    let of = |operation| read.iter().filter(|entry| entry.operation == operation).count();
    assert_eq!((of(Operation::GetBlob), of(Operation::Backup), of(Operation::PutBlob)), (1, 60, 60));
}
