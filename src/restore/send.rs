//! Sending the queue messages of a restore.

use std::time::Duration;

use futures::{StreamExt as _, stream};

use super::pace;
use crate::{
    app::App,
    domain::{
        job::MESSAGE_LIFETIME,
        restore::{RestoreJob, RestoreMessage, Step},
    },
    error::{Error, Result},
};

/// Messages that are sent concurrently.
const AT_ONCE: usize = 32;

/// How long before its step is due a message can be received. It covers the longest pause of the host between two looks
/// at the queue (host.json, `maxPollingInterval`), and its way to the vault.
const AHEAD: Duration = Duration::from_secs(10);

/// Sends a message for each of these steps, in the order in which the target's limits let them go. It can be received
/// shortly before its step is due: a step that waited for its turn within an invocation would take the place of one of
/// another kind, or of another restore.
///
/// Safe to run twice: a step with two messages is carried out once.
///
/// # Errors
/// The last error of the queue, after every message was tried: a later pass sends those that failed.
pub async fn messages<'p>(
    app: &App,
    job: &RestoreJob,
    steps: impl IntoIterator<Item = &'p Step>,
) -> Result<()> {
    let steps = pace::of(app, &job.target).schedule(steps);
    let message = |step: &Step| RestoreMessage::new(&job.id, &step.id());
    let sends: Vec<_> = steps.into_iter().map(|(due, step)| one(app, message(step), due)).collect();
    let mut sends = stream::iter(sends).buffer_unordered(AT_ONCE);
    let mut failed = Ok(());
    while let Some(result) = sends.next().await {
        failed = result.and(failed);
    }
    failed
}

async fn one(app: &App, message: RestoreMessage, due: Duration) -> Result<()> {
    let text = serde_json::to_string(&message).map_err(|error| Error::Refused(error.to_string()))?;
    let lifetime = MESSAGE_LIFETIME.unsigned_abs();
    // A message has to be received before it expires.
    let hidden = due.saturating_sub(AHEAD).min(lifetime / 2);
    Ok(app.restore_queue()?.send_later(&text, hidden, lifetime).await?)
}
