//! The handler dies at any moment, and messages get lost. Nothing else does.

use std::time::Duration;

use keyvault_backup_emulator::{FaultKind, Kind, Operation, SecretSpec, host::Firing};
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    checks::assert_adds_up,
    world::{JOBS, Manifest, NIGHT, World},
};

const DAY: time::Duration = time::Duration::DAY;

impl World {
    /// A night in which the handler dies at its request number `at`, unless the night takes fewer. Says
    /// whether it died.
    pub async fn night_with_a_kill(&mut self, night: OffsetDateTime, at: usize, how: FaultKind) -> bool {
        let host = self.host().await;
        let met = self.trap(at, how);
        let died = tokio::select! {
            () = self.work_through(night) => false,
            () = met.notified() => true,
        };
        self.azure.faults().clear();
        if died {
            host.restart().await.expect("it starts again");
            // Before its first request is answered a run does not exist: the host makes up for the firing.
            if self.open_runs() == 0 {
                host.fire("NightlyVaultBackup", Firing::at(night).past_due(true)).await;
            }
            self.settle().await;
        }
        died
    }

    async fn work_through(&mut self, night: OffsetDateTime) {
        self.fire(night).await;
        self.settle().await;
    }
}

/// Kills the handler at its first request, at its second, and so on, a night each, until a night ends
/// before it is killed.
async fn die_at_every_request(how: FaultKind) -> usize {
    let mut world = World::with_secrets(3).await;
    for at in 0_usize.. {
        let night = NIGHT + DAY * i32::try_from(at).expect("a small number");
        world.at(night - DAY / 2);
        world.vault.put_secret("secret-0", SecretSpec::new(format!("rotated for {night}")));
        world.vault.put_secret(&format!("new-{at}"), SecretSpec::new("value"));
        world.vault.remove(Kind::Secret, &format!("new-{}", at.wrapping_sub(2)));
        let died = world.night_with_a_kill(night, at, how.clone()).await;
        world.assert_protected("kv-a");
        let Manifest { summary, header, .. } = world.newest("kv-a");
        assert_eq!(summary["verdict"], "Succeeded", "killed at request {at}: {summary}");
        assert_eq!(world.manifests("kv-a").len(), at + 1, "killed at request {at}: one manifest a night");
        let run = header["run"].as_str().expect("a run has a name");
        let backups = world.results("kv-a", run, "/backup").len();
        assert_eq!(summary["numbers"]["backed_up"], backups, "killed at request {at}");
        assert_eq!(world.results("kv-a", run, "/outcome").len(), 0, "killed at request {at}");
        if !died {
            return at;
        }
    }
    unreachable!("a night has an end")
}

#[tokio::test]
async fn a_kill_before_any_request_is_served_loses_nothing() {
    assert!(die_at_every_request(FaultKind::Hang).await > 20);
}

#[tokio::test]
async fn a_kill_after_any_request_was_served_loses_nothing_and_doubles_nothing() {
    assert!(die_at_every_request(FaultKind::ResetAfter).await > 20);
}

#[tokio::test]
async fn messages_that_get_lost_are_sent_again() {
    let mut world = World::with_secrets(5).await;
    world.fire(NIGHT).await;
    world.lose_messages();
    world.minutes(14).await;
    assert_eq!((world.open_runs(), world.manifests("kv-a").len()), (1, 0), "it is not given up early");
    world.settle().await;
    assert_eq!(world.newest("kv-a").summary["verdict"], "Succeeded");
    world.assert_protected("kv-a");
}

#[tokio::test]
async fn only_what_has_no_answer_is_sent_again() {
    let mut world = World::with_secrets(5).await;
    world.fire(NIGHT).await;
    let message = world.messages().remove(0);
    world.host().await.deliver("BackUpObject", &message, 1).await;
    world.lose_messages();
    world.minutes(20).await;
    let deliveries = world.host().await.invocations();
    let deliveries = deliveries.iter().filter(|delivery| delivery.function == "BackUpObject").count();
    assert_eq!((deliveries, world.manifests("kv-a").len()), (5, 1));
}

#[tokio::test]
async fn a_run_that_nobody_works_on_is_closed_with_its_failures() {
    let mut world = World::with_secrets(3).await;
    world.fire(NIGHT).await;
    let messages = world.messages();
    let first = messages.iter().find(|message| message.contains("secret-0")).expect("it was sent");
    world.host().await.deliver("BackUpObject", first, 1).await;
    for _ in 0..21 {
        world.lose_messages();
        world.azure.clock().advance(Duration::from_secs(3600));
        world.advance().await;
    }
    assert_eq!(world.open_runs(), 0);
    let manifest = world.newest("kv-a");
    let numbers = &manifest.summary["numbers"];
    assert_eq!(
        json!([manifest.summary["verdict"], numbers["backed_up"], numbers["failed"]]),
        json!(["PartiallyFailed", 1, 2])
    );
    assert_adds_up(&manifest.summary);
    assert_eq!(manifest.line("secret", "secret-2")["failure"]["code"], "NoAnswer");
}

#[tokio::test]
async fn a_message_that_comes_after_its_run_was_closed_changes_nothing() {
    let mut world = World::with_secrets(2).await;
    world.fire(NIGHT).await;
    let messages = world.messages();
    for _ in 0..21 {
        world.lose_messages();
        world.azure.clock().advance(Duration::from_secs(3600));
        world.advance().await;
    }
    let before = world.backups.blobs("backups");
    let late = world.host().await.deliver("BackUpObject", &messages[0], 1).await;
    assert!(late.succeeded() && late.logs[0].contains("nothing to do"), "{late:?}");
    assert_eq!(world.backups.blobs("backups"), before);
}

#[tokio::test]
async fn a_run_whose_record_is_lost_is_found_by_its_plan() {
    let mut world = World::with_secrets(2).await;
    world.fire(NIGHT).await;
    for name in world.work.blobs(JOBS) {
        world.work.delete_blob(JOBS, &name);
    }
    world.minutes(20).await;
    assert!(world.manifests("kv-a").is_empty(), "nobody knows that it is open");
    world.host().await.fire("NightlyVaultBackup", Firing::at(NIGHT).past_due(true)).await;
    world.settle().await;
    assert_eq!(world.newest("kv-a").summary["numbers"]["backed_up"], 2);
    assert_eq!(world.answered(Operation::Backup, "secret-0", 200), 1);
}

#[tokio::test]
async fn a_manifest_without_its_job_closed_is_found_again() {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    let blobs = world.backups.blobs("backups");
    // The process died after the manifest and before the job was forgotten; or the timer fires once more.
    let again = world.host().await.fire("NightlyVaultBackup", Firing::at(NIGHT)).await;
    assert!(again.succeeded());
    world.settle().await;
    assert_eq!(world.backups.blobs("backups"), blobs);
}
