//! What verification finds wrong.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::{
    object::{ObjectId, ObjectKind, ObjectName},
    run::RunId,
};

/// What is wrong with something that is stored.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Fault {
    /// It is named, and not there.
    Missing,
    /// Its bytes are not those that were stored, in two whole reads.
    Damaged,
    /// Its bytes are whole, and are not the ones that the index or the manifest names.
    Differs,
    /// It was written again in storage.
    Rewritten,
    /// It was deleted in storage, and no record of retention says so.
    Deleted,
    /// A manifest or a plan cannot be read, or does not agree with what it names.
    Catalogue,
    /// The folder of an HSM's backup is not as the backup left it.
    Folder,
    /// The copy of an HSM's backup is not as it was recorded. The backup itself may be whole.
    Copy,
    /// A fault that a newer program knows.
    #[serde(other)]
    Other,
}

impl Fault {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Something that a pass found wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub fault: Fault,
    /// The blob, or the folder of an HSM's backup.
    pub blob: String,
    /// The run that left it.
    pub run: RunId,
    /// The kind of the object whose backup it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ObjectKind>,
    /// The object's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ObjectName>,
    /// Whether it is the newest backup of its object, or of the HSM.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newest: bool,
    /// What was seen.
    pub text: String,
    /// When a pass first found it.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

impl Finding {
    /// The object whose backup it is about.
    pub fn object(&self) -> Option<ObjectId> {
        Some(ObjectId::new(self.kind?, self.name.clone()?))
    }

    /// Whether it says that a backup is not there any more.
    pub const fn is_gone(&self) -> bool {
        matches!(self.fault, Fault::Missing | Fault::Deleted)
    }

    /// Whether it is the finding of an earlier pass again.
    pub fn is_again(&self, earlier: &Self) -> bool {
        self.blob == earlier.blob && self.fault == earlier.fault
    }
}
