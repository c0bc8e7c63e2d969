//! Sending the queue messages of a restore.

use futures::{StreamExt as _, stream};

use crate::{
    app::App,
    domain::{
        job::MESSAGE_LIFETIME,
        object::ObjectId,
        restore::{RestoreId, RestoreMessage},
    },
    error::{Error, Result},
};

/// Messages that are sent concurrently.
const AT_ONCE: usize = 32;

/// Sends a message for each of these steps.
///
/// Safe to run twice: a step with two messages is carried out once.
///
/// # Errors
/// The last error of the queue, after every message was tried: a later pass sends those that failed.
pub async fn messages(app: &App, restore: &RestoreId, steps: impl Iterator<Item = ObjectId>) -> Result<()> {
    let sends: Vec<_> = steps.map(|id| one(app, RestoreMessage::new(restore, &id))).collect();
    let mut sends = stream::iter(sends).buffer_unordered(AT_ONCE);
    let mut failed = Ok(());
    while let Some(result) = sends.next().await {
        failed = result.and(failed);
    }
    failed
}

async fn one(app: &App, message: RestoreMessage) -> Result<()> {
    let text = serde_json::to_string(&message).map_err(|error| Error::Refused(error.to_string()))?;
    Ok(app.restore_queue()?.send(&text, MESSAGE_LIFETIME.unsigned_abs()).await?)
}
