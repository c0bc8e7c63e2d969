//! One operation of the service: its start, and what the service says of it.

use time::OffsetDateTime;

use crate::{
    app::App,
    azure::{
        error::ServiceError,
        hsm::{HsmClient, Standing, StartFailure, why},
        managed_hsm::{BackupDestination, OperationState, OperationStatus, RestoreSource, Started},
    },
    clock::Clock,
    domain::{
        hsm::{HsmJob, KeyOutcome, KeyResult, Phase, Task},
        outcome::{Failure, Fate},
        run::{RunId, Verdict},
    },
    error::Result,
    jobs::StoredHsmJob,
};

use super::{
    ends::{self, BackupEnd},
    folders,
};

/// How a look goes on.
pub(super) enum Next {
    /// With the record as it is now.
    On(Box<StoredHsmJob>),
    /// Not before the next look.
    Stop,
    /// The job has ended.
    Ended,
}

/// How long ago a backup that was made for a restore may have ended when the restore begins: the HSM may be busy for a
/// while after it.
const MADE_FOR_IT: time::Duration = time::Duration::hours(2);

/// Writes of what must not be lost, before it is left to the last one to fail.
const NOTES: usize = 3;

/// Notes what was decided. Whoever comes second leaves the rest to whoever came first.
pub(super) async fn save(app: &App, stored: StoredHsmJob) -> Result<Next> {
    Ok(app.jobs()?.save_hsm_job(stored).await?.map_or(Next::Stop, |stored| Next::On(Box::new(stored))))
}

/// Sends the start, once: this process notes that it does before it does, and gives up if another one noted it
/// first.
pub(super) async fn start(app: &App, mut stored: StoredHsmJob, clock: &Clock) -> Result<Next> {
    if is_stale(app, &stored.job, clock).await? {
        return outdated(app, stored, clock).await;
    }
    let before = stored.job.phase.clone();
    // Whatever is missing in the settings, and whether there is a token, shows before anything is noted.
    let (client, order) = (app.hsms().get(&stored.job.hsm)?, Order::of(app, &stored.job)?);
    if let Err(error) = client.ready().await {
        let failure = StartFailure { error, standing: Standing::NotBegun };
        return not_started(app, stored, before, failure, clock).await;
    }
    let at = now(clock);
    (stored.job.phase, stored.job.waiting) = (Phase::Sending { at }, None);
    let Next::On(mut stored) = save(app, stored).await? else { return Ok(Next::Stop) };
    match order.send(client).await {
        Ok(started) => {
            let (hsm, id) = (&stored.job.hsm, &stored.job.id);
            tracing::info!(
                event = "hsm.started", hsm.name = %hsm, job.id = %id, operation.id = %started.job_id,
                "HSM {hsm} has begun with job {id}",
            );
            stored.job.phase = Phase::Running { job: started.job_id, since: now(clock) };
            (stored.job.seen, stored.job.refused) = (None, 0);
            stored.job.polled = Some(now(clock));
            note(app, *stored, at).await
        }
        Err(failure) => not_started(app, *stored, before, failure, clock).await,
    }
}

/// Whether an HSM is about to be replaced whose newest backup has become too old while the restore was kept waiting: what
/// was made in it since would be lost. One that has waited for that by the service's rule is not meant.
async fn is_stale(app: &App, job: &HsmJob, clock: &Clock) -> Result<bool> {
    let Task::RestoreAll { safety, .. } = &job.task else { return Ok(false) };
    let newest = app.catalogue()?.newest_hsm_backup(&job.hsm, None).await?;
    let (now, age) = (clock.now(), app.hsms().backup_age());
    let is_fresh = newest.is_some_and(|backup| match safety {
        None => now - backup.taken() < age,
        Some(_) => now - backup.ended < age.max(MADE_FOR_IT),
    });
    Ok(!job.waited && !is_fresh)
}

/// Has the HSM backed up, or gives up where that was done and the HSM was not free for too long after it.
async fn outdated(app: &App, mut stored: StoredHsmJob, clock: &Clock) -> Result<Next> {
    if let Task::RestoreAll { safety: safety @ None, .. } = &mut stored.job.task {
        *safety = Some(RunId::safety(&stored.job.id));
        stored.job.phase = Phase::Due { not_before: None };
        return save(app, stored).await;
    }
    let text =
        "the HSM was not free for so long that its backup has become too old to replace it; plan again";
    ends::fail(app, stored, Failure::ours("OldSafetyBackup", text), clock).await
}

