//! The pass over open restores. It ends the restores whose steps are carried out through the queue, and alone those of
//! more than a few steps.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, pin_mut, stream};
use time::Duration;
use tracing::{error, info, warn};

use super::{pace, send};
use crate::{
    app::App,
    at_once::FEW,
    clock::Clock,
    domain::{
        audit::{Event, TOLD_WITHIN},
        job::OPEN_FOR,
        object::{ObjectId, ObjectKind},
        outcome::Failure,
        restore::{
            Cut, Ended, Holding, Need, RestoreId, RestoreJob, RestoreNumbers, RestorePlan, Step, in_turn,
            room_to_wait,
        },
    },
    error::{Error, Result},
    jobs::{StepState, StoredRestore},
};

/// Open restores that are reconciled concurrently.
const AT_ONCE: usize = 8;

/// How long a restore may be announced without a record. After that, the process that announced it counts as dead.
const RECORDED_WITHIN: Duration = Duration::minutes(10);

/// The result of a pass.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// Restores that are still open.
    pub open: usize,
    /// Restores that have ended.
    pub ended: usize,
    /// The errors, at most one for each restore. The next pass tries again.
    pub errors: Vec<Error>,
}

/// Reconciles every open restore once. An error in one restore does not hold up another.
///
/// Safe to run twice, concurrently or later, because sending, recording and ending are.
pub async fn reconcile(app: &App, clock: &Clock) -> Result<Reconciled> {
    let (open, strays) = app.jobs()?.announced().await?;
    let passes: Vec<_> = open.iter().map(|id| reconcile_one(app, id, clock)).collect();
    let mut reconciled = Reconciled::default();
    reconciled.errors.extend(app.jobs()?.end_strays(&strays, OPEN_FOR, clock.now()).await.err());
    let mut passes = stream::iter(passes).buffer_unordered(AT_ONCE);
    while let Some(pass) = passes.next().await {
        match pass {
            Ok(Some(job)) if job.ended.is_some() => reconciled.ended += 1,
            Ok(_) => reconciled.open += 1,
            Err(error) => reconciled.errors.push(error),
        }
    }
    Ok(reconciled)
}

/// Reconciles one open restore and returns its record, if it has one. An expired restore ends whatever is stored of it:
/// its messages have expired by then, and its lease on the vault must be released.
pub async fn reconcile_one(app: &App, id: &RestoreId, clock: &Clock) -> Result<Option<RestoreJob>> {
    match reconcile_open(app, id, clock).await {
        Err(error) if error.is_unreadable() && clock.now() - id.asked() >= OPEN_FOR => {
            error!(
                event = "restore.unreadable", restore.id = %id,
                "Restore {id} has expired and ends without a record: {error}"
            );
            app.jobs()?.withdraw_restore(id).await?;
            Ok(None)
        }
        pass => pass,
    }
}

async fn reconcile_open(app: &App, id: &RestoreId, clock: &Clock) -> Result<Option<RestoreJob>> {
    let jobs = app.jobs()?;
    let Some(mut stored) = jobs.restore(id).await? else {
        if clock.now() - id.asked() >= RECORDED_WITHIN {
            jobs.withdraw_restore(id).await?;
        }
        return Ok(None);
    };
    if let Some(ended) = &stored.job.ended {
        if clock.now() - ended.at >= TOLD_WITHIN {
            tell(app, &stored.job, ended).await?;
        }
        return Ok(Some(stored.job));
    }
    let plan = match jobs.plan_of(&stored.job).await {
        Err(error @ Error::Damaged { .. }) => return lost(app, stored, &error, clock).await.map(Some),
        plan => plan?,
    };
    let seen = Seen::of(app, id, &plan).await?;
    let news = stored.job.note(seen.numbers, seen.ended.len(), clock.now());
    let holding = holding(app, &stored.job, clock).await?;
    match stored.job.need(seen.waiting.len(), holding, clock.now()) {
        Need::Closing => return end(app, stored, None, clock).await.map(Some),
        Need::Cutting(cut) => {
            if let Some(Failure { code, text, .. }) = &seen.refused {
                error!(
                    event = "restore.refused", restore.id = %id, failure.code = %code,
                    "Restore {id} ends with steps that waited: {text}"
                );
            }
            return end(app, stored, Some(cut), clock).await.map(Some);
        }
        Need::Sending => {
            warn!(restore.id = %id, "Restore {id} makes no progress; sending its messages again");
            send::messages(app, &stored.job, seen.tried(app, &stored.job, &plan, clock, true)).await?;
            (stored.job.sent, stored.job.progressed) = (true, clock.now());
            jobs.save_restore(&stored).await?;
        }
        Need::Nudging => {
            send::messages(app, &stored.job, seen.tried(app, &stored.job, &plan, clock, false)).await?;
            if news {
                jobs.save_restore(&stored).await?;
            }
        }
        Need::NoOp if news => drop(jobs.save_restore(&stored).await?),
        Need::NoOp | Need::Nothing => {}
    }
    Ok(Some(stored.job))
}

