//! When a timer fires, according to its setting.
//!
//! The host reads the setting as NCRONTAB; this program has its own parser. A setting that the two might read
//! differently is refused: the timer's times are then unknown, and nothing is done on a guess.

use std::fmt;

use chrono::{DateTime, Utc};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use time::{Duration, Month, OffsetDateTime};

/// How long after an occurrence its run counts as late. Leaves time for the timer's own retries.
pub const LATE_AFTER: Duration = Duration::minutes(10);

/// A year that contains every possible date.
const LEAP_YEAR: i32 = 2024;

/// Names of the time zone UTC.
const UTC: [&str; 5] = ["utc", "etc/utc", "gmt", "etc/gmt", "utc0"];

/// The occurrences of a timer.
#[derive(Clone, Debug)]
pub struct Schedule {
    text: String,
    /// `None` for a date that no year has, which people use to disable a timer: searching for it would go through all
    /// years.
    cron: Option<Cron>,
}

/// Why the times of a timer are unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// It fires at intervals from the host's start, which this program does not know.
    #[error("a time span has no occurrences that this program can know")]
    Span,
    /// It fires more than once a minute: then the host does not say for which occurrence.
    #[error("it fires more than once a minute, and then the host does not say which time it fires for")]
    SubMinute,
    /// It is not in the form that both parsers read alike.
    #[error(
        "it is not five or six fields of `*`, numbers, ranges, lists and steps of `*` or of a range, such as `0 0 2 * * *`"
    )]
    Form,
    /// The host uses a time zone other than UTC.
    #[error("the setting {0} is not UTC")]
    Zone(&'static str),
}

/// What is known about a timer's occurrences.
#[derive(Clone, Debug)]
pub enum Timetable {
    /// The occurrences are known.
    Known(Box<Schedule>),
    /// Not set: the timer does not exist here.
    NotSet,
    /// The timer's function is disabled.
    Paused,
    /// The occurrences are unknown.
    Unclear(Unclear),
}

