//! The guards of restores: what the settings demand before a plan is carried out.
//!
//! They bind callers of the HTTP API, in three places: when the plan is made, when it is submitted, and when the app
//! carries out what the queue or a job's record asks for. The last is for what the other two cannot see: a message that
//! was forged, and settings that are narrower than when the restore began. At a terminal the person's own rights decide.

use crate::{
    app::App,
    domain::{
        actor::{Actor, Via},
        hsm::{HsmJob, Task},
        restore::{Barred, RestoreJob, RestorePlan},
        source::SourceName,
    },
};

/// Bars a restore whose pair the settings do not allow.
///
/// # Errors
/// [`Barred::Pair`], for an actor that is bound.
pub fn pair(app: &App, by: &Actor, source: &SourceName, target: &SourceName) -> Result<(), Barred> {
    if by.via == Via::Terminal || app.config().pairs.allow(source, target) {
        return Ok(());
    }
    let barred = Barred::Pair { from: source.clone(), into: target.clone() };
    log(&barred, by);
    Err(barred)
}

/// Bars the steps of a restore that the settings do not allow, or no longer.
///
/// # Errors
/// As [`pair`], for the actor that began the restore.
pub fn of_job(app: &App, job: &RestoreJob, plan: &RestorePlan) -> Result<(), Barred> {
    pair(app, &job.by, &plan.request.source, &plan.request.target)
}

/// Bars the start of an operation that restores into an HSM, likewise. A backup is never barred.
///
/// # Errors
/// As [`pair`], for the actor that began the restore.
pub fn of_hsm_job(app: &App, job: &HsmJob) -> Result<(), Barred> {
    match &job.task {
        Task::Backup { .. } => Ok(()),
        Task::RestoreAll { source, .. } | Task::RestoreKeys { source, .. } => {
            pair(app, &job.by, source, &job.hsm)
        }
    }
}

/// The warning for a person at a terminal about a pair that is not allowed over HTTP.
pub fn warning(app: &App, source: &SourceName, target: &SourceName) -> Option<String> {
    (!app.config().pairs.allow(source, target)).then(|| {
        format!(
            "KEYVAULT_BACKUP_RESTORE_PAIRS does not allow a restore from {source} into {target}; at a terminal your own \
             rights decide"
        )
    })
}

fn log(barred: &Barred, by: &Actor) {
    tracing::error!(event = "restore.barred", restore.by = %by, failure.code = barred.code(), "Barred: {barred}");
}
