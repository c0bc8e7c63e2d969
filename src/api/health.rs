//! `/api/status/health`: does the program run, and reach what it needs?

use std::time::Duration;

use axum::{Json, extract::State};

use super::{
    input::{Nothing, Parameters},
    shapes::{
        problem::{Problem, ProblemKind, Problems},
        status::Health,
    },
};
use crate::{app::SharedApp, clock::Clock, domain::role::Role, error::Result, query::passes};

/// How long storage has to answer before it counts as out of reach.
const REACH_WITHIN: Duration = Duration::from_secs(8);

/// Whether the program runs, reaches its two containers, and moves jobs on; if not, the problem says which. Needs no app
/// role.
#[utoipa::path(
    get,
    path = "/status/health",
    tag = "status",
    operation_id = "getHealth",
    responses((status = 200, description = "It is well", body = Health), Problems)
)]
pub async fn health(State(app): State<SharedApp>, _: Parameters<Nothing>) -> Result<Json<Health>, Problem> {
    let catalogue = reach("KEYVAULT_BACKUP_CONTAINER", async { app.catalogue()?.reach().await });
    let jobs = reach("KEYVAULT_BACKUP_JOBS_CONTAINER", passes::passes(&app, Clock::system().now()));
    let ((), passes) = futures::try_join!(catalogue, jobs)?;
    if passes.stands_still && app.role() != Role::Restore {
        let detail = format!("The storage is within reach, and {}.", passes::words(passes.last));
        return Err(Problem::new(ProblemKind::ServiceUnavailable, detail));
    }
    Ok(Json(Health { status: "Healthy", version: env!("CARGO_PKG_VERSION") }))
}

async fn reach<T>(setting: &str, request: impl Future<Output = Result<T>>) -> Result<T, Problem> {
    let unwell = |why: &str| {
        let detail = format!("The container of the setting {setting} is out of reach: {why}.");
        Problem::new(ProblemKind::ServiceUnavailable, detail)
    };
    match tokio::time::timeout(REACH_WITHIN, request).await {
        Ok(Ok(reached)) => Ok(reached),
        Ok(Err(error)) => Err(unwell(&error.failure().code).because(&error)),
        Err(_) => Err(unwell("it does not answer in time")),
    }
}
