//! Plans of backups, and backups in files.

use std::path::Path;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::shapes::{
        object::{Clear, Form, Kind},
        run::UnlistedKind,
        state::Scope,
    },
    domain::{
        digest::Digest,
        form,
        object::ObjectId,
        plan::Plan,
        planned::{Decision, Planned},
        source::SourceName,
    },
};

/// What a run would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackupPlan {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// The whole source or some objects.
    scope: Scope,
    /// How many objects would be backed up.
    due: usize,
    /// Kinds that could not be listed.
    unlisted: Vec<UnlistedKind>,
    /// Every object.
    objects: Vec<PlannedObject>,
}

/// An object of a plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlannedObject {
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
    /// Whether it would be backed up, and why.
    decision: BackupDecision,
    /// The run of its newest backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

/// Whether an object is backed up, and why.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum BackupDecision {
    /// Backed up: there is no backup of it yet.
    New,
    /// Backed up: it changed since its last backup.
    Changed,
    /// Backed up: it changed shortly before its last backup.
    Unsettled,
    /// Backed up: the last run could not, or not in a form that is known.
    Missed,
    /// Backed up: everything is due.
    FullPass,
    /// Backed up: it was named.
    Asked,
    /// Skipped: nothing changed since its last backup.
    Unchanged,
    /// Skipped: it belongs to a certificate.
    Managed,
    /// Skipped: the vault manages it, and Key Vault does not back it up.
    VaultManaged,
}

impl From<Decision> for BackupDecision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::New => Self::New,
            Decision::Changed => Self::Changed,
            Decision::Unsettled => Self::Unsettled,
            Decision::Missed => Self::Missed,
            Decision::FullPass => Self::FullPass,
            Decision::Asked => Self::Asked,
            Decision::Unchanged => Self::Unchanged,
            Decision::Managed => Self::Managed,
            Decision::VaultManaged => Self::VaultManaged,
        }
    }
}

impl From<&Plan> for BackupPlan {
    fn from(plan: &Plan) -> Self {
        let object = |planned: &Planned| PlannedObject {
            kind: planned.kind.into(),
            name: planned.name.to_string(),
            decision: planned.decision.into(),
            previous: planned.previous.as_ref().map(ToString::to_string),
        };
        Self {
            source: plan.header.vault.to_string(),
            scope: plan.header.scope.into(),
            due: plan.to_back_up().count(),
            unlisted: plan.header.unlisted.iter().map(Into::into).collect(),
            objects: plan.objects.iter().map(object).collect(),
        }
    }
}

/// A backup of one object in a file.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileBackup {
    /// The source of the object.
    #[schema(example = "kv-prod")]
    source: String,
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
    /// The file.
    #[schema(example = "kv-prod-db-password-20261122T101112Z")]
    file: String,
    /// Whether it was written; with `--what-if` it is not.
    written: bool,
    /// Its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// The SHA-256 of its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Whether its form was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<Form>,
    /// The part that is not secret, for a backup of an unknown form.
    #[serde(skip_serializing_if = "Option::is_none")]
    clear: Option<Clear>,
}

impl FileBackup {
    /// A file that would be written.
    pub fn planned(source: &SourceName, id: &ObjectId, file: &Path) -> Self {
        Self {
            source: source.to_string(),
            kind: id.kind.into(),
            name: id.name.to_string(),
            file: file.display().to_string(),
            written: false,
            bytes: None,
            sha256: None,
            form: None,
            clear: None,
        }
    }

    /// The file, once it is written.
    #[must_use]
    pub fn written(self, bytes: u64, digest: &Digest, unknown: Option<&form::Clear>) -> Self {
        Self {
            written: true,
            bytes: Some(bytes),
            sha256: Some(digest.to_string()),
            form: Some(Form::of(unknown)),
            clear: unknown.map(Into::into),
            ..self
        }
    }
}
