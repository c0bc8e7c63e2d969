//! Carrying out one step of a recorded restore.

use tracing::{info, warn};

use super::{
    reconcile,
    step::{self, Tried},
};
use crate::{
    app::App,
    attempt::{Attempt, in_time},
    clock::Clock,
    domain::{
        fate::Fate,
        object::ObjectId,
        outcome::Failure,
        restore::{Action, Hindrance, RestoreId, RestoreMessage, RestorePlan, Step, StepOutcome, StepResult},
    },
    error::{Error, Result},
    guard,
};

/// The result of carrying out one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The step has ended, and that is recorded.
    Ended(StepResult),
    /// It had ended before.
    Already,
    /// It cannot be done yet: the vault is busy with the name, or a request failed transiently. `AdvanceJobs` has it
    /// tried again.
    Waiting(Failure),
    /// Nothing was done: the restore no longer holds the vault, or only its terminal carries it out.
    Displaced,
}

/// Carries out the step that a message asks for.
///
/// Safe to run twice, concurrently or later: a step that has ended is left alone, and the first record of an
/// end stays. A final failure is recorded and returned as a result. A transient one is returned as an error while the
/// message's deliveries may help; then the step waits, as it does for a busy vault. It fails once it has waited for its
/// vault for long enough; for this program's own services it keeps waiting. A step that a [`guard`] bars fails, and nothing
/// is sent to the vault: a message says nothing of who is allowed what.
pub async fn restore(app: &App, message: &RestoreMessage, attempt: Attempt, clock: &Clock) -> Result<Done> {
    let unknown = || Error::Refused(format!("there is no restore {}", message.restore));
    let known = app.jobs()?.known_restore(&message.restore).await?.ok_or_else(unknown)?;
    let id = message.id();
    let step = known.plan.step(&id);
    let step =
        step.ok_or_else(|| Error::Refused(format!("restore {} has no step for {id}", message.restore)))?;
    // A late message changes nothing: its step has a record, or its restore no longer holds the vault.
    if app.jobs()?.has_outcome(&message.restore, &id).await? {
        return Ok(Done::Already);
    }
    // No message is sent for it. The person's own rights carry it out, and not the app's.
    if known.job.is_the_terminals() {
        return Ok(Done::Displaced);
    }
    let (restore, plan) = (&message.restore, &known.plan);
    let work = Box::pin(async {
        match guard::of_job(app, &known.job, plan) {
            Ok(()) => take(app, restore, plan, step, clock).await,
            Err(barred) => {
                let result = StepResult::Failed { failure: barred.failure() };
                record(app, restore, plan, &id, result, clock).await
            }
        }
    });
    match in_time(format!("the restore of {id}"), work).await {
        Err(error) if error.fate().may_pass() => {
            if is_redelivered(app, restore, &id, error.fate(), attempt).await? {
                return Err(error);
            }
            wait(app, restore, plan, step, hindrance(&error), clock).await
        }
        Ok(done @ Done::Ended(_)) => {
            if let Err(error) = Box::pin(reconcile::end_with_last(app, restore, plan, clock)).await {
                warn!(
                    restore.id = %restore,
                    "Restore {restore} could not be ended with its last step: {error}. AdvanceJobs ends it"
                );
            }
            Ok(done)
        }
        done => done,
    }
}

/// Whether the remaining deliveries of a message are used. A right or network rule that is being changed takes longer
/// than they last, and a step that waits gets a message every minute.
async fn is_redelivered(
    app: &App,
    restore: &RestoreId,
    id: &ObjectId,
    fate: Fate,
    attempt: Attempt,
) -> Result<bool> {
    Ok(fate == Fate::Retry && attempt != Attempt::Last && !app.jobs()?.waits(restore, id).await?)
}

