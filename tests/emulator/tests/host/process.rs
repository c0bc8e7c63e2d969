//! Start, readiness, exit codes, the three-error rule, SIGKILL, logs. Acceptance items 1, 8, 9, 10.

use std::{path::Path, time::Duration};

use keyvault_backup_emulator::host::{HostError, Level, Outcome};
use serde_json::json;

use crate::{
    handler::SCRIPT,
    world::{World, command, eventually, exists},
};

#[tokio::test]
async fn the_handler_gets_the_given_environment_and_five_variables() {
    let world = World::new().env("GIVEN", "value");
    let host = world.start().await;
    let seen = command(&host, json!({ "do": "environment" })).await.outputs["seen"].clone();
    let variables = seen["variables"].as_object().unwrap();
    assert_eq!(variables["GIVEN"], "value");
    assert_eq!(variables["FUNCTIONS_APP_ROOT_PATH"], world.root.path().to_str().unwrap());
    assert_eq!(variables["FUNCTIONS_HTTPWORKER_PORT"], variables["FUNCTIONS_CUSTOMHANDLER_PORT"]);
    assert_eq!(variables["FUNCTIONS_HTTPWORKER_ID"], variables["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"]);
    assert_eq!(variables.len(), world.env.len() + 5, "{variables:?}");
    assert_eq!(seen["directory"], world.root.path().to_str().unwrap());
}

#[tokio::test]
async fn any_answer_is_ready_and_the_start_is_timed() {
    let world = World::new().env(SCRIPT, "slow start");
    let host = world.start().await;
    assert!(host.start_up() >= Duration::from_millis(300), "{:?}", host.start_up());
    assert_eq!(host.errors(), 0);
}

#[tokio::test]
async fn a_handler_that_never_answers_is_tried_three_times() {
    let mut world = World::new().env(SCRIPT, "silent");
    world.host_json["customHandler"]["initializationTimeout"] = "00:00:00.3".into();
    let Err(HostError::Stopped(reason)) = world.try_start().await.map(drop) else {
        panic!("it never answered")
    };
    assert!(reason.contains("Exceeded http worker restart retry count"), "{reason}");
}

#[tokio::test]
async fn a_handler_that_exits_at_its_start_stops_the_host() {
    let world = World::new().env(SCRIPT, "exit at once");
    let Err(HostError::Stopped(reason)) = world.try_start().await.map(drop) else { panic!("it cannot run") };
    assert!(reason.contains("exit status: 3"), "{reason}");
}

#[tokio::test]
async fn exit_code_0_at_the_start_is_only_noticed_by_the_time_limit() {
    let mut world = World::new().env(SCRIPT, "exit 0 at once");
    world.host_json["customHandler"]["initializationTimeout"] = "00:00:00.3".into();
    let Err(HostError::Stopped(reason)) = world.try_start().await.map(drop) else { panic!("it cannot run") };
    assert!(reason.contains("did not answer within initializationTimeout"), "{reason}");
}

#[tokio::test]
async fn an_executable_that_does_not_exist_is_not_retried() {
    let Err(HostError::Stopped(reason)) =
        World::new().start_with(Some(Path::new("/no/such/file"))).await.map(drop)
    else {
        panic!("it cannot run")
    };
    assert!(reason.contains("Failed to start Worker Channel"), "{reason}");
}

