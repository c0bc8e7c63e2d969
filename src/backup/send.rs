//! Sending the queue messages of a plan.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, pin_mut, stream::FuturesUnordered};
use tracing::warn;

use super::late;
use crate::{
    app::App,
    azure::queue::Queue,
    clock::Clock,
    domain::{
        job::{MESSAGE_LIFETIME, STALLED_AFTER},
        message::Message,
        object::ObjectId,
        plan::Plan,
        planned::Planned,
    },
    error::{Error, Result},
    jobs::Stored,
};

/// Messages that are sent concurrently.
const AT_ONCE: usize = 32;

/// Failures after which sending stops: so many mean that the queue is at fault, and not a message.
const FAILURES: usize = 32;

/// Sends a run's messages, unless they were sent before. Returns how many were sent.
///
/// # Errors
/// Those of the services. Some messages may have been sent by then; the next call sends the rest.
pub async fn once(app: &App, plan: &Plan, clock: &Clock) -> Result<usize> {
    match app.jobs()?.backup_run(&plan.header.vault, &plan.header.run).await? {
        Some(mut stored) if !stored.job.sent => {
            late::note(&mut stored.job, &plan.header, None, plan.header.planned);
            again(app, plan, stored, &BTreeSet::new(), clock).await
        }
        _ => Ok(0),
    }
}

/// Sends a message for each planned object without a result, except those in `without`, and records the round.
///
/// Returns how many were sent. Safe to run twice: an object with two messages is backed up once, because its
/// backup is written create-only. A few messages that cannot be sent are no error: they count as lost, and are
/// sent again when they have no result, by when the others need no second message.
pub async fn again(
    app: &App,
    plan: &Plan,
    mut stored: Stored,
    without: &BTreeSet<ObjectId>,
    clock: &Clock,
) -> Result<usize> {
    let began = clock.now();
    let unanswered = unanswered(app, plan).await?;
    let sent = send(app, plan, &unanswered, without).await?;
    stored.job.begin_round(began, clock.now());
    app.jobs()?.save(&stored).await?;
    Ok(sent)
}

async fn send(app: &App, plan: &Plan, objects: &[&Planned], without: &BTreeSet<ObjectId>) -> Result<usize> {
    let queue = app.queue()?;
    let mut objects = objects.iter().filter(|planned| !without.contains(&planned.id()));
    let mut sending = FuturesUnordered::new();
    let (mut sent, mut failures) = (0, Vec::new());
    loop {
        while sending.len() < AT_ONCE
            && let Some(planned) = objects.next()
        {
            sending.push(send_one(queue, Message::new(&plan.header, planned)));
        }
        match sending.next().await {
            Some(Ok(())) => sent += 1,
            Some(Err(error)) if failures.len() + 1 >= FAILURES => return Err(error),
            Some(Err(error)) => failures.push(error),
            None => break,
        }
    }
    match failures.pop() {
        Some(error) if sent == 0 => Err(error),
        Some(error) => {
            let (run, late) = (&plan.header.run, failures.len() + 1);
            let minutes = STALLED_AFTER.whole_minutes();
            warn!(
                vault.name = %plan.header.vault, run.id = %run,
                "Some messages of run {run} could not be sent ({late}): {error}. AdvanceJobs sends them again when \
                 no result has arrived for {minutes} minutes"
            );
            Ok(sent)
        }
        None => Ok(sent),
    }
}

async fn send_one(queue: &Queue, message: Message) -> Result<()> {
    let text = serde_json::to_string(&message).map_err(|error| Error::Refused(error.to_string()))?;
    Ok(queue.send(&text, MESSAGE_LIFETIME.unsigned_abs()).await?)
}

/// The objects to back up that have neither a backup nor an outcome, in order.
pub async fn unanswered<'p>(app: &App, plan: &'p Plan) -> Result<Vec<&'p Planned>> {
    let pages = app.catalogue()?.answered(&plan.header.vault, &plan.header.run);
    pin_mut!(pages);
    let mut planned = plan.to_back_up().peekable();
    let mut unanswered = Vec::new();
    while let Some(page) = pages.try_next().await? {
        for id in page {
            while let Some(before) = planned.next_if(|planned| planned.key() < id.key()) {
                unanswered.push(before);
            }
            planned.next_if(|planned| planned.key() == id.key());
        }
    }
    unanswered.extend(planned);
    Ok(unanswered)
}
