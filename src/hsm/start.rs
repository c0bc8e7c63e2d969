//! Opening HSM jobs.

use super::{ends, reconcile};
use crate::{
    app::App,
    azure::container::Written,
    begin::{self, Name},
    clock::Clock,
    domain::{
        actor::Actor,
        audit::Event,
        hsm::{Context, HsmBackup, HsmJob, HsmPlan, KeyOutcome, KeyPlan, KeyResult, Safety, Task},
        outcome::Failure,
        restore::{Approval, RestoreId},
        right::Right,
        run::RunId,
        source::SourceName,
    },
    error::{Error, Result},
    jobs::Turn,
};

/// The state of a backup once it is requested.
#[derive(Debug)]
pub enum Opened {
    /// It is open.
    Open(Box<HsmJob>),
    /// The run has ended.
    Ended(Box<HsmBackup>),
}

/// Opens the job of a run, or finds it, and reconciles it.
///
/// Safe to run twice, concurrently or later: a run has one record, open or ended.
pub async fn backup(app: &App, hsm: &SourceName, run: &RunId, by: &Actor, clock: &Clock) -> Result<Opened> {
    app.hsms().get(hsm)?;
    if let Some(ended) = app.catalogue()?.hsm_backup(hsm, run).await? {
        return Ok(Opened::Ended(Box::new(ended)));
    }
    let task = Task::Backup { safety_for: None };
    let job = HsmJob::open(run.clone(), hsm.clone(), task, by.clone(), clock.now());
    let opened = app.jobs()?.open_hsm_job(&job).await?;
    // It may have ended after its record was read and before this one was written, which then reopened it.
    if opened == Written::Created
        && let Some(ended) = app.catalogue()?.hsm_backup(hsm, run).await?
    {
        app.jobs()?.close_hsm_job(&job).await?;
        return Ok(Opened::Ended(Box::new(ended)));
    }
    reconcile_now(app, hsm, run, clock).await;
    if let Some(stored) = app.jobs()?.hsm_job(hsm, run).await? {
        return Ok(Opened::Open(Box::new(stored.job)));
    }
    let ended = app.catalogue()?.hsm_backup(hsm, run).await?;
    Ok(ended.map_or_else(|| Opened::Open(Box::new(job)), |ended| Opened::Ended(Box::new(ended))))
}

/// Reconciles one open job now. An error is left to the next pass: the job is on record.
async fn reconcile_now(app: &App, hsm: &SourceName, id: &RunId, clock: &Clock) {
    if let Err(error) = reconcile_as(app, hsm, id, false, clock).await {
        tracing::warn!(
            hsm.name = %hsm, job.id = %id,
            "Job {id} could not be reconciled: {error}. The next pass tries again"
        );
    }
}

/// Reconciles open jobs for a person who waits at a terminal: they may be polled more often than once a minute. Returns
/// the first of them that is still open.
pub async fn watch(app: &App, hsm: &SourceName, jobs: &[RunId], clock: &Clock) -> Result<Option<HsmJob>> {
    let mut open = None;
    for id in jobs {
        reconcile_as(app, hsm, id, true, clock).await?;
        if open.is_none() {
            open = app.jobs()?.hsm_job(hsm, id).await?.map(|stored| stored.job);
        }
    }
    Ok(open)
}

async fn reconcile_as(app: &App, hsm: &SourceName, id: &RunId, watched: bool, clock: &Clock) -> Result<()> {
    let jobs = app.jobs()?.hsm_jobs().await?;
    let jobs: Vec<_> = jobs.into_iter().filter(|stored| stored.job.hsm == *hsm).collect();
    if let Some(stored) = jobs.iter().find(|stored| stored.job.id == *id) {
        let context = Context { watched, ..reconcile::context(app, stored, &jobs).await? };
        super::reconcile::job::reconcile_job(app, stored.clone(), &context, clock).await?;
    }
    Ok(())
}

/// Opens a backup on request. The request is on the audit trail first: see [`begin`].
pub async fn backup_now(app: &App, hsm: &SourceName, by: &Actor, clock: &Clock) -> Result<HsmJob> {
    app.hsms().get(hsm)?;
    let turn = begin::may(app, Right::Backup, by).await?;
    for run in begin::names(clock) {
        let task = Task::Backup { safety_for: None };
        let job = HsmJob::open(run.clone(), hsm.clone(), task, by.clone(), clock.now());
        let event = Event::HsmBackupRequested { hsm: hsm.clone(), run: run.clone() };
        begin::told(app, by, event, clock).await?;
        let opened = app.jobs()?.open_hsm_job(&job).await;
        if opened.map_err(begin::unrecorded(&format!("run {run}")))? == Written::Created {
            drop(turn);
            reconcile_now(app, hsm, &run, clock).await;
            return Ok(app.jobs()?.hsm_job(hsm, &run).await?.map_or(job, |stored| stored.job));
        }
    }
    Err(begin::all_taken())
}

