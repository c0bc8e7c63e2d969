//! What the service says of an operation, and what follows from it.

use super::{
    ends::{self, BackupEnd},
    folders,
    next::{Next, now, save, stop},
    safety,
};
use crate::{
    app::App,
    azure::{
        error::ServiceError,
        hsm::why,
        managed_hsm::{OperationState, OperationStatus},
    },
    clock::Clock,
    domain::{
        hsm::{KeyOutcome, KeyResult, Phase, Task},
        outcome::{Failure, Fate},
        run::Verdict,
    },
    error::Result,
    jobs::StoredHsmJob,
};

/// The operation has failed, or was refused for good.
pub(super) async fn failed(app: &App, stored: StoredHsmJob, failure: Failure, clock: &Clock) -> Result<Next> {
    let replaces = matches!(stored.job.task, Task::RestoreAll { .. });
    if replaces && !stored.job.waited && safety::wants_another_backup(&failure) {
        return safety::meet_the_rule(app, stored, &failure, clock).await;
    }
    key_or_job_failed(app, stored, failure, clock).await
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
        _ => stop(app, stored).await,
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
    stop(app, stored).await
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
