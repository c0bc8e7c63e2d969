//! How long recovery points are kept: everything for some days, then the first of each day, week, month and year.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, UtcOffset};

use crate::domain::source::SourceName;

/// The fewest days for which everything is kept: longer than a run or a restore may be open.
const FEWEST_DAYS: u32 = 3;

/// The most days, and the most points of one period.
const MOST: u32 = 36_500;

/// A period of the calendar, in UTC.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::Display,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Period {
    /// A day.
    Day,
    /// A week of ISO 8601, which begins on Monday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Period {
    /// A number that two times have in common if they are in the same period.
    fn number(self, at: OffsetDateTime) -> i64 {
        let date = at.to_offset(UtcOffset::UTC).date();
        match self {
            Self::Day => i64::from(date.to_julian_day()),
            // Julian days begin on a Monday.
            Self::Week => i64::from(date.to_julian_day().div_euclid(7)),
            Self::Month => i64::from(date.year()) * 12 + i64::from(u8::from(date.month())),
            Self::Year => i64::from(date.year()),
        }
    }
}

/// A policy: how long the recovery points of a source are kept.
///
/// Its text is `within=35 days=7 weeks=8 months=12 years=3 gone=800`. What is left out has its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Every point is kept for this many days.
    pub within: u32,
    /// Of this many days that have one, the first point is kept.
    pub days: u32,
    /// Of this many weeks that have one, the first point is kept.
    pub weeks: u32,
    /// Of this many months that have one, the first point is kept.
    pub months: u32,
    /// Of this many years that have one, the first point is kept.
    pub years: u32,
    /// An object that is gone stays in the index for this many days, and its last backup is kept for as long.
    pub gone: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { within: 35, days: 0, weeks: 0, months: 12, years: 0, gone: 400 }
    }
}

/// The text is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A part is not a word, `=` and a number.
    #[error(
        "{0} is no part of a policy; expected some of within, days, weeks, months, years and gone, as in within=35 months=12"
    )]
    Part(String),
    /// A word stands twice.
    #[error("{0} stands twice")]
    Twice(String),
    /// A number that is too large or too small.
    #[error("{0} is out of range; expected at most {MOST}, and at least {FEWEST_DAYS} for within and gone")]
    Range(String),
}

impl Policy {
    /// The policy that `text` describes, with what it leaves out as in this one.
    ///
    /// # Errors
    /// [`PolicyError`], which names the part.
    pub fn with(mut self, text: &str) -> Result<Self, PolicyError> {
        let mut seen = Vec::new();
        for part in text.split_whitespace() {
            let wrong = || PolicyError::Part(part.to_owned());
            let (word, number) = part.split_once('=').ok_or_else(wrong)?;
            let number: u32 = number.parse().map_err(|_| wrong())?;
            let (field, fewest) = self.field(word).ok_or_else(wrong)?;
            if !(fewest..=MOST).contains(&number) {
                return Err(PolicyError::Range(part.to_owned()));
            }
            *field = number;
            if seen.contains(&word) {
                return Err(PolicyError::Twice(word.to_owned()));
            }
            seen.push(word);
        }
        Ok(self)
    }

    /// The field of a word, and the least value that it may have.
    fn field(&mut self, word: &str) -> Option<(&mut u32, u32)> {
        Some(match word {
            "within" => (&mut self.within, FEWEST_DAYS),
            "days" => (&mut self.days, 0),
            "weeks" => (&mut self.weeks, 0),
            "months" => (&mut self.months, 0),
            "years" => (&mut self.years, 0),
            "gone" => (&mut self.gone, FEWEST_DAYS),
            _ => return None,
        })
    }

    /// How many points of each period are kept.
    fn counts(&self) -> [(Period, u32); 4] {
        [
            (Period::Day, self.days),
            (Period::Week, self.weeks),
            (Period::Month, self.months),
            (Period::Year, self.years),
        ]
    }

