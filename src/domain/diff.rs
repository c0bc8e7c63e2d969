//! How a live source differs from a recovery point.

use std::collections::BTreeMap;

use super::{
    entry::Entry,
    index::Index,
    manifest::{Line, ObjectStatus},
    object::ObjectId,
    plan::Unlisted,
    planned::{Decision, Planned},
};

/// How an object of a live source differs from the recovery point, as far as a list shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Change {
    /// The source has it, and the recovery point has no backup of it.
    New,
    /// It differs from its backup, or now belongs to a certificate.
    Changed,
    /// The recovery point has it, and the source does not list it.
    Gone,
    /// A list shows nothing that differs from its backup.
    Same,
}

impl Change {
    /// Every change, in the order of reports.
    pub const ALL: [Self; 4] = [Self::New, Self::Changed, Self::Gone, Self::Same];

    /// The change in one word.
    pub fn word(self) -> &'static str {
        self.into()
    }

    fn of(decision: Decision, has_backup: bool) -> Option<Self> {
        match decision {
            // Its certificate stands for it.
            Decision::Managed | Decision::VaultManaged => has_backup.then_some(Self::Changed),
            Decision::New => Some(Self::New),
            Decision::Changed => Some(Self::Changed),
            Decision::Unsettled
            | Decision::Missed
            | Decision::FullPass
            | Decision::Asked
            | Decision::Unchanged => Some(Self::Same),
        }
    }
}

/// An object, how it differs, and its backup in the recovery point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The object.
    pub id: ObjectId,
    /// How it differs.
    pub change: Change,
    /// Its backup, if the recovery point has one.
    pub entry: Option<Entry>,
}

/// The objects that were there at a recovery point, each with its backup.
#[derive(Default)]
pub struct PointObjects {
    index: Index,
    entries: BTreeMap<ObjectId, Entry>,
}

impl PointObjects {
    /// Adds an object, unless it was gone by then or has no backup.
    pub fn add(&mut self, line: Line) {
        if line.status == ObjectStatus::Gone || line.entry.is_none() {
            return;
        }
        self.index.insert(&line);
        let id = line.id();
        self.entries.extend(line.entry.map(|entry| (id, entry)));
    }

    /// Whether it has an object.
    pub fn has(&self, id: &ObjectId) -> bool {
        self.entries.contains_key(id)
    }

    /// What the planner compares the live objects with.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// How the live objects differ, in order of kinds and names. The kinds in `unlisted` are left out: what became of
    /// their objects is not known.
    pub fn diff(mut self, live: Vec<Planned>, unlisted: &[Unlisted]) -> Vec<Difference> {
        let mut found = Vec::new();
        for planned in live {
            let entry = self.entries.remove(&planned.id());
            let change = Change::of(planned.decision, entry.is_some());
            found.extend(change.map(|change| Difference { id: planned.id(), change, entry }));
        }
        let listed = |id: &ObjectId| unlisted.iter().all(|of| of.kind != id.kind);
        let gone = self.entries.into_iter().filter(|(id, _)| listed(id));
        found.extend(gone.map(|(id, entry)| Difference { id, change: Change::Gone, entry: Some(entry) }));
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        object::ObjectKind,
        outcome::Failure,
        planner::Planner,
        samples::{NIGHT, fingerprint, line, of_kind, secret},
        versions::Listed,
    };

    /// How `secret db` differs when its line has this status, and the list shows it in this state.
    fn change(line_of: Option<Line>, shown: Option<(&str, bool)>, unlisted: bool) -> Option<Change> {
        let mut point = PointObjects::default();
        if let Some(line) = line_of {
            point.add(line);
        }
        let unlisted: Vec<_> = unlisted
            .then(|| Unlisted::for_good(ObjectKind::Secret, Failure::ours("Forbidden", "")))
            .into_iter()
            .collect();
        let mut planner = Planner::new(point.index(), false);
        let listed = |(state, managed)| Listed { id: secret("db"), managed, fingerprint: fingerprint(state) };
        if let Some(listed) = shown.map(listed) {
            planner.add(listed);
        }
        let live = planner.finish(&unlisted);
        let mut found = point.diff(live, &unlisted);
        assert!(found.len() <= 1, "{found:?}");
        found.pop().map(|of| of.change)
    }

    #[test]
    fn an_object_is_compared_with_its_backup_as_the_planner_does() {
        use Change::{Changed, Gone, New, Same};
        let of = |status| Some(line(&secret("db"), status, NIGHT));
        let backed_up = || of(ObjectStatus::BackedUp);
        let never = Some(Line { entry: None, ..line(&secret("db"), ObjectStatus::Failed, NIGHT) });
        let mut former = line(&secret("db"), ObjectStatus::Former, NIGHT);
        former.former = former.entry.take().map(Box::new);
        let (before, after, managed) = (Some(("before", false)), Some(("after", false)), Some(("x", true)));
        // The line of the point, what the list shows, whether the kind is unlisted.
        for (line, shown, unlisted, expected) in [
            (None, before, false, Some(New)),
            (never, before, false, Some(New)),
            (Some(former), before, false, Some(New)),
            (of(ObjectStatus::Gone), before, false, Some(New)),
            (backed_up(), before, false, Some(Same)),
            (of(ObjectStatus::Failed), before, false, Some(Same)),
            (of(ObjectStatus::Carried), after, false, Some(Changed)),
            (backed_up(), after, false, Some(Changed)),
            (backed_up(), managed, false, Some(Changed)),
            (None, managed, false, None),
            (backed_up(), None, false, Some(Gone)),
            (of(ObjectStatus::Disappeared), None, false, Some(Gone)),
            (of(ObjectStatus::Gone), None, false, None),
            (backed_up(), None, true, None),
            (backed_up(), before, true, None),
        ] {
            let what = format!("{:?} {shown:?} {unlisted}", line.as_ref().map(|line| line.status));
            assert_eq!(change(line, shown, unlisted), expected, "{what}");
        }
    }

    #[test]
    fn a_kind_that_is_not_listed_hides_no_other() {
        let mut point = PointObjects::default();
        let key = of_kind(ObjectKind::Key, "k");
        for id in [secret("db"), key.clone()] {
            point.add(line(&id, ObjectStatus::BackedUp, NIGHT));
        }
        assert!(point.has(&key) && !point.has(&secret("other")));
        let unlisted = [Unlisted::for_good(ObjectKind::Secret, Failure::ours("Forbidden", ""))];
        let found = point.diff(Vec::new(), &unlisted);
        assert_eq!(found.iter().map(|of| (&of.id, of.change)).collect::<Vec<_>>(), [(&key, Change::Gone)]);
    }
}
