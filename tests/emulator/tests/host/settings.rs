//! `host.json` and `function.json`: both layouts, and what is refused.

use std::fs;

use keyvault_backup_emulator::host::{Firing, HostError};
use serde_json::json;

use crate::world::{NOW, World};

async fn refusal(world: &World) -> String {
    match world.try_start().await.map(drop) {
        Err(HostError::Settings(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_deployed_package_has_its_functions_beside_host_json() {
    let world = World::new();
    for name in ["Nightly", "Work", "Api"] {
        fs::rename(world.root.path().join("functions").join(name), world.root.path().join(name)).unwrap();
    }
    fs::remove_dir(world.root.path().join("functions")).unwrap();
    let host = world.start().await;
    assert_eq!(host.functions(), ["Api", "Nightly", "Work"]);
    assert!(host.fire("Nightly", Firing::at(NOW)).await.succeeded());
}

#[tokio::test]
async fn the_executable_of_host_json_is_found_in_the_package() {
    let mut world = World::new();
    let binary = world.root.path().join("handler");
    let this = std::env::current_exe().unwrap();
    if fs::hard_link(&this, &binary).is_err() {
        fs::copy(&this, &binary).unwrap();
    }
    world.host_json["customHandler"]["description"]["defaultExecutablePath"] = "%NAME%".into();
    let host = world.env("NAME", "handler").start_with(None).await.unwrap();
    assert!(host.pid().is_some());
}

#[tokio::test]
async fn a_function_whose_setting_is_missing_stands_still_and_harms_no_other() {
    let mut world = World::new();
    world.env.retain(|(name, _)| name != "SCHEDULE");
    let host = world.start().await;
    let [fault] = host.in_error() else { panic!("{:?}", host.in_error()) };
    assert!(
        fault.contains("Nightly") && fault.contains("'%SCHEDULE%' does not resolve to a value"),
        "{fault}"
    );
    assert!(!host.functions().is_empty() && !host.functions().contains(&"Nightly".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_played_is_refused() {
    let timer = |schedule: &str| json!({ "bindings": [{ "type": "timerTrigger", "name": "t", "schedule": schedule }] });
    for (function, part) in [
        (timer("every night"), "is not a schedule"),
        (json!({ "bindings": [] }), "exactly one input"),
        (json!({ "bindings": [{ "type": "blobTrigger", "name": "b" }] }), "is not played"),
        (
            json!({ "bindings": [{ "type": "queueTrigger", "name": "q", "queueName": "Not_Legal" }] }),
            "queue's name",
        ),
        (json!({ "bindings": [{ "type": "httpTrigger", "name": "req" }] }), "without an http output"),
    ] {
        let world = World::new();
        world.function("Wrong", &function);
        let fault = refusal(&world).await;
        assert!(fault.contains(part), "{fault}");
    }
    let mut world = World::new();
    world.host_json["extensions"]["queues"]["batchSize"] = 33.into();
    assert!(refusal(&world).await.contains("batchSize"));
    world.host_json["version"] = "1.0".into();
    assert!(refusal(&world).await.contains("version"));
}

#[tokio::test]
async fn a_disabled_function_does_not_run() {
    let world = World::new().env("AzureWebJobs.Nightly.Disabled", "true");
    let host = world.start().await;
    assert!(!host.fire("Nightly", Firing::at(NOW)).await.succeeded());
}
