//! The emulator's clock: real time plus an offset that tests move.

use std::time::Duration;

use parking_lot::RwLock;
use time::OffsetDateTime;

/// What time it is in the emulator.
///
/// It starts at real time and runs at its pace. Time stamps, the visibility and the life of queue messages
/// and the rate limits all follow it. The validity of tokens and of TLS certificates does not: a client
/// judges those by its own clock.
#[derive(Debug, Default)]
pub struct Clock {
    offset: RwLock<time::Duration>,
}

impl Clock {
    /// The present moment.
    pub fn now(&self) -> OffsetDateTime {
        real_now().saturating_add(*self.offset.read())
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let by = time::Duration::try_from(by).unwrap_or(time::Duration::MAX);
        let mut offset = self.offset.write();
        *offset = offset.saturating_add(by);
    }

    /// Sets the clock, forward or back. It runs on from there.
    pub fn set(&self, to: OffsetDateTime) {
        *self.offset.write() = to - real_now();
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the emulator reads the real clock")]
pub(crate) fn real_now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
