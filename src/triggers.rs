//! The custom handler that the Functions host calls.
//!
//! The host starts this program with a port in `FUNCTIONS_CUSTOMHANDLER_PORT`, waits until `GET /` is
//! answered, and sends each invocation as `POST /FUNCTION` with an envelope. If an answer is empty, the host
//! waits for its own time-out, then kills the process and everything in flight. It drops the body of anything
//! but a 2xx, and ends the process with SIGKILL. So every answer is a JSON object, every invocation has a
//! deadline below the host's, a panic costs one invocation, and nothing relies on an orderly end.

pub mod envelope;
pub mod functions;

use std::{any::Any, future::Future, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::json;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use self::{envelope::Invocation, functions::Function};
use crate::{api, app::App, attempt::TRY_WITHIN, telemetry::Ids};

/// The largest envelope that is read. A queue message has up to 64 KiB, and its envelope holds it twice.
const ENVELOPE_LIMIT: usize = 2 * 1024 * 1024;

/// The time limit of long functions, below `functionTimeout` in host.json, at which the host kills this process.
pub const LONG_DEADLINE: Duration = Duration::from_secs(25 * 60);

/// The time limit of functions for one object: a minute more than one attempt, to record that the last one took longer.
pub const OBJECT_DEADLINE: Duration = TRY_WITHIN.saturating_add(Duration::from_secs(60));

/// Deliveries of a queue message; `maxDequeueCount` in host.json.
pub const MAX_DELIVERIES: u32 = 5;

/// Answers the host on `listener` until `stop` is ready, and then what is in flight.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(app)).with_graceful_shutdown(stop).await
}

fn router(app: Arc<App>) -> Router {
    let api = api::router(Arc::clone(&app));
    let routes = Router::new().route("/{function}", post(invoke)).with_state(app);
    guarded(routes.route("/", get(|| async { Json(json!({})) })).nest("/api", api))
}

/// Adds the layers that every answer passes.
fn guarded(routes: Router) -> Router {
    routes
        .fallback(|| async { failed(StatusCode::NOT_FOUND, "no such function") })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(DefaultBodyLimit::max(ENVELOPE_LIMIT))
}

async fn invoke(
    State(app): State<Arc<App>>,
    Path(function): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let Ok(function) = function.parse::<Function>() else {
        return failed(StatusCode::NOT_FOUND, "no such function");
    };
    let Ids { invocation, trace } = Ids::of(&headers);
    let span = tracing::info_span!(
        "invocation",
        invocation.id = invocation,
        trace.id = trace,
        invocation.function = function.as_str()
    );
    let answer = async {
        let body = body.map_err(|rejection| format!("the envelope cannot be read: {rejection}"))?;
        let invocation = Invocation::read(&body).map_err(|error| error.to_string())?;
        functions::run(&app, function, &invocation).await.map_err(|error| error.to_string())
    };
    async move {
        match answer.await {
            Ok(log) => succeeded(&log),
            Err(text) => {
                tracing::error!("{} failed: {text}", function.as_str());
                failed(StatusCode::INTERNAL_SERVER_ERROR, &text)
            }
        }
    }
    .instrument(span)
    .await
}

fn succeeded(log: &str) -> Response {
    Json(json!({ "Outputs": {}, "Logs": [log], "ReturnValue": null })).into_response()
}

fn failed(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "Outputs": {}, "Logs": [text], "ReturnValue": null }))).into_response()
}

/// The answer of an invocation that panicked. Leaves out the panic's text, which may hold anything; the hook logs its
/// location.
fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response {
    failed(StatusCode::INTERNAL_SERVER_ERROR, "a defect in this program; see the log")
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_costs_one_invocation_and_says_nothing_of_what_it_held() {
        async fn panics() {
            panic!("hunter2");
        }
        let routes = Router::new().route("/panics", get(panics));
        let request = Request::get("/panics").body(Body::empty()).unwrap();
        let answer = guarded(routes).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(answer.into_body(), 1024).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert!(body["Outputs"].is_object() && !body.to_string().contains("hunter2"), "{body}");
    }
}
