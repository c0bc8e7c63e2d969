//! One delivery of a queue message: which attempt it is, and how long it may take.

use std::{future::Future, time::Duration};

use crate::{
    domain::lease::LONGEST_STEP,
    error::{Error, Result},
};

/// The time limit for one attempt at a message, whatever the time-outs of its requests: long enough for the slowest
/// backup with its retries. The host's own limit is longer by the time it takes to record that this one was reached.
pub const TRY_WITHIN: Duration = LONGEST_STEP.unsigned_abs();

/// The position of a delivery among those of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The first, with more to come.
    First,
    /// A later one, with more to come.
    Again,
    /// The last one.
    Last,
}

/// Runs `work` for at most [`TRY_WITHIN`].
///
/// # Errors
/// [`Error::Deadline`], and those of the work.
pub async fn in_time<T>(what: String, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::Deadline { what, seconds: TRY_WITHIN.as_secs() };
    tokio::time::timeout(TRY_WITHIN, work).await.map_err(late)?
}
