//! Backups on request: the caller gets the run's name and does not wait for its end.

use crate::{
    app::App,
    azure::container::Written,
    begin,
    clock::Clock,
    domain::{
        actor::Actor,
        audit::Event,
        job::{BackupJob, STALLED_AFTER},
        object::ObjectId,
        plan::Plan,
        record::count,
        right::Right,
        run::RunId,
        source::SourceName,
    },
    error::{Error, Result},
};

use super::{plan, send};

/// Names to try for a run. A second try needs two requests in one second that draw the same one of 2^32 numbers.
const NAMES: usize = 4;

/// Opens a run of a whole vault. The next pass plans it, because listing a large vault takes longer than a caller
/// waits. The request is on the audit trail first: see [`begin`].
pub async fn whole_vault(app: &App, vault: &SourceName, by: &Actor, clock: &Clock) -> Result<RunId> {
    app.vault(vault)?;
    let _turn = begin::may(app, Right::Backup, by).await?;
    for run in names(clock) {
        begin::told(app, by, requested(vault, &run, 0), clock).await?;
        let opened = open(app, vault, &run, by, clock).await;
        if opened.map_err(begin::unrecorded(&format!("run {run}")))? == Written::Created {
            return Ok(run);
        }
    }
    Err(taken())
}

/// Plans a run of some objects, opens it, and sends its messages. A later pass sends those that cannot be sent now.
/// The request is on the audit trail first: see [`begin`].
pub async fn objects(
    app: &App,
    vault: &SourceName,
    objects: Vec<ObjectId>,
    by: &Actor,
    clock: &Clock,
) -> Result<RunId> {
    app.vault(vault)?;
    let plan = open_some(app, vault, &objects, by, clock).await?;
    let run = &plan.header.run;
    if let Err(error) = send::once(app, &plan, clock).await {
        let minutes = STALLED_AFTER.whole_minutes();
        tracing::warn!(
            vault.name = %vault, run.id = %run,
            "The messages of run {run} could not be sent: {error}. AdvanceJobs sends them in {minutes} minutes"
        );
    }
    Ok(run.clone())
}

async fn open_some(
    app: &App,
    vault: &SourceName,
    objects: &[ObjectId],
    by: &Actor,
    clock: &Clock,
) -> Result<Plan> {
    let _turn = begin::may(app, Right::Backup, by).await?;
    for run in names(clock) {
        let plan = plan::some_objects(app, vault, &run, by, clock, objects.to_vec()).await?;
        begin::told(app, by, requested(vault, &run, objects.len()), clock).await?;
        let opened = open_planned(app, &plan, by, clock).await;
        if opened.map_err(begin::unrecorded(&format!("run {run}")))? == Written::Created {
            return Ok(plan);
        }
    }
    Err(taken())
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

fn names(clock: &Clock) -> impl Iterator<Item = RunId> {
    std::iter::repeat_with(|| RunId::manual(clock.now(), fastrand::u32(..))).take(NAMES)
}

fn taken() -> Error {
    Error::Refused("too many runs were requested in this second; send the request again".into())
}
