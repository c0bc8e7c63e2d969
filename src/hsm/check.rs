//! The service's own checks before a backup or a restore. They change nothing.

use std::time::Duration;

use crate::{
    app::App,
    azure::{
        error::{Meaning, Operation, ServiceError},
        hsm::{HsmClient, why},
        managed_hsm::OperationState,
    },
    domain::{fate::Fate, outcome::Failure, run::RunId, source::SourceName},
    error::{Error, Result},
};

/// Time between two polls of a check. Checks take seconds.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Polls after which a check counts as one that never ends.
const QUESTIONS: usize = 150;

/// The verdict of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It could be done.
    Possible,
    /// It could not, for this reason.
    NotPossible(Failure),
    /// The service gives no verdict.
    CannotBeAsked(Failure),
}

/// Checks whether an HSM could be backed up, and waits for the verdict.
///
/// # Errors
/// When the HSM or its container is not configured. A refusal of the service is a verdict.
pub async fn backup(app: &App, hsm: &SourceName) -> Result<Checked> {
    let (client, to) = (app.hsms().get(hsm)?, app.hsms().destination()?);
    let checked = async { ended(client, &client.prebackup(&to).await?.job_id, false).await };
    Ok(checked.await.unwrap_or_else(refused))
}

/// Checks whether the backup that a run took of one HSM could be restored into another, and waits for the verdict.
///
/// # Errors
/// As [`backup`], and when that run left no backup.
pub async fn restore(app: &App, hsm: &SourceName, source: &SourceName, run: &RunId) -> Result<Checked> {
    let client = app.hsms().get(hsm)?;
    let backup = app.catalogue()?.offered_hsm_backup(source, run).await?;
    let none = || Error::Refused(format!("run {run} of HSM {source} left no backup"));
    let folder = backup.and_then(|backup| backup.folder).ok_or_else(none)?;
    let from = app.hsms().source(&folder.path)?;
    let checked = async { ended(client, &client.prerestore(&from).await?.job_id, true).await };
    Ok(checked.await.unwrap_or_else(refused))
}

/// The verdict that follows from an error. A transient failure, a service version without checks and a failed poll give
/// none: a check that the service no longer knows has found nothing.
fn refused(error: ServiceError) -> Checked {
    let is_no_verdict = matches!(error.meaning, Meaning::NotSent | Meaning::Unauthorized)
        || error.asked.operation == Operation::Follow;
    if error.fate() == Fate::Retry || is_no_verdict {
        Checked::CannotBeAsked(*error.failure)
    } else {
        Checked::NotPossible(*error.failure)
    }
}

async fn ended(client: &HsmClient, check: &str, restore: bool) -> Result<Checked, ServiceError> {
    let mut unheard = None;
    for _ in 0..QUESTIONS {
        let asked =
            if restore { client.restore_status(check).await } else { client.backup_status(check).await };
        match asked {
            Ok(status) if status.status == OperationState::Succeeded => return Ok(Checked::Possible),
            Ok(status) if status.status.has_ended() => return Ok(Checked::NotPossible(why(&status))),
            Ok(_) => unheard = None,
            Err(error) if error.fate() == Fate::Retry => unheard = Some(error),
            Err(error) => return Err(error),
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    let text = "the service's check did not end within five minutes";
    unheard.map_or_else(|| Ok(Checked::CannotBeAsked(Failure::ours("NoEnd", text))), Err)
}