/// Takes the HSM, records the restore, and reconciles it and its safety backup. Any pass opens the safety backup, so a
/// restore on record never waits for one that was not begun. The start is on the audit trail first: see [`begin`]. The
/// caller's turn ends once the restore is recorded.
///
/// Safe to run twice under one name.
///
/// # Errors
/// [`Error::Refused`] if the plan restores nothing.
pub async fn restore(
    app: &App,
    name: Name,
    plan: &HsmPlan,
    by: &Actor,
    approval: Option<Approval>,
    turn: Option<Turn>,
    clock: &Clock,
) -> Result<begin::Opened<HsmJob>> {
    let (jobs, target, id) = (app.jobs()?, &plan.hsm.target, &name.id);
    let run: RunId = id.clone().into();
    let safety = RunId::safety(&run);
    let task = task(plan, &safety).ok_or_else(|| Error::Refused("the plan restores nothing".into()))?;
    if let Some(other) = jobs.take_hsm(target, id, clock.now()).await? {
        return Ok(begin::Opened::Taken(other));
    }
    // Under an idempotency key another request may have begun it, and even ended it, in the meantime.
    if let Some(job) = jobs.hsm_restore(id).await? {
        ends::for_good(app, &job).await?;
        return Ok(begin::Opened::Ours(job));
    }
    let job = HsmJob {
        approval: approval.map(Box::new),
        ..HsmJob::open(run.clone(), target.clone(), task, by.clone(), clock.now())
    };
    if let Err(error) = record(app, &name, &job, plan, clock).await {
        if error.leaves_nothing()
            && let Err(error) = leave(app, &name, target).await
        {
            tracing::warn!(
                restore.id = %id, hsm.name = %target,
                "HSM {target} could not be released and stays taken for some minutes: {error}"
            );
        }
        return Err(error);
    }
    drop(turn);
    // Writing the trail takes time: a faster process may have ended the restore, which must not begin again.
    if let Some(ended) = jobs.hsm_restore(id).await?.filter(|job| job.ended.is_some()) {
        ends::for_good(app, &ended).await?;
        return Ok(begin::Opened::Ours(ended));
    }
    tracing::info!(
        event = "restore.started", restore.id = %id, restore.by = %by, hsm.name = %target,
        "Restore {id} of HSM {target} was started by {by}",
    );
    reconcile_now(app, target, &run, clock).await;
    if plan.safety == Safety::Take {
        reconcile_now(app, target, &safety, clock).await;
    }
    Ok(begin::Opened::Ours(jobs.hsm_restore(id).await?.unwrap_or(job)))
}

/// Releases the HSM, unless the restore has begun elsewhere under the same name.
async fn leave(app: &App, name: &Name, target: &SourceName) -> Result<()> {
    if app.jobs()?.hsm_restore(&name.id).await?.is_none() {
        app.jobs()?.release_hsm(target, &name.id).await?;
    }
    Ok(())
}

async fn record(app: &App, name: &Name, job: &HsmJob, plan: &HsmPlan, clock: &Clock) -> Result<Written> {
    name.tell(app, &job.by, started(&name.id, plan), clock).await?;
    let recorded = app.jobs()?.open_hsm_job(job).await;
    recorded.map_err(begin::unrecorded(&format!("restore {}", name.id)))
}

fn task(plan: &HsmPlan, safety: &RunId) -> Option<Task> {
    let (digest, source) = (plan.digest(), plan.hsm.source.clone());
    let (run, folder) = (plan.run.clone()?, plan.folder.clone()?);
    if plan.replaces_everything() {
        let safety = (plan.safety == Safety::Take).then(|| safety.clone());
        return Some(Task::RestoreAll { plan: digest, source, run, folder, safety });
    }
    // Keys whose names are taken have failed before the first one is restored.
    let (free, taken): (Vec<_>, Vec<_>) = plan.keys.iter().partition(|key| key.held.is_free());
    if free.is_empty() {
        return None;
    }
    let left = |of: &KeyPlan| {
        let failure = Failure::ours("NameTaken", of.held.text());
        KeyOutcome { key: of.key.clone(), result: KeyResult::Failed { failure } }
    };
    let outcomes = taken.iter().copied().map(left).collect();
    let keys = taken.into_iter().chain(free).map(|of| of.key.clone()).collect();
    Some(Task::RestoreKeys { plan: digest, source, run, folder, keys, outcomes })
}

fn started(id: &RestoreId, plan: &HsmPlan) -> Event {
    Event::HsmRestoreStarted {
        restore: id.clone(),
        plan: plan.digest(),
        source: plan.hsm.source.clone(),
        target: plan.hsm.target.clone(),
        everything: plan.replaces_everything(),
        keys: plan.free_keys().cloned().collect(),
    }
}
