//! Carrying out one step of a recorded restore.

use tracing::{info, warn};

use super::step::{self, Tried};
use crate::{
    app::App,
    backup::object::Attempt,
    clock::Clock,
    domain::{
        object::ObjectId,
        outcome::{Failure, Fate},
        restore::{RestoreId, RestoreMessage, RestorePlan, Step, StepOutcome, StepResult},
    },
    error::{Error, Result},
};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The step has ended, and that is recorded.
    Ended(StepResult),
    /// It had ended before.
    Already,
    /// The vault is busy with the name. `AdvanceJobs` has it tried again.
    Waiting,
}

/// Carries out the step that a message asks for.
///
/// Safe to run twice, at once or later: a step that has ended is left alone, and the first record of an
/// end stays. A failure that may pass is returned as an error until the last attempt; any other failure, and
/// the last one, is recorded and is then an answer like any other.
pub async fn restore(app: &App, message: &RestoreMessage, attempt: Attempt, clock: &Clock) -> Result<Done> {
    let unknown = || Error::Refused(format!("there is no restore {}", message.restore));
    let known = app.jobs()?.known_restore(&message.restore).await?.ok_or_else(unknown)?;
    let id = message.id();
    let step = known.plan.step(&id);
    let step =
        step.ok_or_else(|| Error::Refused(format!("restore {} has no step for {id}", message.restore)))?;
    // Each step of a restore that has ended has a record, so a late message changes nothing.
    if app.jobs()?.has_outcome(&message.restore, &id).await? {
        return Ok(Done::Already);
    }
    let (restore, plan) = (&message.restore, &known.plan);
    let work = Box::pin(take(app, restore, plan, step, attempt, clock));
    let late = |failure| record(app, restore, plan, &id, StepResult::Failed(failure), clock);
    attempt.in_time(format!("the restore of {id}"), work, late).await
}

/// Tries a step and records what came of it.
///
/// # Errors
/// As [`restore`].
pub async fn take(
    app: &App,
    restore: &RestoreId,
    plan: &RestorePlan,
    step: &Step,
    attempt: Attempt,
    clock: &Clock,
) -> Result<Done> {
    let id = step.id();
    let result = match step::attempt(app, plan, step).await {
        Ok(Tried::Ended(result)) => result,
        Ok(Tried::Busy(failure)) => {
            let waiting = app.jobs()?.wait(restore, &id, clock.now()).await?;
            if !waiting.is_over(clock.now()) {
                info!(restore.id = %restore, object.kind = %id.kind, object.name = %id.name, "{id} waits: {}", failure.text);
                return Ok(Done::Waiting);
            }
            StepResult::Failed(failure)
        }
        Err(error) if error.fate() == Fate::Retry && attempt != Attempt::Last => return Err(error),
        Err(error) => StepResult::Failed(error.failure()),
    };
    record(app, restore, plan, &id, result, clock).await
}

async fn record(
    app: &App,
    restore: &RestoreId,
    plan: &RestorePlan,
    id: &ObjectId,
    result: StepResult,
    clock: &Clock,
) -> Result<Done> {
    let outcome = StepOutcome::new(id, result, clock.now());
    app.jobs()?.create_step_outcome(restore, &outcome).await?;
    log(Some(restore), plan, id, &outcome.result);
    Ok(Done::Ended(outcome.result))
}

/// Says in the log what became of a step.
pub fn log(restore: Option<&RestoreId>, plan: &RestorePlan, id: &ObjectId, result: &StepResult) {
    let (vault, restore) = (&plan.request.target, restore.map(ToString::to_string));
    match result {
        StepResult::Failed(Failure { code, text, status, request_id }) => tracing::error!(
            vault.name = %vault, restore.id = restore, object.kind = %id.kind, object.name = %id.name,
            failure.code = %code, failure.status = status, failure.request_id = request_id,
            "{id} was not restored into vault {vault}: {code}: {text}",
        ),
        StepResult::Differs => warn!(
            vault.name = %vault, restore.id = restore, object.kind = %id.kind, object.name = %id.name,
            "{id} was restored into vault {vault}, and its versions are not those that were recorded",
        ),
        _ => info!(
            vault.name = %vault, restore.id = restore, object.kind = %id.kind, object.name = %id.name,
            "Restored {id} into vault {vault}",
        ),
    }
}
