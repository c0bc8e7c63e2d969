//! Moving open runs on: the only thing that closes a run whose work the queue does.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use tracing::{info, warn};

use super::{
    close, late, plan, rebuild,
    rounds::{self, Notes},
    send,
};
use crate::{
    app::App,
    clock::Clock,
    domain::{
        asker::{Asker, Via},
        job::{BackupJob, Need, OPEN_FOR},
        manifest::Summary,
        object::{ObjectId, VaultName},
        plan::Plan,
        rounds::Seen,
        run::RunId,
        supplement::Supplement,
    },
    error::{Error, Result},
    jobs::{OpenRuns, Stored, Unread},
};

/// Open runs that are looked at together.
const AT_ONCE: usize = 8;

/// What a look at the open runs did.
#[derive(Debug, Default)]
pub struct Advanced {
    /// The runs that were open when the look began.
    pub found: Vec<(VaultName, RunId)>,
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
    let OpenRuns { runs, strays } = app.jobs()?.open_runs().await?;
    let found = runs.iter().map(|of| (of.job.vault.clone(), of.job.run.clone())).collect();
    let mut advanced = Advanced { found, ..Advanced::default() };
    let superseded: Vec<bool> = runs.iter().map(|stored| is_superseded(&stored.job, &runs)).collect();
    let looks = runs.into_iter().zip(superseded);
    let looks: Vec<_> =
        looks.map(|(stored, superseded)| advance_one(app, stored, superseded, clock)).collect();
    advanced.errors.extend(app.jobs()?.end_strays(&strays, OPEN_FOR, clock.now()).await.err());
    let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
    while let Some(look) = looks.next().await {
        match look {
            Ok(Looked::Closed(summary)) => advanced.closed.push(summary),
            Ok(Looked::Open) => advanced.open += 1,
            Ok(Looked::Dropped(error)) | Err(error) => advanced.errors.push(error),
        }
    }
    Ok(advanced)
}

/// Whether a later run of the schedule is open for the same vault.
fn is_superseded(job: &BackupJob, runs: &[Stored]) -> bool {
    runs.iter().any(|other| other.job.supersedes(job))
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
        if expired && let Looked::Closed(_) = advance_one(app, stored, false, clock).await? {
            ended.push(run);
        }
    }
    Ok(ended)
}

/// What a look at a run found.
enum Looked {
    /// It goes on.
    Open,
    /// It has its manifest.
    Closed(Summary),
    /// It is open no longer, and has no manifest, for this reason.
    Dropped(Error),
}

impl From<Option<Summary>> for Looked {
    fn from(closed: Option<Summary>) -> Self {
        closed.map_or(Self::Open, Self::Closed)
    }
}

/// Looks at a run. It ends by the clock whatever is stored of it: where no manifest can be made of that, `rebuild` makes
/// one once it can be.
async fn advance_one(app: &App, stored: Stored, superseded: bool, clock: &Clock) -> Result<Looked> {
    let BackupJob { vault, run, .. } = stored.job.clone();
    let expired = stored.job.has_expired(clock.now());
    if stored.unread == Some(Unread::Newer) && !expired {
        return Ok(Looked::Open);
    }
    match look(app, stored, superseded, clock).await {
        Err(error @ (Error::Damaged { .. } | Error::TooNew { .. })) if expired => {
            tracing::error!(
                event = "run.unreadable", vault.name = %vault, run.id = %run,
                "Run {run} of vault {vault} ends without a manifest; `rebuild` makes it once what is stored can be read: {error}"
            );
            app.jobs()?.close(&vault, &run).await?;
            Ok(Looked::Dropped(error))
        }
        looked => looked.map(Into::into),
    }
}

async fn look(app: &App, stored: Stored, superseded: bool, clock: &Clock) -> Result<Option<Summary>> {
    let BackupJob { vault, run, .. } = stored.job.clone();
    let plan = match app.catalogue()?.plan(&vault, &run).await {
        Ok(Some(plan)) => plan,
        // Nothing is known of it but its name.
        Ok(None) if stored.unread.is_some() && stored.job.has_expired(clock.now()) => {
            let blob = format!("the record of run {run} of vault {vault}");
            return Err(Error::Damaged { blob, text: "it cannot be read, and the run has no plan".into() });
        }
        Ok(None) => return unplanned(app, &stored.job, clock).await,
        Err(Error::Damaged { .. }) if stored.job.need(None, clock.now()) == Need::GivingUp => {
            let plan = rebuild::what_is_left(app.catalogue()?, &vault, &run).await?;
            return close(app, &plan).await.map(Some);
        }
        Err(error) => return Err(error),
    };
    look_at_planned(app, stored, plan, superseded, clock).await
}

