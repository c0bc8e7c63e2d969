//! Requests for a backup, and the answer to them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    failure::Failed,
    field::{optional, present, required},
    links::{Links, hsm_job_id, job_id},
    named::Named,
    object::Kind,
    problem::{Problem, ProblemKind},
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
#[schema(example = json!({ "source": "kv-prod", "objects": [{ "kind": "secret", "name": "db-password" }] }))]
pub struct BackupOrder {
    /// The vault or Managed HSM, by its name or its URL.
    #[schema(value_type = String, pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$", example = "kv-prod")]
    pub source: String,
    /// These objects, changed or not; of an HSM, keys. Without it everything is backed up: of a vault as in the nightly
    /// run, of an HSM as a whole.
    #[schema(nullable = false, min_items = 1, max_items = 1000)]
    pub objects: Option<Vec<OrderedObject>>,
}

/// A vault, or some of its objects, to back up. Earlier versions named the vault like this; use `source`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
#[schema(deprecated, example = json!({ "vault": "kv-prod" }))]
pub struct VaultOrder {
    /// The vault's name.
    #[schema(pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$")]
    pub vault: String,
    /// These objects, changed or not.
    #[schema(nullable = false, min_items = 1, max_items = 1000)]
    pub objects: Option<Vec<OrderedObject>>,
}

/// A whole Managed HSM to back up. Earlier versions named the HSM like this; use `source`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
#[schema(deprecated, example = json!({ "hsm": "hsm-prod" }))]
pub struct HsmOrder {
    /// The HSM's name.
    #[schema(pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$")]
    pub hsm: String,
}

/// What to back up: a vault, a whole Managed HSM, or some objects of either.
// For the description only: `OrderFields` decodes it, and names the field at fault.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum AnyBackupOrder {
    /// A vault or an HSM.
    Source(BackupOrder),
    /// A vault, as earlier versions named it.
    Vault(VaultOrder),
    /// An HSM, as earlier versions named it.
    Hsm(HsmOrder),
}

/// The fields of every order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
pub struct OrderFields {
    #[serde(default, deserialize_with = "optional")]
    source: Option<Named>,
    #[serde(default, deserialize_with = "optional")]
    vault: Option<SourceName>,
    #[serde(default, deserialize_with = "optional")]
    hsm: Option<SourceName>,
    // A null is refused: it may be a list that the client lost, and not a request for everything.
    #[serde(default, deserialize_with = "present")]
    objects: Option<Vec<OrderedObject>>,
}

/// The field that names the source of an order, which earlier versions had for each kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `source`: of any kind.
    Source,
    /// `vault`, also beside `source`.
    Vault,
    /// `hsm`, also beside `source`.
    Hsm,
}

/// An order, whichever fields name its source.
#[derive(Debug)]
pub struct Order {
    /// The source.
    pub source: Named,
    /// The field that says what the source is.
    pub field: Field,
    /// The requested objects; `None` for everything.
    pub objects: Option<Vec<OrderedObject>>,
}

impl OrderFields {
    /// The order.
    ///
    /// # Errors
    /// When no field names the source, or fields contradict each other.
    pub fn order(self) -> Result<Order, Problem> {
        let invalid = |detail: &str| Problem::new(ProblemKind::InvalidBody, detail);
        let Self { source, vault, hsm, objects } = self;
        if hsm.is_some() && (vault.is_some() || objects.is_some()) {
            return Err(invalid(
                "`hsm` is a whole HSM: expected neither `vault` nor `objects` beside it; `source` takes either kind of \
                 source, and `objects` single keys.",
            ));
        }
        let (field, old, formerly) = match (&vault, &hsm) {
            (Some(vault), _) => (Field::Vault, "vault", Some(vault)),
            (None, Some(hsm)) => (Field::Hsm, "hsm", Some(hsm)),
            (None, None) => (Field::Source, "", None),
        };
        let source = Named::either(("source", source), (old, formerly))?;
        let source = source.ok_or_else(|| invalid("missing field `source`."))?;
        Ok(Order { source, field, objects })
    }
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
        Self::of(source, run, &job_id(source, run), warning)
    }

    /// A backup of a whole HSM that is under way.
    pub fn of_hsm(hsm: &SourceName, run: &RunId, warning: Option<String>) -> Self {
        Self::of(hsm, run, &hsm_job_id(hsm, run), warning)
    }

    fn of(source: &SourceName, run: &RunId, job: &str, warning: Option<String>) -> Self {
        Self {
            run: run.to_string(),
            job: job.to_owned(),
            source: source.to_string(),
            state: RunState::Running,
            numbers: None,
            failures: Vec::new(),
            links: Links::new(run, job),
            warning,
        }
    }
}
