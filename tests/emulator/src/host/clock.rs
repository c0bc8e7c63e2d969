//! The host's clock: a test's, or the real one.

use std::time::Duration;

use parking_lot::Mutex;
use time::OffsetDateTime;

/// The time a host goes by.
pub trait HostClock: Send + Sync {
    /// The present moment.
    fn now(&self) -> OffsetDateTime;

    /// Lets time pass: a retry policy's delay is spent this way, not by sleeping.
    fn advance(&self, by: Duration);
}

/// The real time, plus what it was advanced by.
#[derive(Debug, Default)]
pub struct WallClock {
    ahead: Mutex<Duration>,
}

impl HostClock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place of the host that reads the time")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + *self.ahead.lock()
    }

    fn advance(&self, by: Duration) {
        *self.ahead.lock() += by;
    }
}
