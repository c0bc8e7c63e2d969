//! Nights that have begun, as far as this process knows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    run::RunId,
    schedule::{Schedule, Timetable},
    source::SourceName,
};

/// A timer that begins nights: its occurrences start the scheduled runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Timer {
    /// `NightlyVaultBackup`.
    Vaults,
    /// `NightlyHsmBackup`.
    Hsms,
}

impl Timer {
    /// The name of its function.
    pub const fn function(self) -> &'static str {
        match self {
            Self::Vaults => "NightlyVaultBackup",
            Self::Hsms => "NightlyHsmBackup",
        }
    }
}

/// A part of a night that is begun separately.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The run of a vault.
    Vault(SourceName),
    /// The backup of a whole HSM.
    Hsm(SourceName),
    /// The run of an HSM's keys that are backed up one by one.
    Keys(SourceName),
}

impl Part {
    /// What is backed up.
    pub fn source(&self) -> &SourceName {
        match self {
            Self::Vault(name) | Self::Hsm(name) | Self::Keys(name) => name,
        }
    }
}

/// The time up to which all nights of a timer are settled. Stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The timer.
    pub timer: Timer,
    /// Its schedule. The record does not apply to another schedule.
    pub schedule: String,
    /// Nights up to then need no further check.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
}

/// Nights that have begun or are settled, as far as this process knows.
#[derive(Clone, Debug, Default)]
pub struct Nights {
    begun: BTreeMap<Part, OffsetDateTime>,
    settled: BTreeMap<Timer, OffsetDateTime>,
}

impl Nights {
    /// Loads what this process or an earlier one recorded. Without a record for a timer, or with one for another
    /// schedule, the first night is the next one: earlier nights may be older than the installation.
    pub fn take_up(&mut self, noted: &[Settled], timers: &[(Timer, &Timetable)], now: OffsetDateTime) {
        for (timer, schedule) in known(timers) {
            let of = noted.iter().find(|of| of.timer == timer && of.schedule == schedule.to_string());
            let until = of.map_or(now, |of| of.until);
            self.settle(timer, until);
        }
    }

    /// Records that a part has begun with this run. Runs outside the schedule are ignored.
    pub fn has_begun(&mut self, part: Part, run: &RunId) {
        if let Some(occurrence) = run.scheduled() {
            let of = self.begun.entry(part).or_insert(occurrence);
            *of = occurrence.max(*of);
        }
    }

    /// The parts of a timer's night that are not known to have begun.
    pub fn unknown(&self, timer: Timer, parts: Vec<Part>, occurrence: OffsetDateTime) -> Vec<Part> {
        if self.settled.get(&timer).is_some_and(|until| *until >= occurrence) {
            return Vec::new();
        }
        let begun = |part: &Part| self.begun.get(part).is_some_and(|of| *of >= occurrence);
        parts.into_iter().filter(|part| !begun(part)).collect()
    }

    /// Marks the nights of a timer up to `until` as settled: they need no further check.
    pub fn settle(&mut self, timer: Timer, until: OffsetDateTime) {
        let of = self.settled.entry(timer).or_insert(until);
        *of = until.max(*of);
    }

    /// The records to store.
    pub fn to_note(&self, timers: &[(Timer, &Timetable)]) -> Vec<Settled> {
        let note = |(timer, schedule): (Timer, &Schedule)| {
            let until = *self.settled.get(&timer)?;
            Some(Settled { timer, schedule: schedule.to_string(), until })
        };
        known(timers).filter_map(note).collect()
    }
}

fn known<'a>(timers: &'a [(Timer, &'a Timetable)]) -> impl Iterator<Item = (Timer, &'a Schedule)> {
    timers.iter().filter_map(|(timer, table)| match table {
        Timetable::Known(schedule) => Some((*timer, schedule.as_ref())),
        Timetable::NotSet | Timetable::Paused | Timetable::Unclear(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const NIGHT: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);

    fn vault(name: &str) -> Part {
        Part::Vault(name.parse().unwrap())
    }

    fn unknown(nights: &Nights, occurrence: OffsetDateTime) -> Vec<Part> {
        nights.unknown(Timer::Vaults, vec![vault("kv-a"), vault("kv-b")], occurrence)
    }

    #[test]
    fn a_part_has_begun_when_a_run_of_its_night_or_a_later_one_has() {
        let mut nights = Nights::default();
        nights.has_begun(vault("kv-a"), &RunId::nightly(NIGHT));
        nights.has_begun(vault("kv-a"), &RunId::nightly(NIGHT - Duration::DAY));
        nights.has_begun(vault("kv-b"), &RunId::manual(NIGHT + Duration::HOUR, 1));
        nights.has_begun(Part::Keys("kv-b".parse().unwrap()), &RunId::nightly(NIGHT));
        assert_eq!(unknown(&nights, NIGHT), [vault("kv-b")]);
        assert_eq!(unknown(&nights, NIGHT + Duration::DAY).len(), 2);
        nights.settle(Timer::Hsms, NIGHT);
        assert_eq!(unknown(&nights, NIGHT), [vault("kv-b")]);
        nights.settle(Timer::Vaults, NIGHT);
        nights.settle(Timer::Vaults, NIGHT - Duration::DAY);
        assert_eq!((unknown(&nights, NIGHT).len(), unknown(&nights, NIGHT + Duration::DAY).len()), (0, 2));
    }

    #[test]
    fn what_lies_before_the_first_note_is_not_made_up_for() {
        let table = |text: &str| Timetable::new(Some(text), false, &[]);
        let (two, three) = (table("0 0 2 * * *"), table("0 0 3 * * *"));
        let noon = NIGHT + Duration::hours(10);
        let yesterday =
            Settled { timer: Timer::Vaults, schedule: "0 0 2 * * *".into(), until: NIGHT - Duration::DAY };
        for (noted, now, expected) in [
            (vec![], &two, 0),                    // installed today
            (vec![yesterday.clone()], &two, 2),   // away at night
            (vec![yesterday.clone()], &three, 0), // another schedule
            (vec![Settled { timer: Timer::Hsms, ..yesterday }], &two, 0),
        ] {
            let mut nights = Nights::default();
            nights.take_up(&noted, &[(Timer::Vaults, now)], noon);
            assert_eq!(unknown(&nights, NIGHT).len(), expected, "{noted:?}");
            assert_eq!(unknown(&nights, NIGHT + Duration::DAY).len(), 2);
        }
    }

    #[test]
    fn what_is_noted_is_taken_up_again() {
        let (known, other) = (Timetable::new(Some("0 0 2 * * *"), false, &[]), Timetable::Paused);
        let timers = [(Timer::Vaults, &known), (Timer::Hsms, &other)];
        let mut nights = Nights::default();
        nights.settle(Timer::Vaults, NIGHT);
        nights.settle(Timer::Hsms, NIGHT);
        let noted = serde_json::to_string(&nights.to_note(&timers)).unwrap();
        assert_eq!(noted, r#"[{"timer":"vaults","schedule":"0 0 2 * * *","until":"2026-11-22T02:00:00Z"}]"#);
        let mut later = Nights::default();
        later.take_up(&serde_json::from_str::<Vec<_>>(&noted).unwrap(), &timers, NIGHT + Duration::WEEK);
        assert_eq!((unknown(&later, NIGHT).len(), unknown(&later, NIGHT + Duration::DAY).len()), (0, 2));
    }
}
