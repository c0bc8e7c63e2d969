//! Moving open restores on: the only thing that ends a restore whose work the queue does.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, pin_mut, stream};
use time::Duration;
use tracing::{error, info, warn};

use super::send;
use crate::{
    app::App,
    clock::Clock,
    domain::{
        audit::Event,
        job::OPEN_FOR,
        object::ObjectId,
        outcome::Failure,
        restore::{Need, RestoreId, RestoreJob, RestoreNumbers, RestorePlan, Step, StepOutcome, StepResult},
    },
    error::{Error, Result},
    jobs::{StepState, StoredRestore},
};

/// Open restores that are looked at together.
const AT_ONCE: usize = 8;

/// How long a restore may be announced without a record. Whoever announced it is gone then.
const RECORDED_WITHIN: Duration = Duration::minutes(10);

/// What a look at the open restores did.
#[derive(Debug, Default)]
pub struct Advanced {
    /// Restores that are still open.
    pub open: usize,
    /// Restores that have ended.
    pub ended: Vec<RestoreJob>,
    /// What went wrong, restore by restore. The next look tries again.
    pub errors: Vec<Error>,
}

/// Looks at every open restore once and does what it needs. One's trouble does not hold up another.
///
/// Safe to run twice, at once or later: sending, recording and ending all are.
pub async fn advance(app: &App, clock: &Clock) -> Result<Advanced> {
    let open = app.jobs()?.open_restores().await?;
    let looks: Vec<_> = open.iter().map(|id| look(app, id, clock)).collect();
    let mut advanced = Advanced::default();
    let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
    while let Some(look) = looks.next().await {
        match look {
            Ok(Some(job)) if job.ended.is_some() => advanced.ended.push(job),
            Ok(_) => advanced.open += 1,
            Err(error) => advanced.errors.push(error),
        }
    }
    Ok(advanced)
}

/// Looks at one open restore and does what it needs. Returns its record, if it has one.
pub async fn look(app: &App, id: &RestoreId, clock: &Clock) -> Result<Option<RestoreJob>> {
    let jobs = app.jobs()?;
    let stored = match jobs.restore(id).await {
        // Its messages are long gone, and so must be its hold on the vault.
        Err(error @ Error::Damaged { .. }) if clock.now() - id.asked() >= OPEN_FOR => {
            error!(restore.id = %id, "Restore {id} is given up: {error}");
            jobs.withdraw_restore(id).await?;
            return Ok(None);
        }
        stored => stored?,
    };
    let Some(mut stored) = stored else {
        if clock.now() - id.asked() >= RECORDED_WITHIN {
            jobs.withdraw_restore(id).await?;
        }
        return Ok(None);
    };
    if stored.job.ended.is_some() {
        jobs.close_restore(id, &stored.job.target).await?;
        return Ok(Some(stored.job));
    }
    let plan = match jobs.plan_of(&stored.job).await {
        Err(error @ Error::Damaged { .. }) => return lost(app, stored, &error, clock).await.map(Some),
        plan => plan?,
    };
    let seen = Seen::of(app, id, &plan).await?;
    let news = stored.job.note(seen.numbers, seen.ended.len(), clock.now());
    let open = plan.steps.iter().map(Step::id).filter(|id| !seen.ended.contains(id));
    match stored.job.need(seen.waiting.len(), clock.now()) {
        Need::Closing => return end(app, stored, clock).await.map(Some),
        Need::GivingUp => {
            give_up(app, &plan, &mut stored.job, open, clock).await?;
            return end(app, stored, clock).await.map(Some);
        }
        Need::Sending => {
            warn!(restore.id = %id, "Restore {id} stands still; sending its messages again");
            send::messages(app, id, open).await?;
            (stored.job.sent, stored.job.progressed) = (true, clock.now());
            jobs.save_restore(&stored).await?;
        }
        Need::Nudging => {
            send::messages(app, id, seen.waiting.into_iter()).await?;
            if news {
                jobs.save_restore(&stored).await?;
            }
        }
        Need::Patience if news => drop(jobs.save_restore(&stored).await?),
        Need::Patience | Need::Nothing => {}
    }
    Ok(Some(stored.job))
}

/// What is known of a restore's steps.
struct Seen {
    numbers: RestoreNumbers,
    ended: BTreeSet<ObjectId>,
    waiting: Vec<ObjectId>,
}

impl Seen {
    async fn of(app: &App, id: &RestoreId, plan: &RestorePlan) -> Result<Self> {
        let mut seen = Self::begin(RestoreNumbers::of(plan));
        seen.read(app, id).await?;
        Ok(seen)
    }

    fn begin(numbers: RestoreNumbers) -> Self {
        Self { numbers, ended: BTreeSet::new(), waiting: Vec::new() }
    }

    async fn read(&mut self, app: &App, id: &RestoreId) -> Result<()> {
        let states = app.jobs()?.steps(id);
        pin_mut!(states);
        while let Some(page) = states.try_next().await? {
            for state in page {
                match state {
                    StepState::Ended(outcome) => {
                        self.numbers.add(&outcome.result);
                        self.ended.insert(outcome.id());
                    }
                    StepState::Waiting(id) => self.waiting.push(id),
                }
            }
        }
        Ok(())
    }
}

/// Records a failure for every step that has not ended.
async fn give_up(
    app: &App,
    plan: &RestorePlan,
    job: &mut RestoreJob,
    open: impl Iterator<Item = ObjectId>,
    clock: &Clock,
) -> Result<()> {
    for object in open {
        let text = "nothing came of its message; see the poison queue and the log for why";
        let result = StepResult::Failed(Failure::ours("NoAnswer", text));
        let outcome = StepOutcome::new(&object, result, clock.now());
        app.jobs()?.create_step_outcome(&job.id, &outcome).await?;
    }
    let seen = Seen::of(app, &job.id, plan).await?;
    job.note(seen.numbers, seen.ended.len(), clock.now());
    Ok(())
}

/// Ends a restore whose plan cannot be read any more: what has no outcome has failed.
async fn lost(app: &App, mut stored: StoredRestore, error: &Error, clock: &Clock) -> Result<RestoreJob> {
    error!(restore.id = %stored.job.id, "Restore {} ends without its plan: {error}", stored.job.id);
    let mut seen = Seen::begin(RestoreNumbers { restored: 0, ..stored.job.numbers });
    seen.read(app, &stored.job.id).await?;
    let numbers = &mut stored.job.numbers;
    numbers.restored = seen.numbers.restored;
    numbers.failed = numbers.planned.saturating_sub(numbers.restored + numbers.skipped);
    stored.job.answered = stored.job.steps;
    end(app, stored, clock).await
}

/// Ends a restore: the trail, the record, then its traces.
async fn end(app: &App, mut stored: StoredRestore, clock: &Clock) -> Result<RestoreJob> {
    let jobs = app.jobs()?;
    stored.job.end(clock.now());
    app.audit()?.append(&stored.job.by, Event::ended(&stored.job), clock.now()).await?;
    if jobs.save_restore(&stored).await? {
        let RestoreJob { id, target, numbers, .. } = &stored.job;
        info!(
            event = "restore.ended", restore.id = %id, restore.verdict = %numbers.verdict(), vault.name = %target,
            restore.planned = numbers.planned, restore.restored = numbers.restored,
            restore.skipped = numbers.skipped, restore.failed = numbers.failed,
            "Restore {id} into vault {target} {}: {} planned, {} restored, {} skipped, {} failed",
            numbers.verdict(), numbers.planned, numbers.restored, numbers.skipped, numbers.failed,
        );
        jobs.close_restore(id, target).await?;
    }
    Ok(stored.job)
}
