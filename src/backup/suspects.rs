//! A run of the objects whose newest backup a verification found wrong.

use time::OffsetDateTime;

use super::{plan, send};
use crate::{
    app::App,
    azure::container::Written,
    catalogue::Catalogue,
    clock::Clock,
    domain::{
        actor::Actor,
        job::BackupJob,
        object::ObjectId,
        run::RunId,
        source::{SourceKind, SourceName},
        verification::Suspects,
    },
    error::Result,
};

/// Begins the run of what a verification of a vault found, and returns its name; `None` if it has begun, or nothing is left to
/// back up. A process may have died between its plan and its record.
///
/// Safe to run twice, concurrently or later: the run has its name from the verification, and its plan is create-only.
///
/// # Errors
/// Those of storage. The next pass tries again.
pub async fn back_up(
    app: &App,
    vault: &SourceName,
    ended: OffsetDateTime,
    clock: &Clock,
) -> Result<Option<RunId>> {
    let (catalogue, run) = (app.catalogue()?, &RunId::verification(ended));
    // The plan comes first: a record without one would be planned as a run of the whole vault.
    let plan = match catalogue.plan(vault, run).await? {
        Some(plan) if catalogue.is_closed(&plan.header).await? => return Ok(None),
        Some(plan) => plan,
        None => {
            let verification = catalogue.verification(SourceKind::Vault, vault, ended).await?;
            let due = due(catalogue, vault, &Suspects::of(&verification.findings)).await?;
            if due.is_empty() {
                return Ok(None);
            }
            plan::store(app, plan::some_objects(app, vault, run, &Actor::TIMER, clock, due).await?).await?
        }
    };
    let job = BackupJob::open(vault.clone(), run.clone(), Actor::TIMER, clock.now());
    if app.jobs()?.open_backup_run(&job).await? == Written::AlreadyThere {
        return Ok(None);
    }
    let objects = plan.to_back_up().count();
    tracing::warn!(
        event = "suspects.due", vault.name = %vault, run.id = %run, plan.back_up = objects,
        "Verification found the newest backups of {objects} objects of {vault} missing or damaged; run {run} backs them up"
    );
    send::once(app, &plan, clock).await?;
    Ok(Some(run.clone()))
}

/// The objects whose newest backup is still the one that was found wrong, and that the vault had when it was last listed.
async fn due(catalogue: &Catalogue, vault: &SourceName, suspects: &Suspects) -> Result<Vec<ObjectId>> {
    let mut due = Vec::new();
    let view = catalogue.view(vault, None).await?;
    for line in catalogue.lines(&view).await? {
        let line = line?;
        if line.status.is_listed() && line.entry.as_ref().is_some_and(|entry| suspects.has(entry)) {
            due.push(line.id());
        }
    }
    Ok(due)
}
