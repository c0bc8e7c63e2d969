//! Starting a restore.

use tracing::info;

use super::{object, reconcile, send};
use crate::{
    app::App,
    azure::container::Written,
    begin::{self, Name, Opened},
    clock::Clock,
    domain::{
        actor::Actor,
        audit::Event,
        restore::{Action, RestoreJob, RestorePlan, Step},
    },
    error::{Error, Result},
    jobs::{StoredRestore, Taken, Turn},
};

/// Opens a restore, and sends its messages. A plan of at most one step is carried out before this returns, unless the
/// vault is busy. The caller's turn ends once the restore is recorded.
///
/// Safe to run twice under one name.
pub async fn start(
    app: &App,
    name: Name,
    plan: &RestorePlan,
    by: &Actor,
    turn: Option<Turn>,
    clock: &Clock,
) -> Result<Opened<RestoreJob>> {
    let opened = open(app, name, plan, by, false, clock).await?;
    drop(turn);
    match opened {
        Opened::Ours(stored) => begin(app, stored, plan, clock).await.map(Opened::Ours),
        Opened::Taken(other) => Ok(Opened::Taken(other)),
    }
}

/// Takes the target and records the restore, which `AdvanceJobs` reconciles from then on. With `hand_over` it also
/// continues the restore when the terminal that began it is gone. The start is on the audit trail first: see [`begin`].
///
/// Safe to run twice under one name.
pub async fn open(
    app: &App,
    name: Name,
    plan: &RestorePlan,
    by: &Actor,
    hand_over: bool,
    clock: &Clock,
) -> Result<Opened<StoredRestore>> {
    let jobs = app.jobs()?;
    jobs.keep_plan(plan).await?;
    jobs.announce_restore(&name.id, by).await?;
    let taken = match jobs.take_vault(&plan.request.target, &name.id, clock.now()).await {
        Ok(Taken::By(other)) => {
            jobs.withdraw_restore(&name.id).await?;
            return Ok(Opened::Taken(other));
        }
        // An announced restore counts as open for some minutes. It may have begun elsewhere under the same name.
        Err(error) => {
            if jobs.restore(&name.id).await?.is_none() {
                jobs.withdraw_restore(&name.id).await?;
            }
            return Err(error);
        }
        Ok(taken) => taken,
    };
    if let Taken::From(other) = taken {
        // It has lost its vault and does nothing more; only its end must be recorded.
        if let Err(error) = Box::pin(reconcile::reconcile_one(app, &other, clock)).await {
            tracing::warn!(
                restore.id = %other,
                "Restore {other} let its lease run out, and its end cannot be recorded now: {error}. A later pass \
                 records it"
            );
        }
    }
    let job = RestoreJob { hand_over, ..RestoreJob::open(name.id.clone(), plan, by.clone(), clock.now()) };
    if let Err(error) = record(app, &name, &job, plan, clock).await {
        if error.leaves_nothing()
            && let Err(error) = leave(app, &job).await
        {
            tracing::warn!(
                restore.id = %job.id,
                "Vault {} could not be released and stays taken for some minutes: {error}", job.target
            );
        }
        return Err(error);
    }
    info!(
        event = "restore.started", restore.id = %job.id, restore.by = %by, vault.name = %job.target,
        vault.source = %job.source, restore.planned = job.numbers.planned,
        "Restore {} from vault {} into vault {} was started by {by}", job.id, job.source, job.target,
    );
    let gone = || Error::Busy(format!("restore {} has lost its record", job.id));
    let stored = jobs.restore(&job.id).await?.ok_or_else(gone)?;
    Ok(Opened::Ours(stored))
}

/// Releases the target, unless the restore has begun elsewhere under the same name.
async fn leave(app: &App, job: &RestoreJob) -> Result<()> {
    if app.jobs()?.restore(&job.id).await?.is_none() {
        app.jobs()?.close_restore(&job.id, &job.target).await?;
    }
    Ok(())
}

async fn record(
    app: &App,
    name: &Name,
    job: &RestoreJob,
    plan: &RestorePlan,
    clock: &Clock,
) -> Result<Written> {
    name.tell(app, &job.by, started(job, plan), clock).await?;
    let recorded = app.jobs()?.record_restore(job).await;
    recorded.map_err(begin::unrecorded(&format!("restore {}", job.id)))
}

fn started(job: &RestoreJob, plan: &RestorePlan) -> Event {
    let purged = plan.steps.iter().filter(|step| step.action == Action::PurgeAndRestore);
    Event::RestoreStarted {
        restore: job.id.clone(),
        plan: job.plan,
        source: job.source.clone(),
        target: job.target.clone(),
        steps: job.steps,
        purges: purged.map(Step::id).collect(),
    }
}

async fn begin(
    app: &App,
    mut stored: StoredRestore,
    plan: &RestorePlan,
    clock: &Clock,
) -> Result<RestoreJob> {
    if plan.steps.len() > 1 || !at_once(app, &stored.job, plan, clock).await {
        // A later pass sends the messages that cannot be sent now.
        match send::messages(app, &stored.job.id, plan.steps.iter().map(Step::id)).await {
            Ok(()) => {
                stored.job.sent = true;
                app.jobs()?.save_restore(&stored).await?;
            }
            Err(error) => tracing::warn!(
                restore.id = %stored.job.id,
                "Some messages of restore {} could not be sent: {error}. AdvanceJobs sends them in a few minutes",
                stored.job.id
            ),
        }
        return Ok(stored.job);
    }
    match reconcile::reconcile_one(app, &stored.job.id, clock).await? {
        Some(job) => Ok(job),
        None => Ok(stored.job),
    }
}

/// Carries out the only step. Returns whether it needs no message.
async fn at_once(app: &App, job: &RestoreJob, plan: &RestorePlan, clock: &Clock) -> bool {
    let Some(step) = plan.steps.first() else { return true };
    object::take(app, &job.id, plan, step, clock).await.is_ok()
}
