//! Objects whose backups a person wants to exist no longer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::{
    entry::Entry,
    manifest::Line,
    object::{ObjectId, ObjectKind, ObjectName},
};

/// A decision to forget an object: no backup of it that was taken by a time is offered, and each one is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forget {
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// The time.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Forget {
    /// The object.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }
}

/// The forgotten objects of one source. A backup that was taken later than its object was forgotten counts as any other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten(BTreeMap<ObjectId, OffsetDateTime>);

impl Forgotten {
    /// Whether no object is forgotten.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Until when the backups of an object are forgotten, if they are.
    pub fn until(&self, id: &ObjectId) -> Option<OffsetDateTime> {
        self.0.get(id).copied()
    }

    /// Whether a backup is forgotten.
    pub fn has(&self, backup: &Entry) -> bool {
        self.until(&backup.id()).is_some_and(|until| backup.taken <= until)
    }

    /// The newest decision about each object, in the order of objects.
    pub fn iter(&self) -> impl Iterator<Item = Forget> {
        self.0.iter().map(|(id, at)| Forget { kind: id.kind, name: id.name.clone(), at: *at })
    }

    /// A line of an index without the backups that are forgotten; `None` if nothing is left that it says.
    pub fn strip(&self, line: Line) -> Option<Line> {
        if self.until(&line.id()).is_none() {
            return Some(line);
        }
        let stays = |entry: &Entry| !self.has(entry);
        let line = Line {
            entry: line.entry.filter(stays),
            former: line.former.filter(|former| stays(former)),
            ..line
        };
        (line.last_backup().is_some() || line.is_failing()).then_some(line)
    }

    /// [`Forgotten::strip`] on the lines of an index, whose errors pass.
    pub fn strip_all<E, L: Iterator<Item = Result<Line, E>>>(
        &self,
        lines: L,
    ) -> impl Iterator<Item = Result<Line, E>> + use<E, L> {
        let all = self.clone();
        lines.filter_map(move |line| line.map(|line| all.strip(line)).transpose())
    }
}

impl FromIterator<Forget> for Forgotten {
    fn from_iter<T: IntoIterator<Item = Forget>>(all: T) -> Self {
        let mut newest = BTreeMap::new();
        for of in all {
            let known = newest.entry(of.id()).or_insert(of.at);
            *known = of.at.max(*known);
        }
        Self(newest)
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::domain::{
        manifest::ObjectStatus,
        samples::{NIGHT, line, secret},
    };

    fn forget(name: &str, at: OffsetDateTime) -> Forget {
        Forget { kind: ObjectKind::Secret, name: name.parse().unwrap(), at }
    }

    #[test]
    fn what_was_taken_by_then_is_forgotten_and_the_newest_decision_counts() {
        let (second, day) = (Duration::SECOND, Duration::DAY);
        let all: Forgotten =
            [forget("db", NIGHT), forget("DB", NIGHT - day), forget("x", NIGHT)].into_iter().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), [forget("db", NIGHT), forget("x", NIGHT)]);
        for (name, taken, expected) in [
            ("db", NIGHT, true),
            ("Db", NIGHT - second, true),
            ("db", NIGHT + second, false),
            ("other", NIGHT, false),
        ] {
            let line = line(&secret(name), ObjectStatus::BackedUp, taken);
            assert_eq!(all.has(line.entry.as_ref().unwrap()), expected, "{name} {taken}");
            assert_eq!(all.strip(line.clone()), (!expected).then_some(line), "{name} {taken}");
        }
    }

    #[test]
    fn a_line_stays_for_a_newer_backup_and_for_a_failure() {
        let all: Forgotten = [forget("db", NIGHT)].into_iter().collect();
        let of = |status, after| line(&secret("db"), status, NIGHT + after);
        let old = of(ObjectStatus::BackedUp, Duration::ZERO).entry;
        let both = Line { former: old.map(Box::new), ..of(ObjectStatus::BackedUp, Duration::DAY) };
        assert_eq!(all.strip(both), Some(of(ObjectStatus::BackedUp, Duration::DAY)));
        let failed = all.strip(of(ObjectStatus::Failed, Duration::ZERO)).unwrap();
        assert!(failed.is_failing() && failed.last_backup().is_none(), "{failed:?}");
        assert_eq!(all.strip(of(ObjectStatus::Gone, Duration::ZERO)), None);
    }

    #[test]
    fn a_decision_keeps_its_stored_form() {
        let stored = r#"{"kind":"secret","name":"db","at":"2026-11-22T02:00:00Z"}"#;
        assert_eq!(serde_json::to_string(&forget("db", NIGHT)).unwrap(), stored);
        assert_eq!(serde_json::from_str::<Forget>(stored).unwrap(), forget("db", NIGHT));
    }
}
