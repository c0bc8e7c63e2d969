//! Starting a restore.

use tracing::info;

use super::{object, reconcile, send};
use crate::{
    app::App,
    at_once::{self, FEW},
    azure::container::Written,
    begin::{self, Name, Opened},
    clock::Clock,
    domain::{
        actor::Actor,
        audit::Event,
        restore::{Action, Approval, RestoreId, RestoreJob, RestorePlan, Step},
    },
    error::{Error, Result},
    jobs::{StoredRestore, Taken, Turn},
};

/// Opens a restore. A plan of [a few](FEW) steps is carried out before this returns, if the vault answers in time and is
/// not busy; messages are sent for the other steps. The caller's turn ends once the restore is recorded.
///
/// Safe to run twice under one name.
pub async fn start(
    app: &App,
    name: Name,
    plan: &RestorePlan,
    by: &Actor,
    approval: Option<Approval>,
    turn: Option<Turn>,
    clock: &Clock,
) -> Result<Opened<RestoreJob>> {
    let opened = open(app, name, plan, by, Began { hand_over: false, approval }, clock).await?;
    drop(turn);
    match opened {
        Opened::Ours(stored) => begin(app, stored, plan, clock).await.map(Opened::Ours),
        Opened::Taken(other) => Ok(Opened::Taken(other)),
    }
}

/// How a restore begins, beside its plan and its actor.
#[derive(Clone, Debug, Default)]
pub struct Began {
    /// Whether an app continues it when the terminal that began it is gone.
    pub hand_over: bool,
    /// The approval by which it begins, if its plan needs one.
    pub approval: Option<Approval>,
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
    began: Began,
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
    let Began { hand_over, approval } = began;
    let approval = approval.map(Box::new);
    let job = RestoreJob::open(name.id.clone(), plan, by.clone(), clock.now());
    let job = RestoreJob { hand_over, approval, ..job };
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

/// Records on the trail that a restore begins that has no other record.
///
/// # Errors
/// As [`begin::told`].
pub async fn tell(app: &App, name: &Name, plan: &RestorePlan, by: &Actor, clock: &Clock) -> Result<()> {
    let job = RestoreJob::open(name.id.clone(), plan, by.clone(), clock.now());
    name.tell(app, by, started(&job, plan), clock).await
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

/// Carries out a recorded restore, or leaves it to the queue. Its record ends it wherever this stops.
async fn begin(
    app: &App,
    mut stored: StoredRestore,
    plan: &RestorePlan,
    clock: &Clock,
) -> Result<RestoreJob> {
    let id = stored.job.id.clone();
    let left = at_once(app, &id, plan, clock).await;
    if !left.is_empty() {
        // A later pass sends the messages that cannot be sent now.
        let sent = async {
            send::messages(app, &stored.job, left).await?;
            stored.job.sent = true;
            app.jobs()?.save_restore(&stored).await
        };
        if let Err(error) = sent.await {
            tracing::warn!(
                restore.id = %id,
                "Some messages of restore {id} could not be sent: {error}. AdvanceJobs sends them in a few minutes"
            );
        }
    }
    if plan.steps.len() > FEW {
        return Ok(stored.job);
    }
    match reconcile::reconcile_one(app, &id, clock).await {
        Ok(job) => Ok(job.unwrap_or(stored.job)),
        Err(error) => {
            tracing::warn!(
                restore.id = %id,
                "Restore {id} could not be ended within its request: {error}. AdvanceJobs ends it"
            );
            Ok(stored.job)
        }
    }
}

/// Carries out the steps of a small plan. Returns the steps that need a message: those that failed transiently or took
/// too long, and every step of a plan that is not small.
async fn at_once<'p>(app: &App, id: &RestoreId, plan: &'p RestorePlan, clock: &Clock) -> Vec<&'p Step> {
    let steps = plan.steps.iter();
    if plan.steps.len() > FEW {
        return steps.collect();
    }
    let done = at_once::each(&plan.steps, |step| object::take(app, id, plan, step, clock)).await;
    steps.zip(done).filter(|(_, done)| done.is_none()).map(|(step, _)| step).collect()
}
