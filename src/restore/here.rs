//! A plan carried out in this process, for an engineer at a terminal.

use std::{collections::VecDeque, time::Duration, vec};

use futures::{Stream, StreamExt as _, pin_mut, stream::FuturesUnordered};
use time::OffsetDateTime;
use tracing::{debug, warn};

use super::{
    object::{self, Done},
    pace, reconcile,
    step::{self, Tried},
};
use crate::{
    app::App,
    attempt::in_time,
    clock::Clock,
    domain::{
        fate::Fate,
        job::OPEN_FOR,
        object::ObjectId,
        outcome::Failure,
        restore::{Pace, RestoreId, RestorePlan, Step, StepResult, Waiting, room_to_wait},
    },
    error::{Error, Result},
};

/// Steps that are carried out concurrently. The vault's pace for restores is the limit, not this.
const AT_ONCE: usize = 64;

/// Waits between the tries of a step, in seconds. The last one also applies to all later tries.
const WAITS: [u64; 7] = [1, 2, 5, 10, 20, 40, 60];

/// Tries of a step that meets transient errors of its vault. Errors of this program's own services are retried for as
/// long as a restore may be open, a vault that is busy with a name for as long as [`Waiting::is_over`] says.
const TRIES: usize = 10;

/// How the execution of a plan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Every step has ended.
    Whole,
    /// It was interrupted: no step began after that, and those under way have ended.
    Stopped,
    /// The restore lost the vault to another one, or was abandoned.
    Displaced,
}

/// Refusals over a missing right or a network rule after which a step fails: the person at the terminal can grant the
/// right and restore again.
const REFUSALS: usize = 3;

/// Carries out a plan, and calls `report` once for each step, in the order in which they end.
///
/// With a `restore` the end of each step is recorded, and then that of the restore; if this process dies, the lease on
/// the vault runs out. Without one nothing is recorded. A step that waits for a busy vault holds up no other. The first
/// item of `interrupts` stops in order, a second one immediately.
///
/// # Errors
/// When an end cannot be recorded: the restore stays open.
pub async fn run(
    app: &App,
    restore: Option<&RestoreId>,
    plan: &RestorePlan,
    clock: &Clock,
    interrupts: impl Stream<Item = ()>,
    mut report: impl FnMut(ObjectId, StepResult),
) -> Result<Finish> {
    pin_mut!(interrupts);
    let mut turns = Turns::new(plan, pace::of(app, &plan.request.target), clock);
    let mut finish = Finish::Whole;
    let (mut working, mut waiting) = (FuturesUnordered::new(), FuturesUnordered::new());
    loop {
        while finish == Finish::Whole
            && let Some(turn) = turns.next(working.len())
        {
            working.push(take(app, restore, plan, turn, clock));
        }
        if working.is_empty() && waiting.is_empty() {
            break;
        }
        tokio::select! {
            Some(()) = interrupts.next() => match finish {
                Finish::Whole => {
                    finish = Finish::Stopped;
                    app.vault(&plan.request.target)?.stop_restores();
                    waiting.clear();
                }
                Finish::Stopped | Finish::Displaced => {
                    return Err(Error::Refused(
                        "stopped immediately; the objects under way may or may not have been restored".into(),
                    ));
                }
            },
            Some((turn, came)) = working.next() => {
                turns.came(&turn);
                match came? {
                    Came::Ended(result) => report(turn.step.id(), result),
                    Came::Again if finish == Finish::Whole => waiting.push(turn.wait()),
                    Came::Again => {}
                    Came::Displaced => {
                        finish = Finish::Displaced;
                        waiting.clear();
                    }
                }
            }
            Some(turn) = waiting.next() => turns.ready.push_back(turn),
        }
    }
    match (restore, finish) {
        (Some(restore), Finish::Stopped) => reconcile::interrupt(app, restore, clock).await?,
        (Some(restore), _) => drop(reconcile::reconcile_one(app, restore, clock).await?),
        (None, _) => {}
    }
    Ok(finish)
}

