//! Backing up again what verification found wrong.
//!
//! The keeper has no right on the queue, so it only records what it found. The pass of the app that backs up reads that,
//! and begins a run of the objects whose newest backup is missing or damaged.

use time::{Duration, OffsetDateTime};

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

/// How old a sign may be to be acted on. An older one has a newer one after it, or the object is backed up since.
const WITHIN: Duration = Duration::days(3);

/// Begins a run for each vault in which a verification found something wrong with the newest backups of objects that the
/// vault still has. One request every ten minutes if there is no new sign. Returns the runs that were begun.
///
/// Safe to run twice, concurrently or later: the run has its name from the verification, and its plan is create-only.
///
/// # Errors
/// Those of storage. The next pass tries again.
pub async fn back_up(app: &App, clock: &Clock) -> Result<Vec<String>> {
    let mut begun = Vec::new();
    if !app.jobs()?.looks_for_suspects(clock.now()) {
        return Ok(begun);
    }
    for (ended, vault) in app.catalogue()?.signs_of_suspects(clock.now() - WITHIN).await? {
        if app.vault(&vault).is_err() || app.jobs()?.has_acted_on(&vault, ended) {
            continue;
        }
        let run = RunId::verification(ended);
        if begin(app, &vault, &run, ended, clock).await? {
            begun.push(format!("run {run} of {vault}"));
        }
        app.jobs()?.act_on(vault, ended);
    }
    Ok(begun)
}

/// Begins the run, unless it has begun or nothing is left to back up. A process may have died between its plan and its record.
async fn begin(
    app: &App,
    vault: &SourceName,
    run: &RunId,
    ended: OffsetDateTime,
    clock: &Clock,
) -> Result<bool> {
    let catalogue = app.catalogue()?;
    // The plan comes first: a record without one would be planned as a run of the whole vault.
    let plan = match catalogue.plan(vault, run).await? {
        Some(plan) if catalogue.is_closed(&plan.header).await? => return Ok(false),
        Some(plan) => plan,
        None => {
            let verification = catalogue.verification(SourceKind::Vault, vault, ended).await?;
            let due = due(catalogue, vault, &Suspects::of(&verification.findings)).await?;
            if due.is_empty() {
                return Ok(false);
            }
            plan::store(app, plan::some_objects(app, vault, run, &Actor::TIMER, clock, due).await?).await?
        }
    };
    let job = BackupJob::open(vault.clone(), run.clone(), Actor::TIMER, clock.now());
    if app.jobs()?.open_backup_run(&job).await? == Written::AlreadyThere {
        return Ok(false);
    }
    let objects = plan.to_back_up().count();
    tracing::warn!(
        event = "suspects.due", vault.name = %vault, run.id = %run, plan.back_up = objects,
        "Verification found the newest backups of {objects} objects of {vault} missing or damaged; run {run} backs them up"
    );
    send::once(app, &plan, clock).await?;
    Ok(true)
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