    /// How long the last backup of an object is kept after the object is found gone.
    pub fn keeps_gone(&self) -> Duration {
        Duration::days(i64::from(self.gone))
    }

    /// Why each of the points at these times is kept; `None` where the policy lets it go. The times are in any order.
    ///
    /// A period without a point does not count, so an app that was off for long loses nothing by it.
    pub(super) fn picks(&self, times: &[OffsetDateTime], now: OffsetDateTime) -> Vec<Option<Pick>> {
        let within = now - Duration::days(i64::from(self.within));
        let young = |at: &OffsetDateTime| (*at >= within).then_some(Pick::Within { days: self.within });
        let mut picks: Vec<_> = times.iter().map(young).collect();
        for (period, of) in self.counts() {
            let mut first = BTreeMap::new();
            for (point, at) in times.iter().enumerate() {
                let known = first.entry(period.number(*at)).or_insert(point);
                if *at < times[*known] {
                    *known = point;
                }
            }
            for (nth, point) in (1..=of).zip(first.values().rev()) {
                picks[*point].get_or_insert(Pick::Counted { nth, of, period });
            }
        }
        picks
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::default().with(text)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { within, days, weeks, months, years, gone } = self;
        write!(f, "within={within} days={days} weeks={weeks} months={months} years={years} gone={gone}")
    }
}

/// Why a policy keeps a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Pick {
    /// It is younger than this many days.
    Within {
        /// The days.
        days: u32,
    },
    /// It is the first point of a period that counts.
    Counted {
        /// The newest such period is the first.
        nth: u32,
        /// How many periods count.
        of: u32,
        /// The period.
        period: Period,
    },
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within { days } => write!(f, "within {days} days"),
            Self::Counted { nth, of, period } => write!(f, "the {} of {of} {period}s", Ordinal(*nth)),
        }
    }
}

/// `1st`, `2nd`, `3rd`, `4th`, `11th`.
struct Ordinal(u32);

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match (self.0 % 10, self.0 % 100) {
            (1, tens) if tens != 11 => "st",
            (2, tens) if tens != 12 => "nd",
            (3, tens) if tens != 13 => "rd",
            _ => "th",
        };
        write!(f, "{}{suffix}", self.0)
    }
}

/// The policies of an installation: one for all sources, and those of single ones.
///
/// Their text is that of the policy for all, then those of single sources, after semicolons:
/// `within=35 months=12; kv-prod: within=90 years=7`. What a source's policy leaves out is as in the one for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    all: Policy,
    of: BTreeMap<SourceName, Policy>,
}

/// The text does not describe policies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoliciesError {
    /// A policy is wrong.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A policy after a semicolon does not begin with a source and a colon.
    #[error("{0} does not begin with the name of a source and a colon, as in kv-prod: within=90")]
    Source(String),
    /// A source has two policies.
    #[error("{0} has two policies")]
    Twice(SourceName),
}

impl Policies {
    /// The policy of a source.
    pub fn of(&self, source: &SourceName) -> Policy {
        self.of.get(source).copied().unwrap_or(self.all)
    }

    /// Every policy: the one for all, and those of single sources.
    pub fn all(&self) -> impl Iterator<Item = (Option<&SourceName>, Policy)> {
        let single = self.of.iter().map(|(source, policy)| (Some(source), *policy));
        std::iter::once((None, self.all)).chain(single)
    }
}

impl FromStr for Policies {
    type Err = PoliciesError;

    fn from_str(text: &str) -> Result<Self, PoliciesError> {
        let mut parts = text.split(';').map(str::trim);
        let all: Policy = parts.next().unwrap_or_default().parse()?;
        let mut of = BTreeMap::new();
        for part in parts.filter(|part| !part.is_empty()) {
            let wrong = || PoliciesError::Source(part.to_owned());
            let (source, policy) = part.split_once(':').ok_or_else(wrong)?;
            let source: SourceName = source.trim().parse().map_err(|_| wrong())?;
            if of.insert(source.clone(), all.with(policy)?).is_some() {
                return Err(PoliciesError::Twice(source));
            }
        }
        Ok(Self { all, of })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 06:00 UTC);

