//! When the bytes of a backup were last read and found to be what was stored.

use time::{Duration, OffsetDateTime};

use super::{Address, Choice, Suspects, VerificationSummary};
use crate::domain::{entry::Entry, run::CLOSES_WITHIN, source::SourceKind};

/// How long after its taking a backup is stored at the latest.
const STORED_WITHIN: Duration = Duration::HOUR;

/// What the record of a pass over a vault says of which backups it read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    started: OffsetDateTime,
    choice: Choice,
    /// The backups that it found wrong; `None` if that is not known.
    suspects: Option<Suspects>,
}

impl Reading {
    /// A pass by its summary and what it found. `None` if the summary does not say which backups it read, or if the pass could
    /// not read them all.
    pub fn of(summary: &VerificationSummary, suspects: Option<Suspects>) -> Option<Self> {
        let counts = &summary.counts;
        let all = counts.unverified == 0 && counts.why_nothing(SourceKind::Vault).is_none();
        let choice = summary.choice.filter(|_| all)?;
        Some(Self { started: summary.started, choice, suspects })
    }

    /// Whether the pass read a backup. `is_newest` is whether the newest index names it now. It named it in the pass, too, if
    /// the run had closed by then.
    fn took(&self, backup: &Entry, is_newest: bool) -> bool {
        let was_newest = is_newest && self.started - backup.taken >= CLOSES_WITHIN + STORED_WITHIN;
        self.started - backup.taken >= STORED_WITHIN
            && self.choice.takes(Address::of_entry(backup), was_newest)
    }
}

/// The newest passes over a vault, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    passes: Vec<Reading>,
    /// What the newest pass found.
    open: Suspects,
}

impl Readings {
    /// These passes, the newest first, and what the newest one of all found.
    pub fn new(passes: Vec<Reading>, open: Suspects) -> Self {
        Self { passes, open }
    }

    /// When the last pass began that read a backup and found it to be what was stored. `None` if that is not known, or if a
    /// finding about it is open. `is_newest` is whether the newest index names it.
    pub fn last_good(&self, backup: &Entry, is_newest: bool) -> Option<OffsetDateTime> {
        if self.open.has(backup) {
            return None;
        }
        let read = self.passes.iter().filter(|pass| pass.took(backup, is_newest));
        let good = |pass: &&Reading| pass.suspects.as_ref().is_some_and(|found| !found.has(backup));
        read.filter(good).map(|pass| pass.started).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        object::ObjectName,
        samples::{NIGHT, entry, secret},
        verification::{Counts, Days, Fault, Finding, Rotation, VERIFICATION_FORMAT},
    };

    /// A pass so many days after the backup, which reads what has its turn that day.
    fn pass(days: i64, suspects: Option<Suspects>) -> Reading {
        Reading::of(&summary(days), suspects).unwrap()
    }

    fn summary(days: i64) -> VerificationSummary {
        let started = NIGHT + Duration::days(days);
        let choice = Choice::Turn { within: Rotation::DEFAULT, days: Days::since(None, started.date()) };
        let counts = Counts { named: 1, ..Counts::default() };
        let v = VERIFICATION_FORMAT;
        VerificationSummary {
            v,
            started,
            ended: started,
            choice: Some(choice),
            counts,
            findings: 0,
            of_newest: 0,
        }
    }

    fn wrong(backup: &Entry) -> Suspects {
        let name: ObjectName = backup.name.clone();
        Suspects::of(&[Finding {
            fault: Fault::Damaged,
            blob: "b".into(),
            run: backup.run.clone(),
            kind: Some(backup.kind),
            name: Some(name),
            newest: true,
            text: String::new(),
            since: NIGHT,
        }])
    }

    #[test]
    fn a_backup_was_read_by_the_newest_pass_in_whose_turn_it_was() {
        let backup = entry(&secret("db"), NIGHT);
        let passes: Vec<_> = (0..56).rev().map(|days| pass(days, Some(Suspects::default()))).collect();
        let readings = Readings::new(passes.clone(), Suspects::default());
        let days = |is_newest| readings.last_good(&backup, is_newest).map(|at| (at - NIGHT).whole_days());
        let (older, newest) = (days(false).unwrap(), days(true).unwrap());
        assert!((28..56).contains(&older), "once in 28 days: {older}");
        assert!((49..56).contains(&newest) && newest >= older, "once in seven days: {newest}");
        let turns = |is_newest| passes.iter().filter(|pass| pass.took(&backup, is_newest)).count();
        assert_eq!((turns(false), turns(true)), (2, 8));
    }

    #[test]
    fn what_is_not_known_to_have_been_read_and_found_good_is_not_said() {
        let backup = entry(&secret("db"), NIGHT);
        let all = |days| Reading { choice: Choice::All, ..pass(days, Some(Suspects::default())) };
        let at = |days| Some(NIGHT + Duration::days(days));
        let bad = || Some(wrong(&backup));
        let none = Suspects::default;
        for (passes, open, expected) in [
            (vec![], none(), None),
            (vec![all(2), all(1)], none(), at(2)),
            (vec![all(2), all(1)], wrong(&backup), None),
            (vec![Reading { suspects: bad(), ..all(2) }, all(1)], none(), at(1)),
            (vec![Reading { suspects: None, ..all(2) }, all(1)], none(), at(1)),
            (vec![all(0), all(-1)], none(), None),
        ] {
            assert_eq!(Readings::new(passes.clone(), open).last_good(&backup, false), expected, "{passes:?}");
        }
        let soon = |after: Duration| Reading { started: NIGHT + after, ..all(0) };
        for (after, expected) in [(STORED_WITHIN - Duration::SECOND, false), (STORED_WITHIN, true)] {
            assert_eq!(soon(after).took(&backup, false), expected, "it may not have been stored yet");
        }
    }

    #[test]
    fn a_pass_that_could_not_read_everything_or_does_not_say_what_it_read_says_nothing() {
        let none = || Some(Suspects::default());
        assert!(Reading::of(&summary(1), none()).is_some());
        let unverified = Counts { unverified: 1, ..summary(1).counts };
        for summary in [
            VerificationSummary { choice: None, ..summary(1) },
            VerificationSummary { counts: unverified, ..summary(1) },
            VerificationSummary { counts: Counts::default(), ..summary(1) },
        ] {
            assert_eq!(Reading::of(&summary, none()), None, "{summary:?}");
        }
    }
}
