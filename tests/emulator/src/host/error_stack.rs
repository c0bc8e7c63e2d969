//! The three-error rule.

use std::time::Duration;

use parking_lot::Mutex;
use time::OffsetDateTime;

/// With this many errors on record the host gives up.
const LIMIT: usize = 3;
/// An error this long after the one before is the first again.
const MEMORY: Duration = Duration::from_secs(30 * 60);

/// When the handler failed.
#[derive(Default)]
pub(super) struct ErrorStack {
    times: Mutex<Vec<OffsetDateTime>>,
}

impl ErrorStack {
    /// Records an error. Whether the handler may be started again.
    pub(super) fn push(&self, now: OffsetDateTime) -> bool {
        let mut times = self.times.lock();
        if times.last().is_some_and(|last| now - *last > MEMORY) {
            times.clear();
        }
        times.push(now);
        times.len() < LIMIT
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.times.lock().len()).unwrap_or(u32::MAX)
    }

    pub(super) fn clear(&self) {
        self.times.lock().clear();
    }
}
