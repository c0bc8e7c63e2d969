//! Restoring backups into a vault.
//!
//! [`plan()`] looks and decides; [`carry_out`] does what the plan says. A step is safe to run twice: an object
//! that is there as the backup has it counts as restored, whoever restored it.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, pin_mut, stream::FuturesUnordered};
use tracing::{info, warn};

use crate::{
    app::App,
    azure::{
        error::{Meaning, ServiceError},
        vault::VaultClient,
    },
    domain::{
        blob::BackupBlob,
        object::{ObjectId, ObjectKind},
        outcome::{Failure, Fate},
        restore::{Action, Held, Request, RestorePlan, Step, World, plan_restore},
        versions::VersionsSeen,
    },
    error::{Error, Result},
};

/// Objects that are restored at once. The vault's pace for restores is the limit, not this.
const AT_ONCE: usize = 16;

/// Waits while a vault is still busy with a purge or a recovery. In all about ten minutes; recorded traffic
/// shows seven.
const WAITS: [u64; 9] = [1, 2, 5, 10, 20, 60, 120, 180, 240];

/// Makes the plan of a restore. Reads only.
///
/// # Errors
/// When the catalogue or the target cannot be read. A target that does not let us list its soft-deleted
/// objects is planned as if it had none: a restore that meets one then fails, and says so.
pub async fn plan(app: &App, request: &Request) -> Result<RestorePlan> {
    let catalogue = app.catalogue()?;
    let held = held(app.vault(&request.target)?).await?;
    let view = catalogue.view(&request.source, request.at).await?;
    let (source, target) = (app.place(&request.source), app.place(&request.target));
    let world = World { source: &source, target: &target, held: &held };
    plan_restore(request, catalogue.lines(&view).await?, &world)
}

/// What a vault holds, live and soft-deleted.
async fn held(vault: &VaultClient) -> Result<BTreeMap<ObjectId, Held>> {
    let mut held = BTreeMap::new();
    for kind in ObjectKind::ALL {
        let deleted = vault.list_deleted(kind);
        pin_mut!(deleted);
        loop {
            match deleted.try_next().await {
                Ok(Some(page)) => {
                    held.extend(
                        page.into_iter().map(|of| (of.id, Held::Deleted { purgeable: of.purgeable })),
                    );
                }
                Ok(None) => break,
                Err(error) if error.fate() == Fate::Retry => return Err(error.into()),
                Err(error) => {
                    warn!("Soft-deleted {kind}s are not known: {error}");
                    break;
                }
            }
        }
        let live = vault.list(kind);
        pin_mut!(live);
        while let Some(page) = live.try_next().await? {
            held.extend(
                page.into_iter()
                    .map(|of| (of.id, if of.managed { Held::Managed } else { Held::Live(of.fingerprint) })),
            );
        }
    }
    Ok(held)
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The object is there, and its versions are as the backup recorded them.
    Restored,
    /// It was there already, as the backup has it.
    Already,
    /// The soft-deleted object is in use again.
    Recovered,
    /// The object is there, and its versions are not as recorded: somebody is at work on it, or it changed
    /// while it was backed up.
    Differs,
    /// Not restored.
    Failed(Failure),
}

/// Carries out a plan, and tells `report` of each step once, in the order in which they end.
pub async fn carry_out(app: &App, plan: &RestorePlan, mut report: impl FnMut(&Step, Done)) -> Result<()> {
    let target = app.vault(&plan.request.target)?;
    let mut steps = plan.steps.iter();
    let mut working = FuturesUnordered::new();
    loop {
        while working.len() < AT_ONCE
            && let Some(step) = steps.next()
        {
            working.push(step_of(app, target, plan, step));
        }
        match working.next().await {
            Some((step, done)) => report(step, done),
            None => return Ok(()),
        }
    }
}

