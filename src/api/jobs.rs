//! `/api/status/jobs`: one job, by its name.

use axum::{Json, extract::State};

use super::{
    input::{Nothing, Parameters, Segments},
    shapes::{
        job::{BackupJob, Job, JobId},
        problem::{Problem, ProblemKind, Problems},
        run::RunInSource,
    },
};
use crate::{
    app::{App, SharedApp},
    domain::{hsm::HsmName, object::VaultName, restore::RestoreId, run::RunId},
    query::{hsms, runs},
};

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
    let found = match id.parse() {
        Ok(JobId::Backup(vault, run)) => backup(&app, &vault, &run).await?,
        Ok(JobId::Restore(id)) => restore(&app, &id).await?,
        Err(()) => None,
    };
    found.map(Json).ok_or_else(|| Problem::new(ProblemKind::NotFound, "There is no job of that name."))
}

async fn restore(app: &App, id: &RestoreId) -> Result<Option<Job>, Problem> {
    if let Some(stored) = app.jobs()?.restore(id).await? {
        return Ok(Some(Job::Restore(Box::new(stored.job.into()))));
    }
    let job = app.jobs()?.hsm_restore(id).await?;
    Ok(job.map(|job| Job::HsmRestore(Box::new((&job).into()))))
}

async fn backup(app: &App, vault: &VaultName, run: &RunId) -> Result<Option<Job>, Problem> {
    if app.vault(vault).is_err() {
        return Ok(None);
    }
    let open = app.jobs()?.backup_run(vault, run).await?.map(|stored| stored.job);
    let report = runs::report(app, vault, run, open.as_ref(), runs::is_trouble).await?;
    let job = |report: RunInSource| BackupJob::new(vault, run, report);
    if let Some(report) = report {
        return Ok(Some(Job::Backup(Box::new(job(report.into())))));
    }
    let of_hsm = hsms::one(app, &HsmName::from(vault.clone()), run).await?;
    Ok(of_hsm.map(|run| Job::Backup(Box::new(job((&run).into())))))
}
