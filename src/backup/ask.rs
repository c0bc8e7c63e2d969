//! Backups on request. A few objects are backed up while the caller waits; otherwise the caller gets the run's name.

use crate::{
    app::App,
    at_once::{self, FEW},
    attempt::Attempt,
    azure::container::Written,
    begin,
    clock::Clock,
    domain::{
        actor::Actor,
        audit::Event,
        job::{BackupJob, SENT_WITHIN},
        manifest::Summary,
        object::ObjectId,
        outcome::Failure,
        plan::Plan,
        planned::Planned,
        record::count,
        right::Right,
        run::RunId,
        source::SourceName,
    },
    error::Result,
};

use super::{
    close,
    object::{Done, back_up_planned},
    plan, send,
};

/// A run on request.
#[derive(Debug)]
pub enum Asked {
    /// It is under way.
    Open(RunId),
    /// It has its manifest.
    Closed {
        /// The summary of its manifest.
        summary: Box<Summary>,
        /// Why objects failed.
        failures: Vec<Failure>,
    },
    /// Nothing was begun: the name is that of a Managed HSM, which is backed up as a whole by
    /// [`backup_now`](crate::hsm::start::backup_now).
    OfHsm,
}

/// Begins a backup of a vault, or of some `objects`. The request is on the audit trail first: see [`begin`].
///
/// [A few](FEW) objects are backed up and their run is closed before this returns, if the vault answers in time. What has no
/// result by then is left to messages, and a later pass sends those that cannot be sent now. A whole vault is planned
/// by the next pass, because listing a large one takes longer than a caller waits.
///
/// # Errors
/// When the vault is not configured, and as [`begin`] says.
pub async fn backup(
    app: &App,
    vault: &SourceName,
    objects: Option<Vec<ObjectId>>,
    by: &Actor,
    clock: &Clock,
) -> Result<Asked> {
    app.vault(vault)?;
    match objects {
        Some(objects) => some_objects(app, vault, &objects, by, clock).await,
        None if app.is_hsm(vault) => Ok(Asked::OfHsm),
        None => whole_vault(app, vault, by, clock).await.map(Asked::Open),
    }
}

async fn whole_vault(app: &App, vault: &SourceName, by: &Actor, clock: &Clock) -> Result<RunId> {
    let _turn = begin::may(app, Right::Backup, by).await?;
    for run in begin::names(clock) {
        begin::told(app, by, requested(vault, &run, 0), clock).await?;
        let opened = open(app, vault, &run, by, clock).await;
        if opened.map_err(begin::unrecorded(&format!("run {run}")))? == Written::Created {
            return Ok(run);
        }
    }
    Err(begin::all_taken())
}

async fn some_objects(
    app: &App,
    vault: &SourceName,
    objects: &[ObjectId],
    by: &Actor,
    clock: &Clock,
) -> Result<Asked> {
    let plan = open_some(app, vault, objects, by, clock).await?;
    let run = &plan.header.run;
    if let Some(closed) = Box::pin(at_once(app, &plan, clock)).await {
        return Ok(closed);
    }
    if let Err(error) = send::once(app, &plan, clock).await {
        let minutes = SENT_WITHIN.whole_minutes();
        tracing::warn!(
            vault.name = %vault, run.id = %run,
            "The messages of run {run} could not be sent: {error}. AdvanceJobs sends them in {minutes} minutes"
        );
    }
    Ok(Asked::Open(run.clone()))
}

/// Backs up the objects of a small plan and closes its run. `None` if the plan is not small, or something is left to
/// do.
///
/// The run is recorded, so it ends wherever this stops: results that are stored stay, the queue does the rest, and a
/// pass closes the run.
async fn at_once(app: &App, plan: &Plan, clock: &Clock) -> Option<Asked> {
    let objects: Vec<Planned> = plan.to_back_up().take(FEW + 1).cloned().collect();
    if objects.len() > FEW {
        return None;
    }
    let work = |planned| back_up_planned(app, &plan.header, planned, Attempt::First, clock);
    let done: Option<Vec<Done>> = at_once::each(&objects, work).await.into_iter().collect();
    let failures = done?.into_iter().filter_map(|done| match done {
        Done::Failed(failure) => Some(failure),
        Done::BackedUp { .. } | Done::Already | Done::Closed | Done::Disappeared | Done::Failing(_) => None,
    });
    match close(app, plan).await {
        Ok(summary) => Some(Asked::Closed { summary: Box::new(summary), failures: failures.collect() }),
        Err(error) => {
            let run = &plan.header.run;
            tracing::warn!(
                vault.name = %plan.header.vault, run.id = %run,
                "Run {run} could not be closed within its request: {error}. AdvanceJobs closes it"
            );
            None
        }
    }
}

async fn open_some(
    app: &App,
    vault: &SourceName,
    objects: &[ObjectId],
    by: &Actor,
    clock: &Clock,
) -> Result<Plan> {
    let _turn = begin::may(app, Right::Backup, by).await?;
    for run in begin::names(clock) {
        let plan = plan::some_objects(app, vault, &run, by, clock, objects.to_vec()).await?;
        begin::told(app, by, requested(vault, &run, objects.len()), clock).await?;
        let opened = open_planned(app, &plan, by, clock).await;
        if opened.map_err(begin::unrecorded(&format!("run {run}")))? == Written::Created {
            return Ok(plan);
        }
    }
    Err(begin::all_taken())
}

/// The plan comes first: a record without one would be planned as a run of the whole vault.
async fn open_planned(app: &App, plan: &Plan, by: &Actor, clock: &Clock) -> Result<Written> {
    if app.catalogue()?.create_plan(plan.clone()).await? != *plan {
        return Ok(Written::AlreadyThere);
    }
    open(app, &plan.header.vault, &plan.header.run, by, clock).await
}

async fn open(app: &App, vault: &SourceName, run: &RunId, by: &Actor, clock: &Clock) -> Result<Written> {
    app.jobs()?.open_backup_run(&BackupJob::open(vault.clone(), run.clone(), by.clone(), clock.now())).await
}

fn requested(vault: &SourceName, run: &RunId, objects: usize) -> Event {
    let objects = count(objects);
    Event::BackupRequested { vault: vault.clone(), run: run.clone(), objects }
}
