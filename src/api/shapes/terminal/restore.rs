//! Restores that a terminal carries out, and lists of jobs.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::shapes::{
        object::{Clear, Form, Kind},
        plan::Excluded,
        restore::{Numbers, Restore, RestoredObject},
        run::RunItem,
        state::State,
    },
    domain::{
        digest::Digest,
        form,
        object::{ObjectId, ObjectKind, ObjectName},
        restore::{RestoreId, RestoreNumbers, RestorePlan, StepResult},
        source::SourceName,
    },
};

/// The result of a restore that the terminal carried out.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestoreResult {
    /// Its name; absent for a restore without records.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "20261122T101112Z-restore-0f3a9c41")]
    id: Option<String>,
    /// How it ended.
    state: State,
    /// The vault whose backups are restored.
    source: String,
    /// The vault that they are restored into.
    target: String,
    /// The digest of its plan.
    plan: String,
    /// Its numbers.
    numbers: Numbers,
    /// The objects that were tried, in order.
    objects: Vec<RestoredObject>,
    /// The objects that the plan excludes.
    #[serde(rename = "left")]
    excluded: Vec<Excluded>,
}

impl RestoreResult {
    /// The result of carrying out a plan.
    pub fn new(
        plan: &RestorePlan,
        id: Option<&RestoreId>,
        numbers: RestoreNumbers,
        outcomes: &[(ObjectId, StepResult)],
    ) -> Self {
        Self {
            id: id.map(ToString::to_string),
            state: numbers.verdict().into(),
            source: plan.request.source.to_string(),
            target: plan.request.target.to_string(),
            plan: plan.digest().to_string(),
            numbers: numbers.into(),
            objects: outcomes.iter().map(|(id, result)| RestoredObject::ended(id, result)).collect(),
            excluded: plan.excluded.iter().map(|of| Excluded::new(of, plan.request.at)).collect(),
        }
    }
}

/// The restore of a backup in a file.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileRestore {
    /// The vault or HSM that it is restored into.
    #[schema(example = "kv-prod")]
    target: String,
    /// The kind, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    /// The kinds that the backup may be of.
    kinds: Vec<Kind>,
    /// The object's name, once the service has named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The SHA-256 of the file.
    sha256: String,
    /// Whether its form is known.
    form: Form,
    /// The part that is not secret, for a backup of an unknown form.
    #[serde(skip_serializing_if = "Option::is_none")]
    clear: Option<Clear>,
    /// Whether it was restored; with `--what-if` it is not.
    restored: bool,
}

impl FileRestore {
    /// A file that would be restored.
    pub fn planned(
        target: &SourceName,
        kinds: &[ObjectKind],
        sha256: &Digest,
        unknown: Option<&form::Clear>,
    ) -> Self {
        let kinds: Vec<_> = kinds.iter().copied().map(Into::into).collect();
        let kind = kinds.first().copied().filter(|_| kinds.len() == 1);
        Self {
            target: target.to_string(),
            kind,
            kinds,
            name: None,
            sha256: sha256.to_string(),
            form: Form::of(unknown),
            clear: unknown.map(Into::into),
            restored: false,
        }
    }

    /// Whether it is restored.
    pub fn is_restored(&self) -> bool {
        self.restored
    }

    /// The file, once it is restored.
    #[must_use]
    pub fn restored(self, name: Option<&ObjectName>) -> Self {
        Self { name: name.map(ToString::to_string), restored: true, ..self }
    }
}

/// Open runs, and restores, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Jobs {
    /// The open runs.
    pub runs: Vec<RunItem>,
    /// The restores, open or ended.
    pub restores: Vec<Restore>,
}
