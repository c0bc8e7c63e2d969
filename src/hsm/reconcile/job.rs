//! One pass over one job.

use crate::{
    app::App,
    azure::{
        error::{Meaning, ServiceError},
        hsm::why,
        managed_hsm::OperationState,
    },
    clock::Clock,
    domain::{
        fate::Fate,
        hsm::{Context, Fit, HsmJob, Move, Phase, Seen, Task},
        outcome::Failure,
        run::RunId,
    },
    error::Result,
    jobs::StoredHsmJob,
};

use super::super::{
    answer,
    ends::{self, BackupEnd},
    folders::{self, Listed},
    next::{Next, save, stop},
    operation,
};

/// Upper bound on the moves of one pass.
const MOVES: usize = 8;

/// The state of a job after a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// It is still open.
    Open,
    /// It has ended.
    Ended,
}

/// Brings a job closer to its end. Polls the service at most once.
///
/// Safe to run twice, concurrently or later: any step that must happen only once is first recorded by compare-and-swap.
pub async fn reconcile_job(
    app: &App,
    mut stored: StoredHsmJob,
    context: &Context,
    clock: &Clock,
) -> Result<Pass> {
    stored = match report(app, stored, clock).await? {
        Some(stored) => stored,
        None => return Ok(Pass::Open),
    };
    if ends::again(app, &stored.job, clock).await? {
        return Ok(Pass::Ended);
    }
    for _ in 0..MOVES {
        // Boxed: the states of all moves together are large.
        match Box::pin(one_move(app, stored, context, clock)).await? {
            Next::On(now) => stored = *now,
            Next::Stop => return Ok(Pass::Open),
            Next::Ended => return Ok(Pass::Ended),
        }
    }
    Ok(Pass::Open)
}

async fn one_move(app: &App, stored: StoredHsmJob, context: &Context, clock: &Clock) -> Result<Next> {
    match stored.job.next(context, clock.now()) {
        Move::NoOp => Ok(Next::Stop),
        Move::Wait(why) => wait(app, stored, why).await,
        Move::BackUpFirst(run) => back_up_first(app, stored, run, clock).await,
        Move::Check => check(app, stored, clock).await,
        Move::PollCheck(operation) => poll_check(app, stored, &operation, clock).await,
        Move::Start => Box::pin(operation::start(app, stored, clock)).await,
        Move::Poll(operation) => Box::pin(answer::poll(app, stored, &operation, clock)).await,
        Move::FindFolder { fit, or_start } => find_folder(app, stored, fit, or_start, clock).await,
        Move::GiveUp(failure) => ends::fail(app, stored, failure, clock).await,
    }
}

/// Logs once that a job takes too long. Returns `None` if another process has changed its record meanwhile.
async fn report(app: &App, mut stored: StoredHsmJob, clock: &Clock) -> Result<Option<StoredHsmJob>> {
    let limit = app.hsms().limit();
    if !stored.job.is_overdue(limit, clock.now()) {
        return Ok(Some(stored));
    }
    let (hsm, id) = (&stored.job.hsm, &stored.job.id);
    tracing::error!(
        event = "job.overdue", hsm.name = %hsm, job.id = %id, job.limit_hours = limit.whole_hours(),
        "Job {id} of HSM {hsm} has been open for more than {} hours; it continues", limit.whole_hours(),
    );
    stored.job.reported = true;
    app.jobs()?.save_hsm_job(stored).await
}

async fn wait(app: &App, mut stored: StoredHsmJob, why: String) -> Result<Next> {
    if stored.job.waiting.as_ref() != Some(&why) {
        tracing::info!(hsm.name = %stored.job.hsm, job.id = %stored.job.id, "Job {} waits: {why}", stored.job.id);
        stored.job.waiting = Some(why);
        save(app, stored).await?;
    }
    Ok(Next::Stop)
}

/// Opens the safety backup of a restore. Safe to run twice: the first record stays.
async fn back_up_first(app: &App, stored: StoredHsmJob, run: RunId, clock: &Clock) -> Result<Next> {
    let (job, why) = (&stored.job, format!("the HSM is backed up first, in run {run}"));
    let task = Task::Backup { safety_for: job.restore() };
    let backup = HsmJob::open(run, job.hsm.clone(), task, job.by.clone(), clock.now());
    app.jobs()?.open_hsm_job(&backup).await?;
    wait(app, stored, why).await
}

/// Starts the service's pre-check of a backup. If there is no such check, or the HSM is busy, the start will show it.
async fn check(app: &App, mut stored: StoredHsmJob, clock: &Clock) -> Result<Next> {
    let client = app.hsms().get(&stored.job.hsm)?;
    let checked = client.prebackup(&app.hsms().destination()?).await;
    stored.job.polled = Some(clock.now());
    match checked {
        Ok(started) => {
            stored.job.phase = Phase::Checking { job: started.job_id, since: Some(clock.now()) };
            stored.job.waiting = None;
            stop(app, stored).await
        }
        Err(error) => unchecked(app, stored, &error, clock).await,
    }
}

async fn poll_check(app: &App, mut stored: StoredHsmJob, operation: &str, clock: &Clock) -> Result<Next> {
    let status = app.hsms().get(&stored.job.hsm)?.backup_status(operation).await;
    stored.job.polled = Some(clock.now());
    match status {
        Ok(status) if status.status == OperationState::Succeeded => {
            stored.job.phase = Phase::Checked;
            save(app, stored).await
        }
        Ok(status) if status.status.has_ended() => {
            let why = why(&status);
            let text = format!("the service's own check says that no backup can be made: {}", why.text);
            ends::fail(app, stored, Failure::ours(&why.code, text), clock).await
        }
        Ok(_) => stop(app, stored).await,
        Err(error) => unchecked(app, stored, &error, clock).await,
    }
}

/// Handles a pre-check that failed to run. A transient failure is retried in the next pass; after any other one the
/// backup is started without the check, and meets the failure itself if it persists.
async fn unchecked(app: &App, mut stored: StoredHsmJob, error: &ServiceError, clock: &Clock) -> Result<Next> {
    if error.fate() == Fate::Retry && error.meaning != Meaning::Busy {
        tracing::warn!(hsm.name = %stored.job.hsm, job.id = %stored.job.id, "{error}");
        stored.job.waiting = Some(format!("{}: {}", error.failure.code, error.failure.text));
        stored.job.hold(error.retry_after, clock.now());
        return stop(app, stored).await;
    }
    tracing::info!(hsm.name = %stored.job.hsm, "The check could not run: {error}. The backup is started without it");
    stored.job.phase = Phase::Checked;
    save(app, stored).await
}

/// Searches for the folder of an operation whose id is unknown. A folder that fits is the job's result once it has
/// stopped growing; without one the start is sent again if `or_start`.
async fn find_folder(
    app: &App,
    mut stored: StoredHsmJob,
    fit: Fit,
    or_start: bool,
    clock: &Clock,
) -> Result<Next> {
    stored.job.polled = Some(clock.now());
    if let Phase::Sending { at } = stored.job.phase {
        stored.job.phase = Phase::Lost { at };
    }
    match folders::unknown(app, &stored.job.hsm, fit).await? {
        Some(Listed { folder, inventory }) => {
            let seen = Seen::again(stored.job.seen.take(), folder);
            if seen.is_whole() {
                let end = BackupEnd::found(seen, inventory, "no answer to the start names the operation");
                return ends::backup(app, stored, end, clock).await;
            }
            stored.job.seen = Some(seen);
            stop(app, stored).await
        }
        None if or_start => Box::pin(operation::start(app, stored, clock)).await,
        None => stop(app, stored).await,
    }
}