/// The order in which steps are tried.
struct Turns<'p> {
    /// In the order in which the target's limits let them go.
    fresh: vec::IntoIter<&'p Step>,
    /// Steps that have waited and are due again.
    ready: VecDeque<Turn<'p>>,
    /// The number of retried steps under way.
    again: usize,
    began: OffsetDateTime,
}

impl<'p> Turns<'p> {
    fn new(plan: &'p RestorePlan, pace: Pace, clock: &Clock) -> Self {
        let fresh = pace.schedule(&plan.steps).into_iter().map(|(_, step)| step);
        Self {
            fresh: fresh.collect::<Vec<_>>().into_iter(),
            ready: VecDeque::new(),
            again: 0,
            began: clock.now(),
        }
    }

    /// The next turn, if `at_work` steps are under way. Each holds a slot while it waits for the vault's pace, so
    /// retried steps get no larger share of the pace than of the slots.
    fn next(&mut self, at_work: usize) -> Option<Turn<'p>> {
        if at_work >= AT_ONCE {
            return None;
        }
        if self.again < room_to_wait(AT_ONCE, self.fresh.len())
            && let Some(turn) = self.ready.pop_front()
        {
            self.again += 1;
            return Some(turn);
        }
        self.fresh.next().map(|step| Turn::first(step, self.began))
    }

    /// Records that a turn has had its try.
    fn came(&mut self, turn: &Turn<'_>) {
        self.again -= usize::from(turn.tries > 1);
    }
}

/// A step and its tries so far.
struct Turn<'p> {
    step: &'p Step,
    began: OffsetDateTime,
    tries: usize,
    /// Tries that failed on a service of this program's own.
    ours: usize,
    /// Tries that failed on a missing right or a network rule.
    refusals: usize,
    /// Since when the vault is busy with its name.
    busy: Option<Waiting>,
    /// Whether the vault has accepted its recovery.
    recovering: bool,
}

/// The result of one try.
enum Came {
    Ended(StepResult),
    Again,
    Displaced,
}

impl<'p> Turn<'p> {
    fn first(step: &'p Step, began: OffsetDateTime) -> Self {
        Self { step, began, tries: 0, ours: 0, refusals: 0, busy: None, recovering: false }
    }

    /// Whether a transient failure ends the step nevertheless.
    fn is_last(&self, error: &Error, now: OffsetDateTime) -> bool {
        if error.is_ours() {
            return now - self.began >= OPEN_FOR;
        }
        self.tries - self.ours >= TRIES || self.refusals >= REFUSALS
    }

    async fn wait(self) -> Self {
        let seconds = WAITS.get(self.tries - 1).or(WAITS.last()).copied().unwrap_or_default();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self
    }
}

/// Tries a step once.
async fn take<'p>(
    app: &App,
    restore: Option<&RestoreId>,
    plan: &RestorePlan,
    mut turn: Turn<'p>,
    clock: &Clock,
) -> (Turn<'p>, Result<Came>) {
    turn.tries += 1;
    let came = match restore {
        Some(restore) => recorded(app, restore, plan, turn.step, clock).await,
        None => unrecorded(app, plan, &mut turn, clock).await,
    };
    let came = match came {
        Err(error) if error.fate().may_pass() => failed(app, restore, plan, &mut turn, &error, clock).await,
        came => came,
    };
    (turn, came)
}