async fn look_at_planned(
    app: &App,
    mut stored: Stored,
    plan: Plan,
    superseded: bool,
    clock: &Clock,
) -> Result<Option<Summary>> {
    let (unanswered, planned) = (send::unanswered(app, &plan).await?, count(plan.to_back_up().count()));
    stored.job.note_supplements(&plan.header);
    let mut news = stored.job.note(planned.saturating_sub(count(unanswered.len())), clock.now());
    let (mut seen, mut notes) = (seen(&plan, planned, superseded), Notes::default());
    if !unanswered.is_empty() && stored.job.reads_notes(superseded, clock.now()) {
        notes = Notes::read(app, &plan, &stored.job, &unanswered, superseded, clock).await?;
        seen = notes.seen(seen);
        news |= stored.job.note_failing(notes.failing.take());
    }
    match stored.job.need(Some(seen), clock.now()) {
        Need::Closing => return end(app, plan, &stored.job, false, clock).await,
        Need::GivingUp => return end(app, plan, &stored.job, true, clock).await,
        Need::Sending => next_round(app, stored, plan, &notes.accepted, unanswered.len(), clock).await?,
        Need::Patience | Need::Planning if news => app.jobs()?.save(&stored).await?,
        Need::Patience | Need::Planning => {}
    }
    Ok(None)
}

/// Begins the next round of a run: lists what its plan had to leave out, and sends the messages of what is unanswered,
/// except for what may fail.
async fn next_round(
    app: &App,
    mut stored: Stored,
    plan: Plan,
    accepted: &BTreeSet<ObjectId>,
    unanswered: usize,
    clock: &Clock,
) -> Result<()> {
    let (round, known) = (stored.job.round().number + 1, plan.to_back_up().count());
    let plan = Box::pin(late::list_again(app, plan, &mut stored.job, clock)).await?;
    let open = unanswered - accepted.len() + plan.to_back_up().count() - known;
    stored.job.covers = rounds::covers(app, &plan).await?;
    let BackupJob { vault, run, covers, .. } = &stored.job;
    warn!(
        event = "run.round", vault.name = %vault, run.id = %run, run.round = round, run.unanswered = open,
        run.covers = covers,
        "Round {round} of run {run} of vault {vault}: {open} messages are sent, of objects that have no result yet"
    );
    send::again(app, &plan, stored, accepted, clock).await.map(drop)
}

/// What is seen of a run before its notes are read.
fn seen(plan: &Plan, planned: u32, superseded: bool) -> Seen {
    Seen { planned, superseded, list_rounds: plan.header.list_rounds(), ..Seen::default() }
}

/// Ends a run, and gives up on what is unanswered. Its notes go before its record does: nothing looks for them afterwards.
/// A run goes on if a kind turns out to have been listed after all.
async fn end(
    app: &App,
    plan: Plan,
    job: &BackupJob,
    gives_up: bool,
    clock: &Clock,
) -> Result<Option<Summary>> {
    let settled = Box::pin(late::settle(app, &plan.header, Some(job), clock)).await?;
    if settled.iter().any(Supplement::is_listed) {
        return Ok(None);
    }
    let plan = plan.with(settled);
    if gives_up {
        rounds::give_up(app, &plan, job, clock).await?;
    }
    if job.failing.is_some() || job.round().number > 1 {
        app.jobs()?.forget_failing(&job.vault, &job.run).await?;
    }
    close(app, &plan).await.map(Some)
}

/// Plans a run that whoever opened it did not plan, and closes one that cannot be planned.
async fn unplanned(app: &App, job: &BackupJob, clock: &Clock) -> Result<Option<Summary>> {
    let BackupJob { vault, run, .. } = job;
    match job.need(None, clock.now()) {
        Need::Planning => {
            match (&job.unplanned, &job.by) {
                (Some(before), _) => {
                    let code = &before.failure.code;
                    info!(vault.name = %vault, run.id = %run, "Planning run {run} of vault {vault} again, which met {code}");
                }
                (None, Some(by @ Asker { via: Via::Http, .. })) => {
                    info!(vault.name = %vault, run.id = %run, "Planning run {run} of vault {vault} for {by}");
                }
                (None, _) => {
                    warn!(vault.name = %vault, run.id = %run, "Run {run} of vault {vault} was never planned; planning it now");
                }
            }
            super::start(app, app.vault(vault)?, run, job.by.as_ref().unwrap_or(&Asker::TIMER), clock)
                .await?;
            Ok(None)
        }
        Need::GivingUp => {
            let plan = plan::unlisted(app, job, clock).await?;
            close(app, &plan).await.map(Some)
        }
        Need::Patience | Need::Sending | Need::Closing => Ok(None),
    }
}

fn count(objects: usize) -> u32 {
    u32::try_from(objects).unwrap_or(u32::MAX)
}
