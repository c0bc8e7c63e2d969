//! The HTTP API: what is backed up, how runs went, backups on request, restores.
//!
//! The host checks function keys and forwards requests unchanged, so this is an ordinary HTTP server below `/api`.
//! Answers are JSON, apart from pages and numbers for other readers. Times are RFC 3339 in UTC, spans are whole seconds, sizes are bytes. A backup's bytes are
//! never served. A second request for a backup is harmless, so only restores take idempotency keys.
//!
//! - Routes are here. What each takes and answers stands beside its handler, and [`openapi`] makes one document of it.
//! - [`who`] identifies the caller. Routes stand in groups, one for each right; a caller without the right is refused
//!   before anything else of the request is read.
//! - [`input`] decodes paths, queries and bodies, and names the field at fault.
//! - [`running`] adds to answers about jobs when to ask again.
//! - [`shapes`] holds everything that goes over the wire, problems included. Shapes stand below the handlers and apart
//!   from the stored formats, so that neither binds the other.
//! - The other modules hold the handlers: decode, call one use case, answer.

pub mod approvals;
pub mod backups;
pub mod drills;
pub mod evidence;
pub mod health;
pub mod input;
pub mod jobs;
pub mod openapi;
pub mod preflight;
pub mod restores;
pub mod running;
pub mod runs;
pub mod shapes;
pub mod start;
pub mod status;
pub mod who;

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, OriginalUri, Request, State},
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::get,
};
use strum::VariantArray as _;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    shapes::problem::{Cause, Problem, ProblemKind},
    who::{Right, Who},
};
use crate::{
    app::{App, SharedApp},
    domain::role::{Function, Role},
    preflight::recent::Recent,
    telemetry::Ids,
};

/// The largest body that is read, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The path that needs neither a right nor authentication.
const HEALTH: &str = "/api/status/health";

/// Deadline of a request, below the 230 seconds after which the platform's front end answers instead.
const DEADLINE: Duration = Duration::from_secs(200);

/// Everything below `/api`.
pub fn router(app: SharedApp) -> Router {
    let (routes, _) = routes().split_for_parts();
    let routes = routes.layer(Extension(Recent::default()));
    guarded(routes.with_state(Arc::clone(&app)), app)
}

/// Every route, with its description. Routes stand in groups, one for each right.
fn routes() -> OpenApiRouter<SharedApp> {
    let read = OpenApiRouter::default()
        .routes(routes!(backups::list))
        .routes(routes!(runs::list))
        .routes(routes!(runs::one))
        .routes(routes!(backups::history))
        .routes(routes!(status::status))
        .routes(routes!(status::metrics))
        .routes(routes!(status::page))
        // For browsers that sign in, and so no part of the description for programs. An app of the role page serves it alone.
        .route("/page", get(status::page))
        .routes(routes!(status::retention))
        .routes(routes!(drills::list))
        .routes(routes!(evidence::report))
        .routes(routes!(preflight::preflight))
        .routes(routes!(jobs::one));
    let write = OpenApiRouter::default().routes(routes!(start::start));
    let restore = OpenApiRouter::default()
        .routes(routes!(restores::list, restores::begin))
        .routes(routes!(restores::plan))
        .routes(routes!(restores::get, restores::abandon));
    let see_plan = OpenApiRouter::default().routes(routes!(approvals::get));
    let approve = OpenApiRouter::default().routes(routes!(approvals::approve));
    let open = OpenApiRouter::default().routes(routes!(health::health)).routes(routes!(openapi::serve));
    let needs = |routes: OpenApiRouter<_>, right| routes.route_layer(from_fn_with_state(right, who::require));
    open.merge(needs(read, Right::Read))
        .merge(needs(write, Right::Write))
        .merge(needs(restore, Right::Restore))
        .merge(needs(see_plan, Right::SeePlan))
        .merge(needs(approve, Right::Approve))
}

/// Adds the layers and fallbacks for every request. The layer that is added last sees a request first.
fn guarded(routes: Router, app: SharedApp) -> Router {
    routes
        .method_not_allowed_fallback(|| async {
            Problem::new(ProblemKind::MethodNotAllowed, "The path is served, but not with this method.")
        })
        .fallback(|| async { Problem::new(ProblemKind::UnknownPath, "This API has no such path.") })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(app, attend))
}