impl Timetable {
    /// The timetable of a setting. `zones` are the settings that name the host's time zone.
    pub fn new(text: Option<&str>, paused: bool, zones: &[(&'static str, String)]) -> Self {
        let Some(text) = text else { return Self::NotSet };
        if paused {
            return Self::Paused;
        }
        let other = |(_, zone): &&(&'static str, String)| {
            !UTC.contains(&zone.trim().trim_start_matches(':').to_ascii_lowercase().as_str())
        };
        if let Some((name, _)) = zones.iter().find(other) {
            return Self::Unclear(Unclear::Zone(name));
        }
        Schedule::parse(text).map_or_else(Self::Unclear, |schedule| Self::Known(Box::new(schedule)))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Schedule {
    /// Parses NCRONTAB in UTC.
    ///
    /// # Errors
    /// If it is a time span, fires more than once a minute, or might be read differently by the host.
    pub fn parse(text: &str) -> Result<Self, Unclear> {
        if text.contains(':') {
            return Err(Unclear::Span);
        }
        let mut fields: Vec<&str> = text.split_ascii_whitespace().collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        let &[seconds, minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(Unclear::Form);
        };
        let numbers = [seconds, minutes, hours, days].iter().all(|field| is_plain(field, false));
        // Both parsers call Sunday 0; only one of them also accepts 7.
        let names = is_plain(months, true) && is_plain(weekdays, true) && !weekdays.contains('7');
        if !numbers || !names {
            return Err(Unclear::Form);
        }
        let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed);
        // A day has to match both its fields.
        let cron = parser.dom_and_dow(true).build().parse(&fields.join(" ")).map_err(|_| Unclear::Form)?;
        if cron.pattern.seconds.values().len() > 1 {
            return Err(Unclear::SubMinute);
        }
        Ok(Self { text: fields.join(" "), cron: Some(cron).filter(has_a_date) })
    }

    /// The first occurrence after `now`.
    pub fn next(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let at = DateTime::<Utc>::from_timestamp(now.unix_timestamp(), 0)?;
        let next = self.cron.as_ref()?.find_next_occurrence(&at, false).ok()?;
        OffsetDateTime::from_unix_timestamp(next.timestamp()).ok()
    }

    /// The newest occurrence at `now` or before.
    pub fn newest(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let at = DateTime::<Utc>::from_timestamp(now.unix_timestamp(), 0)?;
        let newest = self.cron.as_ref()?.find_previous_occurrence(&at, true).ok()?;
        OffsetDateTime::from_unix_timestamp(newest.timestamp()).ok()
    }

    /// The newest occurrence, if it is at least [`LATE_AFTER`] old. Earlier ones are not made up for, because a newer
    /// one has followed.
    pub fn overdue(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.newest(now).filter(|newest| now - *newest >= LATE_AFTER)
    }
}

/// Whether at least one of the dates exists in some year.
fn has_a_date(cron: &Cron) -> bool {
    let days = cron.pattern.days.values();
    let months = cron.pattern.months.values().into_iter().filter_map(|month| u8::try_from(month).ok());
    let length = |month| Month::try_from(month).map_or(0, |month| month.length(LEAP_YEAR));
    let longest = months.map(length).max().unwrap_or_default();
    days.first().is_some_and(|first| *first <= longest.into())
}

/// Whether a field contains only what both parsers read alike. A list has no empty parts.
fn is_plain(field: &str, named: bool) -> bool {
    let legal = |b: u8| b.is_ascii_digit() || b"*-,/".contains(&b) || named && b.is_ascii_alphabetic();
    // Names of days and months have three letters.
    let name = |word: &str| word.is_empty() || word.len() == 3;
    let words = |part: &str| part.split(|c: char| !c.is_ascii_alphabetic()).all(name);
    field.bytes().all(legal) && field.split(',').all(|part| !part.is_empty() && words(part))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn overdue(text: &str, now: OffsetDateTime) -> Option<OffsetDateTime> {
        Schedule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).overdue(now)
    }

    /// 22 November 2026 is a Sunday.
    #[test]
    fn the_newest_occurrence_is_overdue_after_ten_minutes_until_the_next() {
        let night = datetime!(2026-11-22 02:00 UTC);
        let table = [
            ("0 0 2 * * *", datetime!(2026-11-22 02:10 UTC), Some(night)),
            ("0 0 2 * * *", datetime!(2026-11-22 02:09:59 UTC), None),
            ("0 0 2 * * *", datetime!(2026-11-22 23:59:59.9 UTC), Some(night)),
            ("0 0 2 * * *", datetime!(2026-11-23 01:59:59 UTC), Some(night)),
            ("0 0 2 * * *", datetime!(2026-11-23 02:00 UTC), None), // the timer itself fires for the next one
            ("0 2 * * *", datetime!(2026-11-22 02:00 UTC), None),
            ("0 2 * * *", datetime!(2026-11-22 03:00 UTC), Some(night)),
            ("0 0 2 * * 1-5", datetime!(2026-11-22 12:00 UTC), Some(datetime!(2026-11-20 02:00 UTC))),
            ("0 0 2 * * Mon,fri", datetime!(2026-11-22 12:00 UTC), Some(datetime!(2026-11-20 02:00 UTC))),
            ("0 30 1,13 * * *", datetime!(2026-11-22 13:39 UTC), None),
            ("0 30 1,13 * * *", datetime!(2026-11-22 13:40 UTC), Some(datetime!(2026-11-22 13:30 UTC))),
            ("0 0 */6 * * *", datetime!(2026-11-22 05:00 UTC), Some(datetime!(2026-11-22 00:00 UTC))),
            ("0 0 8-20/4 * * *", datetime!(2026-11-22 13:00 UTC), Some(datetime!(2026-11-22 12:00 UTC))),
            ("0 */5 * * * *", datetime!(2026-11-22 02:04:59 UTC), None),
            // A day has to match both fields: a Friday the 13th.
            ("0 0 2 13 * 5", datetime!(2026-11-22 12:00 UTC), Some(datetime!(2026-11-13 02:00 UTC))),
            ("0 0 2 22 * 5", datetime!(2026-11-22 12:00 UTC), Some(datetime!(2026-05-22 02:00 UTC))),
            ("0 0 2 1 jan *", datetime!(2026-11-22 12:00 UTC), Some(datetime!(2026-01-01 02:00 UTC))),
            ("0 0 2 29 2 *", datetime!(2026-11-22 12:00 UTC), Some(datetime!(2024-02-29 02:00 UTC))),
            ("0 0 2 30 2 *", datetime!(2026-11-22 12:00 UTC), None),
            ("0 0 2 31 Feb,4-6/2,9,nov *", datetime!(2026-11-22 12:00 UTC), None),
            ("0 0 2 30,31 2,4 *", datetime!(2026-11-22 12:00 UTC), Some(datetime!(2026-04-30 02:00 UTC))),
        ];
        for (text, now, expected) in table {
            assert_eq!(overdue(text, now), expected, "{text} at {now}");
        }
        let zoned = datetime!(2026-11-22 04:00 +01:00);
        assert_eq!(overdue("0 0 2 * * *", zoned), Some(night), "whatever zone now is given in");
    }

    #[test]
    fn what_two_parsers_might_read_differently_is_refused() {
        let table = [
            ("1.00:00:00", Unclear::Span),
            ("00:05:00", Unclear::Span),
            ("*/10 * * * * *", Unclear::SubMinute),
            ("0,30 0 2 * * *", Unclear::SubMinute),
            ("", Unclear::Form),
            ("0 2 * *", Unclear::Form),
            ("0 0 2 * * * *", Unclear::Form),
            ("@daily", Unclear::Form),
            ("0 0 2 L * *", Unclear::Form),
            ("0 0 2 ? * *", Unclear::Form),
            ("0 0 2 * * 5#1", Unclear::Form),
            ("0 0 2 * * +5", Unclear::Form),
            ("0 0 2 * * 7", Unclear::Form),
            ("0 0 2 * * 5-1", Unclear::Form),
            ("0 0/15 2 * * *", Unclear::Form),
            ("0 0 2,,3 * * *", Unclear::Form),
            ("0 0 2 mon * *", Unclear::Form),
            ("0 0 2 * * Monday", Unclear::Form),
            ("0 0 25 * * *", Unclear::Form),
            ("%VAULT_BACKUP_SCHEDULE%", Unclear::Form),
        ];
        for (text, expected) in table {
            assert_eq!(Schedule::parse(text).err(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_timer_that_is_off_or_goes_by_another_zone_has_no_known_times() {
        let cron = Some("0 0 2 * * *");
        let zone = |name: &str| vec![("WEBSITE_TIME_ZONE", name.to_owned())];
        let told = |text, paused, zones: &[(&'static str, String)]| match Timetable::new(text, paused, zones)
        {
            Timetable::Known(schedule) => schedule.to_string(),
            other => format!("{other:?}"),
        };
        let table = [
            (told(cron, false, &[]), "0 0 2 * * *"),
            (told(Some("0 2 * * *"), false, &[]), "0 0 2 * * *"),
            (told(cron, false, &zone("Etc/UTC")), "0 0 2 * * *"),
            (told(cron, false, &zone("W. Europe Standard Time")), "Unclear(Zone(\"WEBSITE_TIME_ZONE\"))"),
            (told(cron, true, &zone("Europe/Berlin")), "Paused"),
            (told(None, false, &zone("Europe/Berlin")), "NotSet"),
            (told(Some("00:05:00"), false, &[]), "Unclear(Span)"),
        ];
        for (told, expected) in table {
            assert_eq!(told, expected);
        }
    }
}
