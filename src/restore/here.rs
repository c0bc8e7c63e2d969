//! Carrying a plan out in this process, for an engineer at a terminal.

use std::time::Duration;

use futures::{StreamExt as _, stream::FuturesUnordered};

use super::{
    advance,
    object::{self, Done},
    step::{self, Tried},
};
use crate::{
    app::App,
    backup::object::Attempt,
    clock::Clock,
    domain::{
        object::ObjectId,
        outcome::{Failure, Fate},
        restore::{RestoreId, RestorePlan, Step, StepResult},
    },
    error::Result,
};

/// Steps that are carried out at once. The vault's pace for restores is the limit, not this.
const AT_ONCE: usize = 64;

/// Waits while a vault is busy with a name. In all about ten minutes; recorded traffic shows seven.
const WAITS: [u64; 9] = [1, 2, 5, 10, 20, 60, 120, 180, 240];

/// Carries out a plan, and tells `report` of each step once, in the order in which they end.
///
/// With a `restore` each end is recorded, and the restore ended. If this process dies, `AdvanceJobs` goes on
/// with it. Without one nothing is recorded.
///
/// # Errors
/// When an end cannot be recorded: the restore stays open.
pub async fn run(
    app: &App,
    restore: Option<&RestoreId>,
    plan: &RestorePlan,
    clock: &Clock,
    mut report: impl FnMut(ObjectId, StepResult),
) -> Result<()> {
    let mut steps = plan.steps.iter();
    let mut working = FuturesUnordered::new();
    loop {
        while working.len() < AT_ONCE
            && let Some(step) = steps.next()
        {
            working.push(patiently(app, restore, plan, step, clock));
        }
        match working.next().await {
            Some((id, result)) => report(id, result?),
            None => break,
        }
    }
    if let Some(restore) = restore {
        advance::look(app, restore, clock).await?;
    }
    Ok(())
}

/// Tries a step until it ends.
async fn patiently(
    app: &App,
    restore: Option<&RestoreId>,
    plan: &RestorePlan,
    step: &Step,
    clock: &Clock,
) -> (ObjectId, Result<StepResult>) {
    let mut waits = WAITS.iter();
    loop {
        let wait = waits.next();
        let attempt = if wait.is_none() { Attempt::Last } else { Attempt::Again };
        let tried = match restore {
            Some(restore) => recorded(app, restore, plan, step, attempt, clock).await,
            None => unrecorded(app, plan, step, attempt).await,
        };
        match (tried, wait) {
            (Ok(Tried::Busy(_)), Some(seconds)) => tokio::time::sleep(Duration::from_secs(*seconds)).await,
            (Ok(Tried::Busy(failure)), None) => return (step.id(), Ok(StepResult::Failed(failure))),
            (Ok(Tried::Ended(result)), _) => return (step.id(), Ok(result)),
            (Err(error), Some(seconds)) if error.fate() == Fate::Retry => {
                tracing::debug!("{} is tried again: {error}", step.id());
                tokio::time::sleep(Duration::from_secs(*seconds)).await;
            }
            (Err(error), _) => return (step.id(), Err(error)),
        }
    }
}

async fn recorded(
    app: &App,
    restore: &RestoreId,
    plan: &RestorePlan,
    step: &Step,
    attempt: Attempt,
    clock: &Clock,
) -> Result<Tried> {
    Ok(match object::take(app, restore, plan, step, attempt, clock).await? {
        Done::Ended(result) => Tried::Ended(result),
        Done::Already => Tried::Ended(StepResult::AlreadyThere),
        Done::Waiting => Tried::Busy(Failure::ours("Busy", "the vault was busy with its name for too long")),
    })
}

async fn unrecorded(app: &App, plan: &RestorePlan, step: &Step, attempt: Attempt) -> Result<Tried> {
    let result = match step::attempt(app, plan, step).await {
        Ok(Tried::Ended(result)) => result,
        Err(error) if error.fate() == Fate::Fail || attempt == Attempt::Last => {
            StepResult::Failed(error.failure())
        }
        other => return other,
    };
    object::log(None, plan, &step.id(), &result);
    Ok(Tried::Ended(result))
}
