//! A run's work done in this process, for an engineer at a terminal.

use futures::{Stream, StreamExt as _, pin_mut, stream::FuturesUnordered};

use super::{
    close,
    object::{Done, back_up_planned},
};
use crate::{
    app::App,
    attempt::Attempt,
    clock::Clock,
    domain::{manifest::Summary, object::ObjectId, plan::Plan, planned::Planned},
    error::Result,
};

/// The attempts for each object; the waits between them are those of the requests themselves. An object that fails in
/// the last one has failed: the terminal shows it, and the command can be run again.
const ROUNDS: [Attempt; 3] = [Attempt::First, Attempt::Again, Attempt::Last];

/// The result of one object.
#[derive(Debug)]
pub struct Report {
    /// The object.
    pub id: ObjectId,
    /// Its result.
    pub done: Done,
}

/// Backs up what a stored plan asks for, `at_once` objects at a time, and closes the run. For a continued run, `left`
/// holds the objects without a result.
///
/// Calls `report` once for each object. If this process dies, `AdvanceJobs` finishes the run; where there is no app, a
/// later terminal continues or ends it. The first item of `interrupts` stops the run in order: objects under way are
/// finished, the run stays open, and the result is `None`.
///
/// # Errors
/// When a result cannot be recorded or the manifest cannot be written: the run stays open.
pub async fn run(
    app: &App,
    plan: &Plan,
    left: Option<&[&Planned]>,
    at_once: usize,
    clock: &Clock,
    interrupts: impl Stream<Item = ()>,
    mut report: impl FnMut(Report),
) -> Result<Option<Summary>> {
    pin_mut!(interrupts);
    let mut stopped = false;
    // The first round iterates over the plan: a list of its objects would grow with the vault.
    let mut round: Box<dyn Iterator<Item = &Planned>> = match left {
        Some(left) => Box::new(left.iter().copied()),
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
                Ok(done) => report(Report { id: planned.id(), done }),
                Err(error) if attempt == Attempt::Last => return Err(error),
                Err(error) => {
                    tracing::debug!("{} is tried again: {error}", planned.id());
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

async fn one<'p>(
    app: &App,
    plan: &Plan,
    planned: &'p Planned,
    attempt: Attempt,
    clock: &Clock,
) -> (&'p Planned, Result<Done>) {
    let done = back_up_planned(app, &plan.header, planned, attempt, clock).await;
    (planned, done)
}
