//! Ending jobs.

use time::OffsetDateTime;
use tracing::info;

use crate::{
    app::App,
    clock::Clock,
    domain::{
        audit::{Event, TOLD_WITHIN},
        hsm::{
            BACKUP_FORMAT, Folder, HsmBackup, HsmEnd, HsmJob, Inventory, KeyOutcome, KeyResult, Phase, Seen,
            Task,
        },
        outcome::Failure,
        record::whole_second,
        restore::RestoreId,
        run::Verdict,
    },
    error::Result,
    jobs::StoredHsmJob,
};

use super::next::{Next, save};

/// The result of a backup.
pub(super) struct BackupEnd {
    pub(super) started: Option<OffsetDateTime>,
    pub(super) ended: Option<OffsetDateTime>,
    pub(super) folder: Option<Folder>,
    /// The blobs of the folder.
    pub(super) inventory: Option<Inventory>,
    /// How the folder was found, if the service did not name it.
    pub(super) found: Option<String>,
    pub(super) failure: Option<Failure>,
}

impl BackupEnd {
    /// The folder of an operation whose end the service did not report, for the reason given.
    pub(super) fn found(seen: Seen, inventory: Option<Inventory>, why: &str) -> Self {
        let note = Some(seen.note(why));
        Self { started: None, ended: None, folder: Some(seen.folder), inventory, found: note, failure: None }
    }

    pub(super) fn failed(failure: Failure) -> Self {
        Self {
            started: None,
            ended: None,
            folder: None,
            inventory: None,
            found: None,
            failure: Some(failure),
        }
    }
}

/// Ends a job that cannot continue.
pub(super) async fn fail(app: &App, stored: StoredHsmJob, failure: Failure, clock: &Clock) -> Result<Next> {
    match stored.job.task {
        Task::Backup { .. } => backup(app, stored, BackupEnd::failed(failure), clock).await,
        Task::RestoreAll { .. } => restore(app, stored, Verdict::Failed, Some(failure), clock).await,
        Task::RestoreKeys { .. } => keys(app, stored, Some(failure), clock).await,
    }
}

/// Compare-and-swap on the job record before the job ends: of two concurrent passes one wins, and a job that has since
/// progressed is left alone. From then on the record says how the job ended, so if this process dies now, the next pass
/// only has to finish.
async fn claim(
    app: &App,
    mut stored: StoredHsmJob,
    verdict: Verdict,
    failure: Option<Failure>,
    clock: &Clock,
) -> Result<Option<HsmJob>> {
    stored.job.ended = Some(HsmEnd { at: clock.now(), verdict, failure });
    Ok(app.jobs()?.save_hsm_job(stored).await?.map(|stored| stored.job))
}

/// Finishes a job whose record says how it ended, and returns whether it has ended. A backup that is not in the
/// catalogue has not: its result has to be found again. A restore that ended a moment ago is left to the process that
/// ended it.
pub(super) async fn again(app: &App, job: &HsmJob, clock: &Clock) -> Result<bool> {
    let Some(end) = &job.ended else { return Ok(false) };
    if let Some(restore) = job.restore() {
        if clock.now() - end.at >= TOLD_WITHIN {
            let is_told = app.audit()?.tells_of(&ended(restore, job, end)).await?;
            restored(app, job, end, is_told).await?;
        }
        return Ok(true);
    }
    let is_known = app.catalogue()?.hsm_backup(&job.hsm, &job.id).await?.is_some();
    if is_known {
        app.jobs()?.close_hsm_job(job).await?;
    }
    Ok(is_known)
}

/// Removes the records that a late start left for a restore that has ended, so that it cannot begin again. If the open
/// record says how the restore ended, the process that wrote it is still finishing it.
pub(super) async fn for_good(app: &App, job: &HsmJob) -> Result<()> {
    let open = app.jobs()?.hsm_job(&job.hsm, &job.id).await?;
    if job.ended.is_some() && open.is_none_or(|open| open.job.ended.is_none()) {
        app.jobs()?.close_hsm_job(job).await?;
    }
    Ok(())
}

/// Records the result of a backup, then removes the job. Safe to run twice.
pub(super) async fn backup(app: &App, stored: StoredHsmJob, end: BackupEnd, clock: &Clock) -> Result<Next> {
    let verdict = if end.failure.is_none() { Verdict::Succeeded } else { Verdict::Failed };
    let claimed = claim(app, stored, verdict, end.failure.clone(), clock).await?;
    let Some(job) = claimed else { return Ok(Next::Stop) };
    let record = HsmBackup {
        v: BACKUP_FORMAT,
        hsm: job.hsm.clone(),
        run: job.id.clone(),
        by: job.by.clone(),
        opened: job.opened,
        started: end.started.map(whole_second),
        ended: end.ended.map_or_else(|| clock.now(), whole_second),
        job: job.operation().map(str::to_owned),
        verdict,
        folder: end.folder,
        found: end.found.is_some(),
        note: end.found,
        failure: end.failure,
    };
    app.catalogue()?.create_hsm_backup(&record, end.inventory.as_ref()).await?;
    app.jobs()?.close_hsm_job(&job).await?;
    log_backup(&record);
    Ok(Next::Ended)
}