/// Notes what must not be lost: an operation's name is known to nobody else. While the start that was noted `at` a time
/// is being sent others only add that the job takes long, or that nothing was heard of it, so the record is
/// written over theirs.
async fn note(app: &App, mut stored: StoredHsmJob, at: OffsetDateTime) -> Result<Next> {
    for _ in 0..NOTES {
        match noted(app, stored.clone(), at).await {
            Ok(None) => return Ok(Next::Stop),
            Ok(Some(found)) => {
                let reported = found.job.reported;
                stored = found.carrying(HsmJob { reported, ..stored.job });
            }
            Err(error) => tracing::warn!(job.id = %stored.job.id, "The record is written again: {error}"),
        }
    }
    app.jobs()?.save_hsm_job(stored).await.map(|_| Next::Stop)
}

/// Writes a record once. Returns what is in its way and may be written over.
async fn noted(app: &App, stored: StoredHsmJob, at: OffsetDateTime) -> Result<Option<StoredHsmJob>> {
    let (jobs, hsm, id) = (app.jobs()?, stored.job.hsm.clone(), stored.job.id.clone());
    if jobs.save_hsm_job(stored).await?.is_some() {
        return Ok(None);
    }
    let ours = |phase: &Phase| *phase == Phase::Sending { at } || *phase == Phase::Lost { at };
    Ok(jobs.hsm_job(&hsm, &id).await?.filter(|found| ours(&found.job.phase)))
}

/// What a start asks for.
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
    stored.job.polled = Some(now(clock));
    stored.job.phase = match (failure.standing, before) {
        (Standing::Unknown, _) => Phase::Lost { at: sent_at(&stored.job, clock) },
        (Standing::NotBegun, before) | (Standing::Occupied, before @ Phase::Occupied { .. }) => before,
        (Standing::Occupied, _) => Phase::Occupied { since: now(clock) },
    };
    stored.job.waiting = Some(match failure.standing {
        Standing::Unknown => format!("the start got no answer to go by, and is not sent again: {words}"),
        Standing::Occupied | Standing::NotBegun => words,
    });
    if failure.standing == Standing::NotBegun && error.fate() == Fate::Fail {
        return failed(app, stored, *error.failure, clock).await;
    }
    save(app, stored).await.map(|_| Next::Stop)
}

fn sent_at(job: &HsmJob, clock: &Clock) -> OffsetDateTime {
    match job.phase {
        Phase::Sending { at } => at,
        _ => now(clock),
    }
}

/// The operation has failed, or was refused for good. A restore of everything that is refused for want of another
/// backup gets one, and then the time that the rule may mean.
async fn failed(app: &App, mut stored: StoredHsmJob, failure: Failure, clock: &Clock) -> Result<Next> {
    if let Task::RestoreAll { safety, .. } = &mut stored.job.task
        && !stored.job.waited
        && wants_another_backup(&failure)
    {
        stored.job.waiting = Some(format!("{}: {}", failure.code, failure.text));
        if safety.is_none() {
            *safety = Some(RunId::safety(&stored.job.id));
            stored.job.phase = Phase::Due { not_before: None };
            return save(app, stored).await;
        }
        let newest = app.catalogue()?.newest_hsm_backup(&stored.job.hsm, None).await?;
        let ripe = newest.map_or_else(|| clock.now(), |backup| backup.ended) + app.hsms().backup_age();
        stored.job.phase = Phase::Due { not_before: Some(second(ripe.max(clock.now()))) };
        stored.job.waited = true;
        return save(app, stored).await.map(|_| Next::Stop);
    }
    key_or_job_failed(app, stored, failure, clock).await
}

/// The rule is documented as "a backup within the last 30 minutes" and as "at least 30 minutes before". A fresh
/// backup meets the first reading; when the restore is refused with one, waiting meets the second.
fn wants_another_backup(failure: &Failure) -> bool {
    let text = failure.text.to_ascii_lowercase();
    let names_a_time = ["within", "before", "prior", "at least"].iter().any(|word| text.contains(word));
    text.contains("backup") && text.contains("minutes") && names_a_time
}

async fn key_or_job_failed(app: &App, stored: StoredHsmJob, failure: Failure, clock: &Clock) -> Result<Next> {
    if matches!(stored.job.task, Task::RestoreKeys { .. }) {
        return key_done(app, stored, KeyResult::Failed { failure }, clock).await;
    }
    ends::fail(app, stored, failure, clock).await
}

/// Notes what became of a key and goes on with the next one.
async fn key_done(app: &App, mut stored: StoredHsmJob, result: KeyResult, clock: &Clock) -> Result<Next> {
    if let Task::RestoreKeys { keys, outcomes, .. } = &mut stored.job.task
        && let Some(key) = keys.get(outcomes.len()).cloned()
    {
        outcomes.push(KeyOutcome { key, result });
        if outcomes.len() < keys.len() {
            stored.job.phase = Phase::Due { not_before: Some(now(clock)) };
            stored.job.polled = None;
            return save(app, stored).await;
        }
    }
    ends::keys(app, stored, None, clock).await
}

