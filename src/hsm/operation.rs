//! Sending the start of an operation at most once.

use time::OffsetDateTime;

use super::{
    answer::failed,
    ends,
    next::{Next, save, stop},
    safety,
};
use crate::{
    app::App,
    azure::{
        hsm::{HsmClient, Standing, StartFailure},
        managed_hsm::{BackupDestination, RestoreSource, Started},
    },
    clock::Clock,
    domain::{
        fate::Fate,
        hsm::{HsmJob, Phase, Task},
    },
    error::Result,
    guard,
    jobs::StoredHsmJob,
};

/// Attempts to record the result of a start, before the error of the last one is returned.
const NOTES: usize = 3;

/// Sends the start at most once: the intent is recorded by compare-and-swap first, and the process that loses sends
/// nothing. A restore that a [`guard`] bars ends instead.
pub(super) async fn start(app: &App, mut stored: StoredHsmJob, clock: &Clock) -> Result<Next> {
    if safety::is_outdated(app, &stored.job, clock).await? {
        return safety::renew(app, stored, clock).await;
    }
    if let Err(barred) = guard::of_hsm_job(app, &stored.job) {
        return ends::fail(app, stored, barred.failure(), clock).await;
    }
    let before = stored.job.phase.clone();
    // Missing settings and a missing token show before the intent is recorded.
    let (client, order) = (app.hsms().get(&stored.job.hsm)?, Order::of(app, &stored.job)?);
    if let Err(error) = client.ready().await {
        let failure = StartFailure { error, standing: Standing::NotBegun };
        return not_started(app, stored, before, failure, clock).await;
    }
    let at = clock.now();
    (stored.job.phase, stored.job.waiting, stored.job.held_until) = (Phase::Sending { at }, None, None);
    let Next::On(mut stored) = save(app, stored).await? else { return Ok(Next::Stop) };
    match order.send(client).await {
        Ok(started) => {
            let (hsm, id) = (&stored.job.hsm, &stored.job.id);
            tracing::info!(
                event = "hsm.started", hsm.name = %hsm, job.id = %id, operation.id = %started.job_id,
                "HSM {hsm} has begun with job {id}",
            );
            stored.job.phase = Phase::Running { job: started.job_id, since: clock.now() };
            (stored.job.seen, stored.job.refused) = (None, 0);
            stored.job.polled = Some(clock.now());
            note(app, *stored, at).await
        }
        Err(failure) => not_started(app, *stored, before, failure, clock).await,
    }
}

/// Records the result of a start, which must not be lost: only this process knows the operation's id. While the start
/// that was recorded `at` a time is being sent, other processes only record that the job takes long or that there was
/// no answer, so this record overwrites theirs.
async fn note(app: &App, mut stored: StoredHsmJob, at: OffsetDateTime) -> Result<Next> {
    for _ in 0..NOTES {
        match noted(app, stored.clone(), at).await {
            Ok(None) => return Ok(Next::Stop),
            Ok(Some(found)) => {
                let reported = found.job.reported;
                stored = found.carrying(HsmJob { reported, ..stored.job });
            }
            Err(error) => tracing::warn!(
                job.id = %stored.job.id, "The result of the start could not be recorded: {error}. Trying again"
            ),
        }
    }
    app.jobs()?.save_hsm_job(stored).await.map(|_| Next::Stop)
}

/// Tries to write a record once. Returns the record that is in its way, if it may be overwritten.
async fn noted(app: &App, stored: StoredHsmJob, at: OffsetDateTime) -> Result<Option<StoredHsmJob>> {
    let (jobs, hsm, id) = (app.jobs()?, stored.job.hsm.clone(), stored.job.id.clone());
    if jobs.save_hsm_job(stored).await?.is_some() {
        return Ok(None);
    }
    let ours = |phase: &Phase| *phase == Phase::Sending { at } || *phase == Phase::Lost { at };
    Ok(jobs.hsm_job(&hsm, &id).await?.filter(|found| ours(&found.job.phase)))
}

/// The request of a start.
enum Order {
    Backup(BackupDestination),
    Restore(RestoreSource),
    Key(String, RestoreSource),
}

impl Order {
    fn of(app: &App, job: &HsmJob) -> Result<Self> {
        let hsms = app.hsms();
        Ok(match &job.task {
            Task::Backup { .. } => Self::Backup(hsms.destination()?),
            Task::RestoreAll { folder, .. } => Self::Restore(hsms.source(folder)?),
            Task::RestoreKeys { folder, keys, outcomes, .. } => {
                let key = keys.get(outcomes.len()).map_or_else(String::new, ToString::to_string);
                Self::Key(key, hsms.source(folder)?)
            }
        })
    }

    async fn send(self, client: &HsmClient) -> std::result::Result<Started, StartFailure> {
        match self {
            Self::Backup(to) => client.begin_backup(&to).await,
            Self::Restore(from) => client.begin_restore(&from).await,
            Self::Key(key, from) => client.begin_key_restore(&key, &from).await,
        }
    }
}

async fn not_started(
    app: &App,
    mut stored: StoredHsmJob,
    before: Phase,
    failure: StartFailure,
    clock: &Clock,
) -> Result<Next> {
    let error = failure.error;
    tracing::warn!(hsm.name = %stored.job.hsm, job.id = %stored.job.id, "{error}");
    let words = format!("{}: {}", error.failure.code, error.failure.text);
    stored.job.polled = Some(clock.now());
    // Without an answer there is no Retry-After.
    if error.failure.status.is_some() {
        stored.job.hold(error.retry_after, clock.now());
    }
    stored.job.phase = match (failure.standing, before) {
        (Standing::Unknown, _) => Phase::Lost { at: sent_at(&stored.job, clock) },
        (Standing::NotBegun, before) | (Standing::Occupied, before @ Phase::Occupied { .. }) => before,
        (Standing::Occupied, _) => Phase::Occupied { since: clock.now() },
    };
    stored.job.waiting = Some(match failure.standing {
        Standing::Unknown => format!("the start had no usable answer, and is not sent again: {words}"),
        Standing::Occupied | Standing::NotBegun => words,
    });
    let goes_on = match (failure.standing, error.fate()) {
        (Standing::Unknown | Standing::Occupied, _) | (_, Fate::Retry) => true,
        (Standing::NotBegun, Fate::Later) => stored.job.put_off(clock.now()),
        (Standing::NotBegun, Fate::Fail) => false,
    };
    if goes_on { stop(app, stored).await } else { failed(app, stored, error.recorded(), clock).await }
}

fn sent_at(job: &HsmJob, clock: &Clock) -> OffsetDateTime {
    match job.phase {
        Phase::Sending { at } => at,
        _ => clock.now(),
    }
}
