//! A few objects: done before the answer, or else through the queue.

use std::time::{Duration, Instant};

use keyvault_backup_emulator::{Fault, FaultKind, Forbidden, Matcher, Operation, SecretSpec, Service};
use serde_json::{Value, json};

use super::start::secrets;
use crate::{
    checks::assert_adds_up,
    world::{NIGHT, World},
};

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
    println!("five objects at 20 ms for each call: {took:?}");
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

#[tokio::test]
#[ignore = "measures: it waits for an idle listener, five times"]
async fn the_queue_is_picked_up_within_seconds() {
    let mut world = today(6).await;
    let host = world.host().await;
    let measured = async {
        for idle in [13, 14, 15, 16, 17] {
            tokio::time::sleep(Duration::from_secs(idle)).await;
            let began = Instant::now();
            let run = world.post("/api/backups", secrets(0..6)).await.json()["run"].take();
            let run = run.as_str().expect("a name");
            while world.results("kv-a", run, "/backup").is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            println!("from the request to the first object: {:?}", began.elapsed());
        }
    };
    host.run(measured).await;
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

/// A vault of today that has so many secrets and a backup of them, beside an empty one.
async fn backed_up(secrets: usize) -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    for number in 0..secrets {
        world.vault.put_secret(&format!("secret-{number}"), SecretSpec::new("value"));
    }
    world.night(NIGHT).await;
    world.today();
    world
}

fn everything() -> Value {
    json!({ "source": "kv-a", "target": "kv-b", "everything": true })
}

/// The messages of restores that are waiting to be delivered.
fn steps(world: &World) -> usize {
    world.work.queue("restore-objects").len()
}

#[tokio::test]
async fn a_few_steps_of_a_restore_are_carried_out_before_the_answer() {
    let mut world = backed_up(5).await;
    let plan = world.plan(everything()).await;
    let answer = world.begin(&plan).await;
    let done = answer.json();
    assert_eq!((answer.status, &done["state"], &done["failures"]), (200, &json!("Succeeded"), &Value::Null));
    assert_eq!((&done["numbers"]["restored"], steps(&world), world.open_restores()), (&json!(5), 0, vec![]));
    assert_eq!(answer.header("retry-after"), None);
    assert_eq!(world.ok(answer.header("location").expect("where it is")).await["numbers"], done["numbers"]);
}

#[tokio::test]
async fn more_steps_than_a_few_go_through_the_queue() {
    let mut world = backed_up(6).await;
    let plan = world.plan(everything()).await;
    let answer = world.begin(&plan).await;
    assert_eq!((answer.status, answer.header("retry-after"), steps(&world)), (202, Some("30"), 6));
    let location = answer.header("location").expect("where it is").to_owned();
    assert_eq!(world.get(&location).await.header("retry-after"), Some("30"));
}

#[tokio::test]
async fn the_answer_says_why_a_restore_failed_and_so_do_its_report_and_its_job() {
    let mut world = backed_up(3).await;
    world.azure.vault("kv-b").put_secret("secret-0", SecretSpec::new("mine"));
    let plan = world.plan(everything()).await;
    world.fault(Operation::Restore, FaultKind::Status(400));
    let answer = world.begin(&plan).await;
    let done = answer.json();
    assert_eq!((answer.status, &done["state"]), (200, &json!("Failed")), "{done}");
    let why = done["failures"].as_array().expect("a list").iter();
    let why: Vec<_> =
        why.map(|of| (&of["objects"], &of["failure"]["status"], &of["failure"]["code"])).collect();
    assert_eq!((why[0].0, why[0].1), (&json!(2), &json!(400)), "{done}");
    assert_eq!((why[1].0, why[1].2), (&json!(1), &json!("live")), "{done}");
    let id = done["id"].as_str().expect("a name").to_owned();
    for path in [format!("/api/restores/{id}"), format!("/api/status/jobs/{id}")] {
        assert_eq!(world.ok(&path).await["failures"], done["failures"], "{path}");
    }
}

#[tokio::test]
async fn a_step_that_is_not_done_now_goes_through_the_queue_and_ends_its_restore() {
    let mut world = backed_up(3).await;
    let plan = world.plan(everything()).await;
    let denied = Matcher::from(Operation::Restore);
    world.azure.faults().add(Fault::on(denied).times(1).reply(FaultKind::Forbidden(Forbidden::ByRbac)));
    let answer = world.begin(&plan).await;
    assert_eq!((answer.status, answer.header("retry-after"), steps(&world)), (202, Some("5"), 1));
    assert_eq!(&answer.json()["numbers"]["restored"], 2, "{}", answer.text());
    let location = answer.header("location").expect("where it is").to_owned();
    assert_eq!(world.get(&location).await.header("retry-after"), Some("5"));
    world.host().await.pump("RestoreObject").await;
    let ended = world.get(&location).await;
    assert_eq!((&ended.json()["state"], ended.header("retry-after")), (&json!("Succeeded"), None));
    assert_eq!(world.open_restores(), Vec::<String>::new(), "no pass was needed");
}
