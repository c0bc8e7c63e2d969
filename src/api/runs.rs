//! `/api/backups/runs`: how runs went.

use axum::{Json, extract::State as AxumState, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    input::{Parameters, Segments, known},
    running,
    shapes::{
        field::{Limit, Moment, optional},
        named::Named,
        page::{RunToken, Token},
        problem::{Problem, ProblemKind, Problems},
        run::{RunDetail, Runs},
        state::State,
    },
};
use crate::{
    app::SharedApp,
    clock::Clock,
    domain::run::RunId,
    query::{
        listed::{self, Wanted},
        sources,
    },
};

/// Which runs, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RunsQuery {
    /// Only runs of this source, by its name or its URL.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$", example = "kv-prod")]
    source: Option<Named>,
    /// Only runs in this state.
    #[serde(default)]
    #[param(inline, nullable = false)]
    state: Option<State>,
    /// Only runs that began at this time or later.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, format = DateTime, example = "2026-11-22T00:00:00Z")]
    since: Option<Moment>,
    /// The maximum number of runs.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<u32>, nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<Limit>,
    /// The value of `continue` in the previous answer: returns the runs after those. Keep the filters unchanged.
    #[serde(default, rename = "continue", deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^1~[0-9]{1,19}~[A-Za-z][A-Za-z0-9-]{2,23}~(hsm|objects)~[0-9TZa-z-]{1,60}$")]
    after: Option<RunToken>,
}

/// Runs, open and ended, newest first.
///
/// In pages. A run of several sources is listed once for each of them.
#[utoipa::path(
    get,
    path = "/backups/runs",
    tag = "backups",
    operation_id = "listRuns",
    params(RunsQuery),
    responses((status = 200, description = "One page, and where the next one begins", body = Runs), Problems)
)]
pub async fn list(
    AxumState(app): AxumState<SharedApp>,
    Parameters(query): Parameters<RunsQuery>,
) -> Result<Json<Runs>, Problem> {
    let wanted = Wanted {
        source: query.source.as_ref().map(|named| known(&app, named)).transpose()?,
        state: query.state.map(Into::into),
        since: query.since.map(|Moment(since)| since),
    };
    let (Limit(limit), after) =
        (query.limit.unwrap_or(Limit::DEFAULT), query.after.map(|RunToken(mark)| mark));
    let page = listed::page(&app, &wanted, after.as_ref(), limit).await?;
    Ok(Json(Runs {
        runs: page.runs.into_iter().map(Into::into).collect(),
        after: page.next.map(|mark| RunToken(mark).text()),
    }))
}

/// The part of a run's objects to return.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RunQuery {
    /// The maximum number of objects, of all sources together.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<u32>, nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<Limit>,
    /// The value of `continue` in the previous answer: returns the objects after those.
    #[serde(default, rename = "continue", deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^1~[A-Za-z][A-Za-z0-9-]{2,23}~(certificate|key|secret)~[A-Za-z0-9-]{1,127}$")]
    after: Option<Token>,
}

/// A run in every source that has it.
///
/// Its numbers, how it ended, and what failed, in the service's words; the objects in pages. While it runs, its progress.
#[utoipa::path(
    get,
    path = "/backups/runs/{id}",
    tag = "backups",
    operation_id = "getRun",
    params(("id" = String, Path, description = "The run's name", example = "20261122T020000Z-nightly"), RunQuery),
    responses((status = 200, description = "The run in every source that has it", body = RunDetail, headers(
        ("Retry-After" = u32, description = "When to query it again, in seconds, while it runs"),
    )), Problems)
)]
pub async fn one(
    AxumState(app): AxumState<SharedApp>,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<RunQuery>,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(ProblemKind::NotFound, "No configured source has a run of that name.");
    let run: RunId = id.parse().map_err(|_| unknown())?;
    let reports = sources::reports(&app, &run).await?;
    if reports.is_empty() {
        return Err(unknown());
    }
    let (Limit(limit), after) = (query.limit.unwrap_or(Limit::DEFAULT), query.after.map(|Token(mark)| mark));
    let detail = RunDetail::new(&run, reports, after.as_ref(), limit);
    let wait = detail.wait(Clock::system().now());
    Ok(running::state(detail, wait))
}
