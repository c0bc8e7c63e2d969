//! Backing up vaults.
//!
//! A run goes through four steps, each safe to run twice and each able to go on where another process
//! stopped:
//!
//! 1. [`plan`]: open the run, list the vault, decide, store the plan;
//! 2. [`send`]: one queue message for each object to back up, or the work is done [here](mod@here);
//! 3. [`object`]: back up one object, or record why not;
//! 4. [`advance`]: when every planned object has a result, write the manifest and forget the run.

pub mod advance;
pub mod ask;
pub mod here;
pub mod object;
pub mod plan;
pub mod rebuild;
pub mod send;

use tracing::info;

use crate::{
    app::App,
    azure::vault::VaultClient,
    clock::Clock,
    domain::{asker::Asker, manifest::Summary, plan::Plan, run::RunId},
    error::Result,
};

/// How far a run got.
#[derive(Debug)]
pub enum Progress {
    /// Its messages are on their way.
    Sent {
        /// How many objects it backs up.
        objects: usize,
    },
    /// It has its manifest.
    Closed(Summary),
}

/// Starts the whole run `run` of a vault, or takes it up where it was left.
///
/// Safe to run twice, at once or later: the run's record and its plan are create-only, so a second
/// caller finds them and does only what is missing.
pub async fn start(
    app: &App,
    vault: &VaultClient,
    run: &RunId,
    by: &Asker,
    clock: &Clock,
) -> Result<Progress> {
    let plan = plan::whole_vault(app, vault, run, by, clock).await?;
    if plan.to_back_up().next().is_none() {
        return close(app, &plan).await.map(Progress::Closed);
    }
    let objects = send::once(app, &plan, clock).await?;
    Ok(Progress::Sent { objects })
}

/// Writes a run's manifest and forgets the run.
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
        run.unlisted = numbers.unlisted.len(),
        run.bytes = numbers.bytes,
        run.near_version_limit = numbers.near_version_limit,
        "Run {} of vault {} {}: {} listed, {} backed up, {} skipped, {} failed",
        summary.run,
        plan.header.vault,
        summary.verdict,
        numbers.listed,
        numbers.backed_up,
        numbers.skipped(),
        numbers.failed,
    );
    Ok(summary)
}