fn log_backup(record: &HsmBackup) {
    let HsmBackup { hsm, run, verdict, .. } = record;
    match (&record.folder, &record.failure) {
        (Some(folder), None) => info!(
            event = "hsm.backup.ended", hsm.name = %hsm, run.id = %run, hsm.verdict = %verdict,
            backup.folder = %folder.path, backup.blobs = folder.blobs, backup.bytes = folder.bytes,
            backup.found = record.found, backup.note = record.note,
            "Backup {run} of HSM {hsm} {verdict}: {} blobs in {}", folder.blobs, folder.path,
        ),
        (_, failure) => {
            let (code, text) = failure.as_ref().map_or(("", ""), |of| (&of.code, &of.text));
            tracing::error!(
                event = "hsm.backup.ended", hsm.name = %hsm, run.id = %run, hsm.verdict = %verdict,
                failure.code = %code, "Backup {run} of HSM {hsm} {verdict}: {code}: {text}",
            );
        }
    }
}

/// Ends a restore: writes its record and the audit trail, then removes the job. Of two concurrent passes, the one whose
/// record stays reports it.
pub(super) async fn restore(
    app: &App,
    stored: StoredHsmJob,
    verdict: Verdict,
    failure: Option<Failure>,
    clock: &Clock,
) -> Result<Next> {
    let Some(job) = claim(app, stored, verdict, failure, clock).await? else { return Ok(Next::Stop) };
    let Some(end) = &job.ended else { return Ok(Next::Stop) };
    restored(app, &job, end, false).await?;
    Ok(Next::Ended)
}

fn ended(restore: RestoreId, job: &HsmJob, end: &HsmEnd) -> Event {
    Event::HsmRestoreEnded { restore, hsm: job.hsm.clone(), verdict: end.verdict }
}

/// Finishes a restore whose record says how it ended. Safe to run twice.
async fn restored(app: &App, job: &HsmJob, end: &HsmEnd, is_told: bool) -> Result<()> {
    let HsmEnd { at, verdict, failure } = end;
    if let Some(restore) = job.restore().filter(|_| !is_told) {
        app.audit()?.append(&job.by, ended(restore, job, end), *at).await?;
    }
    app.jobs()?.close_hsm_job(job).await?;
    let (id, hsm) = (&job.id, &job.hsm);
    if *verdict == Verdict::Succeeded {
        info!(
            event = "restore.ended", restore.id = %id, hsm.name = %hsm, restore.verdict = %verdict,
            "Restore {id} of HSM {hsm} {verdict}",
        );
    } else {
        let (code, text) = failure.as_ref().map_or(("", ""), |of| (&of.code, &of.text));
        tracing::error!(
            event = "restore.ended", restore.id = %id, hsm.name = %hsm, restore.verdict = %verdict,
            failure.code = %code, "Restore {id} of HSM {hsm} {verdict}: {code}: {text}",
        );
    }
    Ok(())
}

/// Records a failure of the current key in a restore of keys, and of the whole job in any other one.
pub(super) async fn key_or_job_failed(
    app: &App,
    stored: StoredHsmJob,
    failure: Failure,
    clock: &Clock,
) -> Result<Next> {
    if matches!(stored.job.task, Task::RestoreKeys { .. }) {
        return key_done(app, stored, KeyResult::Failed { failure }, clock).await;
    }
    fail(app, stored, failure, clock).await
}

/// Records the result of a key and continues with the next one.
pub(super) async fn key_done(
    app: &App,
    mut stored: StoredHsmJob,
    result: KeyResult,
    clock: &Clock,
) -> Result<Next> {
    if let Task::RestoreKeys { keys, outcomes, .. } = &mut stored.job.task
        && let Some(key) = keys.get(outcomes.len()).cloned()
    {
        outcomes.push(KeyOutcome { key, result });
        if outcomes.len() < keys.len() {
            // Polls of this key's operation say nothing of the next start. Refused starts do: the right is one for all keys.
            if matches!(stored.job.phase, Phase::Running { .. }) {
                stored.job.refused = 0;
            }
            stored.job.phase = Phase::Due { not_before: Some(clock.now()) };
            (stored.job.polled, stored.job.held_until, stored.job.waiting) = (None, None, None);
            return save(app, stored).await;
        }
    }
    keys(app, stored, None, clock).await
}

/// Ends a restore of keys. The first key without an outcome has failed for the reason given; those after it were never
/// tried. If every key has an outcome, the reason is that of the keys that failed.
pub(super) async fn keys(
    app: &App,
    mut stored: StoredHsmJob,
    failure: Option<Failure>,
    clock: &Clock,
) -> Result<Next> {
    let Task::RestoreKeys { keys, outcomes, .. } = &mut stored.job.task else { return Ok(Next::Stop) };
    if let Some(failure) = &failure {
        let mut why = Some(failure.clone());
        let not_begun = || Failure::ours("NotBegun", "the restore ended before the turn of this key");
        for key in keys.iter().skip(outcomes.len()).cloned().collect::<Vec<_>>() {
            let failure = why.take().unwrap_or_else(not_begun);
            outcomes.push(KeyOutcome { key, result: KeyResult::Failed { failure } });
        }
    }
    let verdict = KeyOutcome::verdict(keys.len(), outcomes);
    let failure = failure.or_else(|| KeyOutcome::failure(outcomes));
    restore(app, stored, verdict, failure, clock).await
}
