//! What is asked of a restore.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::{
    filter::matches,
    manifest::Line,
    object::{ObjectId, ObjectKind, VaultName},
};

/// Which objects are wanted. Everything that is given must hold; nothing given means everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// These objects, spelled out. Each must have a backup.
    pub objects: Vec<ObjectId>,
    /// Only these kinds.
    pub kinds: Vec<ObjectKind>,
    /// Only names that match: `*` stands for any characters.
    pub pattern: Option<String>,
    /// Only objects with these tags.
    pub tags: BTreeMap<String, String>,
    /// Also objects that were gone from the vault by then. Those that are spelled out are wanted in any case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

impl Selection {
    /// Whether it takes an object that has a backup.
    pub(super) fn takes(&self, line: &Line) -> bool {
        let tags = line.entry.as_ref().map(|entry| &entry.tags);
        tags.is_some_and(|tags| self.tags.iter().all(|(key, value)| tags.get(key) == Some(value)))
            && self.means(line)
    }

    /// Whether it would take an object without a backup, whose tags nobody knows.
    pub(super) fn misses(&self, line: &Line) -> bool {
        line.entry.is_none() && self.tags.is_empty() && self.means(line)
    }

    fn means(&self, line: &Line) -> bool {
        let name = line.name.folded();
        (self.objects.is_empty() || self.objects.contains(&line.id()))
            && (self.kinds.is_empty() || self.kinds.contains(&line.kind))
            && self.pattern.as_ref().is_none_or(|pattern| matches(&pattern.to_ascii_lowercase(), &name))
    }
}

/// What happens to a name that is taken in the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnConflict {
    /// The object is not restored, and the plan says what stands in the way.
    #[default]
    Fail,
    /// The object is skipped.
    Skip,
    /// A soft-deleted object is recovered as it was when it was deleted; the backup is not used.
    RecoverDeleted,
    /// A soft-deleted object is purged, for good, and the backup restored in its place. Only for objects
    /// that are spelled out.
    PurgeDeleted,
}

/// What is asked of a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The vault whose backups are restored.
    pub source: VaultName,
    /// The vault that they are restored into.
    pub target: VaultName,
    /// Backups as of this time; the newest when there is none.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub at: Option<OffsetDateTime>,
    /// Which objects.
    pub selection: Selection,
    /// What happens to names that are taken.
    pub on_conflict: OnConflict,
}
