//! Sending a plan's messages.

use futures::{StreamExt as _, TryStreamExt as _, pin_mut, stream::FuturesUnordered};

use crate::{
    app::App,
    azure::queue::Queue,
    clock::Clock,
    domain::{
        job::MESSAGE_LIFETIME,
        message::Message,
        plan::{Plan, Planned},
    },
    error::{Error, Result},
    jobs::Stored,
};

/// Messages that are sent at once.
const AT_ONCE: usize = 32;

/// Sends a run's messages, unless that was done before. Returns how many were sent.
///
/// # Errors
/// As the services answer. Some messages may have been sent then; the next call sends the rest.
pub async fn once(app: &App, plan: &Plan, clock: &Clock) -> Result<usize> {
    match app.jobs()?.get(&plan.header.vault, &plan.header.run).await? {
        Some(stored) if !stored.job.sent => again(app, plan, stored, clock).await,
        _ => Ok(0),
    }
}

/// Sends a message for each planned object that has no result yet, and notes that they were sent.
///
/// Returns how many were sent. Safe to run twice: an object that is asked for twice is backed up once,
/// because its backup is written create-only.
pub async fn again(app: &App, plan: &Plan, mut stored: Stored, clock: &Clock) -> Result<usize> {
    let unanswered = unanswered(app, plan).await?;
    let sent = unanswered.len();
    send(app, plan, &unanswered).await?;
    stored.job.sent = true;
    stored.job.progressed = clock.now();
    app.jobs()?.save(&stored).await?;
    Ok(sent)
}

async fn send(app: &App, plan: &Plan, objects: &[&Planned]) -> Result<()> {
    let queue = app.queue()?;
    let mut sending = FuturesUnordered::new();
    for planned in objects {
        if sending.len() >= AT_ONCE {
            sending.next().await.transpose()?;
        }
        sending.push(send_one(queue, Message::new(&plan.header, planned)));
    }
    sending.try_collect().await
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
            while let Some(before) = planned.next_if(|planned| planned.id < id) {
                unanswered.push(before);
            }
            planned.next_if(|planned| planned.id == id);
        }
    }
    unanswered.extend(planned);
    Ok(unanswered)
}
