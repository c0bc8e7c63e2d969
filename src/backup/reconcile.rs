//! The pass over open runs. It closes the runs whose objects are backed up through the queue, and alone those of more
//! than a few objects.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use tracing::{info, warn};

use super::{
    close, late, plan,
    rounds::{self, Notes},
    send,
};
use crate::{
    app::App,
    clock::Clock,
    domain::{
        actor::{Actor, Via},
        job::{BackupJob, Need, OPEN_FOR, rounds::Seen},
        manifest::Summary,
        object::ObjectId,
        plan::Plan,
        record::count,
        run::RunId,
        source::SourceName,
        supplement::Supplement,
    },
    error::{Error, Result},
    jobs::{OpenRuns, Stored, Unread},
};

/// Open runs that are reconciled concurrently.
const AT_ONCE: usize = 8;

/// The result of a pass.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// The runs that were open when the pass began.
    pub found: Vec<(SourceName, RunId)>,
    /// Runs that are still open.
    pub open: usize,
    /// Runs that were closed.
    pub closed: usize,
    /// The errors, at most one for each run. The next pass tries again.
    pub errors: Vec<Error>,
}

/// Reconciles every open run once. An error in one run does not hold up another.
///
/// Safe to run twice, concurrently or later, because closing, sending and recording are.
pub async fn reconcile(app: &App, clock: &Clock) -> Result<Reconciled> {
    let OpenRuns { runs, strays } = app.jobs()?.open_runs().await?;
    let found = runs.iter().map(|of| (of.job.vault.clone(), of.job.run.clone())).collect();
    let mut reconciled = Reconciled { found, ..Reconciled::default() };
    let superseded: Vec<bool> = runs.iter().map(|stored| is_superseded(&stored.job, &runs)).collect();
    let passes = runs.into_iter().zip(superseded);
    let passes: Vec<_> =
        passes.map(|(stored, superseded)| reconcile_one(app, stored, superseded, clock)).collect();
    reconciled.errors.extend(app.jobs()?.end_strays(&strays, OPEN_FOR, clock.now()).await.err());
    let mut passes = stream::iter(passes).buffer_unordered(AT_ONCE);
    while let Some(pass) = passes.next().await {
        match pass {
            Ok(Pass::Closed) => reconciled.closed += 1,
            Ok(Pass::Open) => reconciled.open += 1,
            Ok(Pass::Dropped(error)) | Err(error) => reconciled.errors.push(error),
        }
    }
    Ok(reconciled)
}

/// Whether a later run of the schedule is open for the same vault.
fn is_superseded(job: &BackupJob, runs: &[Stored]) -> bool {
    runs.iter().any(|other| other.job.supersedes(job))
}

/// Ends the expired runs of a vault and returns their names, for a terminal that may have no app to reconcile runs.
/// Needs no queue, because no messages are sent for a run of that age.
///
/// Safe to run twice, and beside an app.
pub async fn end_expired(app: &App, vault: &SourceName, clock: &Clock) -> Result<Vec<RunId>> {
    let mut ended = Vec::new();
    let Some(jobs) = app.jobs_here()? else { return Ok(ended) };
    for stored in jobs.backup_runs().await? {
        let run = stored.job.run.clone();
        let expired = stored.job.vault == *vault && stored.job.has_expired(clock.now());
        if expired && matches!(reconcile_one(app, stored, false, clock).await?, Pass::Closed) {
            ended.push(run);
        }
    }
    Ok(ended)
}

/// The state of a run after a pass.
enum Pass {
    /// It is still open.
    Open,
    /// It has its manifest.
    Closed,
    /// It ended without a manifest, for this reason.
    Dropped(Error),
}

impl From<Option<Summary>> for Pass {
    fn from(closed: Option<Summary>) -> Self {
        if closed.is_some() { Self::Closed } else { Self::Open }
    }
}

/// Reconciles one run. An expired run ends whatever is stored of it: if no manifest can be made of that now, `rebuild`
/// makes one once it can.
async fn reconcile_one(app: &App, stored: Stored, superseded: bool, clock: &Clock) -> Result<Pass> {
    let BackupJob { vault, run, .. } = stored.job.clone();
    let expired = stored.job.has_expired(clock.now());
    if stored.unread == Some(Unread::Newer) && !expired {
        return Ok(Pass::Open);
    }
    match reconcile_open(app, stored, superseded, clock).await {
        Err(error) if expired && error.is_unreadable() => {
            tracing::error!(
                event = "run.unreadable", vault.name = %vault, run.id = %run,
                "Run {run} of vault {vault} ended without a manifest: {error}. Run `rebuild` once its blobs can be read"
            );
            app.jobs()?.close(&vault, &run).await?;
            Ok(Pass::Dropped(error))
        }
        pass => pass.map(Into::into),
    }
}

