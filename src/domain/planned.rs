//! The objects of a plan, packed.

use std::{cmp::Ordering, collections::HashMap, fmt, slice};

use serde::{Serialize, Serializer};

use super::{
    object::{ObjectId, ObjectKind, ObjectName, compare_names},
    plan::{Decision, Planned},
    run::RunId,
};

/// A list of planned objects at twelve bytes each and their names.
///
/// A run holds its plan from the lists to the manifest, so this is what a process's memory grows with.
#[derive(Clone, Default)]
pub struct PlannedObjects {
    rows: Vec<Row>,
    /// All names, one after the other.
    names: String,
    /// The runs of previous backups, each once: there are few.
    runs: Vec<RunId>,
    places: HashMap<RunId, u32>,
}

#[derive(Clone)]
struct Row {
    /// The place of the previous run, from 1.
    previous: u32,
    /// Where its name starts, and how long that is.
    start: u32,
    length: u8,
    kind: ObjectKind,
    decision: Decision,
}

impl PlannedObjects {
    /// Adds an object.
    pub fn push(&mut self, object: &Planned) {
        let name = object.id.name.as_str();
        let row = Row {
            previous: object.previous.as_ref().map_or(0, |run| self.place(run)),
            // Thirty million names would be too many; a name has at most 127 characters.
            start: u32::try_from(self.names.len()).unwrap_or(u32::MAX),
            length: u8::try_from(name.len()).unwrap_or(u8::MAX),
            kind: object.id.kind,
            decision: object.decision,
        };
        self.names.push_str(name);
        self.rows.push(row);
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The objects, in the order in which they were added.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rows: self.rows.iter(), names: &self.names, runs: &self.runs }
    }

    /// An object of a list that is in order.
    pub fn find(&self, id: &ObjectId) -> Option<Planned> {
        let order = |row: &Row| {
            let kinds = row.kind.cmp(&id.kind);
            kinds.then_with(|| compare_names(row.name(&self.names), id.name.as_str()))
        };
        let place = self.rows.binary_search_by(order).ok()?;
        self.rows.get(place).map(|row| row.unpack(&self.names, &self.runs))
    }

    /// Brings the objects into order, and drops all but one of those that are there several times.
    pub fn sort(&mut self) {
        let names = &self.names;
        self.rows.sort_unstable_by(|a, b| a.order(b, names));
        self.rows.dedup_by(|a, b| a.order(b, names) == Ordering::Equal);
    }

    /// Drops the objects of a kind.
    pub fn drop_kind(&mut self, kind: ObjectKind) {
        self.rows.retain(|row| row.kind != kind);
    }

    /// Finds, among objects in order, what is managed and has no certificate of its name.
    pub fn tell_managers_apart(&mut self) {
        let names = &self.names;
        let certificates = self.rows.partition_point(|row| row.kind == ObjectKind::Certificate);
        let (certificates, others) = self.rows.split_at_mut(certificates);
        for row in others.iter_mut().filter(|row| row.decision == Decision::Managed) {
            let certificate =
                certificates.binary_search_by(|of| compare_names(of.name(names), row.name(names)));
            if certificate.is_err() {
                row.decision = Decision::VaultManaged;
            }
        }
    }

    /// Gives back the memory that was kept for more objects.
    pub fn shrink_to_fit(&mut self) {
        self.rows.shrink_to_fit();
        self.names.shrink_to_fit();
    }

    fn place(&mut self, run: &RunId) -> u32 {
        if let Some(place) = self.places.get(run) {
            return *place;
        }
        self.runs.push(run.clone());
        let place = u32::try_from(self.runs.len()).unwrap_or_default();
        self.places.insert(run.clone(), place);
        place
    }
}

impl Row {
    fn name<'a>(&self, names: &'a str) -> &'a str {
        let start = self.start as usize;
        names.get(start..start + usize::from(self.length)).unwrap_or_default()
    }

    fn unpack(&self, names: &str, runs: &[RunId]) -> Planned {
        let id = ObjectId::new(self.kind, ObjectName::checked_before(self.name(names)));
        let previous = self.previous.checked_sub(1).and_then(|place| runs.get(place as usize)).cloned();
        Planned { id, decision: self.decision, previous }
    }

    /// As [`ObjectId`] is ordered.
    fn order(&self, other: &Self, names: &str) -> Ordering {
        let kinds = self.kind.cmp(&other.kind);
        kinds.then_with(|| compare_names(self.name(names), other.name(names)))
    }
}

/// Reads [`PlannedObjects`].
#[derive(Clone)]
pub struct Iter<'a> {
    rows: slice::Iter<'a, Row>,
    names: &'a str,
    runs: &'a [RunId],
}

impl Iterator for Iter<'_> {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        self.rows.next().map(|row| row.unpack(self.names, self.runs))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<'a> IntoIterator for &'a PlannedObjects {
    type Item = Planned;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Extend<Planned> for PlannedObjects {
    fn extend<T: IntoIterator<Item = Planned>>(&mut self, objects: T) {
        objects.into_iter().for_each(|object| self.push(&object));
    }
}

impl FromIterator<Planned> for PlannedObjects {
    fn from_iter<T: IntoIterator<Item = Planned>>(objects: T) -> Self {
        let mut packed = Self::default();
        packed.extend(objects);
        packed.shrink_to_fit();
        packed
    }
}

impl PartialEq for PlannedObjects {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other)
    }
}

impl Eq for PlannedObjects {}

impl fmt::Debug for PlannedObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl Serialize for PlannedObjects {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn what_is_packed_comes_out_again() {
        let run = |second| Some(RunId::nightly(OffsetDateTime::from_unix_timestamp(second).unwrap()));
        let longest = "x".repeat(127);
        let objects = [
            (ObjectKind::Key, "A-b", Decision::New, None),
            (ObjectKind::Secret, longest.as_str(), Decision::Unchanged, run(1)),
            (ObjectKind::Certificate, "c", Decision::FullPass, run(2)),
            (ObjectKind::Certificate, "d", Decision::Managed, run(1)),
        ];
        let objects = objects.map(|(kind, name, decision, previous)| Planned {
            id: ObjectId::new(kind, name.parse().unwrap()),
            decision,
            previous,
        });
        let packed: PlannedObjects = objects.iter().cloned().collect();
        assert_eq!(packed.iter().collect::<Vec<_>>(), objects);
        assert_eq!((packed.len(), packed.runs.len()), (4, 2));
        let mut sorted: PlannedObjects = objects.iter().chain(&objects).cloned().collect();
        sorted.sort();
        for object in &objects {
            assert_eq!(sorted.find(&object.id).as_ref(), Some(object));
        }
        assert_eq!(sorted.find(&ObjectId::new(ObjectKind::Key, "a".parse().unwrap())), None);
        sorted.drop_kind(ObjectKind::Key);
        let names: Vec<_> = sorted.iter().map(|object| object.id.name).collect();
        assert_eq!(names, ["c", "d", &longest].map(|name| name.parse().unwrap()));
        assert_eq!(size_of::<Row>(), 12);
    }
}
