//! Abandoning a restore: ending it before all its steps have ended.

use time::OffsetDateTime;

use super::reconcile;
use crate::{
    app::App,
    begin,
    clock::Clock,
    domain::{
        actor::Actor,
        audit::Event,
        restore::{RestoreId, RestoreJob},
    },
    error::Result,
};

/// The result of [`abandon`].
#[derive(Debug)]
pub enum Abandoned {
    /// There is no such restore.
    Unknown,
    /// It restores a Managed HSM, and the service has no way to cancel that.
    OfHsm,
    /// It has ended, now or before.
    Ended(Box<RestoreJob>),
    /// It begins no further step. It ends and releases its vault at this time or up to a minute later.
    Stopping(Box<RestoreJob>, OffsetDateTime),
}

/// Stops a restore, whichever process carries it out. Restored objects stay; steps that have not ended count as failed.
///
/// The request is on the audit trail first. Safe to run twice.
pub async fn abandon(app: &App, id: &RestoreId, by: &Actor, clock: &Clock) -> Result<Abandoned> {
    let jobs = app.jobs()?;
    let Some(stored) = jobs.restore(id).await? else { return unknown(app, id).await };
    let job = stored.job;
    if job.ended.is_some() {
        return Ok(Abandoned::Ended(Box::new(job)));
    }
    let event = Event::RestoreAbandoned { restore: id.clone(), target: job.target.clone() };
    begin::told_once(app, by, event, clock).await?;
    let free = jobs.stop_lease(&job.target, id, clock.now()).await?;
    tracing::warn!(
        event = "restore.abandoned", restore.id = %id, restore.by = %by, vault.name = %job.target,
        "Restore {id} into vault {} was abandoned by {by}", job.target,
    );
    match reconcile::reconcile_one(app, id, clock).await? {
        None => unknown(app, id).await,
        Some(job) if job.ended.is_some() => Ok(Abandoned::Ended(Box::new(job))),
        Some(job) => Ok(Abandoned::Stopping(Box::new(job), free.unwrap_or_else(|| clock.now()))),
    }
}

async fn unknown(app: &App, id: &RestoreId) -> Result<Abandoned> {
    let of_hsm = app.jobs()?.hsm_restore(id).await?.is_some();
    Ok(if of_hsm { Abandoned::OfHsm } else { Abandoned::Unknown })
}
