//! Closing a run of a few objects with its last object, instead of at the next pass.

use tracing::warn;

use super::{reconcile, send};
use crate::{app::App, at_once::FEW, clock::Clock, domain::plan::Plan, domain::run::Scope, error::Result};

/// Closes the run if it backs up [a few](FEW) objects, by name, and every one has a result.
///
/// Safe beside other messages and passes. Each message reads the results after it has written its own, so the message
/// of the last result sees them all. Of several that see them all, each makes the manifest from what is stored; it is
/// written create-only, and only one stays. The record is deleted after that. A round that a pass begins meanwhile is
/// written to the record by compare-and-swap and finds none, and its messages find the run closed.
///
/// A failure is logged and has no other effect: a pass closes the run.
pub async fn close(app: &App, plan: &Plan, clock: &Clock) {
    if let Err(error) = close_if_answered(app, plan, clock).await {
        let run = &plan.header.run;
        warn!(
            vault.name = %plan.header.vault, run.id = %run,
            "Run {run} could not be closed with its last object: {error}. AdvanceJobs closes it"
        );
    }
}

async fn close_if_answered(app: &App, plan: &Plan, clock: &Clock) -> Result<()> {
    let few = plan.header.scope == Scope::Objects && plan.to_back_up().count() <= FEW;
    if !few || !send::unanswered(app, plan).await?.is_empty() {
        return Ok(());
    }
    let Some(stored) = app.jobs()?.backup_run(&plan.header.vault, &plan.header.run).await? else {
        return Ok(());
    };
    reconcile::end(app, plan.clone(), &stored.job, false, clock).await.map(drop)
}
