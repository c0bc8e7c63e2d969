//! Notices that are still to be delivered.

use time::OffsetDateTime;

use crate::{
    app::App,
    domain::notice::{Part, Waiting},
    error::Result,
};

/// What is still to be delivered, as far as it is recorded where this app keeps its jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undelivered {
    /// The messages that wait, by host. The address of a target is never part of it.
    pub waiting: Vec<Waiting>,
    /// How many messages were ever given up.
    pub given_up: u64,
}

impl Undelivered {
    /// How many messages wait.
    pub fn count(&self) -> usize {
        self.waiting.iter().map(|of| of.posts).sum()
    }

    /// When the oldest of them was decided.
    pub fn since(&self) -> Option<OffsetDateTime> {
        self.waiting.iter().map(|of| of.since).min()
    }
}

/// Queries what is still to be delivered. Two requests.
///
/// # Errors
/// Those of storage, and a record that a newer program wrote.
pub async fn undelivered(app: &App) -> Result<Undelivered> {
    let jobs = app.jobs()?;
    let (sources, restores) = futures::try_join!(jobs.notices(Part::Sources), jobs.notices(Part::Restores))?;
    let mut all = Undelivered::default();
    for outbox in [sources.told.outbox, restores.told.outbox] {
        all.waiting.extend(outbox.waiting());
        all.given_up += outbox.given_up;
    }
    Ok(all)
}