async fn reconcile_open(
    app: &App,
    stored: Stored,
    superseded: bool,
    clock: &Clock,
) -> Result<Option<Summary>> {
    let BackupJob { vault, run, .. } = stored.job.clone();
    let plan = match app.catalogue()?.plan(&vault, &run).await {
        Ok(Some(plan)) => plan,
        // Nothing but its name is known.
        Ok(None) if stored.unread.is_some() && stored.job.has_expired(clock.now()) => {
            let blob = format!("the record of run {run} of vault {vault}");
            return Err(Error::Damaged { blob, text: "it cannot be read, and the run has no plan".into() });
        }
        Ok(None) => return unplanned(app, &stored.job, clock).await,
        Err(Error::Damaged { .. }) if stored.job.need(None, clock.now()) == Need::GivingUp => {
            let plan = plan::what_is_left(app.catalogue()?, &vault, &run).await?;
            // Only the record leads to the notes, which say why objects failed. Without objects they are kept unread.
            if !plan.objects.is_empty() {
                rounds::give_up(app, &plan, &stored.job, clock).await?;
                app.jobs()?.forget_failing(&vault, &run).await?;
            }
            return close(app, &plan).await.map(Some);
        }
        Err(error) => return Err(error),
    };
    reconcile_planned(app, stored, plan, superseded, clock).await
}

async fn reconcile_planned(
    app: &App,
    mut stored: Stored,
    plan: Plan,
    superseded: bool,
    clock: &Clock,
) -> Result<Option<Summary>> {
    let (unanswered, planned) = (send::unanswered(app, &plan).await?, count(plan.to_back_up().count()));
    let open = unanswered.len();
    stored.job.note_supplements(&plan.header);
    let mut news = stored.job.note(planned.saturating_sub(count(open)), clock.now());
    let (mut seen, mut notes) = (seen(&plan, planned, superseded), Notes::default());
    if open > 0 && stored.job.reads_notes(superseded, clock.now()) {
        notes = Notes::read(app, &plan, &stored.job, &unanswered, superseded, clock).await?;
        seen = notes.seen(seen);
        news |= stored.job.note_failing(notes.failing.take());
    }
    match stored.job.need(Some(seen), clock.now()) {
        Need::Closing => return end(app, plan, &stored.job, false, clock).await,
        Need::GivingUp => return end(app, plan, &stored.job, true, clock).await,
        Need::Sending => next_round(app, stored, plan, &notes.accepted, open, clock).await?,
        Need::NoOp | Need::Planning if news => app.jobs()?.save(&stored).await?,
        Need::NoOp | Need::Planning => {}
    }
    Ok(None)
}

/// Begins the next round of a run: lists the kinds that its plan had to leave out, and sends the messages of objects
/// without a result, except of those whose failure a person has accepted.
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
        "Round {round} of run {run} of vault {vault} begins: objects without a result: {open}"
    );
    send::again(app, &plan, stored, accepted, clock).await.map(drop)
}

/// What is known of a run before its notes are read.
fn seen(plan: &Plan, planned: u32, superseded: bool) -> Seen {
    Seen { planned, superseded, list_rounds: plan.header.list_rounds(), ..Seen::default() }
}

/// Ends a run; objects without a result have failed. The notes are deleted before the record that leads to them.
/// The run stays open if a kind turns out to have been listed after all.
pub(super) async fn end(
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

/// Plans a run that is open and has no plan, or closes it if it cannot be planned.
async fn unplanned(app: &App, job: &BackupJob, clock: &Clock) -> Result<Option<Summary>> {
    let BackupJob { vault, run, .. } = job;
    match job.need(None, clock.now()) {
        Need::Planning => {
            match (&job.unplanned, &job.by) {
                (Some(before), _) => {
                    let code = &before.failure.code;
                    info!(vault.name = %vault, run.id = %run, "Planning run {run} of vault {vault} again after {code}");
                }
                (None, Some(by @ Actor { via: Via::Http, .. })) => {
                    info!(vault.name = %vault, run.id = %run, "Planning run {run} of vault {vault} for {by}");
                }
                (None, _) => {
                    warn!(
                        vault.name = %vault, run.id = %run,
                        "Run {run} of vault {vault} was never planned; planning it now"
                    );
                }
            }
            super::start(app, app.vault(vault)?, run, job.by.as_ref().unwrap_or(&Actor::TIMER), clock)
                .await?;
            Ok(None)
        }
        Need::GivingUp => {
            let plan = plan::unlisted(app, job, clock).await?;
            close(app, &plan).await.map(Some)
        }
        Need::NoOp | Need::Sending | Need::Closing => Ok(None),
    }
}
