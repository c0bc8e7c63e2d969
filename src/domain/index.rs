//! The index of a vault in memory: for each object, what planning needs to know about its newest backup.

use std::collections::HashMap;

use super::{
    digest::Fingerprint,
    entry::Entry,
    manifest::{Line, ObjectStatus},
    object::ObjectId,
    observed_location::MOST_KIDS,
    run::RunId,
};

/// What planning knows about an object's newest backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Fingerprint of the object in the list at the time.
    pub fingerprint: Fingerprint,
    /// Fingerprints that the list may show instead.
    pub ties: Box<[Fingerprint]>,
    /// Whether a change after the backup might not show in the fingerprint.
    pub unsettled: bool,
    /// Whether the last run should have backed it up and did not, or its backup has an unknown form.
    pub missed: bool,
    /// Whether the backup is of an earlier object of this name; the current object has none.
    pub former: bool,
    /// The run that took the backup.
    pub run: RunId,
}

impl Known {
    /// Whether the list shows the object as it was at its newest backup.
    pub fn has_fingerprint(&self, shown: Fingerprint) -> bool {
        self.fingerprint == shown || self.ties.contains(&shown)
    }
}

struct Slot {
    taken: i64,
    fingerprint: Fingerprint,
    unsettled: bool,
    missed: bool,
    former: bool,
    run: u32,
}

/// The newest backup of each object, at about a hundred bytes for each.
///
/// The key is a digest of the object's identity instead of its name, and each run is stored once.
#[derive(Default)]
pub struct Index {
    slots: HashMap<Fingerprint, Slot>,
    /// Few objects have any.
    ties: HashMap<Fingerprint, Box<[Fingerprint]>>,
    runs: Vec<RunId>,
    /// Wrapping keys of objects that are not gone, each once, and no more than needed to see that there are too many.
    kids: Vec<String>,
}

impl Index {
    /// Adds the line's entry, or else its former entry, unless the index holds a newer backup of the object.
    pub fn insert(&mut self, line: &Line) {
        let Some(entry) = line.entry.as_ref().or(line.former.as_deref()) else { return };
        // The object was due and may not have been backed up. If it is gone, the flag counts once it is back.
        let missed = matches!(
            line.status,
            ObjectStatus::Failed | ObjectStatus::Carried | ObjectStatus::Disappeared | ObjectStatus::Gone
        );
        // An unknown form is a new form of the service or one bad answer: only another backup shows which. The new
        // backup also gives a later program that knows the form one that it can judge.
        let missed = missed || entry.form.unknown().is_some();
        let slot = Slot {
            taken: entry.taken.unix_timestamp(),
            fingerprint: entry.fingerprint,
            unsettled: entry.unsettled,
            missed,
            former: line.entry.is_none(),
            run: self.run(&entry.run),
        };
        self.fill(slot, entry);
        if line.entry.is_some() && line.status != ObjectStatus::Gone && self.kids.len() <= MOST_KIDS {
            let new = entry.form.kid().filter(|kid| !self.kids.iter().any(|known| known == kid));
            self.kids.extend(new.map(str::to_owned));
        }
    }

    /// Digests of the wrapping keys of the newest backups, sorted.
    pub fn kids(&self) -> Vec<Fingerprint> {
        let mut kids: Vec<_> = self.kids.iter().map(|kid| Fingerprint::of(kid.as_bytes())).collect();
        kids.sort_unstable();
        kids
    }

    /// Fills the slot of the entry's object, unless it holds a newer backup.
    fn fill(&mut self, slot: Slot, entry: &Entry) {
        let address = address(&entry.id());
        if self.slots.get(&address).is_some_and(|known| known.taken > slot.taken) {
            return;
        }
        self.slots.insert(address, slot);
        if entry.ties.is_empty() {
            self.ties.remove(&address);
        } else {
            self.ties.insert(address, entry.ties.clone().into());
        }
    }

    /// The newest backup of an object, if it has one.
    pub fn get(&self, id: &ObjectId) -> Option<Known> {
        let address = address(id);
        let Slot { fingerprint, unsettled, missed, former, run, .. } = *self.slots.get(&address)?;
        let ties = self.ties.get(&address).cloned().unwrap_or_default();
        let run = self.runs.get(run as usize)?.clone();
        Some(Known { fingerprint, ties, unsettled, missed, former, run })
    }

