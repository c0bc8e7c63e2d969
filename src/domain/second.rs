//! The second place: another account, into which everything is copied that is new in the first one.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime};

use super::{
    digest::Digest,
    object::ObjectId,
    run::RunId,
    source::{SourceKind, SourceName},
};

/// Version of the record of a pass that this program writes.
pub const SECOND_FORMAT: u32 = 1;

/// Where a catalogue lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Where backups are written.
    #[default]
    First,
    /// Where they are copied. No job runs there.
    Second,
}

/// How old a blob is before it is copied. A record that was written before a pass began to list, by storage's clock, names
/// only what was written before it, and so what the same listing shows. The margin is for clocks that differ.
pub const SETTLES: Duration = Duration::minutes(5);

/// Within how many days each run that is complete in the second place is compared again, blob by blob. Each day has its
/// part, so a pass remembers none.
pub const COMPARED_WITHIN: u16 = 30;

/// How long a recovery point may be missing in the second place: a day, and the time that a pass takes.
pub const LATE_AFTER: Duration = Duration::hours(26);

/// Whether something has been missing for too long in the second place.
pub fn is_late(since: OffsetDateTime, now: OffsetDateTime) -> bool {
    now - since > LATE_AFTER
}

/// How long after its beginning a pass that has not ended was surely stopped: the deadline of a function, and a little.
pub const STOPPED_AFTER: Duration = Duration::minutes(27);

/// Whether a blob was written long enough before a pass began.
pub fn is_settled(written: Option<OffsetDateTime>, began: OffsetDateTime) -> bool {
    written.is_some_and(|written| written <= began - SETTLES)
}

/// Whether the day is that of a run's comparison.
pub fn is_compared(run: &RunId, day: Date) -> bool {
    let digest: Digest = Digest::of(run.as_str().as_bytes());
    let [high, low, ..] = *digest.as_bytes();
    let number = i32::from(u16::from_be_bytes([high, low]) % COMPARED_WITHIN);
    day.to_julian_day().rem_euclid(i32::from(COMPARED_WITHIN)) == number
}

/// A blob as a listing shows it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its size.
    pub bytes: u64,
    /// The MD5 that storage has of it.
    pub md5: Option<&'a str>,
    /// Its metadata.
    pub metadata: &'a HashMap<String, String>,
}

/// What two listings in the order of names show next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Only the first place has the blob.
    Missing,
    /// Both have it, and what the listings show is the same.
    Same,
    /// Both have it, and they are not the same.
    Differs,
    /// Only the second place has the blob: the first one has let it go.
    Kept,
}

impl Beside {
    /// Compares the next blobs of both listings; `None` where both have ended.
    pub fn of(first: Option<Shown<'_>>, second: Option<Shown<'_>>) -> Option<Self> {
        let (first, second) = match (first, second) {
            (None, None) => return None,
            (Some(_), None) => return Some(Self::Missing),
            (None, Some(_)) => return Some(Self::Kept),
            (Some(first), Some(second)) => (first, second),
        };
        Some(match first.name.cmp(second.name) {
            std::cmp::Ordering::Less => Self::Missing,
            std::cmp::Ordering::Greater => Self::Kept,
            std::cmp::Ordering::Equal if first.is_same(second) => Self::Same,
            std::cmp::Ordering::Equal => Self::Differs,
        })
    }
}

impl Shown<'_> {
    /// A sum that storage does not have says nothing.
    fn is_same(self, other: Self) -> bool {
        let sum = self.md5.is_none() || other.md5.is_none() || self.md5 == other.md5;
        self.bytes == other.bytes && sum && self.metadata == other.metadata
    }
}

/// How far the second place is behind with one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// What the source is.
    pub kind: SourceKind,
    /// Its name.
    pub name: SourceName,
    /// When the run of the newest point was planned that is complete there; none if there is none.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub newest: Option<OffsetDateTime>,
    /// When the earliest of the points was stored in the first place that are newer than that one.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub behind_since: Option<OffsetDateTime>,
    /// Of how many of its points there the first place had lost something before they were copied.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lacking: u32,
}

/// What a point in the second place was copied without, because the first place did not have it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedWithout {
    /// [`SECOND_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// How many backups.
    pub backups: u32,
    /// The first of them.
    pub such_as: ObjectId,
}

/// What is known of what a point lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// What its record says.
    Known(CopiedWithout),
    /// Its record cannot be read.
    Unreadable,
}

impl Lacks {
    /// How many backups; at least one.
    pub fn backups(&self) -> u32 {
        match self {
            Self::Known(of) => of.backups.max(1),
            Self::Unreadable => 1,
        }
    }

