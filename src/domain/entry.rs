//! The entry of a stored backup.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    blob::BackupBlob,
    digest::{Digest, Fingerprint},
    form::Form,
    location::Location,
    object::{ObjectId, ObjectKind, ObjectName},
    record::{RECORD_LIMIT, cut, record},
    run::RunId,
    source::SourceName,
    stored_version::StoredVersion,
    tags::{Packed, Tags},
    versions::{VersionId, VersionsSeen},
};

/// The version of the stored form that this program writes.
pub const ENTRY_FORMAT: u32 = 1;

/// The most bytes that a region's name may take. Real names have about fifteen.
const REGION_LIMIT: usize = 64;

/// The record of one stored backup of one object: where it is stored, what it is, and what was seen of the object.
///
/// It is the blob's metadata and is written with the blob in a single request, so neither ever exists without the
/// other. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// [`ENTRY_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The vault that the backup is from.
    pub vault: SourceName,
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// The run that took the backup; the blob is stored under it.
    pub run: RunId,
    /// When the vault's answer was complete.
    #[serde(with = "time::serde::rfc3339")]
    pub taken: OffsetDateTime,
    /// SHA-256 of the blob.
    pub sha256: Digest,
    /// The blob's size.
    pub bytes: u64,
    /// The blob's form, known to the program that took it or not, and what its clear part says.
    #[serde(flatten)]
    pub form: Form,
    /// The Azure region that answered, if the service named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The vault's location, as far as it was known. Entries of older programs have none.
    #[serde(rename = "place", default, skip_serializing_if = "Location::is_unknown")]
    pub location: Box<Location>,
    /// Number of versions of the object just before the backup.
    pub versions: u32,
    /// The current version; the newest one if there is no `order`.
    pub newest: VersionId,
    /// Digest of all version identifiers.
    pub version_ids: Fingerprint,
    /// Digest of the identifiers and lasting attributes of all versions, for comparison after a restore.
    pub version_states: Fingerprint,
    /// Digest of all versions by age, the current one last. Absent in entries of older programs, and if no list showed
    /// the object's current version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Fingerprint>,
    /// Fingerprint of the current version in the list: a different one on a later night means "changed".
    pub fingerprint: Fingerprint,
    /// Fingerprints of other versions that are as new as the current one, if it is not known which of them is current:
    /// the vault may show any of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ties: Vec<Fingerprint>,
    /// The last change was so recent that a later one might not show. Such an object counts as changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
    /// Whether the current version was enabled.
    pub enabled: bool,
    /// When the current version expires.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub expires: Option<OffsetDateTime>,
    /// The current version's tags, as far as they fit into the record.
    #[serde(flatten)]
    pub tags: Tags,
    /// The run of the object's previous backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<RunId>,
    /// The blob's version as it was listed when the run closed. Only manifests have it: what lies with the blob was written
    /// before there was a version. Manifests of older programs have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Box<StoredVersion>>,
}

/// The parts of an entry.
#[derive(Debug)]
pub struct Taken<'a> {
    /// The vault that gave the backup.
    pub vault: &'a SourceName,
    /// The object.
    pub id: &'a ObjectId,
    /// The run that took it.
    pub run: &'a RunId,
    /// The backup.
    pub blob: &'a BackupBlob,
    /// Its form.
    pub form: Form,
    /// The region that answered.
    pub region: Option<String>,
    /// The vault's location at that time.
    pub location: Location,
    /// The versions just before the backup.
    pub seen: VersionsSeen,
    /// When the versions were read.
    pub read: OffsetDateTime,
    /// When the vault's answer was complete.
    pub taken: OffsetDateTime,
    /// The run of the object's previous backup.
    pub previous: Option<RunId>,
}

impl From<Taken<'_>> for Entry {
    fn from(taken: Taken<'_>) -> Self {
        let unsettled = !taken.seen.settled(taken.read);
        let attributes = taken.seen.attributes;
        let entry = Self {
            v: ENTRY_FORMAT,
            vault: taken.vault.clone(),
            kind: taken.id.kind,
            name: taken.id.name.clone(),
            run: taken.run.clone(),
            taken: taken.taken,
            sha256: taken.blob.digest(),
            bytes: taken.blob.len() as u64,
            form: taken.form,
            region: taken.region.map(|region| cut(region, REGION_LIMIT)),
            location: Box::new(taken.location),
            versions: taken.seen.count,
            newest: taken.seen.newest,
            version_ids: taken.seen.ids,
            version_states: taken.seen.states,
            order: taken.seen.order,
            fingerprint: attributes.fingerprint(),
            ties: taken.seen.ties,
            unsettled,
            enabled: attributes.enabled,
            expires: attributes.expires,
            tags: attributes.tags.into(),
            previous: taken.previous,
            stored: None,
        };
        entry.fitting()
    }
}

impl Entry {
    /// Serializes the entry. Its tags are packed if the record would otherwise be too long.
    ///
    /// # Errors
    /// If it cannot be JSON.
    pub fn record(&self) -> serde_json::Result<String> {
        let plain = record(self)?;
        if plain.len() <= RECORD_LIMIT {
            return Ok(plain);
        }
        match self.tags.packed()? {
            Some((packed_tags, tags)) => {
                record(&Packed { value: Self { tags, ..self.clone() }, packed_tags })
            }
            None => Ok(plain),
        }
    }

    /// The entry without the tags that do not fit into its record. Every other field has its bounds.
    fn fitting(mut self) -> Self {
        let fits = |of: &Self| of.record().map_or(true, |record| record.len() <= RECORD_LIMIT);
        while !fits(&self) && self.tags.leave_longest() {}
        self
    }

    /// Whether the list shows the object as it was at the backup.
    pub fn has_fingerprint(&self, shown: Fingerprint) -> bool {
        self.fingerprint == shown || self.ties.contains(&shown)
    }

    /// Whether it is a later backup of the same object as `before`, and not of another one that took its name.
    ///
    /// The versions of an object cannot be deleted one by one, so it never has fewer than before. Another object with
    /// more versions than the old one is mistaken for it.
    pub fn continues(&self, before: &Self) -> bool {
        self.has_fingerprint(before.fingerprint)
            || self.newest == before.newest
            || self.versions > before.versions
    }

    /// Whether a manifest's entry and the one that lies with the blob say the same. The blob's version is not part of it.
    pub fn is_entry_of_same_backup(&self, other: &Self) -> bool {
        let without = |entry: &Self| Self { stored: None, ..entry.clone() };
        self == other || without(self) == without(other)
    }

    /// The object it is a backup of.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }
}

#[cfg(test)]
mod tests;
