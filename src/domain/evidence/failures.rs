//! What failed on a day, and what became of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::{
    manifest::{Line, ObjectStatus},
    object::ObjectId,
    record::count,
    run::RunId,
};

/// What had become of a failure by the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Became {
    /// A person had accepted it.
    Accepted,
    /// A later run of the day backed the object up.
    BackedUp,
    /// The object was there no longer.
    Gone,
    /// It was open.
    Open,
}

impl Became {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Accepted => "accepted by a person",
            Self::BackedUp => "backed up later that day",
            Self::Gone => "no longer there",
            Self::Open => "open at the end of the day",
        }
    }
}

/// A failure on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureSeen {
    /// The object; `None` if the backup of a whole HSM failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
    /// The last run of the day in which it failed.
    pub run: RunId,
    /// The failure's code.
    pub code: String,
    /// What became of it.
    pub became: Became,
    /// When the last backup of the object was taken, if there is one.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub last_backup: Option<OffsetDateTime>,
}

/// The failures of a day, while its runs are read, the earliest first.
#[derive(Clone, Debug, Default)]
pub struct Failures(BTreeMap<ObjectId, FailureSeen>);

impl Failures {
    /// Whether nothing has failed so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in what a run says of an object. `is_accepted` is whether a person had accepted that it fails.
    pub fn note(&mut self, run: &RunId, line: &Line, is_accepted: bool) {
        let id = line.id();
        if line.is_failing() {
            let code = line.failure.as_ref().map_or_else(|| "unknown".to_owned(), |of| of.code.clone());
            let became = if is_accepted { Became::Accepted } else { Became::Open };
            let last_backup = line.last_backup().map(|entry| entry.taken);
            let object = Some(id.clone());
            self.0.insert(id, FailureSeen { object, run: run.clone(), code, became, last_backup });
        } else if let Some(failure) = self.0.get_mut(&id) {
            failure.became = match line.status {
                ObjectStatus::BackedUp | ObjectStatus::Unchanged => Became::BackedUp,
                ObjectStatus::Carried => failure.became,
                _ => Became::Gone,
            };
            failure.last_backup = line.last_backup().map(|entry| entry.taken).or(failure.last_backup);
        }
    }

    /// The failures, and how many there are beyond `most`. Open ones come first, so that none is left out for another.
    pub fn finish(self, most: usize) -> (Vec<FailureSeen>, u32) {
        let mut all: Vec<_> = self.0.into_values().collect();
        all.sort_by_key(|failure| failure.became != Became::Open);
        let more = count(all.len().saturating_sub(most));
        all.truncate(most);
        (all, more)
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::domain::{
        outcome::Failure,
        samples::{NIGHT, line, secret},
    };

    fn failing(name: &str) -> Line {
        let failure = Some(Failure::ours("Forbidden", "no"));
        Line { failure, ..line(&secret(name), ObjectStatus::Failed, NIGHT - Duration::DAY) }
    }

    #[test]
    fn what_became_of_a_failure_is_what_the_last_run_of_the_day_says_of_the_object() {
        use ObjectStatus::{BackedUp, Carried, Failed, Gone, Managed, Unchanged};
        for (accepted, later, expected) in [
            (false, None, Became::Open),
            (true, None, Became::Accepted),
            (false, Some(BackedUp), Became::BackedUp),
            (true, Some(Unchanged), Became::BackedUp),
            (false, Some(Gone), Became::Gone),
            (false, Some(Managed), Became::Gone),
            (false, Some(Carried), Became::Open),
            (true, Some(Carried), Became::Accepted),
            (false, Some(Failed), Became::Open),
        ] {
            let (run, next) = (RunId::nightly(NIGHT), RunId::manual(NIGHT, 1));
            let mut failures = Failures::default();
            failures.note(&run, &failing("db"), accepted);
            if let Some(status) = later {
                failures.note(&next, &line(&secret("db"), status, NIGHT), false);
            }
            let (found, more) = failures.finish(10);
            assert_eq!((found.len(), found[0].became, more), (1, expected, 0), "{accepted} {later:?}");
            assert_eq!(found[0].run, if later == Some(Failed) { next } else { run });
        }
    }

    #[test]
    fn what_never_failed_is_no_failure_and_open_ones_come_first() {
        let run = RunId::nightly(NIGHT);
        let mut failures = Failures::default();
        failures.note(&run, &line(&secret("a"), ObjectStatus::BackedUp, NIGHT), false);
        assert!(failures.is_empty());
        for (name, accepted) in [("b", true), ("c", false), ("d", true)] {
            failures.note(&run, &failing(name), accepted);
        }
        let (found, more) = failures.finish(2);
        let names: Vec<_> =
            found.iter().filter_map(|of| of.object.as_ref()).map(|id| id.name.as_str()).collect();
        assert_eq!((names, more), (vec!["c", "b"], 1));
        assert_eq!(found[0].last_backup, Some(NIGHT - Duration::DAY));
    }
}