    /// It in words, with the run's name before it.
    pub fn words(&self) -> String {
        match self {
            Self::Known(CopiedWithout { backups: 1, such_as, .. }) => {
                format!("was copied without the backup of {such_as}, which the first place had lost")
            }
            Self::Known(CopiedWithout { backups, such_as, .. }) => format!(
                "was copied without {backups} of its backups, such as that of {such_as}, which the first place had lost"
            ),
            Self::Unreadable => {
                "was copied without some of its backups; the record of which cannot be read".to_owned()
            }
        }
    }
}

impl Reached {
    /// How long something newer is missing in the second place.
    pub fn behind(&self, now: OffsetDateTime) -> Duration {
        self.behind_since.map_or(Duration::ZERO, |since| (now - since).max(Duration::ZERO))
    }

    /// Whether that is too long.
    pub fn is_late(&self, now: OffsetDateTime) -> bool {
        self.behind_since.is_some_and(|since| is_late(since, now))
    }
}

/// What is known of a source in the second place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InSecond {
    /// Since when something newer is missing there.
    pub behind_since: Option<OffsetDateTime>,
    /// For how long, then.
    pub behind: Duration,
    /// Of how many of its points there the first place had lost something before they were copied.
    pub lacking: u32,
}

/// What the newest pass over the second place came to. It is replaced by each pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondPass {
    /// [`SECOND_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub began: OffsetDateTime,
    /// When it came to its end; none while it is under way, or after it was stopped.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub ended: Option<OffsetDateTime>,
    /// How far the second place is with each source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Reached>,
    /// Parts that could not be copied.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
}

impl SecondPass {
    /// A pass that begins now, and knows what the one before it saw.
    pub fn begin(before: Option<Self>, now: OffsetDateTime) -> Self {
        let sources = before.map(|before| before.sources).unwrap_or_default();
        Self { v: SECOND_FORMAT, began: now, ended: None, sources, failed: 0 }
    }

    /// What it saw of a source.
    pub fn of(&self, kind: SourceKind, name: &SourceName) -> Option<&Reached> {
        self.sources.iter().find(|of| of.kind == kind && of.name == *name)
    }

    /// Since when something of a source is missing in the second place, whose newest point in the first is this one. A point that is
    /// newer than what the pass saw was stored after it ended.
    pub fn behind_since(
        &self,
        kind: SourceKind,
        name: &SourceName,
        newest: Option<OffsetDateTime>,
    ) -> Option<OffsetDateTime> {
        let seen = self.of(kind, name);
        let missing = seen.and_then(|of| of.behind_since);
        let is_newer = newest.is_some() && newest > seen.and_then(|of| of.newest);
        missing.or(self.ended.filter(|_| is_newer))
    }

