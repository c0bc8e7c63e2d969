//! The scripted custom handler. It does what the message (or, for a timer, its environment) says.

use std::{
    io::Write,
    net::Ipv4Addr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::sleep};

/// Set in the environment of every handler: what it is to do at its start and when a timer fires.
pub(crate) const SCRIPT: &str = "TEST_HANDLER_SCRIPT";

static IN_FLIGHT: AtomicU64 = AtomicU64::new(0);

#[expect(clippy::disallowed_methods, reason = "a handler is told its port in the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Not a test but the handler's `main`.
#[test]
#[ignore = "the program that the host starts; tests name it"]
fn handler_main() {
    let script = variable(SCRIPT).expect("the host says what to do");
    match script.as_str() {
        "exit at once" => std::process::exit(3),
        "exit 0 at once" => std::process::exit(0),
        "silent" => std::thread::sleep(Duration::from_secs(20)),
        _ => serve(script.strip_prefix("slow").map_or(Duration::ZERO, |_| Duration::from_millis(300))),
    }
}

fn serve(delay: Duration) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        sleep(delay).await;
        let port = variable("FUNCTIONS_CUSTOMHANDLER_PORT").unwrap().parse::<u16>().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        // No handler outlives its test by more than this.
        let end = sleep(Duration::from_secs(120));
        let router = Router::new().fallback(answer);
        axum::serve(listener, router).with_graceful_shutdown(end).await.unwrap();
    });
}

async fn answer(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = head.uri.path().to_owned();
    let headers: Vec<_> =
        head.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    let seen = json!({
        "method": head.method.as_str(), "uri": head.uri.to_string(), "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    if path == "/" {
        return (StatusCode::NOT_FOUND, "any answer will do").into_response();
    }
    if path.to_ascii_lowercase().starts_with("/api/") {
        return (StatusCode::IM_A_TEAPOT, [("x-forwarded-answer", "yes")], seen.to_string()).into_response();
    }
    let envelope: Value = serde_json::from_slice(&body).unwrap();
    act(&command(&path, &envelope), &envelope, seen).await
}

/// A queue message names its command in `do`, an HTTP body likewise; a timer does what the environment says.
fn command(path: &str, envelope: &Value) -> Value {
    let data = &envelope["Data"];
    let text = match path {
        "/Work" => serde_json::from_str::<String>(data["message"].as_str().unwrap()).unwrap(),
        "/Plain" => data["req"]["Body"].as_str().unwrap_or("{}").to_owned(),
        _ => json!({ "do": variable(SCRIPT) }).to_string(),
    };
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

async fn act(command: &Value, envelope: &Value, seen: Value) -> Response {
    match command["do"].as_str().unwrap_or_default() {
        "fail" => (StatusCode::INTERNAL_SERVER_ERROR, "no").into_response(),
        "text" => (StatusCode::OK, "{}").into_response(),
        "bad json" => reply("{\"Outputs\":"),
        "list" => reply("[]"),
        "odd outputs" => reply("{\"Outputs\":[]}"),
        "odd logs" => reply("{\"Logs\":[{}]}"),
        "object" => reply("{}"),
        "empty" => reply(""),
        "null" => reply(" null"),
        "hang" => {
            sleep(Duration::from_secs(60)).await;
            reply("{}")
        }
        "slow" => {
            let most = IN_FLIGHT.fetch_add(1, Ordering::SeqCst) + 1;
            sleep(Duration::from_millis(150)).await;
            IN_FLIGHT.fetch_sub(1, Ordering::SeqCst);
            reply(&json!({ "Outputs": { "most": most } }).to_string())
        }
        "fail first" if envelope["Metadata"]["DequeueCount"] == "1" => {
            StatusCode::BAD_GATEWAY.into_response()
        }
        "fail first firing" if envelope["Metadata"].get("RetryContext").is_none() => {
            StatusCode::BAD_GATEWAY.into_response()
        }
        "exit" => std::process::exit(i32::try_from(command["code"].as_i64().unwrap()).unwrap()),
        "print" => {
            print(command["line"].as_str().unwrap(), command["on"] == "stderr");
            reply("{}")
        }
        "environment" => reply(&json!({ "Outputs": { "seen": environment() } }).to_string()),
        "answer" => reply(&command["with"].to_string()),
        _ => reply(&json!({ "outputs": { "seen": seen }, "logs": ["done"], "Other": 1 }).to_string()),
    }
}

fn reply(body: &str) -> Response {
    Response::builder()
        .header("content-type", "application/json; charset=utf-8")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

/// Not `println!`: the test harness of this executable would capture it.
fn print(line: &str, stderr: bool) {
    let mut bytes = line.as_bytes().to_vec();
    bytes.push(b'\n');
    if stderr { std::io::stderr().write_all(&bytes) } else { std::io::stdout().write_all(&bytes) }.unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the test compares the handler's whole environment")]
fn environment() -> Value {
    let here = std::env::current_dir().unwrap();
    json!({ "variables": std::env::vars().collect::<std::collections::BTreeMap<_, _>>(), "directory": here })
}
