//! The entry of a stored backup.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    blob::{BackupBlob, BlobFacts},
    digest::{Digest, Fingerprint},
    object::{ObjectId, ObjectKind, ObjectName, VaultName},
    record::{RECORD_LIMIT, cut, record},
    run::RunId,
    versions::{VersionId, VersionsSeen},
};

/// The version of the stored form that this program writes.
pub const ENTRY_FORMAT: u32 = 1;

/// The most bytes that a region's name may take. They have some fifteen.
const REGION_LIMIT: usize = 64;

/// One stored backup of one object: where it lies, what it is, and what was seen of the object then.
///
/// It is written with the blob in a single request, as the blob's metadata, so neither is ever without
/// the other. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// [`ENTRY_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The vault that gave the backup.
    pub vault: VaultName,
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// The run that took it, under which the blob lies.
    pub run: RunId,
    /// When the vault's answer was complete.
    #[serde(with = "time::serde::rfc3339")]
    pub taken: OffsetDateTime,
    /// SHA-256 of the blob.
    pub sha256: Digest,
    /// The blob's size.
    pub bytes: u64,
    /// What the clear part of the blob says.
    #[serde(flatten)]
    pub wrapping: BlobFacts,
    /// The Azure region that answered, when the service said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Versions of the object just before the backup.
    pub versions: u32,
    /// The newest of them.
    pub newest: VersionId,
    /// Digest over all version identifiers.
    pub version_ids: Fingerprint,
    /// Digest over all versions' identifiers and lasting attributes, for comparison after a restore.
    pub version_states: Fingerprint,
    /// What listing showed of the newest version: a different one on a later night means "changed".
    pub fingerprint: Fingerprint,
    /// The same of versions that are as new as that one, when they differ: the vault may show any of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ties: Vec<Fingerprint>,
    /// The last change was so recent that a later one might not show. Such an object counts as changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
    /// Whether the newest version was enabled.
    pub enabled: bool,
    /// When the newest version expires.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub expires: Option<OffsetDateTime>,
    /// The newest version's tags. None where the record could not hold them beside the rest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The run of this object's backup before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<RunId>,
}

/// What an entry is made of.
#[derive(Debug)]
pub struct Taken<'a> {
    /// The vault that gave the backup.
    pub vault: &'a VaultName,
    /// The object.
    pub id: &'a ObjectId,
    /// The run that took it.
    pub run: &'a RunId,
    /// The backup.
    pub blob: &'a BackupBlob,
    /// What its clear part says.
    pub wrapping: BlobFacts,
    /// The region that answered.
    pub region: Option<String>,
    /// The versions just before the backup.
    pub seen: VersionsSeen,
    /// When the versions were read.
    pub read: OffsetDateTime,
    /// When the vault's answer was complete.
    pub taken: OffsetDateTime,
    /// The run of the backup before this one.
    pub previous: Option<RunId>,
}

impl From<Taken<'_>> for Entry {
    fn from(taken: Taken<'_>) -> Self {
        let unsettled = !taken.seen.settled(taken.read);
        let attributes = taken.seen.attributes;
        let mut entry = Self {
            v: ENTRY_FORMAT,
            vault: taken.vault.clone(),
            kind: taken.id.kind,
            name: taken.id.name.clone(),
            run: taken.run.clone(),
            taken: taken.taken.replace_nanosecond(0).unwrap_or(taken.taken),
            sha256: taken.blob.digest(),
            bytes: taken.blob.len() as u64,
            wrapping: taken.wrapping,
            region: taken.region.map(|region| cut(region, REGION_LIMIT)),
            versions: taken.seen.count,
            newest: taken.seen.newest,
            version_ids: taken.seen.ids,
            version_states: taken.seen.states,
            fingerprint: attributes.fingerprint(),
            ties: taken.seen.ties,
            unsettled,
            enabled: attributes.enabled,
            expires: attributes.expires,
            tags: attributes.tags,
            previous: taken.previous,
        };
        // Without tags everything in it has its bounds.
        if !entry.tags.is_empty() && record(&entry).map_or(0, |record| record.len()) > RECORD_LIMIT {
            entry.tags.clear();
        }
        entry
    }
}

impl Entry {
    /// Whether listing shows the object as it was at the backup.
    pub fn looked_like(&self, shown: Fingerprint) -> bool {
        self.fingerprint == shown || self.ties.contains(&shown)
    }

    /// The object it is a backup of.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }
}