/// Schedules another try of a step that failed transiently, or ends the step.
async fn failed(
    app: &App,
    restore: Option<&RestoreId>,
    plan: &RestorePlan,
    turn: &mut Turn<'_>,
    error: &Error,
    clock: &Clock,
) -> Result<Came> {
    if turn.is_last(error, clock.now()) {
        return end(app, restore, plan, turn.step, error, clock).await;
    }
    if error.is_ours() {
        turn.ours += 1;
        if turn.ours == 1 {
            warn!("{} waits: {error}", turn.step.id());
        }
        // Recorded so that the end can name it. If the jobs' own storage refuses, this fails too.
        if let Some(restore) = restore
            && let Err(error) =
                object::wait(app, restore, plan, turn.step, object::hindrance(error), clock).await
        {
            debug!("The wait of {} cannot be recorded: {error}", turn.step.id());
        }
    }
    turn.refusals += usize::from(error.fate() == Fate::Later);
    debug!("{} is tried again: {error}", turn.step.id());
    Ok(Came::Again)
}

async fn end(
    app: &App,
    restore: Option<&RestoreId>,
    plan: &RestorePlan,
    step: &Step,
    error: &Error,
    clock: &Clock,
) -> Result<Came> {
    if let Some(restore) = restore {
        return object::fail(app, restore, plan, step, error.failure(), clock).await.map(Came::from);
    }
    let result = step::last_check(app, plan, step, error.failure()).await;
    object::log(None, plan, &step.id(), &result);
    Ok(Came::Ended(result))
}

impl From<Done> for Came {
    fn from(done: Done) -> Self {
        match done {
            Done::Ended(result) => Self::Ended(result),
            Done::Already => Self::Ended(StepResult::AlreadyThere),
            Done::Waiting(_) => Self::Again,
            Done::Displaced => Self::Displaced,
        }
    }
}

async fn recorded(
    app: &App,
    restore: &RestoreId,
    plan: &RestorePlan,
    step: &Step,
    clock: &Clock,
) -> Result<Came> {
    let taken = Box::pin(object::take(app, restore, plan, step, clock));
    in_time(format!("the restore of {}", step.id()), taken).await.map(Came::from)
}

async fn unrecorded(app: &App, plan: &RestorePlan, turn: &mut Turn<'_>, clock: &Clock) -> Result<Came> {
    let result = match step::attempt(app, plan, turn.step).await {
        Ok(Tried::Ended(StepResult::Differs { .. })) if turn.recovering => StepResult::Recovered,
        Ok(Tried::Ended(result)) => result,
        Ok(Tried::Busy { failure, recovering }) => {
            turn.recovering |= recovering;
            match waited(turn, failure, clock) {
                Some(failure) => StepResult::Failed { failure },
                None => return Ok(Came::Again),
            }
        }
        Err(error) if error.fate() == Fate::Fail => {
            step::last_check(app, plan, turn.step, error.failure()).await
        }
        Err(error) => return Err(error),
    };
    object::log(None, plan, &turn.step.id(), &result);
    Ok(Came::Ended(result))
}

/// The failure of a step that has waited for its name for long enough.
fn waited(turn: &mut Turn<'_>, failure: Failure, clock: &Clock) -> Option<Failure> {
    let since = turn.busy.get_or_insert_with(|| Waiting::since(clock.now()));
    since.is_over(clock.now()).then_some(failure)
}

#[cfg(test)]
mod tests {
    use std::iter;

    use tokio::time::Instant;

    use super::*;
    use crate::{
        azure::{
            error::{Asked, Meaning, Operation, Service, ServiceError},
            limiter::Limiter,
        },
        domain::object::ObjectKind,
    };

    const FREE: usize = 5;

    /// A plan that restores so many keys.
    fn plan_of(steps: usize) -> RestorePlan {
        let step = |number| {
            serde_json::json!({
                "kind": "key", "name": format!("key-{number:03}"), "action": "restore", "run": "20261119T020000Z-nightly",
                "taken": "2026-11-19T02:00:00Z", "sha256": "ab".repeat(32), "versions": 1,
                "newest": "88a17b51813b4c35b3884695d0c014f8", "version_states": "6aac64f8c99edfe8e82dc40f4d4fc903",
            })
        };
        let steps: Vec<_> = (0..steps).map(step).collect();
        let selection = serde_json::json!({ "objects": [], "kinds": [], "pattern": null, "tags": {} });
        let request = serde_json::json!({
            "source": "kv-a", "target": "kv-b", "selection": selection, "on_conflict": "fail",
        });
        let plan = serde_json::json!({ "v": 1, "request": request, "steps": steps, "left": [] });
        serde_json::from_value(plan).unwrap()
    }

