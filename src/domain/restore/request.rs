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
    /// Whether it takes an object that has a backup; `None` where what is known of its tags does not tell.
    pub(super) fn takes(&self, line: &Line) -> Option<bool> {
        let entry = line.entry.as_ref().filter(|_| self.means(line));
        entry.map_or(Some(false), |entry| entry.tags.include(&self.tags))
    }

    /// Whether a line speaks of an object that it takes, or would take had it ever been backed up, or may take.
    pub(in crate::domain) fn matches(&self, line: &Line) -> bool {
        let misses = || line.is_failing() && line.entry.is_none() && self.tags.is_empty() && self.means(line);
        self.takes(line) != Some(false) || misses()
    }

    /// Whether an object is wanted by all but its tags.
    pub(in crate::domain) fn means(&self, line: &Line) -> bool {
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
    /// Also backups that the settings say are of another subscription or geography: the service decides.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub other_place: bool,
}
