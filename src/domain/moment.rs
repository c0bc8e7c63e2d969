//! Times as people read them: in UTC, to the day or to the minute.

use time::{Date, OffsetDateTime, UtcOffset};

/// The day of a time.
pub fn day(at: OffsetDateTime) -> Date {
    at.to_offset(UtcOffset::UTC).date()
}

/// A time to the second, as `2026-11-22T02:00:00Z`.
pub fn second(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    format!("{}T{:02}:{:02}:{:02}Z", at.date(), at.hour(), at.minute(), at.second())
}

/// A time to the minute.
pub fn minute(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    format!("{} {:02}:{:02}Z", at.date(), at.hour(), at.minute())
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn a_time_is_told_in_utc_whatever_clock_it_was_read_from() {
        for (at, expected, text) in [
            (datetime!(2026-11-22 02:00:59 UTC), date!(2026 - 11 - 22), "2026-11-22 02:00Z"),
            (datetime!(2026-11-22 00:30 +2), date!(2026 - 11 - 21), "2026-11-21 22:30Z"),
        ] {
            assert_eq!((day(at), minute(at).as_str()), (expected, text));
        }
    }
}
