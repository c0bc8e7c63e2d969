//! Backing up vaults.
//!
//! A run has four steps. Each is safe to run twice and continues where another process stopped:
//!
//! 1. [`plan`]: open the run, list the vault, decide, store the plan.
//! 2. [`send`]: queue one message for each object to back up, or do the work [in this process](mod@here), or, of a few
//!    objects, [while the caller waits](ask).
//! 3. [`object`]: back up one object, or record its failure as final or transient.
//! 4. [`reconcile`]: send messages again for transient failures, in [`rounds`], and list again what the plan left out,
//!    see [`late`]; when every planned object has a result, write the manifest and remove the job. A run of a few objects
//!    ends with its [last] one.

pub mod ask;
pub mod here;
pub mod last;
pub mod late;
pub mod message;
pub mod object;
mod observed_location;
pub mod plan;
pub mod rebuild;
pub mod reconcile;
pub mod resume;
pub mod rounds;
pub mod send;
pub mod suspects;

use tracing::{error, info, warn};

use crate::{
    app::App,
    azure::vault::VaultClient,
    clock::Clock,
    domain::{
        actor::Actor, manifest::Summary, object::ObjectKind, plan::Plan, run::RunId, source::SourceName,
    },
    error::Result,
};

/// The state of a run after [`start`].
#[derive(Debug)]
pub enum Progress {
    /// Its messages are sent.
    Sent {
        /// The number of objects that it backs up.
        objects: usize,
    },
    /// It has its manifest.
    Closed(Box<Summary>),
}

/// Starts the run `run` of a whole vault, or continues it where it stopped.
///
/// Safe to run twice, concurrently or later: the run's record and its plan are create-only, so a second
/// caller finds them and does only what is missing.
pub async fn start(
    app: &App,
    vault: &VaultClient,
    run: &RunId,
    by: &Actor,
    clock: &Clock,
) -> Result<Progress> {
    let plan = plan::whole_vault(app, vault, run, by, clock).await?;
    if plan.to_back_up().next().is_none() && plan.header.open_kinds().next().is_none() {
        return close(app, &plan).await.map(|summary| Progress::Closed(Box::new(summary)));
    }
    let objects = send::once(app, &plan, clock).await?;
    Ok(Progress::Sent { objects })
}

/// Writes a run's manifest and removes its job.
pub async fn close(app: &App, plan: &Plan) -> Result<Summary> {
    let summary = app.catalogue()?.close(plan).await?;
    app.jobs()?.close(&plan.header.vault, &plan.header.run).await?;
    let numbers = &summary.numbers;
    info!(
        event = "run.closed",
        vault.name = %plan.header.vault,
        run.id = %summary.run,
        run.scope = %plan.header.scope,
        run.verdict = %summary.verdict,
        run.listed = numbers.listed,
        run.backed_up = numbers.backed_up,
        run.skipped = numbers.skipped(),
        run.failed = numbers.failed,
        run.accepted = numbers.accepted,
        run.clean = summary.is_clean(),
        run.gone = numbers.gone,
        run.returned = numbers.returned,
        run.unlisted = numbers.unlisted.len(),
        run.bytes = numbers.bytes,
        run.near_version_limit = numbers.near_version_limit,
        run.unknown_form = numbers.unknown_form,
        "Run {} of vault {} {}: {} listed, {} backed up, {} skipped, {} failed",
        summary.run,
        plan.header.vault,
        summary.verdict,
        numbers.listed,
        numbers.backed_up,
        numbers.skipped(),
        numbers.failed,
    );
    tell_unknown(&plan.header.vault, &summary);
    tell_losses(&plan.header.vault, &summary);
    tell_moved(&plan.header.vault, &summary);
    Ok(summary)
}

/// Logs how many backups have an unknown form.
fn tell_unknown(vault: &SourceName, summary: &Summary) {
    let Some(clear) = &summary.unknown_form else { return };
    let count = summary.numbers.unknown_form;
    warn!(
        event = "form.unknown", vault.name = %vault, run.id = %summary.run, run.unknown_form = count,
        backup.clear = %clear,
        "Vault {vault} has backups of a form that this program does not know: {count}, the first with {clear}. They \
         are stored, but only the service can tell whether it restores them; install the newest version"
    );
}

/// Logs that the vault has moved: as `vault.moved` in the run that found it, as `move.open` in every later one.
fn tell_moved(vault: &SourceName, summary: &Summary) {
    let Some(moved) = &summary.moved else { return };
    let (run, from, to) = (&summary.run, &moved.from, &moved.to);
    if moved.run == *run {
        error!(
            event = "vault.moved", vault.name = %vault, run.id = %run, moved.from = %from, moved.to = %to,
            "Vault {vault} has moved: {moved}. Everything in it is backed up again; acknowledge run {run} if the move \
             was intended, or correct KEYVAULT_BACKUP_PLACES"
        );
    } else {
        warn!(
            event = "move.open", vault.name = %vault, run.id = %run, moved.run = %moved.run, moved.from = %from,
            moved.to = %to,
            "Vault {vault} has moved: {moved}. It stays unhealthy until run {} is acknowledged", moved.run
        );
    }
}

/// Logs each loss: as `loss.found` in the run that found it, as `loss.open` in every later one.
fn tell_losses(vault: &SourceName, summary: &Summary) {
    let run = &summary.run;
    for loss in &summary.losses {
        let (kind, how) = (loss.kind.map_or("any", ObjectKind::as_str), loss.how.name());
        if loss.run == *run {
            error!(
                event = "loss.found", vault.name = %vault, run.id = %run, loss.kind = kind, loss.how = how,
                loss.gone = loss.gone, loss.of = loss.of, loss.replaced = loss.replaced,
                "Many objects of vault {vault} are gone: {loss}. Restore them, or acknowledge run {run} if that was \
                 intended"
            );
        } else {
            warn!(
                event = "loss.open", vault.name = %vault, run.id = %run, loss.run = %loss.run, loss.kind = kind,
                loss.how = how, loss.still_gone = loss.still_gone, loss.replaced = loss.replaced,
                "Objects of vault {vault} are still gone: {loss}. It stays unhealthy until they are back or run {} is \
                 acknowledged",
                loss.run
            );
        }
    }
}
