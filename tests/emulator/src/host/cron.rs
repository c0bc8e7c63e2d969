//! Timer schedules: cron with seconds, or a constant time span.

use std::{ops::RangeInclusive, time::Duration};

use time::{Date, OffsetDateTime, Time};

use super::settings::parse_span;

/// When a timer fires, in UTC.
#[derive(Debug)]
pub(super) enum Schedule {
    Cron(Cron),
    Every(Duration),
}

/// The allowed values of each field, as bit sets.
#[derive(Debug)]
pub(super) struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
}

impl Schedule {
    /// Five or six fields of `*`, numbers, ranges, lists and steps; or `hh:mm:ss`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(span) = parse_span(text.trim()) {
            return if span.is_zero() { Err("a schedule of no time".into()) } else { Ok(Self::Every(span)) };
        }
        let mut fields: Vec<_> = text.split_whitespace().collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        let [seconds, minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(format!("{text:?} is not a schedule"));
        };
        Ok(Self::Cron(Cron {
            seconds: field(seconds, 0..=59)?,
            minutes: field(minutes, 0..=59)?,
            hours: field(hours, 0..=23)?,
            days: field(days, 1..=31)?,
            months: field(months, 1..=12)?,
            weekdays: field(weekdays, 0..=6)?,
        }))
    }

    /// The first occurrence after a moment; none when there is none in eight years (30 February).
    pub(super) fn after(&self, moment: OffsetDateTime) -> Option<OffsetDateTime> {
        match self {
            Self::Every(span) => Some(moment + *span),
            Self::Cron(cron) => cron.after(moment.to_offset(time::UtcOffset::UTC)),
        }
    }

    /// The host keeps no status of a schedule that fires more than once a minute.
    pub(super) fn sub_minute(&self) -> bool {
        match self {
            Self::Every(span) => *span < Duration::from_secs(60),
            Self::Cron(cron) => cron.seconds.count_ones() > 1,
        }
    }

    /// Only a calendar knows of daylight saving.
    pub(super) fn adjusts_for_dst(&self) -> bool {
        matches!(self, Self::Cron(_))
    }
}

impl Cron {
    fn after(&self, moment: OffsetDateTime) -> Option<OffsetDateTime> {
        const HORIZON_DAYS: usize = 8 * 366;
        let start = moment.replace_nanosecond(0).ok()? + Duration::from_secs(1);
        let dates = std::iter::successors(Some(start.date()), |date| date.next_day());
        dates.take(HORIZON_DAYS).filter(|date| self.allows(*date)).find_map(|date| {
            let from = if date == start.date() { start.time() } else { Time::MIDNIGHT };
            Some(date.with_time(self.first_time(from)?).assume_utc())
        })
    }

    fn allows(&self, date: Date) -> bool {
        has(self.days, date.day())
            && has(self.months, date.month().into())
            && has(self.weekdays, date.weekday().number_days_from_sunday())
    }

    fn first_time(&self, from: Time) -> Option<Time> {
        for hour in (from.hour()..24).filter(|hour| has(self.hours, *hour)) {
            let same_hour = hour == from.hour();
            let minute = if same_hour { from.minute() } else { 0 };
            for minute in (minute..60).filter(|minute| has(self.minutes, *minute)) {
                let second = if same_hour && minute == from.minute() { from.second() } else { 0 };
                if let Some(second) = (second..60).find(|second| has(self.seconds, *second)) {
                    return Time::from_hms(hour, minute, second).ok();
                }
            }
        }
        None
    }
}

fn has(set: u64, value: u8) -> bool {
    set >> value & 1 == 1
}

fn field(text: &str, range: RangeInclusive<u8>) -> Result<u64, String> {
    text.split(',').try_fold(0, |set, part| {
        Ok(set | part_of(part, &range).ok_or(format!("{text:?} is not a field of a schedule"))?)
    })
}

/// `*`, `n`, `a-b`, each with an optional `/step`.
fn part_of(part: &str, range: &RangeInclusive<u8>) -> Option<u64> {
    let (values, step) = match part.split_once('/') {
        Some((values, step)) => (values, step.parse().ok().filter(|step| *step > 0)?),
        None => (part, 1_usize),
    };
    let stepped = part.contains('/');
    let number = |text: &str| text.parse::<u8>().ok().filter(|value| range.contains(value));
    let values = match values.split_once('-') {
        _ if values == "*" => range.clone(),
        Some((first, last)) => number(first)?..=number(last)?,
        None if stepped => number(values)?..=*range.end(),
        None => number(values)?..=number(values)?,
    };
    Some(values.step_by(step).fold(0, |set, value| set | 1 << value))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::Schedule;

    #[test]
    fn occurrences_follow_the_fields() {
        let after = |text: &str, moment| Schedule::parse(text).unwrap().after(moment);
        let now = datetime!(2026-08-22 02:00:30.5 UTC);
        assert_eq!(after("0 * * * * *", now), Some(datetime!(2026-08-22 02:01 UTC)));
        assert_eq!(after("* * * * *", now), Some(datetime!(2026-08-22 02:01 UTC)));
        assert_eq!(after("0 0 2 * * *", now), Some(datetime!(2026-08-23 02:00 UTC)));
        assert_eq!(after("0 */15 9-17 * * 1-5", now), Some(datetime!(2026-08-24 09:00 UTC)));
        assert_eq!(after("0 30 1,3 1 1 *", now), Some(datetime!(2027-01-01 01:30 UTC)));
        assert_eq!(after("0 0 0 30 2 *", now), None);
        assert_eq!(after("00:05:00", now), Some(datetime!(2026-08-22 02:05:30.5 UTC)));
        assert!(Schedule::parse("*/10 * * * * *").unwrap().sub_minute());
        for wrong in ["", "* * * *", "60 * * * * *", "0 0 0 * * 7", "0 0/0 * * * *", "%MISSING%"] {
            assert!(Schedule::parse(wrong).is_err(), "{wrong}");
        }
    }
}
