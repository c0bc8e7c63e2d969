//! One step of a restore.

use crate::{
    app::App,
    azure::{
        error::{Meaning, ServiceError},
        vault::VaultClient,
    },
    domain::{
        blob::BackupBlob,
        object::{ObjectId, VaultName},
        outcome::Failure,
        restore::{Action, RestorePlan, Step, StepResult},
        versions::VersionsSeen,
    },
    error::{Error, Result},
};

/// What one try of a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It has ended.
    Ended(StepResult),
    /// The vault is busy with the name: being deleted, recovered or purged. Try again in a minute.
    Busy(Failure),
}

/// Tries a step once, without waiting for the vault.
///
/// Safe to run twice, at once or later. A backup is read and checked before anything is purged, and nothing
/// is purged when the object is there as the backup has it.
///
/// # Errors
/// What keeps it from ending: its fate says whether another try may help.
pub async fn attempt(app: &App, plan: &RestorePlan, step: &Step) -> Result<Tried> {
    let (target, id) = (app.vault(&plan.request.target)?, step.id());
    if step.action == Action::Recover {
        return recover(target, &id).await;
    }
    if step.action == Action::PurgeAndRestore && as_recorded(target, step).await? {
        return Ok(Tried::Ended(StepResult::AlreadyThere));
    }
    let blob = checked(app, &plan.request.source, step).await?;
    if step.action == Action::PurgeAndRestore {
        match target.purge(&id).await {
            // An earlier try purged it.
            Err(error) if error.meaning == Meaning::NotFound => {}
            Err(error) if error.meaning == Meaning::Busy => return Ok(busy(error)),
            purged => purged?,
        }
    }
    restore(target, step, blob).await
}

fn busy(error: ServiceError) -> Tried {
    Tried::Busy(*error.failure)
}

async fn recover(target: &VaultClient, id: &ObjectId) -> Result<Tried> {
    if is_there(target, id).await? {
        return Ok(Tried::Ended(StepResult::Recovered));
    }
    match target.recover(id).await {
        Err(error) if error.meaning == Meaning::Busy => return Ok(busy(error)),
        recovered => recovered?,
    }
    if is_there(target, id).await? {
        return Ok(Tried::Ended(StepResult::Recovered));
    }
    Ok(Tried::Busy(Failure::ours(
        "BeingRecovered",
        "it is being recovered, and the vault does not show it yet",
    )))
}

async fn is_there(target: &VaultClient, id: &ObjectId) -> Result<bool> {
    match target.versions(id).await {
        Ok(versions) => Ok(!versions.is_empty()),
        Err(error) if matches!(error.meaning, Meaning::NotFound | Meaning::Busy) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The backup that a step restores, checked.
///
/// # Errors
/// [`Error::Damaged`] when it is not what was recorded.
pub async fn checked(app: &App, source: &VaultName, step: &Step) -> Result<BackupBlob> {
    let id = step.id();
    let damaged =
        |text: String| Error::Damaged { blob: format!("the backup of {id} in run {}", step.run), text };
    let blob = app.catalogue()?.backup(source, &step.run, &id).await?;
    let blob = blob.ok_or_else(|| damaged("it is gone from the container".into()))?;
    if blob.digest() != step.sha256 {
        return Err(damaged("its digest is not the one that was recorded".into()));
    }
    blob.inspect(id.kind).map_err(|fault| damaged(fault.to_string()))?;
    Ok(blob)
}

async fn restore(target: &VaultClient, step: &Step, blob: BackupBlob) -> Result<Tried> {
    let result = match target.restore(&step.id(), blob).await {
        Ok(()) if as_recorded(target, step).await? => StepResult::Restored,
        Ok(()) => StepResult::Differs,
        // The name is taken: by our own request whose answer was lost, by a purge that is not through, or
        // by somebody else.
        Err(error) if error.meaning == Meaning::Busy => {
            if as_recorded(target, step).await? {
                StepResult::AlreadyThere
            } else if step.action == Action::PurgeAndRestore {
                return Ok(busy(error));
            } else {
                return Err(error.into());
            }
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Tried::Ended(result))
}

/// Whether the target's versions of an object are those that the backup recorded.
async fn as_recorded(target: &VaultClient, step: &Step) -> Result<bool> {
    let versions = match target.versions(&step.id()).await {
        Err(error) if matches!(error.meaning, Meaning::NotFound | Meaning::Busy) => return Ok(false),
        versions => versions?,
    };
    Ok(VersionsSeen::of(versions).is_some_and(|seen| seen.states == step.version_states))
}
