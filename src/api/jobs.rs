//! `/api/status/jobs`: one job, by its name.

use axum::{extract::State, response::Response};

use super::{
    input::{Parameters, Segments},
    restores::ObjectsQuery,
    running,
    shapes::{
        job::{Job, parse_job_id},
        problem::{Problem, ProblemKind, Problems},
    },
};
use crate::{
    app::SharedApp,
    clock::Clock,
    query::{jobs, restores::Restore},
    restore::follow,
};

/// A job, running or ended.
///
/// A run in one source, or a restore, by the name that the request which began it was answered with. The objects of a run
/// and the keys of a restore come in pages.
#[utoipa::path(
    get,
    path = "/status/jobs/{id}",
    tag = "status",
    operation_id = "getJob",
    params(("id" = String, Path, description = "The job's name", example = "kv-prod_20261122T020000Z-nightly"), ObjectsQuery),
    responses((status = 200, description = "The job", body = Job, headers(
        ("Retry-After" = u32, description = "When to query it again, in seconds, while it runs"),
    )), Problems)
)]
pub async fn one(
    State(app): State<SharedApp>,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<ObjectsQuery>,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(ProblemKind::NotFound, "There is no job of that name.");
    let id = parse_job_id(&id).ok_or_else(unknown)?;
    let job = jobs::one(&app, id).await?.ok_or_else(unknown)?;
    let failures = match &job {
        jobs::Job::Restore(Restore::Vault(restore)) => follow::failures(&app, restore).await?,
        jobs::Job::Restore(Restore::Hsm(_)) | jobs::Job::Backup(..) => Vec::new(),
    };
    let (after, limit) = query.page();
    let job = Job::new(job, failures, after.as_ref(), limit);
    let wait = job.wait(Clock::system().now());
    Ok(running::state(job, wait))
}
