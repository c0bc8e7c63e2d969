//! One delivery of a queue message: which attempt it is, and how long it may take.

use std::{future::Future, time::Duration};

use crate::{
    domain::lease::LONGEST_STEP,
    error::{Error, Result},
};

/// How long one try of a message may take, whatever the time-outs of its requests: long enough for the slowest
/// backup with its retries. The host's patience is longer by what it takes to record that this was too short.
pub const TRY_WITHIN: Duration = LONGEST_STEP.unsigned_abs();

/// Which delivery of a message this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The first, with more to come.
    First,
    /// A later one, with more to come.
    Again,
    /// The last one.
    Last,
}

/// Tries for as long as a try may take.
///
/// # Errors
/// [`Error::Deadline`], and those of the work.
pub async fn in_time<T>(what: String, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::Deadline { what, seconds: TRY_WITHIN.as_secs() };
    tokio::time::timeout(TRY_WITHIN, work).await.map_err(late)?
}