/// Identifies the caller, enforces the deadline, and logs one line.
async fn attend(
    State(app): State<SharedApp>,
    OriginalUri(uri): OriginalUri,
    mut request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().clone(), uri.path().chars().take(300).collect::<String>());
    let Ids { invocation, trace } = Ids::of(request.headers());
    let span = tracing::info_span!(
        "invocation",
        invocation.id = invocation,
        trace.id = trace,
        http.method = %method,
        http.path = %path
    );
    let answer = async move {
        let who = Who::of(request.headers(), &uri, app.platform_auth());
        let actor = who.actor().clone();
        request.extensions_mut().insert(who);
        let refused = closed(&app, uri.path()).or_else(|| wall(app.role(), uri.path()));
        let answer = match refused {
            Some(refused) => refused,
            None => tokio::time::timeout(DEADLINE, next.run(request)).await.unwrap_or_else(|_| late()),
        };
        let status = answer.status().as_u16();
        if let Some(Cause(cause)) = answer.extensions().get() {
            tracing::warn!(http.status = status, "{method} of {path} failed: {cause}");
        }
        tracing::info!(http.status = status, http.who = %actor, "{method} of {path} by {actor}: {status}");
        answer
    };
    let mut answer = answer.instrument(span).await;
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// The refusal of everything but health by an app that requires the platform's authentication where that is not on.
fn closed(app: &App, path: &str) -> Option<Response> {
    if !app.config().refuses_callers() || path == HEALTH {
        return None;
    }
    tracing::error!(
        event = "authentication.missing",
        "{path} is refused: KEYVAULT_BACKUP_AUTHENTICATION requires the platform's authentication, which is not on"
    );
    let detail = "The settings of this app require Microsoft Entra ID to check callers, and the platform's \
                  authentication is not on. Nothing but /api/status/health is answered.";
    Some(Problem::new(ProblemKind::AuthenticationMissing, detail).into_response())
}

/// The refusal of a path that an app of this role does not serve.
fn wall(role: Role, path: &str) -> Option<Response> {
    let function = Function::of_path(path).filter(|function| !role.serves(*function))?;
    let (role, roles) = (role.as_str(), Role::VARIANTS.iter().filter(|role| role.serves(function)));
    let roles = roles.map(|role| role.as_str()).collect::<Vec<_>>().join(" or ");
    tracing::error!(
        event = "role.refused",
        app.role = role,
        "An app of the role {role} does not serve {path}"
    );
    let detail = format!(
        "The role of this app is {role}; {} is served by apps of the role {roles}.",
        function.as_str()
    );
    Some(Problem::new(ProblemKind::OtherApp, detail).into_response())
}

fn late() -> Response {
    let detail = format!("The request took longer than {} seconds and was stopped.", DEADLINE.as_secs());
    Problem::new(ProblemKind::TookTooLong, detail).into_response()
}

/// Answers a panic without its text, which may hold anything. The panic hook logs the location.
fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response {
    Problem::new(
        ProblemKind::Defect,
        "Something in this program went wrong; how far the request came is unknown.",
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::header::CONTENT_TYPE,
        routing::post,
    };
    use serde::Deserialize;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::{input::JsonBody, *};
    use crate::config::{Config, Needs};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, expecting = "expected an object")]
    struct Order {
        vault: String,
    }

    async fn answer(body: impl Into<Body>) -> (u16, Value) {
        async fn handler(JsonBody(order): JsonBody<Order>) {
            assert!(order.vault != "panic", "hunter2");
        }
        let vaults = |name: &str| {
            (name == "KEYVAULT_BACKUP_VAULTS").then(|| "https://kv-a.vault.azure.net".to_owned())
        };
        let app = Arc::new(App::build(&Config::read(vaults, Needs::Vaults).unwrap()).unwrap());
        let routes = guarded(Router::new().route("/orders", post(handler)), app);
        let request = Request::post("/orders").header(CONTENT_TYPE, "application/json; charset=utf-8");
        let answer = routes.oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 4096).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn no_problem_repeats_a_panic_or_a_body() {
        let bodies = [
            (r#"{"vault":"panic"}"#, 500, "Something in this program"),
            (r#"{"vault":"a","hunter":2}"#, 400, "`hunter`: unknown field `hunter`, expected `vault`."),
            (r#"{"vault":2}"#, 400, "`vault`: expected a string."),
            (r"{}", 400, "missing field `vault`."),
            ("[]", 400, "expected"),
            ("{hunter2", 400, "It is not JSON: line 1, column 2."),
            (r#"{"vault":"a"} hunter2"#, 400, "There is something after"),
        ];
        for (body, status, detail) in bodies {
            let (found, problem) = answer(body).await;
            assert!(found == status && problem["detail"].as_str().unwrap().starts_with(detail), "{problem}");
            assert!(!problem.to_string().contains("hunter2"), "{problem}");
        }
        assert_eq!(answer(vec![b' '; BODY_LIMIT + 1]).await.0, 413);
    }
}
