//! Restoring the sample, and timing it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::{
    held::{BEAT_EVERY, Held, Step},
    plan::request,
};
use crate::{
    app::App,
    attempt::in_time,
    azure::vault::VaultClient,
    domain::{
        drill::{OpenDrill, Plan, Seconds},
        fate::Fate,
        restore::{Request, Step as RestoreStep, StepResult},
    },
    error::{Error, Result},
    restore::step::{self, Tried},
};

/// Steps that are under way or wait for their turn. The vault's pace for restores is the limit, not this.
const AT_ONCE: usize = 64;

/// How often results are recorded while there are any.
const RECORD_EVERY: Duration = Duration::from_secs(1);

/// What became of one try.
enum Came {
    Ended(StepResult),
    /// The vault is busy with the name.
    Busy,
    /// An error that may pass.
    Failing(Error),
}

/// Tries each object once that has no result, at the pace of the vault's limits. Waits if some are left.
pub(super) async fn restore(app: &App, held: &mut Held<'_>) -> Result<Step> {
    let target = app.drill_vault(&held.of().target)?;
    if !target.seen().await?.marker {
        let now = held.clock.now();
        held.of_mut().refuse(crate::domain::drill::Unfit::NoMarker.why(), now);
        held.save().await?;
        return Ok(Step::Done);
    }
    let Some(plan) = held.of().plan.clone() else { return Ok(Step::Done) };
    let (request, began) = (request(&held.of().source, &held.of().target, &plan.point), Instant::now());
    let before = plan.took;
    let due = scheduled(target, &plan);
    let tries = due
        .into_iter()
        .map(|(due, at)| one(app, target, &request, &plan.objects[at].step, (began + due, at)));
    let mut tries = stream::iter(tries).buffer_unordered(AT_ONCE);
    let mut tick = interval(RECORD_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut dirty = false;
    loop {
        tokio::select! {
            came = tries.next() => match came {
                Some((at, came, seconds)) => {
                    note(held.of_mut(), at, came, seconds, before + began.elapsed().into());
                    dirty = true;
                }
                None => break,
            },
            _ = tick.tick() => if dirty || held.since() >= BEAT_EVERY {
                held.save().await?;
                dirty = false;
            },
        }
        if !held.is_held() {
            return Err(Error::Busy(format!(
                "the record of drill {} could not be written in time",
                held.of().id
            )));
        }
    }
    held.save().await?;
    let waits = held.of().plan.as_ref().is_some_and(|plan| plan.objects.iter().any(|of| of.result.is_none()));
    Ok(if waits { Step::Waits } else { Step::Done })
}

/// The objects that have no result, in the order in which the vault's limits let them go, each with when it is due.
fn scheduled(target: &VaultClient, plan: &Plan) -> Vec<(Duration, usize)> {
    let open = || plan.objects.iter().enumerate().filter(|(_, of)| of.result.is_none());
    let at: BTreeMap<_, _> = open().map(|(at, of)| (of.step.id(), at)).collect();
    let due = target.restore_pace().schedule(open().map(|(_, of)| &of.step));
    due.into_iter().filter_map(|(due, step)| Some((due, *at.get(&step.id())?))).collect()
}

/// One try of one object from its turn on, and how long it took.
async fn one(
    app: &App,
    target: &VaultClient,
    request: &Request,
    step: &RestoreStep,
    (due, at): (Instant, usize),
) -> (usize, Came, Seconds) {
    sleep_until(due.into()).await;
    let began = Instant::now();
    let tried =
        in_time(format!("the restore of {}", step.id()), step::attempt_in(app, target, request, step)).await;
    let came = match tried {
        Ok(Tried::Ended(result)) => Came::Ended(result),
        Ok(Tried::Busy { .. }) => Came::Busy,
        Err(error) if error.fate() == Fate::Fail => {
            Came::Ended(step::last_check_in(target, step, error.failure()).await)
        }
        Err(error) => Came::Failing(error),
    };
    (at, came, began.elapsed().into())
}

/// Notes what became of a try. The time of an object that was there already is not known: an earlier process restored it.
fn note(drill: &mut OpenDrill, at: usize, came: Came, seconds: Seconds, took: Seconds) {
    let Some(plan) = &mut drill.plan else { return };
    plan.took = took;
    let Some(object) = plan.objects.get_mut(at) else { return };
    match came {
        Came::Ended(result) => {
            object.seconds = (result == StepResult::Restored).then_some(seconds);
            object.result = Some(result);
        }
        Came::Busy => {}
        Came::Failing(error) => {
            tracing::warn!(drill.id = %drill.id, "{} is tried again: {error}", object.step.id());
            object.tries = object.tries.saturating_add(1);
            if object.is_tried_enough() && !error.is_ours() {
                object.result = Some(StepResult::Failed { failure: error.failure() });
            }
        }
    }
}