/// Tries a step and records its result, if the restore still holds the vault.
///
/// # Errors
/// Transient failures.
pub async fn take(
    app: &App,
    restore: &RestoreId,
    plan: &RestorePlan,
    step: &Step,
    clock: &Clock,
) -> Result<Done> {
    let id = step.id();
    if !app.jobs()?.holds(&plan.request.target, restore, clock.now()).await? {
        warn!(
            restore.id = %restore, object.kind = %id.kind, object.name = %id.name,
            "Restore {restore} no longer holds its vault; {id} is left alone"
        );
        return Ok(Done::Displaced);
    }
    match step::attempt(app, plan, step).await {
        Ok(Tried::Ended(StepResult::Differs { .. })) if was_taken_on(app, restore, step).await? => {
            record(app, restore, plan, &id, StepResult::Recovered, clock).await
        }
        Ok(Tried::Ended(result)) => record(app, restore, plan, &id, result, clock).await,
        Ok(Tried::Busy { failure, recovering }) => {
            wait(app, restore, plan, step, Hindrance { failure, ours: false, recovering }, clock).await
        }
        Err(error) if error.fate().may_pass() => Err(error),
        Err(error) => fail(app, restore, plan, step, error.failure(), clock).await,
    }
}

/// Whether a step recovers an object, and the vault accepted that in an earlier try: the vault then shows the deleted
/// object, even if the backup is of another.
async fn was_taken_on(app: &App, restore: &RestoreId, step: &Step) -> Result<bool> {
    if step.action != Action::Recover {
        return Ok(false);
    }
    let waiting = app.jobs()?.waiting(restore, &step.id()).await?;
    Ok(waiting.is_some_and(|waiting| waiting.recovering))
}

/// Records the end of a step that has failed for good: the state that the vault shows, or else the failure.
pub async fn fail(
    app: &App,
    restore: &RestoreId,
    plan: &RestorePlan,
    step: &Step,
    failure: Failure,
    clock: &Clock,
) -> Result<Done> {
    let result = step::last_check(app, plan, step, failure).await;
    record(app, restore, plan, &step.id(), result, clock).await
}

/// The reason to wait that follows from an error.
pub fn hindrance(error: &Error) -> Hindrance {
    Hindrance { failure: error.failure(), ours: error.is_ours(), recovering: false }
}

/// Records that a step waits, or that it failed once it has waited for its vault for long enough.
pub async fn wait(
    app: &App,
    restore: &RestoreId,
    plan: &RestorePlan,
    step: &Step,
    by: Hindrance,
    clock: &Clock,
) -> Result<Done> {
    let id = step.id();
    if app.jobs()?.wait(restore, &id, &by, clock.now()).await?.is_over(clock.now()) {
        return fail(app, restore, plan, step, by.failure, clock).await;
    }
    let Hindrance { failure, .. } = by;
    info!(
        restore.id = %restore, object.kind = %id.kind, object.name = %id.name, failure.code = %failure.code,
        "{id} waits: {}", failure.text
    );
    Ok(Done::Waiting(failure))
}

/// Records the end of a step. The first record stays, unless it is a failure and the second is not.
async fn record(
    app: &App,
    restore: &RestoreId,
    plan: &RestorePlan,
    id: &ObjectId,
    result: StepResult,
    clock: &Clock,
) -> Result<Done> {
    let outcome = StepOutcome::new(id, result, clock.now());
    app.jobs()?.record_step(restore, &outcome).await?;
    log(Some(restore), plan, id, &outcome.result);
    Ok(Done::Ended(outcome.result))
}

/// Logs the result of a step.
pub fn log(restore: Option<&RestoreId>, plan: &RestorePlan, id: &ObjectId, result: &StepResult) {
    let (vault, restore) = (&plan.request.target, restore.map(ToString::to_string));
    match result {
        StepResult::Failed { failure: Failure { code, text, status, request_id } } => tracing::error!(
            vault.name = %vault, restore.id = restore, object.kind = %id.kind, object.name = %id.name,
            failure.code = %code, failure.status = status, failure.request_id = request_id,
            "{id} was not restored into vault {vault}: {code}: {text}",
        ),
        StepResult::Differs { .. } => warn!(
            vault.name = %vault, restore.id = restore, object.kind = %id.kind, object.name = %id.name,
            "{id} was restored into vault {vault}, and differs: {}", result.difference().unwrap_or_default(),
        ),
        _ => info!(
            vault.name = %vault, restore.id = restore, object.kind = %id.kind, object.name = %id.name,
            "Restored {id} into vault {vault}",
        ),
    }
}
