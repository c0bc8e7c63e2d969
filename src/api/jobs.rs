//! `/api/status/jobs`: one job, by its name.

use std::str::FromStr;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    input::{Nothing, Parameters, Segments},
    openapi::Problems,
    problem::{Problem, ProblemKind},
    restores::{hsm_shapes::HsmRestoreReport, shapes::Restore},
    runs::{Links, RunInSource},
    shapes::job_id,
};
use crate::{
    app::{App, SharedApp},
    domain::{hsm::HsmName, object::VaultName, restore::RestoreId, run::RunId},
    query::{hsms, runs},
};

/// The name of a job. Each kind of job has a form of its own.
enum JobId {
    /// A run in one vault or HSM: `NAME_RUN`.
    Backup(VaultName, RunId),
    /// A restore: its own name.
    Restore(RestoreId),
}

impl FromStr for JobId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let Some((vault, run)) = text.split_once('_') else {
            return text.parse().map(Self::Restore).map_err(drop);
        };
        Ok(Self::Backup(vault.parse().map_err(drop)?, run.parse().map_err(drop)?))
    }
}

/// A job. `type` says which kind of job it is, and so which fields there are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Job {
    /// A run in one source.
    Backup(Box<BackupJob>),
    /// A restore into a vault.
    Restore(Box<Restore>),
    /// A restore into a Managed HSM.
    HsmRestore(Box<HsmRestoreReport>),
}

/// A run in one source, as a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BackupJob)]
pub struct BackupJob {
    /// The job's name.
    #[schema(example = "kv-prod_20261122T020000Z-nightly")]
    job: String,
    /// Where to look.
    links: Links,
    /// The run in that source.
    #[serde(flatten)]
    run: RunInSource,
}

/// A job, running or ended.
#[utoipa::path(
    get,
    path = "/api/status/jobs/{id}",
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
    let job = |report: RunInSource| BackupJob {
        job: job_id(vault, run),
        links: Links::new(vault, run),
        run: report,
    };
    if let Some(report) = report {
        return Ok(Some(Job::Backup(Box::new(job(report.into())))));
    }
    let of_hsm = hsms::one(app, &HsmName::from(vault.clone()), run).await?;
    Ok(of_hsm.map(|run| Job::Backup(Box::new(job((&run).into())))))
}
