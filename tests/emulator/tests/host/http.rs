//! Keys, routes, forwarding and the mapping of responses. Acceptance item 7.

use std::time::Duration;

use keyvault_backup_emulator::host::{Host, HttpAnswer, Outcome};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::world::World;

/// A function with a second output is not forwarded.
fn with_plain_function() -> World {
    let world = World::new();
    world.function("Plain", &json!({ "bindings": [
        { "type": "httpTrigger", "direction": "in", "name": "req", "route": "plain/{vault}", "authLevel": "anonymous" },
        { "type": "http", "direction": "out", "name": "res" },
        { "type": "queue", "direction": "out", "name": "more", "queueName": "more", "connection": "C" },
    ] }));
    world
}

async fn plain(host: &Host, command: Value) -> HttpAnswer {
    host.http(
        "POST",
        "/api/plain/kv?dry=1&dry=2",
        &[("content-type", "application/json")],
        command.to_string(),
    )
    .await
}

#[tokio::test]
async fn a_request_is_forwarded_as_it_is() {
    let world = World::new();
    let host = world.start().await;
    let key = host.key("Api");
    let headers = [("x-functions-key", key.as_str()), ("X-Mine", "yes"), ("content-type", "text/odd")];
    let answer = host.http("POST", "/api/api/a/b%20c?x=1&y=%2F", &headers, "body").await;
    assert_eq!((answer.status, answer.header("x-forwarded-answer")), (418, Some("yes")));
    let seen = answer.json();
    assert_eq!(seen["uri"], "/api/api/a/b%20c?x=1&y=%2F");
    assert_eq!((&seen["method"], &seen["body"]), (&json!("POST"), &json!("body")));
    let headers: Vec<_> = seen["headers"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let invocation = host.invocations().pop().unwrap();
    for expected in [
        "x-mine: yes",
        "content-type: text/odd",
        "content-length: 4",
        &format!("x-functions-key: {key}"),
        &format!("x-azure-functions-invocationid: {}", invocation.id),
        "user-agent: Azure-Functions-Host/4.1052.200",
    ] {
        assert!(headers.contains(&expected), "{expected} in {headers:?}");
    }
    assert_eq!((invocation.outcome, invocation.status), (Outcome::Succeeded, Some(418)));
}

#[tokio::test]
async fn only_the_functions_own_key_or_the_master_key_opens_it() {
    let world = with_plain_function();
    let host = world.start().await;
    let (key, master, other) = (host.key("Api"), host.master_key(), host.key("Plain"));
    let get = |path: String, header: Option<String>| {
        let host = host.clone();
        async move {
            let header: Vec<_> = header.iter().map(|key| ("x-functions-key", key.as_str())).collect();
            host.http("GET", &path, &header, "").await.status
        }
    };
    let path = "/api/api/x".to_owned();
    assert_eq!(get(path.clone(), None).await, 401);
    assert_eq!(get(path.clone(), Some(other)).await, 401);
    assert_eq!(get(path.clone(), Some(master)).await, 418);
    assert_eq!(get(format!("{path}?code={key}"), None).await, 418);
    assert_eq!(get(format!("{path}?code={key}"), Some("wrong".into())).await, 401);
    assert_eq!(get(path, Some(key)).await, 418);
    assert_eq!(host.key("Nobody"), "");
}

#[tokio::test]
async fn only_routes_with_the_prefix_and_the_method_exist() {
    let world = with_plain_function().env("AzureWebJobs.Plain.Disabled", "true");
    let host = world.start().await;
    let key = host.key("Api");
    for (method, path, status) in [
        ("GET", "/api/api", 418),
        ("GET", "/API/Api/x", 418),
        ("DELETE", "/api/api/x", 404),
        ("GET", "/api/other", 404),
        ("GET", "/api", 404),
        ("GET", "/apiapi/x", 404),
        ("GET", "/api/api/../../Work", 404),
        ("GET", "/api/plain/kv", 404),
        ("POST", "/Work", 404),
        ("POST", "/Nightly", 404),
    ] {
        let answer = host.http(method, path, &[("x-functions-key", &key)], "").await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn a_call_that_is_not_forwarded_is_an_envelope() {
    let world = with_plain_function();
    let host = world.start().await;
    let res =
        json!({ "statusCode": 202, "body": "{\"a\":1}", "headers": { "Content-Type": "application/json" } });
    let command =
        json!({ "do": "answer", "with": { "Outputs": { "res": res, "more": ["m"] } }, "version": "v1" });
    let answer = plain(&host, command.clone()).await;
    assert_eq!((answer.status, answer.json()), (202, json!({ "a": 1 })));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(world.queues.texts("more"), ["m"]);
    let request = host.invocations().pop().unwrap().request;
    let req = &request["Data"]["req"];
    assert_eq!(req["Body"], command.to_string());
    assert_eq!((&req["Query"], &req["Params"]), (&json!({ "dry": "1,2" }), &json!({ "vault": "kv" })));
    assert_eq!(req["Headers"]["content-type"], json!(["application/json"]));
    assert_eq!(req["Url"], "http://localhost/api/plain/kv?dry=1&dry=2");
    assert_eq!(request["Metadata"]["vault"], "\"kv\"");
    assert_eq!(request["Metadata"]["version"], "\"v1\"");
}

#[tokio::test]
async fn the_hosts_own_answers_are_bare() {
    let world = with_plain_function().timeout(Duration::from_millis(500));
    let host = world.start().await;
    let nothing = plain(&host, json!({ "do": "object" })).await;
    assert_eq!((nothing.status, nothing.text()), (200, "{}".to_owned()));
    for what in ["fail", "text", "null"] {
        let failed = plain(&host, json!({ "do": what })).await;
        assert_eq!((failed.status, failed.text()), (500, String::new()), "{what}");
    }
}

#[tokio::test]
async fn the_front_door_is_a_socket() {
    let world = World::new();
    let host = world.start().await;
    let address = host.listen(0).await.unwrap();
    let key = host.key("Api");
    let send = |rest: &'static str| {
        let head =
            format!("POST /api/api/x?code={key} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{rest}");
        async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            answer
        }
    };
    let sized = send("Content-Length: 4\r\n\r\nbody").await;
    assert!(sized.starts_with("HTTP/1.1 418") && sized.contains(r#""body":"body""#), "{sized}");
    assert!(sized.contains(&format!("host: {address}")), "{sized}");
    let chunked = send("Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n").await;
    assert!(chunked.starts_with("HTTP/1.1 418") && chunked.contains(r#""body":"""#), "{chunked}");
}
