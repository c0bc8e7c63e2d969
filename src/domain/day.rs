//! Days of the calendar, in UTC, as `2026-11-22`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::{
    Date, Duration, OffsetDateTime, Time, format_description::BorrowedFormatItem, macros::format_description,
};

const FORM: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// A day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(Date);

/// The text is not a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a day such as 2026-11-22")]
pub struct DayError;

impl Day {
    /// The day of a time.
    pub fn of(at: OffsetDateTime) -> Self {
        Self(super::moment::day(at))
    }

    /// The date.
    pub fn date(self) -> Date {
        self.0
    }

    /// Its first moment.
    pub fn start(self) -> OffsetDateTime {
        self.0.with_time(Time::MIDNIGHT).assume_utc()
    }

    /// The first moment after it.
    pub fn end(self) -> OffsetDateTime {
        self.start() + Duration::DAY
    }

    /// Whether a time is of it.
    pub fn has(self, at: OffsetDateTime) -> bool {
        (self.start()..self.end()).contains(&at)
    }

    /// The day before it.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.previous_day().unwrap_or(self.0))
    }

    /// How many days there are from it to `to`, both included.
    pub fn through(self, to: Self) -> i64 {
        (to.0 - self.0).whole_days() + 1
    }

    /// The days from it to `to`, both included.
    pub fn until(self, to: Self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self.0), |day| day.next_day()).map(Self).take_while(move |day| *day <= to)
    }
}

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Self, DayError> {
        // Storage has no earlier times, and names of blobs no years of more than four digits.
        let day = Date::parse(text, FORM).ok().filter(|day| (1970..=9999).contains(&day.year()));
        day.map(Self).ok_or(DayError)
    }
}

impl TryFrom<String> for Day {
    type Error = DayError;

    fn try_from(text: String) -> Result<Self, DayError> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.format(FORM).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_day_is_read_as_it_is_shown_and_nothing_else_is_a_day() {
        let day: Day = "2026-02-28".parse().unwrap();
        assert_eq!((day.to_string().as_str(), day.to_string().parse()), ("2026-02-28", Ok(day)));
        assert_eq!(serde_json::to_string(&day).unwrap(), "\"2026-02-28\"");
        for bad in ["", "2026-02-30", "2026-2-28", "28.02.2026", "2026-02-28T00:00:00Z", "0001-01-01"] {
            assert_eq!(bad.parse::<Day>(), Err(DayError), "{bad}");
        }
    }

    #[test]
    fn a_day_ends_where_the_next_begins() {
        let day = Day::of(datetime!(2026-03-01 00:30 +1));
        assert_eq!(day.to_string(), "2026-02-28");
        for (at, expected) in [
            (datetime!(2026-02-27 23:59:59 UTC), false),
            (datetime!(2026-02-28 00:00 UTC), true),
            (datetime!(2026-02-28 23:59:59 UTC), true),
            (datetime!(2026-03-01 00:00 UTC), false),
        ] {
            assert_eq!(day.has(at), expected, "{at}");
        }
        assert_eq!(day.before().to_string(), "2026-02-27");
    }

    #[test]
    fn both_ends_of_a_period_are_of_it() {
        let [from, to]: [Day; 2] = ["2026-02-27", "2026-03-01"].map(|day| day.parse().unwrap());
        let days: Vec<_> = from.until(to).map(|day| day.to_string()).collect();
        assert_eq!(days, ["2026-02-27", "2026-02-28", "2026-03-01"]);
        assert_eq!((from.through(to), from.through(from), to.through(from)), (3, 1, -1));
        assert_eq!(to.until(from).count(), 0);
    }
}
