//! What the host is told and what the program expects are one thing.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use keyvault_backup::{
    config::{RESTORE_QUEUE, WORK_QUEUE},
    domain::job::STALLED_AFTER,
    triggers::{LONG_DEADLINE, MAX_DELIVERIES, OBJECT_DEADLINE, functions::Function},
};
use serde_json::Value;
use strum::VariantArray as _;

fn read(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_str(&fs::read_to_string(path).expect("the file is there")).expect("it is JSON")
}

fn binding(function: Function) -> Value {
    read(&format!("functions/{}/function.json", function.as_str()))["bindings"][0].take()
}

/// `hh:mm:ss`, as host.json writes spans of time.
fn span(value: &Value) -> Duration {
    let parts = value.as_str().expect("a span").split(':').map(|part| part.parse::<u64>().expect("a number"));
    Duration::from_secs(parts.fold(0, |total, part| total * 60 + part))
}

#[test]
fn every_folder_is_a_function_and_every_function_has_a_folder() {
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("functions")).expect("functions/");
    let folders: BTreeSet<_> =
        folders.map(|entry| entry.expect("a folder").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(folders, Function::VARIANTS.iter().map(|function| function.as_str().to_owned()).collect());
}

#[test]
fn bindings_have_the_names_that_the_program_reads() {
    assert_eq!(binding(Function::NightlyVaultBackup)["name"], "timer");
    assert_eq!(binding(Function::NightlyHsmBackup)["name"], "timer");
    assert_eq!(binding(Function::AdvanceJobs)["name"], "timer");
    for (function, name) in [(Function::BackUpObject, WORK_QUEUE), (Function::RestoreObject, RESTORE_QUEUE)] {
        let queue = binding(function);
        assert_eq!((&queue["name"], &queue["queueName"]), (&"message".into(), &name.into()));
        assert_eq!(queue["connection"], "KEYVAULT_BACKUP_QUEUE", "its __queueServiceUri is read by both");
    }
}

#[test]
fn http_functions_have_a_key_each_and_are_forwarded() {
    assert_eq!(read("host.json")["customHandler"]["enableForwardingHttpRequest"], true);
    for (function, route) in [
        (Function::Backups, "backups/{*path}"),
        (Function::Restores, "restores/{*path}"),
        (Function::Status, "status/{*path}"),
    ] {
        let bindings = read(&format!("functions/{}/function.json", function.as_str()))["bindings"].take();
        let kinds = [&bindings[0]["type"], &bindings[1]["type"], &bindings[2]];
        assert_eq!(kinds, [&"httpTrigger".into(), &"http".into(), &Value::Null], "or nothing is forwarded");
        assert_eq!((&bindings[0]["authLevel"], &bindings[0]["route"]), (&"function".into(), &route.into()));
    }
}

#[test]
fn one_function_needs_no_key_and_it_is_the_page_that_people_sign_in_for() {
    for function in Function::VARIANTS {
        let binding = binding(*function);
        assert_eq!(binding["authLevel"] == "anonymous", *function == Function::Page, "{binding}");
    }
    let page = binding(Function::Page);
    assert_eq!((&page["route"], &page["methods"]), (&"page".into(), &serde_json::json!(["get"])));
}

#[test]
fn deadlines_lie_below_the_hosts() {
    let host = read("host.json");
    let timeout = span(&host["functionTimeout"]);
    assert!(LONG_DEADLINE + Duration::from_secs(60) < timeout && OBJECT_DEADLINE < timeout);
}

#[test]
fn the_queue_is_read_as_it_is_written() {
    let queues = &read("host.json")["extensions"]["queues"];
    assert_eq!(queues["messageEncoding"], "base64");
    assert_eq!(queues["maxDequeueCount"], MAX_DELIVERIES);
    let idle = span(&queues["maxPollingInterval"]);
    assert!(idle <= Duration::from_secs(5), "a caller waits for the listener: docs/cost.md counts the polls");
    let waits = span(&queues["visibilityTimeout"]) * (MAX_DELIVERIES - 1);
    assert!(
        waits < STALLED_AFTER.unsigned_abs(),
        "a message that fails at once is not sent again while it is delivered"
    );
}

#[test]
fn the_route_prefix_is_never_empty() {
    let http = &read("host.json")["extensions"]["http"];
    assert_eq!(http["routePrefix"], "api", "an empty one would let a caller forge a trigger");
}
