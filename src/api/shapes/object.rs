//! The kind of an object, and the form of its backups.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{
    form,
    object::{ObjectId, ObjectKind},
};

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A certificate, with its key and secret.
    Certificate,
    /// A key.
    Key,
    /// A secret.
    Secret,
}

impl From<ObjectKind> for Kind {
    fn from(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::Certificate => Self::Certificate,
            ObjectKind::Key => Self::Key,
            ObjectKind::Secret => Self::Secret,
        }
    }
}

impl From<Kind> for ObjectKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Certificate => Self::Certificate,
            Kind::Key => Self::Key,
            Kind::Secret => Self::Secret,
        }
    }
}

/// Whether the program that took a backup knew its form. A backup of an unknown form is kept like any other, but only
/// the service can tell whether it is intact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = BackupForm)]
pub enum Form {
    /// The form is known, and the backup was checked against it.
    Known,
    /// The form is not known.
    Unknown,
}

impl Form {
    /// The form of a backup; the clear part is given for one of an unknown form.
    pub fn of(unknown: Option<&form::Clear>) -> Self {
        if unknown.is_some() { Self::Unknown } else { Self::Known }
    }
}

/// The part of a backup of an unknown form that is not secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ClearPart)]
pub struct Clear {
    /// The tag at the backup's start, if it has the form of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "AzureKeyVaultSecretBackupV2.microsoft.com")]
    tag: Option<String>,
    /// The names in the backup's JWE header.
    header: Vec<String>,
}

impl From<&form::Clear> for Clear {
    fn from(of: &form::Clear) -> Self {
        Self { tag: of.tag.clone(), header: of.header.clone() }
    }
}

/// Objects whose newest backup has an unknown form.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct UnknownForms {
    /// How many there are.
    total: usize,
    /// The first hundred.
    objects: Vec<UnknownForm>,
}

/// An object whose newest backup has an unknown form.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnknownForm {
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
    /// The part of the backup that is not secret.
    clear: Clear,
}

impl UnknownForms {
    /// A number of objects, of which the first are named.
    pub fn new(total: usize, first: &[(ObjectId, form::Clear)]) -> Self {
        let object = |(id, clear): &(ObjectId, form::Clear)| UnknownForm {
            kind: id.kind.into(),
            name: id.name.to_string(),
            clear: clear.into(),
        };
        Self { total, objects: first.iter().map(object).collect() }
    }
}
