//! What an account keeps of blobs that were overwritten or deleted.
//!
//! As documented: with versions, each write makes one, an overwrite or a deletion turns the current one into an older
//! one, and only older ones can be deleted by their id. With soft delete, what is deleted without being kept as a
//! version can be brought back for so many days. Snapshots are not emulated, so that what an overwrite under soft
//! delete without versions would keep is not kept.

use time::{Duration, OffsetDateTime};

use super::account::{Account, Container, StoredBlob};
use crate::azure::timestamp::rfc3339;

/// What an account keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keeping {
    /// Whether every write makes a version.
    pub versions: bool,
    /// For how many days deleted blobs and versions can be brought back. Not at all if left out.
    pub deleted_days: Option<u16>,
}

/// When something was deleted that can be brought back, and until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deleted {
    pub(crate) at: OffsetDateTime,
    pub(crate) until: OffsetDateTime,
}

/// What comes of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// It can be had back, or read by its version.
    Kept,
    Permanent,
    Missing,
    /// The current version goes with the blob, not by its id.
    Current,
}

/// A blob of a listing or a read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) name: &'a str,
    pub(crate) blob: &'a StoredBlob,
    pub(crate) is_current: bool,
}

impl Account {
    /// The id of a version that is made now: a moment, and no other version's.
    pub(crate) fn version_id(&self, now: OffsetDateTime) -> String {
        let mut last = self.last_version.lock();
        let next = last.map_or(now, |last| now.max(last + Duration::nanoseconds(100)));
        *last = Some(next);
        rfc3339(next)
    }
}

impl Container {
    /// Makes a blob the current one. What it takes the place of is kept if the account keeps versions.
    pub(crate) fn put(&mut self, account: &Account, name: &str, mut blob: StoredBlob, now: OffsetDateTime) {
        let keeping = account.keeping();
        blob.version = keeping.versions.then(|| account.version_id(now));
        self.older.remove(&(name.to_owned(), String::new()));
        if let Some(old) = self.blobs.insert(name.to_owned(), blob)
            && keeping.versions
        {
            self.keep(name, old);
        }
    }

    /// Deletes the current blob.
    pub(crate) fn remove(&mut self, keeping: Keeping, name: &str, now: OffsetDateTime) -> Deletion {
        let Some(mut blob) = self.blobs.remove(name) else { return Deletion::Missing };
        if keeping.versions {
            self.keep(name, blob);
            return Deletion::Kept;
        }
        let Some(days) = keeping.deleted_days else { return Deletion::Permanent };
        blob.deleted = Some(Deleted { at: now, until: now + Duration::days(days.into()) });
        self.older.insert((name.to_owned(), String::new()), blob);
        Deletion::Kept
    }

    /// Deletes a version by its id.
    pub(crate) fn remove_version(
        &mut self,
        keeping: Keeping,
        name: &str,
        id: &str,
        now: OffsetDateTime,
    ) -> Deletion {
        if self.blobs.get(name).is_some_and(|blob| blob.version.as_deref() == Some(id)) {
            return Deletion::Current;
        }
        let key = (name.to_owned(), id.to_owned());
        let Some(older) = self.older.get_mut(&key).filter(|blob| blob.deleted.is_none()) else {
            return Deletion::Missing;
        };
        if let Some(days) = keeping.deleted_days {
            older.deleted = Some(Deleted { at: now, until: now + Duration::days(days.into()) });
            return Deletion::Kept;
        }
        self.older.remove(&key);
        Deletion::Permanent
    }

    /// Brings back what of a name was deleted and can be. Says whether there is anything by that name.
    pub(crate) fn undelete(&mut self, name: &str, now: OffsetDateTime) -> bool {
        self.forget(now);
        if let Some(mut blob) = self.older.remove(&(name.to_owned(), String::new())) {
            blob.deleted = None;
            self.blobs.entry(name.to_owned()).or_insert(blob);
        }
        let mut found = self.blobs.contains_key(name);
        for (_, blob) in self.older.iter_mut().filter(|((of, _), _)| of == name) {
            blob.deleted = None;
            found = true;
        }
        found
    }

    /// A version, if it is not deleted.
    pub(crate) fn version(&self, name: &str, id: &str) -> Option<Shown<'_>> {
        let current = self.blobs.get_key_value(name).filter(|(_, blob)| blob.version.as_deref() == Some(id));
        if let Some((name, blob)) = current {
            return Some(Shown { name, blob, is_current: true });
        }
        let ((name, _), blob) = self.older.get_key_value(&(name.to_owned(), id.to_owned()))?;
        let shown = Shown { name, blob, is_current: false };
        blob.deleted.is_none().then_some(shown)
    }

    /// The same, to be changed.
    pub(crate) fn version_mut(&mut self, name: &str, id: &str) -> Option<&mut StoredBlob> {
        let current = self.blobs.get_mut(name).filter(|blob| blob.version.as_deref() == Some(id));
        let older = self.older.get_mut(&(name.to_owned(), id.to_owned()));
        current.or(older.filter(|blob| blob.deleted.is_none()))
    }

    /// Forgets what can not be brought back any more.
    pub(crate) fn forget(&mut self, now: OffsetDateTime) {
        self.older.retain(|_, blob| blob.deleted.is_none_or(|deleted| now < deleted.until));
    }

    /// One that was written before versions were kept has the moment of that for its id.
    fn keep(&mut self, name: &str, mut blob: StoredBlob) {
        let id = blob.version.get_or_insert_with(|| rfc3339(blob.last_modified)).clone();
        self.older.insert((name.to_owned(), id), blob);
    }
}
