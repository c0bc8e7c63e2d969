//! The request for a restore.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::{
    filter::NameFilter,
    manifest::Line,
    object::{ObjectId, ObjectKind},
    source::SourceName,
};

/// Which objects are requested. All given conditions must hold; without any, everything is requested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Only these objects, spelled out. Each must have a backup.
    pub objects: Vec<ObjectId>,
    /// Only these kinds.
    pub kinds: Vec<ObjectKind>,
    /// Only names that match.
    pub pattern: Option<NameFilter>,
    /// Only objects with these tags.
    pub tags: BTreeMap<String, String>,
    /// Also objects that were gone from the vault by then. Objects that are spelled out are wanted in any case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

impl Selection {
    /// Whether it takes an object that has a backup; `None` if the known tags do not show it.
    pub(super) fn takes(&self, line: &Line) -> Option<bool> {
        let entry = line.entry.as_ref().filter(|_| self.means(line));
        entry.map_or(Some(false), |entry| entry.tags.include(&self.tags))
    }

    /// Whether a line is of an object that the selection takes, may take, or would take if it had ever been backed up.
    pub(in crate::domain) fn matches(&self, line: &Line) -> bool {
        let misses = || line.is_failing() && line.entry.is_none() && self.tags.is_empty() && self.means(line);
        self.takes(line) != Some(false) || misses()
    }

    /// Whether it takes an object, apart from its tags.
    pub(in crate::domain) fn means(&self, line: &Line) -> bool {
        (self.objects.is_empty() || self.objects.contains(&line.id()))
            && (self.kinds.is_empty() || self.kinds.contains(&line.kind))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.takes(&line.name))
    }
}

/// What is done about a name that is taken in the target.
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
    /// A soft-deleted object is purged, permanently, and the backup restored under its name. Only for objects that are
    /// spelled out.
    PurgeDeleted,
}

/// What is done where the backup that would be restored is damaged or gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnDamaged {
    /// The object is not restored, and the plan says what stands in the way.
    #[default]
    Fail,
    /// The newest older backup that is whole is restored, and the plan says so.
    Older,
}

impl OnDamaged {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The request for a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The vault whose backups are restored.
    pub source: SourceName,
    /// The vault that they are restored into.
    pub target: SourceName,
    /// Restore backups as of this time; the newest ones if there is none.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub at: Option<OffsetDateTime>,
    /// Restore what was stored first of each backup, although it was written again or deleted in storage.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first_version: bool,
    /// The requested objects.
    pub selection: Selection,
    /// What is done about names that are taken.
    pub on_conflict: OnConflict,
    /// What is done where a backup is damaged or gone.
    #[serde(default, skip_serializing_if = "OnDamaged::is_default")]
    pub on_damaged: OnDamaged,
    /// Also restore backups that are of another subscription or geography according to the settings: the service
    /// decides.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub other_place: bool,
}
