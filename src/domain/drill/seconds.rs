//! Spans of time as records have them.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Seconds, to the millisecond; in JSON a decimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Seconds {
    millis: u64,
}

impl From<f64> for Seconds {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded, and bounded by the type"
    )]
    fn from(seconds: f64) -> Self {
        Self { millis: (seconds * 1000.0).round() as u64 }
    }
}

impl From<Seconds> for f64 {
    #[expect(clippy::cast_precision_loss, reason = "no drill takes 2^53 milliseconds")]
    fn from(of: Seconds) -> Self {
        of.millis as Self / 1000.0
    }
}

impl From<Duration> for Seconds {
    fn from(of: Duration) -> Self {
        Self { millis: u64::try_from(of.as_millis()).unwrap_or(u64::MAX) }
    }
}

impl From<time::Duration> for Seconds {
    /// A span that is negative, because two clocks differ, is none.
    fn from(of: time::Duration) -> Self {
        Self { millis: u64::try_from(of.whole_milliseconds()).unwrap_or_default() }
    }
}

impl std::ops::Add for Seconds {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { millis: self.millis.saturating_add(other.millis) }
    }
}

impl Seconds {
    /// In whole seconds, rounded up.
    pub fn whole(self) -> i64 {
        i64::try_from(self.millis.div_ceil(1000)).unwrap_or(i64::MAX)
    }

    /// Whether it is more than so many whole seconds.
    pub fn exceed(self, seconds: u32) -> bool {
        self.millis > u64::from(seconds) * 1000
    }
}

impl fmt::Display for Seconds {
    /// With its decimals below a minute, then in minutes, hours or days with one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = f64::from(*self);
        match self.millis {
            0..60_000 => write!(f, "{seconds:.1} s"),
            60_000..3_600_000 => write!(f, "{:.1} min", seconds / 60.0),
            3_600_000..172_800_000 => write!(f, "{:.1} h", seconds / 3600.0),
            _ => write!(f, "{:.1} days", seconds / 86400.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_decimals_in_json_and_round_to_milliseconds() {
        for (seconds, json) in
            [(0.0, "0.0"), (1.5, "1.5"), (0.0004, "0.0"), (12.3456, "12.346"), (-1.0, "0.0")]
        {
            assert_eq!(serde_json::to_string(&Seconds::from(seconds)).unwrap(), json);
        }
        assert_eq!(serde_json::from_str::<Seconds>("281").unwrap(), Seconds::from(281.0));
        assert_eq!(Seconds::from(Duration::from_millis(1500)), Seconds::from(1.5));
        assert_eq!(Seconds::from(time::Duration::SECOND * -5), Seconds::default());
    }

    #[test]
    fn a_limit_is_exceeded_by_the_least_more() {
        for (seconds, limit, expected) in [(60.0, 60, false), (60.001, 60, true), (0.0, 0, false)] {
            assert_eq!(Seconds::from(seconds).exceed(limit), expected, "{seconds} {limit}");
            assert_eq!(Seconds::from(seconds).whole(), i64::from(limit) + i64::from(expected), "{seconds}");
        }
    }

    #[test]
    fn people_read_them_in_the_unit_that_fits() {
        for (seconds, text) in [
            (1.25, "1.2 s"),
            (59.9, "59.9 s"),
            (60.0, "1.0 min"),
            (3599.0, "60.0 min"),
            (93_600.0, "26.0 h"),
            (172_800.0, "2.0 days"),
        ] {
            assert_eq!(Seconds::from(seconds).to_string(), text);
        }
    }
}
