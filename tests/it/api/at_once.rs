//! A few objects: done before the answer, or else through the queue.

use std::time::{Duration, Instant};

use keyvault_backup_emulator::{FaultKind, Forbidden, Matcher, Operation, Service};
use serde_json::{Value, json};

use super::start::secrets;
use crate::{checks::assert_adds_up, world::World};

/// Whose backup the vault denies: a right that may yet be granted.
fn denied(name: &str) -> (Matcher, FaultKind) {
    (Matcher::from(Operation::Backup).object(name), FaultKind::Forbidden(Forbidden::ByRbac))
}

/// A world of today with so many secrets.
async fn today(secrets: usize) -> World {
    let world = World::with_secrets(secrets).await;
    world.today();
    world
}

#[tokio::test]
async fn a_few_objects_are_backed_up_before_the_answer() {
    let mut world = today(5).await;
    world.host().await;
    for service in [Service::Vault, Service::Blob, Service::Queue, Service::Identity] {
        world.azure.knobs().set_latency(service, Duration::from_millis(20));
    }
    let began = Instant::now();
    let answer = world.post("/api/backups", secrets(0..5)).await;
    let took = began.elapsed();
    let done = answer.json();
    assert_eq!(
        (answer.status, &done["state"], answer.header("retry-after")),
        (200, &json!("Succeeded"), None)
    );
    assert_eq!((&done["numbers"]["backedUp"], &done["failures"]), (&json!(5), &Value::Null), "{done}");
    assert_eq!(
        (world.messages().len(), world.open_records().len(), world.manifests("kv-a").len()),
        (0, 0, 1)
    );
    assert!(took < Duration::from_secs(15), "{took:?}");
    let run = world.ok(answer.header("location").expect("where the run is")).await["sources"][0].take();
    assert_eq!((&run["state"], &run["numbers"]), (&json!("Succeeded"), &done["numbers"]));
}

#[tokio::test]
async fn more_than_a_few_go_through_the_queue() {
    let mut world = today(6).await;
    let answer = world.post("/api/backups", secrets(0..6)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (202, Some("30")), "{}", answer.text());
    assert_eq!((&answer.json()["state"], world.messages().len()), (&json!("Running"), 6));
}

#[tokio::test]
async fn the_answer_says_why_a_backup_failed_and_so_does_its_run() {
    let mut world = today(1).await;
    let answer = world.post("/api/backups", secrets(7..10)).await;
    let done = answer.json();
    assert_eq!(
        (answer.status, &done["state"], &done["numbers"]["failed"]),
        (200, &json!("Failed"), &json!(3))
    );
    let why = &done["failures"][0];
    assert_eq!((&why["objects"], &why["failure"]["code"]), (&json!(3), &json!("NotFound")), "{done}");
    let run = world.ok(answer.header("location").expect("where the run is")).await["sources"][0].take();
    assert_eq!(run["failures"], done["failures"]);
    let job = world.ok(done["links"]["job"].as_str().expect("an address")).await;
    assert_eq!(job["failures"], done["failures"]);
}

#[tokio::test]
async fn what_the_vault_does_not_do_now_goes_through_the_queue_and_ends_with_its_last_object() {
    let mut world = today(3).await;
    let (on, kind) = denied("secret-1");
    world.fault(on, kind);
    let answer = world.post("/api/backups", secrets(0..3)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (202, Some("5")), "{}", answer.text());
    assert_eq!((&answer.json()["state"], world.messages().len()), (&json!("Running"), 1));
    let location = answer.header("location").expect("where the run is").to_owned();
    let running = world.get(&location).await;
    assert_eq!((running.status, running.header("retry-after")), (200, Some("5")));
    world.azure.faults().clear();
    world.host().await.pump("BackUpObject").await;
    let ended = world.get(&location).await;
    assert_eq!(ended.header("retry-after"), None);
    let of = ended.json()["sources"][0].take();
    assert_eq!((&of["state"], &of["numbers"]["backedUp"]), (&json!("Succeeded"), &json!(3)), "{of}");
    assert_eq!(world.open_records().len(), 0, "no pass was needed");
}

/// Kills the handler at its first request for a backup, at its second, and so on, until one is answered before that.
async fn die_at_every_request(how: FaultKind) -> usize {
    let mut world = today(3).await;
    for at in 0_usize.. {
        // Requests carry no time of the host's, so the driven clock must not run far ahead.
        if at % 8 == 7 {
            world = today(3).await;
        }
        let (host, before) = (world.host().await, world.manifests("kv-a").len());
        let met = world.trap(at, how.clone());
        let answered = tokio::select! {
            answer = world.post("/api/backups", secrets(0..3)) => Some(answer),
            () = met.notified() => None,
        };
        world.azure.faults().clear();
        if let Some(answer) = answered {
            assert_eq!((answer.status, world.open_records().len()), (200, 0), "{}", answer.text());
            return at;
        }
        host.restart().await.expect("it starts again");
        if world.open_records().is_empty() && world.manifests("kv-a").len() == before {
            continue; // Nothing had begun.
        }
        world.settle().await;
        let summary = world.newest("kv-a").summary;
        let run = summary["run"].as_str().expect("a name").to_owned();
        assert_eq!(summary["verdict"], "Succeeded", "killed at request {at}: {summary}");
        assert_adds_up(&summary);
        let results = ["/backup", "/outcome"].map(|leaf| world.results("kv-a", &run, leaf).len());
        assert_eq!((results, world.manifests("kv-a").len()), ([3, 0], before + 1), "killed at request {at}");
    }
    unreachable!("a request has an end")
}

#[tokio::test]
async fn a_kill_before_any_request_is_served_loses_no_run_that_has_begun() {
    assert!(die_at_every_request(FaultKind::Hang).await > 15);
}

#[tokio::test]
async fn a_kill_after_any_request_was_served_doubles_nothing() {
    assert!(die_at_every_request(FaultKind::ResetAfter).await > 15);
}
