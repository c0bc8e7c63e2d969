//! Requests for a backup, and the answer to them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    failure::Failed,
    field::{present, required},
    links::{Links, job_id},
    object::Kind,
    run::Numbers,
    state::State as RunState,
};
use crate::domain::{
    manifest::Summary,
    object::{ObjectId, ObjectName},
    outcome::Failure,
    run::RunId,
    source::SourceName,
};

/// What to back up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
#[schema(example = json!({ "vault": "kv-prod", "objects": [{ "kind": "secret", "name": "db-password" }] }))]
pub struct BackupOrder {
    /// The vault's name.
    #[serde(deserialize_with = "required")]
    #[schema(value_type = String, pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$")]
    pub vault: SourceName,
    /// These objects, changed or not. Without it the whole vault is backed up, as in the nightly run.
    // A null is refused: it may be a list that the client lost, and not a request for everything.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_items = 1, max_items = 1000)]
    pub objects: Option<Vec<OrderedObject>>,
}

/// A whole Managed HSM to back up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
#[schema(example = json!({ "hsm": "hsm-prod" }))]
pub struct HsmOrder {
    /// The HSM's name.
    #[serde(deserialize_with = "required")]
    #[schema(value_type = String, pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$")]
    pub hsm: SourceName,
}

/// What to back up: a vault or some of its objects, or, with `hsm`, a whole Managed HSM.
// For the description only: `HsmOr` decodes it, and names the field at fault.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum AnyBackupOrder {
    /// A vault.
    Vault(BackupOrder),
    /// An HSM.
    Hsm(HsmOrder),
}

/// An object to back up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
pub struct OrderedObject {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    #[serde(deserialize_with = "required")]
    #[schema(value_type = String, pattern = "^[A-Za-z0-9-]{1,127}$")]
    pub name: ObjectName,
}

impl From<OrderedObject> for ObjectId {
    fn from(object: OrderedObject) -> Self {
        Self::new(object.kind.into(), object.name)
    }
}

/// A run that was started.
#[derive(Debug, Serialize, ToSchema)]
pub struct Started {
    /// The run's name.
    #[schema(example = "20261122T101500Z-manual-1a2b")]
    run: String,
    /// The job's name.
    #[schema(example = "kv-prod_20261122T101500Z-manual-1a2b")]
    job: String,
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// `Running`, or how the run ended within the request.
    state: RunState,
    /// The run's numbers, if it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<Numbers>,
    /// Why objects failed, the most common reasons first, if the run has ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failed>,
    /// The addresses of the run and the job.
    links: Links,
    /// Why the run does not begin for now, if that is known: jobs do not progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

impl Started {
    /// A run that has ended within the request.
    pub fn ended(source: &SourceName, summary: &Summary, failures: Vec<Failure>) -> Self {
        Self {
            state: summary.verdict.into(),
            numbers: Some((&summary.numbers).into()),
            failures: Failed::alike(failures),
            ..Self::running(source, &summary.run, None)
        }
    }

    /// A run that is under way.
    pub fn running(source: &SourceName, run: &RunId, warning: Option<String>) -> Self {
        Self {
            run: run.to_string(),
            job: job_id(source, run),
            source: source.to_string(),
            state: RunState::Running,
            numbers: None,
            failures: Vec::new(),
            links: Links::new(source, run),
            warning,
        }
    }
}