/// The known state of a restore's steps.
struct Seen {
    numbers: RestoreNumbers,
    ended: BTreeSet<ObjectId>,
    waiting: BTreeSet<ObjectId>,
    /// The failure of storage, queue or identity that one of the waiting steps met.
    refused: Option<Failure>,
}

impl Seen {
    async fn of(app: &App, id: &RestoreId, plan: &RestorePlan) -> Result<Self> {
        let mut seen = Self::begin(RestoreNumbers::of(plan));
        seen.read(app, id).await?;
        Ok(seen)
    }

    fn begin(numbers: RestoreNumbers) -> Self {
        Self { numbers, ended: BTreeSet::new(), waiting: BTreeSet::new(), refused: None }
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
                    StepState::Waiting(id, refused) => {
                        self.waiting.insert(id);
                        self.refused = refused.or(self.refused.take());
                    }
                }
            }
        }
        Ok(())
    }

    /// The steps that get a message now: as many waiting ones as fit into a minute and, with `all`, those that neither
    /// wait nor have ended.
    fn tried<'p>(
        &self,
        app: &App,
        job: &RestoreJob,
        plan: &'p RestorePlan,
        clock: &Clock,
        all: bool,
    ) -> Vec<&'p Step> {
        let open = plan.steps.iter().filter(|step| !self.ended.contains(&step.id()));
        let (waiting, others): (Vec<_>, Vec<_>) = open.partition(|step| self.waiting.contains(&step.id()));
        let pace = pace::of(app, &job.target);
        let minute = usize::try_from((clock.now() - job.opened).whole_minutes()).unwrap_or_default();
        let mut tried = Vec::new();
        for kind in ObjectKind::ALL {
            let of_kind: Vec<_> = waiting.iter().copied().filter(|step| step.kind == kind).collect();
            let room = room_to_wait(pace.in_a_minute(kind), others.len());
            tried.extend(in_turn(&of_kind, room, minute).copied());
        }
        tried.extend(others.into_iter().filter(|_| all));
        tried
    }
}

/// Whether the restore still holds its vault. This renews the lease of a restore that an app carries out: the pass
/// itself shows that the app is alive.
async fn holding(app: &App, job: &RestoreJob, clock: &Clock) -> Result<Holding> {
    let (jobs, now) = (app.jobs()?, clock.now());
    if !job.is_the_terminals() && jobs.holds(&job.target, &job.id, now).await? {
        return Ok(Holding::Ours);
    }
    match jobs.lease(&job.target).await {
        // The terminal writes the lease again, or the restore expires.
        Err(Error::Damaged { .. }) if job.is_the_terminals() => Ok(Holding::Ours),
        lease => Ok(Holding::of(&job.id, lease?.as_ref(), now)),
    }
}

