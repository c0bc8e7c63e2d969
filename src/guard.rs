//! The guards of restores: what the settings demand before a plan is carried out.
//!
//! They bind callers of the HTTP API, in three places: when the plan is made, when it is submitted, and when the app
//! carries out what the queue or a job's record asks for. The last is for what the other two cannot see: a message that
//! was forged, and settings that are narrower than when the restore began. At a terminal the person's own rights decide. A
//! job that says it is a terminal's is believed: who may write jobs can have the app carry out what they say.

use time::OffsetDateTime;

use crate::{
    app::App,
    domain::{
        actor::{Actor, Via},
        digest::Digest,
        hsm::{HsmJob, Task},
        restore::{Approval, Barred, Lacking, Request, RestoreId, RestoreJob, RestorePlan},
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
    Err(barred(Barred::Pair { from: source.clone(), into: target.clone() }, by))
}

/// Whether the settings demand an approval for a plan of this pair. `into_hsm` is whether the target is an HSM.
pub fn needs_approval(app: &App, source: &SourceName, target: &SourceName, into_hsm: bool) -> bool {
    app.config().approvals.need(source, target, into_hsm)
}

/// Bars the steps of a restore that the settings do not allow, or no longer.
///
/// # Errors
/// As [`pair`], for the actor that began the restore, and [`Barred::NotApproved`] if its record has no approval by which it
/// could begin.
pub fn of_job(app: &App, job: &RestoreJob, plan: &RestorePlan) -> Result<(), Barred> {
    let Request { source, target, .. } = &plan.request;
    pair(app, &job.by, source, target)?;
    if !needs_approval(app, source, target, app.is_hsm(target)) {
        return Ok(());
    }
    approved(job.approval.as_deref(), &job.plan, &job.by, &job.id, job.opened)
}

/// Bars the start of an operation that restores into an HSM, likewise. A backup is never barred.
///
/// # Errors
/// As [`of_job`].
pub fn of_hsm_job(app: &App, job: &HsmJob) -> Result<(), Barred> {
    let (Task::RestoreAll { source, plan, .. } | Task::RestoreKeys { source, plan, .. }) = &job.task else {
        return Ok(());
    };
    pair(app, &job.by, source, &job.hsm)?;
    match job.restore().filter(|_| needs_approval(app, source, &job.hsm, true)) {
        Some(id) => approved(job.approval.as_deref(), plan, &job.by, &id, job.opened),
        None => Ok(()),
    }
}

fn approved(
    approval: Option<&Approval>,
    plan: &Digest,
    by: &Actor,
    restore: &RestoreId,
    opened: OffsetDateTime,
) -> Result<(), Barred> {
    if by.via == Via::Terminal {
        return Ok(());
    }
    let approval = approval.filter(|approval| approval.used.is_some());
    let checked = match approval {
        Some(approval) => approval.lets(plan, by, restore, opened),
        None => Err(Lacking::Approval.of(plan)),
    };
    checked.map_err(|lacking| barred(lacking, by))
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

/// A guard that bars something, written to the log.
pub fn barred(barred: Barred, by: &Actor) -> Barred {
    tracing::error!(event = "restore.barred", restore.by = %by, failure.code = barred.code(), "Barred: {barred}");
    barred
}