    #[test]
    fn a_text_changes_what_it_names_and_nothing_else() {
        let policy: Policy = "within=90  years=7".parse().unwrap();
        assert_eq!(policy, Policy { within: 90, years: 7, ..Policy::default() });
        assert_eq!(policy.to_string().parse(), Ok(policy), "what it prints is what it reads");
        assert_eq!("".parse(), Ok(Policy::default()));
        for (bad, word) in [
            ("within", "within"),
            ("within=x", "within=x"),
            ("within=-1", "within=-1"),
            ("decades=1", "decades=1"),
            ("within=2", "within=2"),
            ("gone=2", "gone=2"),
            ("months=36501", "months=36501"),
            ("within=35 within=40", "within"),
        ] {
            let error = bad.parse::<Policy>().unwrap_err().to_string();
            assert!(error.contains(word), "{bad}: {error}");
        }
    }

    #[test]
    fn what_is_gone_stays_by_default_for_as_long_as_the_index_names_it_without_a_policy() {
        assert_eq!(Policy::default().keeps_gone(), crate::domain::manifest::KEEP_GONE);
    }

    #[test]
    fn a_source_may_have_a_policy_of_its_own() {
        let policies: Policies = "within=40 months=6; kv-prod: within=90; hsm-1: months=0 ;".parse().unwrap();
        let of = |source: &str| policies.of(&source.parse().unwrap());
        let all = Policy { within: 40, months: 6, ..Policy::default() };
        assert_eq!(of("kv-dev"), all);
        assert_eq!(of("kv-prod"), Policy { within: 90, ..all });
        assert_eq!(of("hsm-1"), Policy { months: 0, ..all });
        assert_eq!(policies.all().count(), 3);
        for bad in
            ["; within=40", "within=40; kv_prod: within=9", "; kv-a: years=1; kv-a: years=2", "; kv-a: x"]
        {
            assert!(bad.parse::<Policies>().is_err(), "{bad}");
        }
    }

    #[test]
    fn everything_is_kept_for_some_days_to_the_second() {
        let policy: Policy = "within=35 months=0".parse().unwrap();
        let edge = NOW - Duration::days(35);
        let picks = policy.picks(&[NOW + Duration::DAY, edge, edge - Duration::SECOND], NOW);
        assert_eq!(picks, [Some(Pick::Within { days: 35 }), Some(Pick::Within { days: 35 }), None]);
    }

    #[test]
    fn of_each_period_that_counts_the_first_point_is_kept() {
        let at = |text: &str| {
            let format = &time::format_description::well_known::Rfc3339;
            OffsetDateTime::parse(&format!("{text}:00Z"), format).unwrap()
        };
        // The policy, the times, and which of them it keeps as the nth of its period.
        for (policy, times, expected) in [
            ("days=2", vec!["2026-01-01T23:59", "2026-01-02T00:00", "2026-01-02T12:00"], vec![2, 1, 0]),
            ("weeks=2", vec!["2026-01-04T23:59", "2026-01-05T00:00", "2026-01-11T23:59"], vec![2, 1, 0]),
            ("weeks=1", vec!["2024-12-29T02:00", "2024-12-30T02:00", "2025-01-05T02:00"], vec![0, 1, 0]),
            ("months=2", vec!["2025-12-31T23:59", "2026-01-01T00:00", "2026-01-02T00:00"], vec![2, 1, 0]),
            ("months=1", vec!["2025-12-31T23:59", "2026-01-01T00:00"], vec![0, 1]),
            // A month without a point does not count.
            ("months=2", vec!["2025-02-01T02:00", "2025-03-01T02:00", "2026-01-01T02:00"], vec![0, 2, 1]),
            ("years=2", vec!["2024-06-01T02:00", "2024-07-01T02:00", "2026-01-01T02:00"], vec![2, 0, 1]),
        ] {
            let policy: Policy =
                format!("months=0 {policy}").replace("months=0 months", "months").parse().unwrap();
            let times: Vec<_> = times.into_iter().map(at).collect();
            let nth = |pick: &Option<Pick>| match pick {
                Some(Pick::Counted { nth, .. }) => *nth,
                _ => 0,
            };
            let picks = policy.picks(&times, NOW);
            assert_eq!(picks.iter().map(nth).collect::<Vec<_>>(), expected, "{policy} {times:?}");
        }
    }