#[tokio::test]
async fn exit_code_0_is_never_restarted() {
    let world = World::new();
    let host = world.start().await;
    assert!(!command(&host, json!({ "do": "exit", "code": 0 })).await.succeeded());
    eventually("the process is gone", || host.pid().is_none()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let Outcome::Failed(reason) = command(&host, json!({})).await.outcome else { panic!("nobody is there") };
    assert!(reason.contains("Connection refused"), "{reason}");
    assert_eq!((host.pid(), host.errors(), host.stopped()), (None, 0, None));
    host.restart().await.unwrap();
    assert!(command(&host, json!({})).await.succeeded());
}

#[tokio::test]
async fn exit_code_200_is_restarted_and_not_counted() {
    let world = World::new();
    let host = world.start().await;
    for _ in 0..4 {
        let pid = host.pid();
        assert!(!command(&host, json!({ "do": "exit", "code": 200 })).await.succeeded());
        eventually("it is restarted", || host.pid().is_some() && host.pid() != pid).await;
    }
    assert!(command(&host, json!({})).await.succeeded());
    assert_eq!(host.errors(), 0);
}

#[tokio::test]
async fn the_third_error_stops_the_host() {
    let world = World::new();
    let host = world.start().await;
    for errors in 1..=3 {
        assert!(!command(&host, json!({ "do": "exit", "code": 101 })).await.succeeded());
        eventually("it is counted", || host.errors() == errors).await;
    }
    eventually("it stops", || host.stopped().is_some()).await;
    assert_eq!(host.pid(), None);
    assert!(!command(&host, json!({})).await.succeeded());
    assert_eq!(
        host.http("GET", "/api/api/x", &[("x-functions-key", &host.key("Api"))], "").await.status,
        500
    );
    host.restart().await.unwrap();
    assert_eq!(host.errors(), 0);
    assert!(command(&host, json!({})).await.succeeded());
}

#[tokio::test]
async fn errors_more_than_half_an_hour_apart_are_forgotten() {
    let world = World::new();
    let host = world.start().await;
    for errors in [1, 2] {
        command(&host, json!({ "do": "exit", "code": 1 })).await;
        eventually("it is counted", || host.errors() == errors).await;
    }
    keyvault_backup_emulator::host::HostClock::advance(&*world.clock, Duration::from_secs(31 * 60));
    command(&host, json!({ "do": "exit", "code": 1 })).await;
    eventually("it is the first again", || host.errors() == 1).await;
    assert!(command(&host, json!({})).await.succeeded());
}

#[tokio::test]
async fn a_time_out_kills_the_process_and_everything_in_flight() {
    let world = World::new().timeout(Duration::from_secs(1));
    let host = world.start().await;
    let pid = host.pid().unwrap();
    let hangs = command(&host, json!({ "do": "hang" }));
    let other = async {
        // Begun later, so that its own time is not up when the process dies.
        tokio::time::sleep(Duration::from_millis(700)).await;
        command(&host, json!({ "do": "hang" })).await
    };
    let (hangs, other) = tokio::join!(hangs, other);
    assert_eq!(hangs.outcome, Outcome::TimedOut);
    assert!(matches!(other.outcome, Outcome::Failed(_)), "{:?}", other.outcome);
    assert!(command(&host, json!({})).await.succeeded());
    assert_ne!(host.pid(), Some(pid));
    assert!(!exists(pid));
    assert_eq!(host.errors(), 0);
}

#[tokio::test]
async fn a_killed_handler_stays_down_until_it_is_restarted() {
    let world = World::new();
    let host = world.start().await;
    let pid = host.pid().unwrap();
    let (call, ()) = tokio::join!(command(&host, json!({ "do": "hang" })), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        host.kill().await;
    });
    assert!(matches!(call.outcome, Outcome::Failed(_)), "{:?}", call.outcome);
    assert!(!exists(pid));
    assert!(!command(&host, json!({})).await.succeeded());
    assert_eq!((host.pid(), host.errors()), (None, 0));
    host.restart().await.unwrap();
    assert!(command(&host, json!({})).await.succeeded());
}

#[tokio::test]
async fn dropping_the_last_handle_leaves_no_process() {
    let world = World::new();
    let host = world.start().await;
    host.listen(0).await.unwrap();
    let pid = host.pid().unwrap();
    let other = host.clone();
    drop(host);
    assert!(exists(pid));
    assert!(command(&other, json!({})).await.succeeded());
    drop(other);
    assert!(!exists(pid));
}

#[tokio::test]
async fn lines_become_records_by_their_stream() {
    let world = World::new();
    let host = world.start().await;
    let cases = [
        ("stdout", "an error on stdout", Level::Information, true),
        ("stderr", "broken", Level::Error, true),
        ("stderr", "a WARNing: error", Level::Warning, true),
        ("stdout", "LanguageWorkerConsoleLoghidden", Level::Information, false),
        ("stderr", "azfuncjsonlog:{}", Level::Error, false),
    ];
    for (on, line, level, console) in cases {
        command(&host, json!({ "do": "print", "on": on, "line": line })).await;
        let text = line.trim_start_matches("LanguageWorkerConsoleLog").trim_start_matches("azfuncjsonlog:");
        let found = || host.logs().into_iter().find(|record| record.text == text);
        eventually(line, || found().is_some()).await;
        let record = found().unwrap();
        assert_eq!((record.level, record.function_console), (level, console), "{line}");
    }
}
