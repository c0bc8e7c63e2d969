//! The service's answers about an operation, and what follows from them.

use super::{
    ends::{self, BackupEnd},
    folders::{self, Listed},
    next::{Next, save, stop},
    safety, unheard,
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
        fate::Fate,
        hsm::{Folder, KeyResult, Task},
        outcome::Failure,
        run::Verdict,
    },
    error::Result,
    jobs::StoredHsmJob,
};

/// Handles an operation that has failed or was refused for good.
pub(super) async fn failed(app: &App, stored: StoredHsmJob, failure: Failure, clock: &Clock) -> Result<Next> {
    let replaces = matches!(stored.job.task, Task::RestoreAll { .. });
    if replaces && !stored.job.waited && safety::wants_another_backup(&failure) {
        return safety::meet_the_rule(app, stored, &failure, clock).await;
    }
    ends::key_or_job_failed(app, stored, failure, clock).await
}

/// Polls the state of the operation.
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
    stored.job.polled = Some(clock.now());
    let status = match status {
        Ok(status) => status,
        Err(error) => return not_told(app, stored, error, clock).await,
    };
    (stored.job.refused, stored.job.waiting, stored.job.seen) = (0, None, None);
    match &status.status {
        OperationState::Succeeded => succeeded(app, stored, &status, clock).await,
        state if state.has_ended() => failed(app, stored, why(&status), clock).await,
        _ => stop(app, stored).await,
    }
}

/// Handles a poll that did not report the operation's state. A later one may: right after a restore the service answers
/// that one is under way.
async fn not_told(app: &App, mut stored: StoredHsmJob, error: ServiceError, clock: &Clock) -> Result<Next> {
    tracing::warn!(hsm.name = %stored.job.hsm, job.id = %stored.job.id, "{error}");
    stored.job.refused += 1;
    stored.job.waiting =
        Some(format!("its state is not known: {}: {}", error.failure.code, error.failure.text));
    // A missing role may be granted. After a restore the roles are those of the backup, so the wait is short.
    let refuses = match error.fate() {
        Fate::Retry => false,
        Fate::Later => !stored.job.is_backup(),
        Fate::Fail => true,
    };
    if stored.job.is_unheard(refuses) {
        return Box::pin(unheard::inspect(app, stored, &error, refuses, clock)).await;
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
                        "the service says that it succeeded, but the container cannot be read: {error}"
                    ));
                    save(app, stored).await?;
                    return Err(error);
                }
            };
            ends::backup(app, stored, end, clock).await
        }
        Task::RestoreAll { .. } => ends::restore(app, stored, Verdict::Succeeded, None, clock).await,
        Task::RestoreKeys { .. } => ends::key_done(app, stored, counted(status), clock).await,
    }
}

/// The end of a backup that the service calls a success: it is one only if the container holds its folder.
async fn backed_up(app: &App, status: &OperationStatus) -> Result<BackupEnd> {
    let Some(uri) = &status.folder_uri else {
        let text = "the service says that it succeeded, but not where the backup is";
        return Ok(BackupEnd::failed(Failure::ours("NoFolder", text)));
    };
    let Some(path) = app.hsms().path_in_container(uri) else {
        let text = format!(
            "the service says that the backup is at {uri}, which is not in KEYVAULT_BACKUP_HSM_CONTAINER"
        );
        return Ok(BackupEnd::failed(Failure::ours("FolderElsewhere", text)));
    };
    let Some(Listed { folder, inventory }) = folders::at(app, path).await? else {
        let text =
            "the service says that it succeeded, but the container holds nothing in the folder that it names";
        return Ok(BackupEnd::failed(Failure::ours("FolderEmpty", text)));
    };
    Ok(BackupEnd {
        started: status.start,
        ended: status.end,
        folder: Some(Folder { uri: Some(uri.to_string()), ..folder }),
        inventory,
        found: None,
        failure: None,
    })
}

/// The result of a key restore. `Succeeded` is not success: the numbers of versions restored and not restored decide.
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
            let text = format!("the service says that it succeeded, but not what it restored: {details}");
            KeyResult::Failed { failure: Failure::ours("NotCounted", text) }
        }
    }
}
