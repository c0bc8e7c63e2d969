//! `/api/status/health`: whether the program runs and reaches its storage.

use axum::{Json, extract::State};

use super::{
    input::{Nothing, Parameters},
    shapes::{
        problem::{Problem, ProblemKind, Problems},
        status::Health,
    },
};
use crate::{
    app::SharedApp,
    clock::Clock,
    query::{
        health::{self, OutOfReach},
        passes,
    },
};

/// Checks that the program runs, that it reaches its two containers, and that jobs progress.
///
/// If a check fails, the answer is a problem that says which. Needs no app role.
#[utoipa::path(
    get,
    path = "/status/health",
    tag = "status",
    operation_id = "getHealth",
    responses((status = 200, description = "All checks pass", body = Health), Problems)
)]
pub async fn health(State(app): State<SharedApp>, _: Parameters<Nothing>) -> Result<Json<Health>, Problem> {
    let unwell = |detail| Problem::new(ProblemKind::ServiceUnavailable, detail);
    match health::health(&app, Clock::system().now()).await {
        health::Health::Well => Ok(Json(Health { status: "Healthy", version: env!("CARGO_PKG_VERSION") })),
        health::Health::StandsStill(last) => {
            Err(unwell(format!("The storage is within reach, but {}.", passes::words(last))))
        }
        health::Health::OutOfReach(OutOfReach { setting, error }) => {
            let code = error.as_ref().map(|error| error.failure().code);
            let why = code.as_deref().unwrap_or("it does not answer in time");
            let problem = unwell(format!("The container of the setting {setting} is out of reach: {why}."));
            Err(error.into_iter().fold(problem, |problem, error| problem.because(&error)))
        }
    }
}
