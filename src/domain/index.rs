//! A vault's index in memory: for every object, just what planning asks of its newest backup.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::{
    digest::Fingerprint,
    entry::Entry,
    manifest::{Fared, Line},
    object::ObjectId,
    run::RunId,
};

/// What planning knows of an object's newest backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What listing showed then,
    pub fingerprint: Fingerprint,
    /// and what it may show instead.
    pub ties: Box<[Fingerprint]>,
    /// Whether a change after the backup may not show in it.
    pub unsettled: bool,
    /// Whether the last run should have backed it up and could not.
    pub missed: bool,
    /// The run that took the backup.
    pub run: RunId,
}

impl Known {
    /// Whether listing shows the object as it was at its newest backup.
    pub fn looked_like(&self, shown: Fingerprint) -> bool {
        self.fingerprint == shown || self.ties.contains(&shown)
    }
}

struct Slot {
    taken: i64,
    fingerprint: Fingerprint,
    unsettled: bool,
    missed: bool,
    run: u32,
}

/// The newest backup of every object, at about a hundred bytes an object.
///
/// Objects are filed under a digest of their identity rather than under the name, and runs are kept once.
#[derive(Default)]
pub struct Index {
    slots: HashMap<Fingerprint, Slot>,
    /// Few objects have any.
    ties: HashMap<Fingerprint, Box<[Fingerprint]>>,
    runs: Vec<RunId>,
}

impl Index {
    /// Files the entry of a manifest's line, unless the index holds a newer one of the object.
    pub fn insert(&mut self, line: &Line) {
        let Some(entry) = &line.entry else { return };
        // What was due may not have been backed up. Of what is away the flag counts when it is back.
        let missed = matches!(line.fared, Fared::Failed | Fared::Carried | Fared::Disappeared | Fared::Gone);
        self.insert_entry(entry, missed);
    }

    fn insert_entry(&mut self, entry: &Entry, missed: bool) {
        let run = self.run(&entry.run);
        let slot = Slot {
            taken: seconds(entry.taken),
            fingerprint: entry.fingerprint,
            unsettled: entry.unsettled,
            missed,
            run,
        };
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

    /// The newest backup of an object, if there is any.
    pub fn get(&self, id: &ObjectId) -> Option<Known> {
        let address = address(id);
        let Slot { fingerprint, unsettled, missed, run, .. } = *self.slots.get(&address)?;
        let ties = self.ties.get(&address).cloned().unwrap_or_default();
        let run = self.runs.get(run as usize)?.clone();
        Some(Known { fingerprint, ties, unsettled, missed, run })
    }

    /// How many objects have a backup.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no object has a backup.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The number of a run. Entries of one run tend to stand together, so the search starts at the end.
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

fn seconds(at: OffsetDateTime) -> i64 {
    at.unix_timestamp()
}