    #[test]
    fn a_pick_says_which_one_it_is() {
        let counted = |nth| Pick::Counted { nth, of: 30, period: Period::Month }.to_string();
        let said = [1, 2, 3, 4, 11, 12, 13, 21, 22, 23].map(counted);
        let nth = ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd"];
        assert_eq!(said, nth.map(|nth| format!("the {nth} of 30 months")));
        assert_eq!(Pick::Within { days: 35 }.to_string(), "within 35 days");
    }

    fn times() -> impl Strategy<Value = Vec<OffsetDateTime>> {
        let hours = prop::collection::vec(0_i64..24 * 900, 0..60);
        hours.prop_map(|hours| hours.into_iter().map(|ago| NOW - Duration::hours(ago)).collect())
    }

    fn any_policy() -> impl Strategy<Value = Policy> {
        (3_u32..40, 0_u32..5, 0_u32..5, 0_u32..5, 0_u32..3).prop_map(
            |(within, days, weeks, months, years)| Policy {
                within,
                days,
                weeks,
                months,
                years,
                ..Policy::default()
            },
        )
    }

    proptest! {
        #[test]
        fn a_policy_that_keeps_longer_keeps_what_the_shorter_one_keeps(
            times in times(), policy in any_policy(), which in 0..5_usize,
        ) {
            let mut longer = policy;
            let number = ["within", "days", "weeks", "months", "years"][which];
            *longer.field(number).unwrap().0 += 1;
            let kept = policy.picks(&times, NOW).into_iter().zip(longer.picks(&times, NOW));
            for ((shorter, longer), at) in kept.zip(&times) {
                prop_assert!(shorter.is_none() || longer.is_some(), "{at}: {shorter:?}, and not with one of {number} more");
            }
        }

        #[test]
        fn counts_keep_as_many_points_as_they_say_where_there_are_as_many_periods(
            times in times(), policy in any_policy(),
        ) {
            let policy = Policy { within: 3, ..policy };
            let picks = policy.picks(&times, NOW);
            for (period, of) in policy.counts() {
                let has_one: BTreeSet<_> = times.iter().map(|at| period.number(*at)).collect();
                let kept: BTreeSet<_> =
                    times.iter().zip(&picks).filter(|(_, pick)| pick.is_some()).map(|(at, _)| period.number(*at)).collect();
                let newest: Vec<_> = has_one.iter().rev().take(of as usize).collect();
                prop_assert!(newest.iter().all(|number| kept.contains(number)), "the newest {of} {period}s");
            }
        }

        #[test]
        fn what_is_kept_does_not_depend_on_the_order_of_the_points(times in times(), policy in any_policy()) {
            let kept = |times: &[OffsetDateTime]| {
                let picks = policy.picks(times, NOW);
                let mut kept: Vec<_> =
                    times.iter().zip(picks).filter(|(_, pick)| pick.is_some()).map(|(at, _)| *at).collect();
                kept.sort_unstable();
                kept
            };
            let backwards: Vec<_> = times.iter().rev().copied().collect();
            prop_assert_eq!(kept(&times), kept(&backwards));
        }
    }
}
