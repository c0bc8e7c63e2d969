//! At least once, in parallel, with a poison queue. Acceptance item 5.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use keyvault_backup_emulator::{
    Azure,
    host::{HostClock, PumpReport, Queues},
};
use serde_json::json;

use crate::world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn report(delivered: usize, succeeded: usize, failed: usize, poisoned: usize) -> PumpReport {
    PumpReport { delivered, succeeded, failed, poisoned }
}

#[tokio::test]
async fn a_failed_message_is_hidden_and_delivered_again() {
    let world = World::new();
    let host = world.start().await;
    world.send(&json!({ "do": "fail first" }));
    world.send(&json!({}));
    assert_eq!(host.pump("Work").await, report(2, 1, 1, 0));
    assert_eq!((world.queues.len("work"), world.queues.visible("work")), (1, 0));
    assert_eq!(host.pump("Work").await, report(0, 0, 0, 0));
    world.clock.advance(MINUTE);
    assert_eq!(host.pump("Work").await, report(1, 1, 0, 0));
    assert_eq!(world.queues.len("work"), 0);
    let ids: std::collections::BTreeSet<_> = host.invocations().into_iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn the_last_delivery_goes_to_the_poison_queue() {
    let world = World::new();
    let host = world.start().await;
    world.send(&json!({ "do": "fail" }));
    for poisoned in [0, 0, 1] {
        assert_eq!(host.pump("Work").await, report(1, 0, 1, poisoned));
        world.clock.advance(MINUTE);
    }
    assert_eq!(world.queues.len("work"), 0);
    assert_eq!(world.queues.texts("work-poison"), [json!({ "do": "fail" }).to_string()]);
}

#[tokio::test]
async fn without_a_visibility_time_out_all_deliveries_come_at_once() {
    let world = World::new().env("AzureFunctionsJobHost__extensions__queues__visibilityTimeout", "00:00:00");
    let host = world.start().await;
    world.send(&json!({ "do": "fail" }));
    assert_eq!(host.pump("Work").await, report(3, 0, 3, 1));
}

#[tokio::test]
async fn a_message_that_is_not_base64_is_poison_at_once() {
    let world = World::new();
    let host = world.start().await;
    world.queues.send("work", "{not base64}");
    assert_eq!(host.pump("Work").await, report(0, 0, 0, 1));
    assert_eq!(world.queues.texts("work-poison"), ["{not base64}"]);
}

#[tokio::test]
async fn deliveries_run_in_parallel_up_to_the_limit() {
    let world = World::new();
    let host = world.start().await;
    for _ in 0..20 {
        world.send(&json!({ "do": "slow" }));
    }
    assert_eq!(host.pump("Work").await, report(20, 20, 0, 0));
    let most = host.invocations().iter().filter_map(|one| one.outputs["most"].as_u64()).max().unwrap();
    // batchSize 4 + newBatchThreshold 2.
    assert!((3..=6).contains(&most), "{most}");
}

#[tokio::test]
async fn a_message_survives_the_death_of_its_handler() {
    let world = World::new();
    let host = world.start().await;
    world.send(&json!({ "do": "exit", "code": 1 }));
    assert_eq!(host.pump("Work").await, report(1, 0, 1, 0));
    assert_eq!(world.queues.first("work").dequeue_count, 1);
    let lost = world.queues.receive("work", 1, MINUTE);
    assert!(lost.is_empty(), "it is hidden for visibilityTimeout");
}

#[tokio::test]
async fn a_killed_host_receives_nothing() {
    let world = World::new();
    let host = world.start().await;
    host.kill().await;
    world.send(&json!({}));
    assert_eq!(host.pump("Work").await, report(0, 0, 0, 0));
    host.restart().await.unwrap();
    assert_eq!(host.pump("Work").await, report(1, 1, 0, 0));
}

#[tokio::test]
async fn an_abandoned_listener_leaves_its_messages_leased() {
    let world = World::new();
    let host = world.start().await;
    world.send(&json!({ "do": "hang" }));
    let abandoned = tokio::time::timeout(Duration::from_millis(300), host.pump("Work")).await;
    assert!(abandoned.is_err());
    assert_eq!((world.queues.len("work"), world.queues.visible("work")), (1, 0));
    world.clock.advance(MINUTE * 10);
    assert_eq!(world.queues.visible("work"), 1);
}

#[tokio::test]
async fn the_emulated_storage_account_is_a_source_of_messages() {
    let azure = Azure::start().await.unwrap();
    let storage = azure.storage("backups");
    let world = World::new();
    let this = std::env::current_exe().unwrap();
    let beside = world.start_beside(Some(&this), Arc::new(storage.clone()), Arc::new(azure.clone()));
    let host = beside.await.unwrap();
    assert_eq!(host.pump("Work").await, report(0, 0, 0, 0));
    assert!(storage.queues().is_empty(), "polling creates no queue");
    storage.queue("work").send(&BASE64_STANDARD.encode(r#"{"do":"fail"}"#), Duration::ZERO, None);
    for poisoned in [0, 0, 1] {
        assert_eq!(host.pump("Work").await, report(1, 0, 1, poisoned));
        azure.clock().advance(MINUTE);
    }
    assert_eq!((storage.queue("work").len(), storage.queue("work-poison").len()), (0, 1));
}
