//! Jobs: runs and restores, open or ended.

use super::{
    hsms,
    restores::{self, Restore},
    runs,
    sources::{self, Report},
};
use crate::{
    app::App,
    domain::{
        job::BackupJob,
        restore::{RestoreId, RestoreJob},
        run::RunId,
        source::SourceName,
    },
    error::Result,
};

/// The name of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobId {
    /// A run in one vault or HSM: of an HSM's single keys, if they have such a run.
    Backup(SourceName, RunId),
    /// The backup of a whole HSM.
    HsmBackup(SourceName, RunId),
    /// A restore.
    Restore(RestoreId),
}

/// A job.
#[derive(Debug)]
pub enum Job {
    /// A run in one source.
    Backup(SourceName, RunId, Report),
    /// A restore.
    Restore(Restore),
}

/// A job by its name, or `None` when there is none of that name.
///
/// # Errors
/// Those of storage, and when a manifest is damaged.
pub async fn one(app: &App, id: JobId) -> Result<Option<Job>> {
    Ok(match id {
        JobId::Backup(source, run) => {
            sources::report(app, &source, &run).await?.map(|report| Job::Backup(source, run, report))
        }
        JobId::HsmBackup(hsm, run) => {
            hsms::one(app, &hsm, &run).await?.map(|found| Job::Backup(hsm, run, Report::Hsm(found)))
        }
        JobId::Restore(id) => restores::one(app, &id).await?.map(Job::Restore),
    })
}

/// The open runs of vaults, and up to `limit` restores into vaults, open or ended, newest first.
///
/// # Errors
/// Those of storage.
pub async fn of_vaults(app: &App, limit: usize) -> Result<(Vec<BackupJob>, Vec<RestoreJob>)> {
    let runs = runs::open_jobs(app).await?;
    Ok((runs, app.jobs()?.restores(None, limit).await?))
}