async fn step_of<'p>(
    app: &App,
    target: &VaultClient,
    plan: &RestorePlan,
    step: &'p Step,
) -> (&'p Step, Done) {
    let done = match take(app, target, plan, step).await {
        Ok(done) => {
            info!(vault.name = %plan.request.target, object.kind = %step.kind, object.name = %step.name, "Restored {} into vault {}", step.id(), plan.request.target);
            done
        }
        Err(error) => {
            tracing::error!(vault.name = %plan.request.target, object.kind = %step.kind, object.name = %step.name, "{error}");
            Done::Failed(error.failure())
        }
    };
    (step, done)
}

async fn take(app: &App, target: &VaultClient, plan: &RestorePlan, step: &Step) -> Result<Done> {
    let id = step.id();
    if step.action == Action::Recover {
        patiently(|| target.recover(&id)).await?;
        wait_for(target, &id).await?;
        return Ok(Done::Recovered);
    }
    // Read and checked before anything is purged.
    let blob = checked(app, plan, step).await?;
    if step.action == Action::PurgeAndRestore {
        patiently(|| target.purge(&id)).await?;
    }
    restore(target, step, &blob).await
}

async fn checked(app: &App, plan: &RestorePlan, step: &Step) -> Result<BackupBlob> {
    let (vault, id) = (&plan.request.source, step.id());
    let what = || format!("the backup of {id} in run {}", step.run);
    let blob = app.catalogue()?.backup(vault, &step.run, &id).await?;
    let damaged = |text: String| Error::Damaged { blob: what(), text };
    let blob = blob.ok_or_else(|| damaged("it is gone from the container".into()))?;
    if blob.digest() != step.sha256 {
        return Err(damaged("its digest is not the one that was recorded".into()));
    }
    blob.inspect(id.kind).map_err(|fault| damaged(fault.to_string()))?;
    Ok(blob)
}

/// Restores, and waits while the name is still held by a purge.
async fn restore(target: &VaultClient, step: &Step, blob: &BackupBlob) -> Result<Done> {
    let id = step.id();
    let mut waits = WAITS.iter();
    loop {
        match target.restore(&id, blob.clone()).await {
            Ok(()) => {
                return Ok(if as_recorded(target, step).await? { Done::Restored } else { Done::Differs });
            }
            // The name is taken: by our own request whose answer was lost, by a purge that is not through,
            // or by somebody else.
            Err(error) if error.meaning == Meaning::Busy => {
                if as_recorded(target, step).await? {
                    return Ok(Done::Already);
                }
                let purging = step.action == Action::PurgeAndRestore;
                match waits.next().filter(|_| purging) {
                    Some(seconds) => tokio::time::sleep(Duration::from_secs(*seconds)).await,
                    None => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the target's versions of an object are those that the backup recorded.
async fn as_recorded(target: &VaultClient, step: &Step) -> Result<bool> {
    let versions = match target.versions(&step.id()).await {
        Err(error) if error.meaning == Meaning::NotFound => return Ok(false),
        versions => versions?,
    };
    Ok(VersionsSeen::of(versions).is_some_and(|seen| seen.states == step.version_states))
}

async fn wait_for(target: &VaultClient, id: &ObjectId) -> Result<()> {
    for seconds in WAITS {
        match target.versions(id).await {
            Ok(versions) if !versions.is_empty() => return Ok(()),
            Err(error) if error.meaning != Meaning::NotFound && error.fate() == Fate::Fail => {
                return Err(error.into());
            }
            _ => tokio::time::sleep(Duration::from_secs(seconds)).await,
        }
    }
    Err(Error::Refused(format!(
        "{id} was recovered, and the vault does not show it after ten minutes; look again later"
    )))
}

/// Tries again while the vault says that it is busy with the object.
async fn patiently<F: Future<Output = Result<(), ServiceError>>>(call: impl Fn() -> F) -> Result<()> {
    for seconds in WAITS {
        match call().await {
            Err(error) if error.meaning == Meaning::Busy => {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
            done => return Ok(done?),
        }
    }
    Ok(call().await?)
}
