//! `/api/status/jobs`: one job, by its name.

use axum::{Json, extract::State};

use super::{
    input::{Nothing, Parameters, Segments},
    shapes::{
        job::{Job, parse_job_id},
        problem::{Problem, ProblemKind, Problems},
    },
};
use crate::{app::SharedApp, query::jobs};

/// A job, running or ended.
#[utoipa::path(
    get,
    path = "/status/jobs/{id}",
    tag = "status",
    operation_id = "getJob",
    params(("id" = String, Path, description = "The job's name", example = "kv-prod_20261122T020000Z-nightly")),
    responses((status = 200, description = "The job", body = Job), Problems)
)]
pub async fn one(
    State(app): State<SharedApp>,
    Segments(id): Segments<String>,
    _: Parameters<Nothing>,
) -> Result<Json<Job>, Problem> {
    let unknown = || Problem::new(ProblemKind::NotFound, "There is no job of that name.");
    let id = parse_job_id(&id).ok_or_else(unknown)?;
    jobs::one(&app, id).await?.map(|job| Json(job.into())).ok_or_else(unknown)
}
