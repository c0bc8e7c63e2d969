//! `/api/backups/runs`: how runs went.

use axum::{Json, extract::State, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    input::{Nothing, Parameters, Segments, configured},
    running,
    shapes::{
        field::{Limit, optional},
        problem::{Problem, ProblemKind, Problems},
        run::{RunDetail, Runs},
    },
};
use crate::{
    app::SharedApp,
    clock::Clock,
    domain::{run::RunId, source::SourceName},
    query::sources,
};

/// Which runs, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RunsQuery {
    /// Only runs of this source.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$", example = "kv-prod")]
    source: Option<SourceName>,
    /// The maximum number of runs.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<u32>, nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<Limit>,
}

/// Runs, open and ended, newest first.
///
/// A run of several sources is listed once for each of them.
#[utoipa::path(
    get,
    path = "/backups/runs",
    tag = "backups",
    operation_id = "listRuns",
    params(RunsQuery),
    responses((status = 200, description = "The newest runs", body = Runs), Problems)
)]
pub async fn list(
    State(app): State<SharedApp>,
    Parameters(query): Parameters<RunsQuery>,
) -> Result<Json<Runs>, Problem> {
    if let Some(name) = &query.source {
        configured(&app, name)?;
    }
    let Limit(limit) = query.limit.unwrap_or(Limit::DEFAULT);
    let runs = sources::newest(&app, query.source.as_ref(), limit).await?;
    Ok(Json(Runs { runs: runs.into_iter().map(Into::into).collect() }))
}

/// A run in every source that has it.
///
/// Its numbers, how it ended, and what failed, in the service's words. While it runs, its progress.
#[utoipa::path(
    get,
    path = "/backups/runs/{id}",
    tag = "backups",
    operation_id = "getRun",
    params(("id" = String, Path, description = "The run's name", example = "20261122T020000Z-nightly")),
    responses((status = 200, description = "The run in every source that has it", body = RunDetail, headers(
        ("Retry-After" = u32, description = "When to query it again, in seconds, while it runs"),
    )), Problems)
)]
pub async fn one(
    State(app): State<SharedApp>,
    Segments(id): Segments<String>,
    _: Parameters<Nothing>,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(ProblemKind::NotFound, "No configured source has a run of that name.");
    let run: RunId = id.parse().map_err(|_| unknown())?;
    let sources = sources::reports(&app, &run).await?;
    if sources.is_empty() {
        return Err(unknown());
    }
    let detail = RunDetail { run: run.to_string(), sources: sources.into_iter().map(Into::into).collect() };
    let wait = detail.wait(Clock::system().now());
    Ok(running::state(detail, wait))
}
