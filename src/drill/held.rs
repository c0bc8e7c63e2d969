//! The record of a drill in the hands of a process.

use std::time::{Duration, Instant};

use crate::{
    clock::Clock,
    domain::drill::{OpenDrill, TRUST},
    error::{Error, Result},
    jobs::{Jobs, StoredDrill},
};

/// How long the record may lie untouched while a process works.
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(20);

/// What a step of a drill left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next step can follow.
    Done,
    /// The vault is busy, or something that may pass is in the way.
    Waits,
}

/// The record of a drill in the hands of the process that works on it.
pub(super) struct Held<'a> {
    jobs: &'a Jobs,
    stored: StoredDrill,
    /// When the record was written last.
    saved: Instant,
    pub(super) clock: &'a Clock,
}

impl<'a> Held<'a> {
    /// A record that was just written.
    pub(super) fn new(jobs: &'a Jobs, stored: StoredDrill, clock: &'a Clock) -> Self {
        Self { jobs, stored, saved: Instant::now(), clock }
    }

    /// The drill.
    pub(super) fn of(&self) -> &OpenDrill {
        &self.stored.of
    }

    /// Changes the drill. [`Held::save`] records that.
    pub(super) fn of_mut(&mut self) -> &mut OpenDrill {
        &mut self.stored.of
    }

    /// Whether this process may still act.
    pub(super) fn is_held(&self) -> bool {
        self.saved.elapsed() < TRUST.unsigned_abs()
    }

    /// How long ago the record was written.
    pub(super) fn since(&self) -> Duration {
        self.saved.elapsed()
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`Error::Busy`] if another process has taken the drill over; those of storage.
    pub(super) async fn save(&mut self) -> Result<()> {
        let now = Instant::now();
        self.stored.of.at = self.clock.now();
        let OpenDrill { id, target, .. } = &self.stored.of;
        let taken_over = || Error::Busy(format!("another process goes on with drill {id} in vault {target}"));
        let saved = self.jobs.save_drill(&self.stored).await?.ok_or_else(taken_over)?;
        (self.stored, self.saved) = (saved, now);
        Ok(())
    }
}
