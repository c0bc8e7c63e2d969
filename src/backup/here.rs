//! Doing a run's work in this process, for an engineer at a terminal.

use futures::{Stream, StreamExt as _, pin_mut, stream::FuturesUnordered};

use super::{
    close,
    object::{Done, back_up_planned},
};
use crate::{
    app::App,
    attempt::Attempt,
    clock::Clock,
    domain::{manifest::Summary, object::ObjectId, plan::Plan, planned::Planned, planned::PlannedObjects},
    error::Result,
};

/// The tries for each object; the waits between them are those of the requests themselves. What still fails in the last
/// one has failed: whoever sits at the terminal sees it, and can run the command again.
const ROUNDS: [Attempt; 3] = [Attempt::First, Attempt::Again, Attempt::Last];

/// What became of one object.
#[derive(Debug)]
pub struct Report {
    /// Which object.
    pub id: ObjectId,
    /// What came of it.
    pub done: Done,
}

/// Backs up what a stored plan asks for, `at_once` objects at a time, and closes the run. Of a run that is taken up
/// again, `left` is what has no result yet.
///
/// `report` hears of each object once. If this process dies, `AdvanceJobs` finishes the run; where there is no app, a
/// later terminal goes on with it or ends it. The first item of `interrupts` stops it in order: objects under way
/// come to their end, the run stays open, and the answer is `None`.
///
/// # Errors
/// When a result cannot be recorded or the manifest not written: the run stays open.
pub async fn run(
    app: &App,
    plan: &Plan,
    left: Option<&PlannedObjects>,
    at_once: usize,
    clock: &Clock,
    interrupts: impl Stream<Item = ()>,
    mut report: impl FnMut(Report),
) -> Result<Option<Summary>> {
    pin_mut!(interrupts);
    let mut stopped = false;
    // The first round reads the plan as it goes: a list of it would grow with the vault.
    let mut round: Box<dyn Iterator<Item = Planned>> = match left {
        Some(left) => Box::new(left.iter()),
        None => Box::new(plan.to_back_up()),
    };
    for attempt in ROUNDS {
        let mut again = Vec::new();
        let mut working = FuturesUnordered::new();
        loop {
            while !stopped
                && working.len() < at_once
                && let Some(planned) = round.next()
            {
                working.push(one(app, plan, planned, attempt, clock));
            }
            let (planned, done) = tokio::select! {
                done = working.next() => match done {
                    Some(done) => done,
                    None => break,
                },
                Some(()) = interrupts.next() => {
                    if stopped {
                        return Ok(None);
                    }
                    stopped = true;
                    continue;
                }
            };
            match done {
                Ok(done) => report(Report { id: planned.id, done }),
                Err(error) if attempt == Attempt::Last => return Err(error),
                Err(error) => {
                    tracing::debug!("{} is tried again: {error}", planned.id);
                    again.push(planned);
                }
            }
        }
        if stopped {
            return Ok(None);
        }
        round = Box::new(again.into_iter());
    }
    close(app, plan).await.map(Some)
}

async fn one(
    app: &App,
    plan: &Plan,
    planned: Planned,
    attempt: Attempt,
    clock: &Clock,
) -> (Planned, Result<Done>) {
    let done = back_up_planned(app, &plan.header, &planned, attempt, clock).await;
    (planned, done)
}