/// Asks how the operation stands.
pub(super) async fn poll(
    app: &App,
    mut stored: StoredHsmJob,
    operation: &str,
    clock: &Clock,
) -> Result<Next> {
    let client = app.hsms().get(&stored.job.hsm)?;
    let status = if stored.job.is_backup() {
        client.backup_status(operation).await
    } else {
        client.restore_status(operation).await
    };
    stored.job.polled = Some(now(clock));
    let status = match status {
        Ok(status) => status,
        Err(error) => return not_told(app, stored, error, clock).await,
    };
    (stored.job.refused, stored.job.waiting) = (0, None);
    match &status.status {
        OperationState::Succeeded => succeeded(app, stored, &status, clock).await,
        state if state.has_ended() => failed(app, stored, why(&status), clock).await,
        _ => save(app, stored).await.map(|_| Next::Stop),
    }
}

/// The service does not say. It may be told again: right after a restore it says that one is under way.
async fn not_told(app: &App, mut stored: StoredHsmJob, error: ServiceError, clock: &Clock) -> Result<Next> {
    tracing::warn!(hsm.name = %stored.job.hsm, job.id = %stored.job.id, "{error}");
    stored.job.refused += 1;
    stored.job.waiting =
        Some(format!("how it stands is not known: {}: {}", error.failure.code, error.failure.text));
    let refuses = error.fate() == Fate::Fail;
    if stored.job.is_unheard(refuses) {
        let Failure { code, text, .. } = &*error.failure;
        let unheard =
            || format!("for twelve hours nobody said how the operation stands. Last: {code}: {text}");
        let failure = if refuses {
            let text = format!("how it ended is not known, it may have been carried out. Last: {text}");
            Failure { text, ..*error.failure.clone() }
        } else {
            Failure::ours("Unheard", unheard())
        };
        return key_or_job_failed(app, stored, failure, clock).await;
    }
    save(app, stored).await.map(|_| Next::Stop)
}

async fn succeeded(
    app: &App,
    mut stored: StoredHsmJob,
    status: &OperationStatus,
    clock: &Clock,
) -> Result<Next> {
    match &stored.job.task {
        Task::Backup { .. } => {
            let end = match backed_up(app, status).await {
                Ok(end) => end,
                Err(error) => {
                    stored.job.waiting = Some(format!(
                        "the service says that it succeeded, and the container cannot be read: {error}"
                    ));
                    save(app, stored).await?;
                    return Err(error);
                }
            };
            ends::backup(app, stored, end, clock).await
        }
        Task::RestoreAll { .. } => ends::restore(app, stored, Verdict::Succeeded, None, clock).await,
        Task::RestoreKeys { .. } => key_done(app, stored, counted(status), clock).await,
    }
}

/// The service's success counts once the container is seen to hold the folder.
async fn backed_up(app: &App, status: &OperationStatus) -> Result<BackupEnd> {
    let Some(uri) = &status.folder_uri else {
        let text = "the service says that it succeeded, and not where the backup is";
        return Ok(BackupEnd::failed(Failure::ours("NoFolder", text)));
    };
    let Some(path) = app.hsms().path_in_container(uri) else {
        let text = format!(
            "the service says that the backup is at {uri}, which is not in the container of the settings"
        );
        return Ok(BackupEnd::failed(Failure::ours("FolderElsewhere", text)));
    };
    let Some(folder) = folders::at(app, path, uri.to_string()).await? else {
        let text =
            "the service says that it succeeded, and the container holds nothing at the folder that it names";
        return Ok(BackupEnd::failed(Failure::ours("FolderEmpty", text)));
    };
    Ok(BackupEnd {
        started: status.start,
        ended: status.end,
        folder: Some(folder),
        found: false,
        failure: None,
    })
}

/// `Succeeded` is not success: what counts is how many versions were restored, and how many were not.
fn counted(status: &OperationStatus) -> KeyResult {
    match status.key_restore_counts() {
        Some(counts) if counts.is_complete() => KeyResult::Restored { counted: counts.restored },
        Some(counts) if counts.not_overwritten > 0 => {
            KeyResult::NotOverwritten { restored: counts.restored, left: counts.not_overwritten }
        }
        Some(_) => KeyResult::Failed {
            failure: Failure::ours(
                "NothingRestored",
                "the service restored no version: the backup has no such key",
            ),
        },
        None => {
            let details = status.status_details.clone().unwrap_or_default();
            let text = format!("the service says that it succeeded, and not what it restored: {details}");
            KeyResult::Failed { failure: Failure::ours("NotCounted", text) }
        }
    }
}

pub(super) fn now(clock: &Clock) -> OffsetDateTime {
    second(clock.now())
}

pub(super) fn second(time: OffsetDateTime) -> OffsetDateTime {
    time.replace_nanosecond(0).unwrap_or(time)
}