    /// The number of a run. Entries of one run tend to be adjacent, so the search starts at the end.
    fn run(&mut self, run: &RunId) -> u32 {
        let at = self.runs.iter().rposition(|known| known == run).unwrap_or_else(|| {
            self.runs.push(run.clone());
            self.runs.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

fn address(id: &ObjectId) -> Fingerprint {
    Fingerprint::of_fields([id.kind.as_str().as_bytes(), id.name.folded().as_bytes()])
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::domain::{
        form::{Clear, Form},
        object::ObjectKind,
        samples::{NIGHT, entry, fingerprint, line, of_kind, secret},
    };

    fn index(lines: &[Line]) -> Index {
        let mut index = Index::default();
        for line in lines {
            index.insert(line);
        }
        index
    }

    #[test]
    fn the_newest_backup_of_each_object_is_known() {
        let (db, cache) = (secret("db"), secret("cache"));
        let (old, new) = (NIGHT - Duration::DAY, NIGHT);
        let of = |id, taken| line(id, ObjectStatus::BackedUp, taken);
        for lines in [[of(&db, old), of(&db, new)], [of(&db, new), of(&db, old)]] {
            let index = index(&[&lines[..], &[of(&cache, old)]].concat());
            assert_eq!(index.get(&db).unwrap().run, RunId::nightly(new), "in any order");
            assert_eq!(index.get(&cache).unwrap().run, RunId::nightly(old));
        }
        assert_eq!(
            index(&[of(&db, new)]).get(&of_kind(ObjectKind::Key, "db")),
            None,
            "kinds have their own names"
        );
        assert!(index(&[of(&db, new)]).get(&secret("DB")).is_some(), "case does not tell names apart");
    }

    #[test]
    fn of_two_backups_of_one_second_the_later_line_counts() {
        let mut again = entry(&secret("db"), NIGHT);
        again.run = RunId::manual(NIGHT, 1);
        let later = Line { entry: Some(again.clone()), ..line(&secret("db"), ObjectStatus::BackedUp, NIGHT) };
        let known =
            index(&[line(&secret("db"), ObjectStatus::BackedUp, NIGHT), later]).get(&secret("db")).unwrap();
        assert_eq!(known.run, again.run);
    }

    #[test]
    fn what_was_due_and_has_no_new_backup_was_missed() {
        let table = [
            (ObjectStatus::BackedUp, false),
            (ObjectStatus::Unchanged, false),
            (ObjectStatus::Managed, false),
            (ObjectStatus::VaultManaged, false),
            (ObjectStatus::Failed, true),
            (ObjectStatus::Carried, true),
            (ObjectStatus::Disappeared, true),
            (ObjectStatus::Gone, true),
        ];
        for (status, missed) in table {
            let known = index(&[line(&secret("db"), status, NIGHT)]).get(&secret("db")).unwrap();
            assert_eq!(known.missed, missed, "{status:?}");
        }
        let mut unknown = line(&secret("db"), ObjectStatus::Unchanged, NIGHT);
        unknown.entry.iter_mut().for_each(|entry| entry.form = Form::Unknown(Clear::default()));
        let unknown = index(&[unknown]);
        assert!(
            unknown.get(&secret("db")).unwrap().missed && unknown.kids().is_empty(),
            "a form that is not known"
        );
        let never = Line { entry: None, ..line(&secret("db"), ObjectStatus::Failed, NIGHT) };
        assert_eq!(index(&[never]).get(&secret("db")), None, "without a backup there is nothing to know");
    }

    #[test]
    fn what_a_line_keeps_of_an_earlier_object_is_known_as_such() {
        let mut kept = line(&secret("db"), ObjectStatus::Managed, NIGHT);
        assert!(!index(&[kept.clone()]).get(&secret("db")).unwrap().former);
        kept.former = kept.entry.take().map(Box::new);
        let known = index(&[kept]).get(&secret("db")).unwrap();
        assert_eq!((known.former, known.run), (true, RunId::nightly(NIGHT)));
    }

    #[test]
    fn an_object_looks_as_it_did_then_or_as_a_version_of_that_second() {
        let of = |ties: Vec<Fingerprint>, taken| {
            let entry = super::Entry { ties, unsettled: true, ..entry(&secret("db"), taken) };
            Line { entry: Some(entry), ..line(&secret("db"), ObjectStatus::BackedUp, taken) }
        };
        let tied = index(&[of(vec![fingerprint("tied")], NIGHT)]).get(&secret("db")).unwrap();
        assert!(
            tied.has_fingerprint(fingerprint("before"))
                && tied.has_fingerprint(fingerprint("tied"))
                && tied.unsettled
        );
        assert!(!tied.has_fingerprint(fingerprint("after")));
        let lines = [of(vec![fingerprint("tied")], NIGHT), of(vec![], NIGHT + Duration::DAY)];
        assert!(
            !index(&lines).get(&secret("db")).unwrap().has_fingerprint(fingerprint("tied")),
            "that was an earlier backup's"
        );
    }
}