    /// What is known of a source whose newest point in the first place is this one.
    pub fn seen(
        &self,
        kind: SourceKind,
        name: &SourceName,
        newest: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> InSecond {
        let behind_since = self.behind_since(kind, name, newest);
        let behind = behind_since.map_or(Duration::ZERO, |since| (now - since).max(Duration::ZERO));
        InSecond { behind_since, behind, lacking: self.of(kind, name).map_or(0, |of| of.lacking) }
    }

    /// Whether it was stopped before its end, so that another process goes on.
    pub fn is_left(&self, now: OffsetDateTime) -> bool {
        self.ended.is_none() && now - self.began >= STOPPED_AFTER
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 03:15 UTC);

    #[test]
    fn two_listings_are_compared_name_by_name() {
        let (none, some) = (HashMap::new(), HashMap::from([("entry".to_owned(), "of it".to_owned())]));
        let shown = |name, bytes, md5| Some(Shown { name, bytes, md5, metadata: &none });
        let other = Some(Shown { name: "a", bytes: 1, md5: Some("aa"), metadata: &some });
        let a = shown("a", 1, Some("aa"));
        for (first, second, expected) in [
            (None, None, None),
            (a, None, Some(Beside::Missing)),
            (None, a, Some(Beside::Kept)),
            (a, shown("b", 1, Some("aa")), Some(Beside::Missing)),
            (shown("b", 1, Some("aa")), a, Some(Beside::Kept)),
            (a, a, Some(Beside::Same)),
            (a, shown("a", 1, None), Some(Beside::Same)),
            (shown("a", 1, None), a, Some(Beside::Same)),
            (a, shown("a", 2, Some("aa")), Some(Beside::Differs)),
            (a, shown("a", 1, Some("ab")), Some(Beside::Differs)),
            (a, other, Some(Beside::Differs)),
            (other, other, Some(Beside::Same)),
        ] {
            assert_eq!(Beside::of(first, second), expected, "{first:?} {second:?}");
        }
    }

    #[test]
    fn what_was_written_just_now_waits_for_the_next_pass() {
        for (written, expected) in [
            (None, false),
            (Some(NOW), false),
            (Some(NOW - SETTLES + Duration::SECOND), false),
            (Some(NOW - SETTLES), true),
        ] {
            assert_eq!(is_settled(written, NOW), expected, "{written:?}");
        }
    }

    #[test]
    fn what_is_newer_than_a_pass_saw_is_missing_since_it_ended() {
        let (kind, name) = (SourceKind::Vault, "kv-a".parse::<SourceName>().unwrap());
        let day = |days| Some(NOW - Duration::days(days));
        let of =
            |newest, behind_since| Reached { kind, name: name.clone(), newest, behind_since, lacking: 0 };
        for (seen, newest, expected) in [
            (None, None, None),
            (None, day(0), day(1)),
            (Some(of(None, None)), None, None),
            (Some(of(None, day(5))), day(6), day(5)),
            (Some(of(day(3), None)), day(3), None),
            (Some(of(day(3), None)), day(4), None),
            (Some(of(day(3), None)), day(0), day(1)),
            (Some(of(day(3), day(2))), day(0), day(2)),
        ] {
            let pass = SecondPass {
                ended: day(1),
                sources: seen.clone().into_iter().collect(),
                ..SecondPass::begin(None, NOW)
            };
            assert_eq!(pass.behind_since(kind, &name, newest), expected, "{seen:?} {newest:?}");
            let other = "kv-b".parse().unwrap();
            assert_eq!(pass.behind_since(kind, &other, None), None);
        }
    }

    #[test]
    fn what_a_point_was_copied_without_keeps_its_stored_form() {
        let stored = r#"{"v":1,"backups":3,"such_as":{"kind":"secret","name":"db"}}"#;
        let without =
            CopiedWithout { v: SECOND_FORMAT, backups: 3, such_as: crate::domain::samples::secret("db") };
        assert_eq!(serde_json::to_string(&without).unwrap(), stored);
        assert_eq!(serde_json::from_str::<CopiedWithout>(stored).unwrap(), without);
        for (backups, expected) in [
            (1, "was copied without the backup of secret db, which the first place had lost"),
            (
                3,
                "was copied without 3 of its backups, such as that of secret db, which the first place had lost",
            ),
        ] {
            let lacks = Lacks::Known(CopiedWithout { backups, ..without.clone() });
            assert_eq!((lacks.words().as_str(), lacks.backups()), (expected, backups));
        }
    }

    #[test]
    fn a_pass_that_was_stopped_is_gone_on_with() {
        let begun = SecondPass::begin(None, NOW);
        let ended = SecondPass { ended: Some(NOW), ..begun.clone() };
        for (pass, after, expected) in [
            (&begun, STOPPED_AFTER - Duration::SECOND, false),
            (&begun, STOPPED_AFTER, true),
            (&ended, Duration::DAY, false),
        ] {
            assert_eq!(pass.is_left(NOW + after), expected, "{after}");
        }
    }

    #[test]
    fn each_run_is_compared_again_once_in_thirty_days() {
        let days = |from: Date| (0..30).filter_map(move |n| from.checked_add(Duration::days(n)));
        for hour in 0..20 {
            let run = RunId::nightly(NOW + Duration::hours(hour));
            for from in [date!(2026 - 11 - 22), date!(2027 - 03 - 01)] {
                assert_eq!(days(from).filter(|day| is_compared(&run, *day)).count(), 1, "{run}");
            }
        }
        let of_a_day =
            |day| (0..600).filter(|n| is_compared(&RunId::nightly(NOW + Duration::days(*n)), day)).count();
        let counts: Vec<_> = days(date!(2026 - 11 - 22)).map(of_a_day).collect();
        assert!(counts.iter().all(|count| (5..=40).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_source_is_late_when_something_newer_is_missing_for_more_than_a_day() {
        let (kind, name) = (SourceKind::Vault, "kv-a".parse::<SourceName>().unwrap());
        for (since, behind, late) in [
            (None, Duration::ZERO, false),
            (Some(NOW + Duration::HOUR), Duration::ZERO, false),
            (Some(NOW - LATE_AFTER), LATE_AFTER, false),
            (Some(NOW - LATE_AFTER - Duration::SECOND), LATE_AFTER + Duration::SECOND, true),
        ] {
            let reached = Reached { kind, name: name.clone(), newest: None, behind_since: since, lacking: 0 };
            assert_eq!((reached.behind(NOW), reached.is_late(NOW)), (behind, late), "{since:?}");
        }
    }
}
