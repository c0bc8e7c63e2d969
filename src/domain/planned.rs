//! The objects of a plan, and the packed list of them.

use std::{cmp::Ordering, collections::HashMap, fmt, slice};

use serde::{Deserialize, Serialize, Serializer};

use super::{
    digest::Fingerprint,
    object::{ObjectId, ObjectKind, ObjectName, compare_names},
    run::RunId,
};

/// What happens to a listed object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Backed up: there is no backup of it yet.
    New,
    /// Backed up: it changed since its last backup.
    Changed,
    /// Backed up: it changed so shortly before its last backup that a later change may not show.
    Unsettled,
    /// Backed up: the last run should have, and could not, or has a backup of a form that is not known.
    Missed,
    /// Backed up although nothing shows a change, because listing does not show changes of older versions.
    FullPass,
    /// Backed up because a request names this very object.
    Asked,
    /// Skipped: nothing changed since its last backup.
    Unchanged,
    /// Skipped: it belongs to a certificate, whose backup contains it. The service refuses its backup.
    Managed,
    /// Skipped: managed by the vault, and by none of its certificates, such as a token of a managed storage
    /// account. The service refuses its backup, and no other backup contains it.
    VaultManaged,
}

impl Decision {
    /// Whether the object is backed up.
    pub fn backs_up(self) -> bool {
        !matches!(self, Self::Unchanged | Self::Managed | Self::VaultManaged)
    }
}

/// One object of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Which object.
    #[serde(flatten)]
    pub id: ObjectId,
    /// What happens to it.
    pub decision: Decision,
    /// The run of the newest backup under its name so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<RunId>,
    /// What the list showed of it, if it is backed up: which of its versions is current shows nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Fingerprint>,
}

/// A list of planned objects at sixteen bytes each and their names, and sixteen more for each that is backed up.
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
    /// What the list showed, of those of which it is kept.
    shown: Vec<Fingerprint>,
}

#[derive(Clone)]
struct Row {
    /// The place of the previous run, from 1.
    previous: u32,
    /// The place of what the list showed, from 1.
    shown: u32,
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
            shown: object.shown.map_or(0, |shown| push(&mut self.shown, shown)),
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
        Iter { rows: self.rows.iter(), objects: self }
    }

    /// An object of a list that is in order.
    pub fn find(&self, id: &ObjectId) -> Option<Planned> {
        let order = |row: &Row| {
            let kinds = row.kind.cmp(&id.kind);
            kinds.then_with(|| compare_names(row.name(&self.names), id.name.as_str()))
        };
        let place = self.rows.binary_search_by(order).ok()?;
        self.rows.get(place).map(|row| row.unpack(self))
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
        self.shown.shrink_to_fit();
    }

    fn place(&mut self, run: &RunId) -> u32 {
        if let Some(place) = self.places.get(run) {
            return *place;
        }
        let place = push(&mut self.runs, run.clone());
        self.places.insert(run.clone(), place);
        place
    }
}

/// Adds to a list, and gives the place there, from 1.
fn push<T>(list: &mut Vec<T>, item: T) -> u32 {
    list.push(item);
    u32::try_from(list.len()).unwrap_or_default()
}

/// What is at a place that counts from 1.
fn at<T: Clone>(list: &[T], place: u32) -> Option<T> {
    list.get(place.checked_sub(1)? as usize).cloned()
}

impl Row {
    fn name<'a>(&self, names: &'a str) -> &'a str {
        let start = self.start as usize;
        names.get(start..start + usize::from(self.length)).unwrap_or_default()
    }

    fn unpack(&self, of: &PlannedObjects) -> Planned {
        let id = ObjectId::new(self.kind, ObjectName::checked_before(self.name(&of.names)));
        let (previous, shown) = (at(&of.runs, self.previous), at(&of.shown, self.shown));
        Planned { id, decision: self.decision, previous, shown }
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
    objects: &'a PlannedObjects,
}

