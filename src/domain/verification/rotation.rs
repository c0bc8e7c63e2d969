//! Which backups a pass reads again.

use serde::{Deserialize, Serialize};
use time::Date;

use super::Address;

/// Within how many days the newest backup of each object is read again, whatever the setting for the others.
pub const NEWEST_WITHIN: u16 = 7;

/// Within how many days each backup is read again. Each day has its part: the backups whose number leaves the day's
/// remainder. So a backup has its turn on the same days whichever process asks, and a pass remembers none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation(u16);

impl Rotation {
    /// The setting where none is given.
    pub const DEFAULT: Self = Self(28);

    /// Each backup within so many days, one at least.
    pub const fn within(days: u16) -> Self {
        Self(if days == 0 { 1 } else { days })
    }

    /// The number of days.
    pub const fn days(self) -> u16 {
        self.0
    }

    /// The number of days for the newest backup of an object.
    pub const fn newest(self) -> u16 {
        if self.0 < NEWEST_WITHIN { self.0 } else { NEWEST_WITHIN }
    }
}

/// The days whose parts a pass reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    first: i32,
    last: i32,
}

impl Days {
    /// The day of a pass and those since the last pass that ended, whose parts no pass has read. A second pass on a day
    /// has none. Where there was no pass, or one from the future, it is the day alone.
    pub fn since(last: Option<Date>, today: Date) -> Self {
        let today = today.to_julian_day();
        let first = last.map_or(today, |last| last.to_julian_day().saturating_add(1));
        Self { first: if first > today + 1 { today } else { first }, last: today }
    }

    /// Whether one of the days has the part that a number belongs to, of `parts`.
    fn has(self, number: u64, parts: u16) -> bool {
        let parts = i64::from(parts);
        if i64::from(self.last) - i64::from(self.first) >= parts - 1 {
            return true;
        }
        let of_number = i64::try_from(number % parts.unsigned_abs()).unwrap_or_default();
        (self.first..=self.last).any(|day| i64::from(day).rem_euclid(parts) == of_number)
    }
}

/// Which backups a pass reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Choice {
    /// Every backup.
    All,
    /// About so many in ten thousand.
    Sample {
        /// How many in ten thousand.
        of_10_000: u16,
        /// What distinguishes this sample from the next one.
        seed: u64,
    },
    /// Those whose turn it is.
    Turn {
        /// Within how many days each backup has its turn.
        within: Rotation,
        /// The days.
        days: Days,
    },
}

impl Choice {
    /// Whether a backup is read. `newest` is whether the newest index names it.
    pub fn takes(self, backup: Address, newest: bool) -> bool {
        match self {
            Self::All => true,
            Self::Sample { of_10_000, seed } => backup.number_with(seed) % 10_000 < u64::from(of_10_000),
            Self::Turn { within, days } => {
                let number = backup.number();
                days.has(number, within.days()) || newest && days.has(number, within.newest())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::date};

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 22);

    fn taken(within: u16, last: Option<Date>, today: Date, newest: bool) -> Vec<u64> {
        let choice = Choice::Turn { within: Rotation::within(within), days: Days::since(last, today) };
        (0..within.into()).filter(|number| choice.takes(Address::of_number(*number), newest)).collect()
    }

    #[test]
    fn each_part_has_its_day_and_a_missed_day_is_made_up_for() {
        let yesterday = TODAY - Duration::DAY;
        let mut all: Vec<u64> = (0..28)
            .flat_map(|day| {
                taken(28, Some(yesterday + Duration::days(day)), TODAY + Duration::days(day), false)
            })
            .collect();
        assert_eq!(all.len(), 28, "one part each day");
        all.sort_unstable();
        assert_eq!(all, (0..28).collect::<Vec<_>>(), "each part once");
        // The last pass; how many of 28 parts are read.
        for (last, parts) in [
            (None, 1),
            (Some(yesterday), 1),
            (Some(TODAY - Duration::days(3)), 3),
            (Some(TODAY - Duration::days(28)), 28),
            (Some(TODAY - Duration::days(400)), 28),
            (Some(TODAY), 0),
            (Some(TODAY + Duration::days(30)), 1),
        ] {
            assert_eq!(taken(28, last, TODAY, false).len(), parts, "{last:?}");
        }
    }

    #[test]
    fn the_newest_backup_has_its_turn_within_a_week_and_not_later_than_the_others() {
        let yesterday = Some(TODAY - Duration::DAY);
        assert_eq!(taken(28, yesterday, TODAY, true).len(), 4);
        assert_eq!(taken(3, yesterday, TODAY, true).len(), 1);
        assert_eq!(taken(1, yesterday, TODAY, false), [0]);
        assert_eq!(Rotation::within(0).days(), 1);
    }

    #[test]
    fn a_sample_has_about_the_share_that_was_asked_for() {
        let of = |of_10_000, seed| {
            let choice = Choice::Sample { of_10_000, seed };
            (0..10_000).filter(|number| choice.takes(Address::of_number(*number), false)).collect::<Vec<_>>()
        };
        assert!((400..600).contains(&of(500, 1).len()), "{}", of(500, 1).len());
        assert_ne!(of(500, 1), of(500, 2), "another sample");
        assert_eq!((of(0, 1).len(), of(10_000, 1).len()), (0, 10_000));
    }
}