/// Ends a restore that this process carried out until it was interrupted. Steps without an outcome have failed.
///
/// Safe to run twice: a restore that has ended is left as it is.
pub async fn interrupt(app: &App, id: &RestoreId, clock: &Clock) -> Result<()> {
    let jobs = app.jobs()?;
    let Some(mut stored) = jobs.restore(id).await?.filter(|stored| stored.job.ended.is_none()) else {
        return Ok(());
    };
    let plan = jobs.plan_of(&stored.job).await?;
    let seen = Seen::of(app, id, &plan).await?;
    stored.job.note(seen.numbers, seen.ended.len(), clock.now());
    let cut = (stored.job.answered < stored.job.steps).then_some(Cut::Interrupted);
    end(app, stored, cut, clock).await.map(drop)
}

/// Ends a restore of [a few](FEW) steps if every one has ended.
///
/// Safe beside other messages and passes. Each message reads the outcomes after it has written its own, so the message
/// of the last step sees them all. The end is written by compare-and-swap on the record: of several that see them all,
/// one ends the restore, and a pass that wrote the record meanwhile leaves the end to the next one.
pub async fn end_with_last(app: &App, id: &RestoreId, plan: &RestorePlan, clock: &Clock) -> Result<()> {
    if plan.steps.len() > FEW {
        return Ok(());
    }
    let Some(mut stored) = app.jobs()?.restore(id).await?.filter(|stored| stored.job.ended.is_none()) else {
        return Ok(());
    };
    let seen = Seen::of(app, id, plan).await?;
    stored.job.note(seen.numbers, seen.ended.len(), clock.now());
    if stored.job.answered < stored.job.steps {
        return Ok(());
    }
    end(app, stored, None, clock).await.map(drop)
}

/// Ends a restore whose plan can no longer be read: steps without an outcome have failed.
async fn lost(app: &App, mut stored: StoredRestore, error: &Error, clock: &Clock) -> Result<RestoreJob> {
    error!(restore.id = %stored.job.id, "Restore {} ends without its plan: {error}", stored.job.id);
    let mut seen = Seen::begin(RestoreNumbers { restored: 0, ..stored.job.numbers });
    seen.read(app, &stored.job.id).await?;
    let numbers = &mut stored.job.numbers;
    numbers.restored = seen.numbers.restored;
    numbers.fail_the_rest();
    stored.job.answered = stored.job.steps;
    end(app, stored, None, clock).await
}

/// Finishes a restore whose record says how it ended: the process that wrote it may have died before it wrote the audit
/// trail and released the vault.
async fn tell(app: &App, job: &RestoreJob, ended: &Ended) -> Result<()> {
    let (audit, event) = (app.audit()?, Event::ended(job));
    if !audit.tells_of(&event).await? {
        audit.append(&job.by, event, ended.at).await?;
    }
    app.jobs()?.close_restore(&job.id, &job.target).await
}

/// Ends a restore: writes its record and the audit trail, then releases its vault. Of two concurrent passes, the one
/// whose record stays reports it.
async fn end(app: &App, mut stored: StoredRestore, cut: Option<Cut>, clock: &Clock) -> Result<RestoreJob> {
    let jobs = app.jobs()?;
    match cut {
        Some(cut) => stored.job.cut(cut, clock.now()),
        None => stored.job.end(clock.now()),
    }
    if jobs.save_restore(&stored).await? {
        app.audit()?.append(&stored.job.by, Event::ended(&stored.job), clock.now()).await?;
        let RestoreJob { id, target, numbers, .. } = &stored.job;
        info!(
            event = "restore.ended", restore.id = %id, restore.verdict = %numbers.verdict(), vault.name = %target,
            restore.planned = numbers.planned, restore.restored = numbers.restored,
            restore.skipped = numbers.skipped, restore.failed = numbers.failed,
            restore.never_backed_up = numbers.never_backed_up,
            "Restore {id} into vault {target} {}: {} planned, {} restored, {} skipped, {} failed, {} never backed up",
            numbers.verdict(), numbers.planned, numbers.restored, numbers.skipped, numbers.failed,
            numbers.never_backed_up,
        );
        jobs.close_restore(id, target).await?;
    }
    Ok(stored.job)
}