impl Iterator for Iter<'_> {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        self.rows.next().map(|row| row.unpack(self.objects))
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

    fn planned(kind: ObjectKind, name: &str, decision: Decision, previous: Option<RunId>) -> Planned {
        Planned { id: ObjectId::new(kind, name.parse().unwrap()), decision, previous, shown: None }
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        let run = |second| Some(RunId::nightly(OffsetDateTime::from_unix_timestamp(second).unwrap()));
        let longest = "x".repeat(127);
        let objects = [
            (ObjectKind::Key, "A-b", Decision::New, None, Some("a")),
            (ObjectKind::Secret, longest.as_str(), Decision::Unchanged, run(1), None),
            (ObjectKind::Certificate, "c", Decision::FullPass, run(2), Some("b")),
            (ObjectKind::Certificate, "d", Decision::Managed, run(1), None),
        ];
        let objects = objects.map(|(kind, name, decision, previous, shown)| Planned {
            shown: shown.map(|shown| Fingerprint::of(shown.as_bytes())),
            ..planned(kind, name, decision, previous)
        });
        let packed: PlannedObjects = objects.iter().cloned().collect();
        assert_eq!(packed.iter().collect::<Vec<_>>(), objects);
        assert_eq!((packed.len(), packed.iter().size_hint(), packed.runs.len()), (4, (4, Some(4)), 2));
        assert!(!packed.is_empty() && PlannedObjects::default().is_empty());
        let mut sorted: PlannedObjects = objects.iter().chain(&objects).cloned().collect();
        sorted.sort();
        for object in &objects {
            assert_eq!(sorted.find(&object.id).as_ref(), Some(object));
        }
        assert_eq!(sorted.find(&ObjectId::new(ObjectKind::Key, "a".parse().unwrap())), None);
        sorted.drop_kind(ObjectKind::Key);
        let names: Vec<_> = sorted.iter().map(|object| object.id.name).collect();
        assert_eq!(names, ["c", "d", &longest].map(|name| name.parse().unwrap()));
        assert_eq!(size_of::<Row>(), 16);
    }

    #[test]
    fn two_lists_are_equal_shown_and_stored_as_their_objects() {
        let one = planned(ObjectKind::Key, "a", Decision::New, None);
        let other = planned(ObjectKind::Key, "a", Decision::Changed, None);
        let packed = |object: &Planned| PlannedObjects::from_iter([object.clone()]);
        assert_eq!(packed(&one), packed(&one));
        assert_ne!(packed(&one), packed(&other));
        assert_eq!(format!("{:?}", packed(&one)), format!("{:?}", [&one]));
        assert_eq!(serde_json::to_string(&packed(&one)).unwrap(), serde_json::to_string(&[&one]).unwrap());
    }

    #[test]
    fn what_is_managed_belongs_to_the_certificate_of_its_name_or_to_the_vault() {
        use Decision::{Changed, Managed, New, VaultManaged};
        use ObjectKind::{Certificate, Key, Secret};
        let listed = [
            (Certificate, "TLS", New),
            (Key, "tls", Managed),
            (Key, "sas", Managed),
            (Secret, "tls", Managed),
            (Secret, "own", Changed),
            (Secret, "sas", Managed),
        ];
        let mut objects: PlannedObjects =
            listed.into_iter().map(|(kind, name, decision)| planned(kind, name, decision, None)).collect();
        objects.sort();
        objects.tell_managers_apart();
        let told =
            |kind, name: &str| objects.find(&ObjectId::new(kind, name.parse().unwrap())).unwrap().decision;
        assert_eq!((told(Key, "tls"), told(Secret, "tls")), (Managed, Managed), "case does not count");
        assert_eq!((told(Key, "sas"), told(Secret, "sas")), (VaultManaged, VaultManaged));
        assert_eq!((told(Certificate, "tls"), told(Secret, "own")), (New, Changed));
    }

    #[test]
    fn memory_that_was_kept_for_more_objects_is_given_back() {
        let names = (0..100).map(|number| format!("a-long-name-of-a-secret-{number}"));
        let mut objects = PlannedObjects::default();
        objects.extend(names.map(|name| planned(ObjectKind::Secret, &name, Decision::New, None)));
        objects.drop_kind(ObjectKind::Secret);
        objects.shrink_to_fit();
        assert_eq!(objects.rows.capacity(), 0);
    }
}