    /// Three hundred names that their vault is busy with for seven minutes, and a few free ones behind them, at the
    /// pace of keys: one a second. Returns when the last of the free ones and the last of all was restored.
    async fn simulated() -> [Duration; 2] {
        let plan = plan_of(300 + FREE);
        let (clock, limiter, began) = (Clock::system(), Limiter::steady(1.0), Instant::now());
        let (mut turns, mut free) = (Turns::new(&plan, Pace::of_all(10), &clock), Duration::ZERO);
        let (mut working, mut waiting) = (FuturesUnordered::new(), FuturesUnordered::new());
        loop {
            while let Some(mut turn) = turns.next(working.len()) {
                turn.tries += 1;
                working.push(async {
                    limiter.turn().await;
                    turn
                });
            }
            tokio::select! {
                Some(turn) = working.next() => {
                    turns.came(&turn);
                    let is_free = plan.steps[300..].iter().any(|step| std::ptr::eq(step, turn.step));
                    if is_free {
                        free = began.elapsed();
                    } else if began.elapsed() < Duration::from_secs(420) {
                        waiting.push(turn.wait());
                    }
                }
                Some(turn) = waiting.next() => turns.ready.push_back(turn),
                else => return [free, began.elapsed()],
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn hundreds_of_busy_names_hold_up_no_other_step() {
        let [free, all] = simulated().await;
        let usual = Duration::from_secs(305);
        assert!(free <= usual * 4 / 3 + Duration::from_secs(10), "the free ones took {free:?}");
        assert!(all <= Duration::from_secs(420 + 300 + 60), "the names that became free took {all:?}");
    }

    /// Secrets go thirty times as fast as keys, and stand behind them in the plan.
    #[test]
    fn no_kind_waits_for_the_pace_of_another() {
        let mut plan = plan_of(3);
        let secret = |key: &Step| Step { kind: ObjectKind::Secret, ..key.clone() };
        plan.steps.extend(plan_of(60).steps.iter().map(secret));
        let pace = Pace { secrets: 300, ..Pace::of_all(10) };
        let mut turns = Turns::new(&plan, pace, &Clock::system());
        let order: Vec<_> = iter::from_fn(|| turns.next(0)).map(|turn| turn.step.kind).collect();
        let keys: Vec<_> = (0..order.len()).filter(|place| order[*place] == ObjectKind::Key).collect();
        assert_eq!((order.len(), keys), (63, vec![0, 31, 62]));
    }

    #[test]
    fn what_is_ours_ends_no_step_within_the_hours_of_its_restore() {
        let plan = plan_of(1);
        let began = Clock::system().now();
        let error = |service, meaning| {
            let asked = Asked::new(service, Operation::Read, "read");
            Error::from(ServiceError::new(asked, meaning, Failure::ours("No", "no")))
        };
        let ours = error(Service::Storage, Meaning::Denied);
        let (down, refused) =
            (error(Service::Vault, Meaning::Unavailable), error(Service::Vault, Meaning::Denied));
        for (tries, of_ours, refusals, error, hours, last) in [
            (500, 500, 0, &ours, 19, false),
            (500, 500, 0, &ours, 20, true),
            (509, 500, 0, &down, 19, false),
            (510, 500, 0, &down, 19, true),
            (3, 0, REFUSALS, &refused, 0, true),
            (3, 0, REFUSALS - 1, &refused, 0, false),
        ] {
            let turn = Turn { tries, ours: of_ours, refusals, ..Turn::first(&plan.steps[0], began) };
            assert_eq!(turn.is_last(error, began + time::Duration::hours(hours)), last, "{error} {tries}");
        }
    }
}
