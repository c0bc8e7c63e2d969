//! What an index names, and whether storage has it.

use std::collections::HashMap;

use crate::domain::{
    digest::{Digest, Fingerprint},
    entry::Entry,
    object::ObjectId,
    run::RunId,
    stored_version::{ContainerMark, VersionMark},
};

/// Tells the backups of one source apart: a digest of the run and the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(Fingerprint);

impl Address {
    /// The address of the backup that a run took of an object.
    pub fn of(run: &RunId, id: &ObjectId) -> Self {
        let (run, kind, name) = (run.as_str(), id.kind.as_str(), id.name.folded());
        Self(Fingerprint::of_fields([run.as_bytes(), kind.as_bytes(), name.as_bytes()]))
    }

    /// The address of an entry's backup.
    pub fn of_entry(entry: &Entry) -> Self {
        Self::of(&entry.run, &entry.id())
    }

    /// The address of a run's manifest.
    pub fn of_manifest(run: &RunId) -> Self {
        Self(Fingerprint::of_fields([run.as_str().as_bytes()]))
    }

    /// A number that is the same in every pass.
    pub fn number(self) -> u64 {
        let first = self.0.as_bytes().iter().take(8);
        first.fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// A number that another seed changes.
    pub(super) fn number_with(self, seed: u64) -> u64 {
        Self(Fingerprint::of_fields([&self.0.as_bytes()[..], &seed.to_be_bytes()])).number()
    }

    #[cfg(test)]
    pub(super) fn of_number(number: u64) -> Self {
        let hex = format!("{number:016x}{:016x}", 0);
        Self(hex.parse().expect("hexadecimal digits"))
    }
}

/// What the newest index says of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its size.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Digest,
    /// The version in which it was listed, if the index has one of this container.
    version: Option<VersionMark>,
    seen: bool,
}

impl Expected {
    /// Whether the index names another version of it than this one.
    pub fn is_other_version(&self, found: Option<&str>) -> bool {
        self.version.is_some_and(|version| found.map(VersionMark::of) != Some(version))
    }
}

/// The backups that an index names. About seventy bytes each.
#[derive(Debug, Default)]
pub struct Named {
    backups: HashMap<Address, Expected>,
    container: Option<ContainerMark>,
}

impl Named {
    /// None yet, of which the versions in this container are known.
    pub fn in_container(container: ContainerMark) -> Self {
        Self { container: Some(container), ..Self::default() }
    }

    /// Adds a backup.
    pub fn add(&mut self, entry: &Entry) {
        let version = entry.stored.as_ref().filter(|stored| Some(stored.container) == self.container);
        let version = version.map(|stored| VersionMark::of(&stored.version));
        let expected = Expected { bytes: entry.bytes, sha256: entry.sha256, version, seen: false };
        self.backups.insert(Address::of_entry(entry), expected);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.backups.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.backups.is_empty()
    }

    /// What the index says of a backup; `None` if it does not name it.
    pub fn get(&self, backup: Address) -> Option<Expected> {
        self.backups.get(&backup).copied()
    }

    /// Marks a backup as seen in storage with a size. One of another size than the index has does not count as seen.
    pub fn see(&mut self, backup: Address, bytes: u64) {
        if let Some(expected) = self.backups.get_mut(&backup) {
            expected.seen = expected.bytes == bytes;
        }
    }

    /// Whether the index names a backup that was not seen.
    pub fn misses(&self, backup: Address) -> bool {
        self.backups.get(&backup).is_some_and(|expected| !expected.seen)
    }

    /// How many were not seen.
    pub fn missing(&self) -> usize {
        self.backups.values().filter(|expected| !expected.seen).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        digest::Hash,
        manifest::ObjectStatus,
        samples::{NIGHT, line, secret},
        stored_version::StoredVersion,
    };

    #[test]
    fn what_is_not_seen_whole_is_missing() {
        let entry = line(&secret("db"), ObjectStatus::BackedUp, NIGHT).entry.unwrap();
        let address = Address::of_entry(&entry);
        let mut named = Named::default();
        assert!(named.is_empty() && !named.misses(address));
        named.add(&entry);
        assert!(named.misses(address) && named.missing() == 1);
        named.see(address, entry.bytes + 1);
        assert!(named.misses(address), "of another size");
        named.see(address, entry.bytes);
        assert!(!named.misses(address) && named.missing() == 0 && named.len() == 1);
        assert_eq!(named.get(address).map(|of| of.sha256), Some(entry.sha256));
        let folded = ObjectId::new(entry.kind, "DB".parse().unwrap());
        assert_eq!(Address::of(&entry.run, &folded), address, "names ignore case");
    }

    #[test]
    fn a_version_is_another_one_if_the_index_has_one_of_this_container() {
        let of = |container: &str| {
            let (container, version) = (Hash::of(container.as_bytes()), "1".to_owned());
            let entry = line(&secret("db"), ObjectStatus::BackedUp, NIGHT).entry.unwrap();
            let stored = Some(Box::new(StoredVersion { container, version }));
            let mut named = Named::in_container(Hash::of(b"backups"));
            named.add(&Entry { stored, ..entry.clone() });
            named.get(Address::of_entry(&entry)).unwrap()
        };
        let (here, elsewhere) = (of("backups"), of("copies"));
        assert_eq!(size_of::<Expected>(), 48, "one for each backup that the index names");
        for (found, expected) in [(Some("1"), false), (Some("2"), true), (None, true)] {
            assert_eq!(here.is_other_version(found), expected, "{found:?}");
            assert!(!elsewhere.is_other_version(found));
        }
    }
}
