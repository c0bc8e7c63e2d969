//! The clock. Everything below takes the time as an argument.

use std::time::Instant;

use time::OffsetDateTime;

use crate::domain::record::whole_second;

/// A clock that is set once and runs from there, in whole seconds, as records have the times
/// that this program sets.
///
/// Under the Functions host each invocation's clock is set to the time that the host sends, so that a test
/// that drives the host also drives the product's time. At a terminal it is set to the system's time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    set: OffsetDateTime,
    at: Instant,
}

impl Clock {
    /// A clock that shows `now` now.
    pub fn set(now: OffsetDateTime) -> Self {
        Self { set: now, at: Instant::now() }
    }

    /// A clock that shows the system's time.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn system() -> Self {
        Self::set(OffsetDateTime::now_utc())
    }

    /// The time, in whole seconds.
    pub fn now(&self) -> OffsetDateTime {
        whole_second(self.set + self.at.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    #[test]
    fn the_time_has_whole_seconds() {
        let second = datetime!(2026-11-22 02:00:01 UTC);
        assert_eq!(Clock::set(second + Duration::milliseconds(300)).now(), second);
    }
}
