//! Backups for somebody who asks and does not wait.

use crate::{
    app::App,
    azure::container::Written,
    clock::Clock,
    domain::{
        asker::Asker,
        audit::Event,
        job::{BackupJob, STALLED_AFTER},
        object::{ObjectId, VaultName},
        run::RunId,
    },
    error::{Error, Result},
};

use super::{plan, send};

/// Names that are tried for a run. Two askers must hit on one of 65,536 in one second for a second try.
const NAMES: usize = 4;

/// Opens a run of a whole vault. The next look at open runs plans it: listing a large vault takes longer
/// than a caller waits.
pub async fn whole_vault(app: &App, vault: &VaultName, by: &Asker, clock: &Clock) -> Result<RunId> {
    app.vault(vault)?;
    for run in names(clock) {
        if open(app, vault, &run, by, clock).await? == Written::Created {
            record(app, vault, &run, by, 0, clock).await?;
            return Ok(run);
        }
    }
    Err(taken())
}

/// Plans a run of some objects, opens it, and sends its messages. What cannot be sent now is sent by a later
/// look at open runs.
pub async fn objects(
    app: &App,
    vault: &VaultName,
    objects: Vec<ObjectId>,
    by: &Asker,
    clock: &Clock,
) -> Result<RunId> {
    app.vault(vault)?;
    for run in names(clock) {
        let plan = plan::some_objects(app, vault, &run, by, clock, objects.clone()).await?;
        // The plan comes first: a record without one would be planned as a run of the whole vault.
        let stored = app.catalogue()?.create_plan(plan.clone()).await?;
        if stored != plan || open(app, vault, &run, by, clock).await? == Written::AlreadyThere {
            continue;
        }
        record(app, vault, &run, by, objects.len(), clock).await?;
        if let Err(error) = send::once(app, &plan, clock).await {
            let minutes = STALLED_AFTER.whole_minutes();
            tracing::warn!(
                vault.name = %vault, run.id = %run,
                "The messages of run {run} cannot be sent now; AdvanceJobs sends them in {minutes} minutes: {error}"
            );
        }
        return Ok(run);
    }
    Err(taken())
}

async fn open(app: &App, vault: &VaultName, run: &RunId, by: &Asker, clock: &Clock) -> Result<Written> {
    app.jobs()?.open(&BackupJob::open(vault.clone(), run.clone(), by.clone(), clock.now())).await
}

/// Puts the request on the audit trail.
async fn record(
    app: &App,
    vault: &VaultName,
    run: &RunId,
    by: &Asker,
    objects: usize,
    clock: &Clock,
) -> Result<()> {
    let objects = u32::try_from(objects).unwrap_or(u32::MAX);
    let event = Event::BackupRequested { vault: vault.clone(), run: run.clone(), objects };
    app.audit()?.append(by, event, clock.now()).await
}

fn names(clock: &Clock) -> impl Iterator<Item = RunId> {
    std::iter::repeat_with(|| RunId::manual(clock.now(), fastrand::u16(..))).take(NAMES)
}

fn taken() -> Error {
    Error::Refused("too many runs were asked for in this second; ask again".into())
}
