//! The request on the wire, and how an answer is judged. Acceptance items 2, 3, 4, 6.

use std::time::Duration;

use keyvault_backup_emulator::host::Outcome;
use serde_json::{Value, json};

use crate::world::{World, command};

#[tokio::test]
async fn the_post_is_chunked_and_has_the_headers_of_the_host_and_of_its_trace() {
    let world = World::new();
    let host = world.start().await;
    let invocation = command(&host, json!({})).await;
    let seen = &invocation.outputs["seen"];
    assert_eq!((&seen["method"], &seen["uri"]), (&json!("POST"), &json!("/Work")));
    let headers: Vec<&str> = seen["headers"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for expected in [
        "transfer-encoding: chunked",
        "content-type: application/json; charset=utf-8",
        "x-azure-functions-hostversion: 4.1052.200",
        "user-agent: Azure-Functions-Host/4.1052.200",
        &format!("x-azure-functions-invocationid: {}", invocation.id),
        &format!("traceparent: 00-{}-d3f54c84c7034d76-00", invocation.id.replace('-', "")),
    ] {
        assert!(headers.contains(&expected), "{expected} in {headers:?}");
    }
    assert!(!headers.iter().any(|header| header.starts_with("content-length")), "{headers:?}");
}

#[tokio::test]
async fn a_message_needs_three_parses() {
    let world = World::new();
    let host = world.start().await;
    let message = r#"{"vault":"kv-prod","id":"mine"}"#;
    let invocation = host.deliver("Work", message, 4).await;
    let body = invocation.outputs["seen"]["body"].as_str().unwrap();
    assert!(
        body.contains(r#""message":"\"{\\\"vault\\\":\\\"kv-prod\\\",\\\"id\\\":\\\"mine\\\"}\"""#),
        "{body}"
    );
    let envelope: Value = serde_json::from_str(body).unwrap();
    assert_eq!(envelope, invocation.request);
    assert_eq!(envelope["Metadata"]["DequeueCount"], "4");
    assert_eq!(envelope["Metadata"]["Id"], "\"mine\"");
    assert_eq!(envelope["Metadata"]["ExpirationTime"], "9999-12-31T23:59:59+00:00");
    assert_eq!(envelope["Metadata"]["sys"]["MethodName"], "Work");
}

#[tokio::test]
async fn an_answer_must_be_2xx_json() {
    let world = World::new();
    let host = world.start().await;
    for (what, reason) in [
        ("fail", "does not indicate success: 500"),
        ("text", "UnsupportedMediaType"),
        ("bad json", "Invalid JSON"),
        ("list", "not a JSON object"),
        ("odd outputs", "Outputs is not an object"),
        ("odd logs", "Logs holds"),
    ] {
        let invocation = command(&host, json!({ "do": what })).await;
        let Outcome::Failed(why) = &invocation.outcome else { panic!("{what}: {invocation:?}") };
        assert!(why.contains(reason), "{what}: {why}");
    }
    assert!(command(&host, json!({ "do": "object" })).await.succeeded());
    let usual = command(&host, json!({})).await;
    assert_eq!((usual.status, usual.logs), (Some(200), vec!["done".to_owned()]));
    assert_eq!(host.invocations().len(), 8);
}

#[tokio::test]
async fn an_empty_or_null_answer_hangs_until_the_time_out() {
    let world = World::new().timeout(Duration::from_millis(500));
    let host = world.start().await;
    for what in ["empty", "null"] {
        let pid = host.pid();
        let invocation = command(&host, json!({ "do": what })).await;
        assert_eq!((invocation.outcome, invocation.status), (Outcome::TimedOut, Some(200)), "{what}");
        assert!(invocation.duration >= Duration::from_millis(500));
        assert!(command(&host, json!({})).await.succeeded());
        assert_ne!(host.pid(), pid);
    }
}

#[tokio::test]
async fn outputs_fan_out_into_the_queue_of_their_binding() {
    let world = World::new();
    let host = world.start().await;
    let with = json!({ "Outputs": { "MORE": [{ "a": 1 }, "text"], "unknown": 1 } });
    assert!(command(&host, json!({ "do": "answer", "with": with })).await.succeeded());
    let with = json!({ "Outputs": { "more": "eHl6" } });
    assert!(command(&host, json!({ "do": "answer", "with": with })).await.succeeded());
    assert_eq!(world.queues.texts("more"), ["{\n  \"a\": 1\n}", "text", "xyz"]);
}

#[tokio::test]
async fn a_function_that_does_not_exist_fails() {
    let world = World::new();
    let host = world.start().await;
    assert!(!host.deliver("Nobody", "{}", 1).await.succeeded());
    assert!(!host.deliver("Nightly", "{}", 1).await.succeeded());
}
