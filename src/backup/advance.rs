//! Moving open runs on: the only thing that closes a run whose work the queue does.

use futures::{StreamExt as _, stream};
use tracing::{info, warn};

use super::{close, plan, rebuild, send};
use crate::{
    app::App,
    clock::Clock,
    domain::{
        asker::{Asker, Via},
        job::{BackupJob, Need},
        manifest::Summary,
        object::VaultName,
        outcome::{Failure, Outcome, OutcomeKind},
        plan::Plan,
        planned::PlannedObjects,
        run::RunId,
    },
    error::{Error, Result},
    jobs::Stored,
};

/// Open runs that are looked at together.
const AT_ONCE: usize = 8;

/// What a look at the open runs did.
#[derive(Debug, Default)]
pub struct Advanced {
    /// Runs that are still open.
    pub open: usize,
    /// Runs that were closed.
    pub closed: Vec<Summary>,
    /// What went wrong, run by run. The next look tries again.
    pub errors: Vec<Error>,
}

/// Looks at every open run once and does what it needs. One run's trouble does not hold up another.
///
/// Safe to run twice, at once or later: closing, sending and recording all are.
pub async fn advance(app: &App, clock: &Clock) -> Result<Advanced> {
    let jobs = app.jobs()?.all().await?;
    let looks: Vec<_> = jobs.into_iter().map(|stored| advance_one(app, stored, clock)).collect();
    let mut advanced = Advanced::default();
    let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
    while let Some(look) = looks.next().await {
        match look {
            Ok(Some(summary)) => advanced.closed.push(summary),
            Ok(None) => advanced.open += 1,
            Err(error) => advanced.errors.push(error),
        }
    }
    Ok(advanced)
}

/// Ends the runs of a vault that have been open for as long as a run may be, and says which: for a terminal, where
/// there may be no app that looks at open runs. Nothing is sent for a run of that age, so it needs no queue.
///
/// Safe to run twice, and beside an app.
pub async fn end_expired(app: &App, vault: &VaultName, clock: &Clock) -> Result<Vec<RunId>> {
    let mut ended = Vec::new();
    for stored in app.jobs()?.all().await? {
        let run = stored.job.run.clone();
        let expired = stored.job.vault == *vault && stored.job.has_expired(clock.now());
        if expired && advance_one(app, stored, clock).await?.is_some() {
            ended.push(run);
        }
    }
    Ok(ended)
}

async fn advance_one(app: &App, mut stored: Stored, clock: &Clock) -> Result<Option<Summary>> {
    let BackupJob { vault, run, .. } = stored.job.clone();
    let plan = match app.catalogue()?.plan(&vault, &run).await {
        Ok(Some(plan)) => plan,
        Ok(None) => return unplanned(app, &stored.job, clock).await,
        Err(Error::Damaged { .. }) if stored.job.need(None, clock.now()) == Need::GivingUp => {
            let header = rebuild::without_plan(&vault, &run)?;
            return close(app, &Plan { header, objects: PlannedObjects::default() }).await.map(Some);
        }
        Err(error) => return Err(error),
    };
    let unanswered = send::unanswered(app, &plan).await?.len();
    let planned = plan.to_back_up().count();
    let news = stored.job.note(count(planned - unanswered), clock.now());
    match stored.job.need(Some(count(planned)), clock.now()) {
        Need::Closing => return close(app, &plan).await.map(Some),
        Need::GivingUp => {
            give_up(app, &plan, clock).await?;
            return close(app, &plan).await.map(Some);
        }
        Need::Sending => {
            warn!(
                vault.name = %vault, run.id = %run, run.unanswered = unanswered,
                "Run {run} of vault {vault} stands still; sending {unanswered} messages again"
            );
            send::again(app, &plan, stored, clock).await?;
        }
        Need::Patience | Need::Planning if news => app.jobs()?.save(&stored).await?,
        Need::Patience | Need::Planning => {}
    }
    Ok(None)
}

/// Plans a run that whoever opened it did not plan, and closes one that cannot be planned.
async fn unplanned(app: &App, job: &BackupJob, clock: &Clock) -> Result<Option<Summary>> {
    let BackupJob { vault, run, .. } = job;
    match job.need(None, clock.now()) {
        Need::Planning => {
            match &job.by {
                Some(by @ Asker { via: Via::Http, .. }) => {
                    info!(vault.name = %vault, run.id = %run, "Planning run {run} of vault {vault} for {by}");
                }
                _ => {
                    warn!(vault.name = %vault, run.id = %run, "Run {run} of vault {vault} was never planned; planning it now");
                }
            }
            super::start(app, app.vault(vault)?, run, job.by.as_ref().unwrap_or(&Asker::TIMER), clock)
                .await?;
            Ok(None)
        }
        Need::GivingUp => {
            let plan = plan::unlisted(app, vault, run, job.by.as_ref(), clock).await?;
            close(app, &plan).await.map(Some)
        }
        Need::Patience | Need::Sending | Need::Closing => Ok(None),
    }
}

fn count(objects: usize) -> u32 {
    u32::try_from(objects).unwrap_or(u32::MAX)
}

/// Records a failure for everything that is still unanswered.
async fn give_up(app: &App, plan: &Plan, clock: &Clock) -> Result<()> {
    let header = &plan.header;
    for planned in &send::unanswered(app, plan).await? {
        let text = "nothing came of its message; see the poison queue and the log for why";
        let failure = Failure::ours("NoAnswer", text);
        let outcome = Outcome::new(&planned.id, OutcomeKind::Failed, failure, clock.now());
        app.catalogue()?.create_outcome(&header.vault, &header.run, &outcome).await?;
    }
    Ok(())
}
