//! Doing a run's work in this process, for an engineer at a terminal.

use futures::{StreamExt as _, stream::FuturesUnordered};

use super::{
    close,
    object::{Attempt, Done, back_up_planned},
};
use crate::{
    app::App,
    clock::Clock,
    domain::{
        manifest::Summary,
        object::ObjectId,
        plan::{Plan, Planned},
    },
    error::Result,
};

/// The tries for each object; the waits between them are those of the requests themselves.
const ROUNDS: [Attempt; 3] = [Attempt::First, Attempt::Again, Attempt::Last];

/// What became of one object.
#[derive(Debug)]
pub struct Report {
    /// Which object.
    pub id: ObjectId,
    /// What came of it.
    pub done: Done,
}

/// Backs up what a stored plan asks for, `at_once` objects at a time, and closes the run.
///
/// `report` hears of each object once. If this process dies, `AdvanceJobs` finishes the run; where there is no app, a
/// later terminal ends it.
///
/// # Errors
/// When a result cannot be recorded or the manifest not written: the run stays open.
pub async fn run(
    app: &App,
    plan: &Plan,
    at_once: usize,
    clock: &Clock,
    mut report: impl FnMut(Report),
) -> Result<Summary> {
    // The first round reads the plan as it goes: a list of it would grow with the vault.
    let mut round: Box<dyn Iterator<Item = Planned>> = Box::new(plan.to_back_up());
    for attempt in ROUNDS {
        let mut again = Vec::new();
        let mut hear = |planned: Planned, done: Result<Done>| match done {
            Ok(done) => {
                report(Report { id: planned.id, done });
                Ok(())
            }
            Err(error) if attempt == Attempt::Last => Err(error),
            Err(error) => {
                tracing::debug!("{} is tried again: {error}", planned.id);
                again.push(planned);
                Ok(())
            }
        };
        let mut working = FuturesUnordered::new();
        for planned in round {
            if working.len() >= at_once
                && let Some((planned, done)) = working.next().await
            {
                hear(planned, done)?;
            }
            working.push(one(app, plan, planned, attempt, clock));
        }
        while let Some((planned, done)) = working.next().await {
            hear(planned, done)?;
        }
        round = Box::new(again.into_iter());
    }
    close(app, plan).await
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
