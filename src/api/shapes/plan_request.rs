//! Requests to plan and to start a restore.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    field::{Moment, optional, present, required},
    named::Named,
    object::Kind,
    plan::{Conflict, Damaged},
    problem::{Problem, ProblemKind},
};
use crate::domain::{
    digest::Digest,
    filter::NameFilter,
    object::{ObjectId, ObjectName},
    restore::{Request, Selection},
    source::SourceName,
};

mod hsm;

pub use self::hsm::{HsmFields, HsmPlanRequest, HsmTargetRequest};

/// The maximum number of objects that one request may name.
const OBJECTS_LIMIT: usize = 1000;

/// What to restore: objects that are backed up one by one, or, with `scope`, the backup of a whole Managed HSM.
// For the description only: `HsmOr` decodes it, and names the field at fault.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = AnyPlanRequest)]
pub enum AnyPlanRequest {
    /// Objects that are backed up one by one.
    Vault(PlanRequest),
    /// From the backup of a whole HSM.
    Hsm(HsmPlanRequest),
    /// The same, as earlier versions named the target.
    Target(HsmTargetRequest),
}

/// An object by its name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object with kind and name")]
pub struct RestoreObject {
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[serde(deserialize_with = "required")]
    #[schema(value_type = String, pattern = "^[0-9a-zA-Z-]{1,127}$", example = "db-password")]
    name: ObjectName,
}

/// What to restore. An object must match every filter that is given; use `everything` for the whole vault.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "expected an object")]
#[expect(clippy::struct_excessive_bools, reason = "the fields of the body")]
#[schema(example = json!({ "source": "kv-prod", "objects": [{ "kind": "secret", "name": "db-password" }] }))]
pub struct PlanRequest {
    /// The vault whose backups are restored, or the HSM of whose single keys, by its name or its URL.
    #[serde(deserialize_with = "required")]
    #[schema(value_type = String, pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$", example = "kv-prod")]
    source: Named,
    /// The vault or HSM to restore into; by default the source.
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$")]
    target: Option<Named>,
    /// Backups as of this time; by default the newest.
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    at: Option<Moment>,
    /// What was stored first of each backup, although it was written again or deleted in storage.
    #[serde(default)]
    first_version: bool,
    /// These objects, by name.
    #[serde(default)]
    #[schema(max_items = 1000)]
    objects: Vec<RestoreObject>,
    /// Only these kinds.
    #[serde(default)]
    #[schema(max_items = 3)]
    kinds: Vec<Kind>,
    /// Only names that match; `*` stands for any characters.
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^[0-9a-zA-Z*-]{1,127}$", example = "db-*")]
    name: Option<NameFilter>,
    /// Only objects whose newest version had these tags. An object that never had a backup matches, because its tags
    /// are not known; an object with more tags than its record holds is a conflict where the recorded tags do not
    /// decide.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// All objects of the source.
    #[serde(default)]
    everything: bool,
    /// Also objects that had disappeared from the source by then. Those in `objects` are restored in any case.
    #[serde(default)]
    gone: bool,
    /// What happens when a name is taken in the target.
    #[serde(default)]
    on_conflict: Conflict,
    /// What happens when a backup is damaged or gone.
    #[serde(default)]
    on_damaged: Damaged,
    /// Also backups that are, by `KEYVAULT_BACKUP_PLACES`, of another subscription or geography than the target: the
    /// service decides.
    #[serde(default)]
    other_place: bool,
}

impl PlanRequest {
    /// Converts the request to the domain's. `known` finds the source of a name.
    ///
    /// # Errors
    /// When the request selects nothing, or too many objects by name; those of `known`.
    pub fn request(self, known: impl Fn(&Named) -> Result<SourceName, Problem>) -> Result<Request, Problem> {
        let invalid = |detail: &str| Err(Problem::new(ProblemKind::InvalidBody, detail));
        if self.objects.len() > OBJECTS_LIMIT {
            return invalid("`objects`: expected at most 1000; use `name`, `kinds` or `tags` for more.");
        }
        let any = !self.objects.is_empty()
            || !self.kinds.is_empty()
            || self.name.is_some()
            || !self.tags.is_empty();
        if any == self.everything {
            return invalid(
                "Say what to restore: either `everything`, or at least one of `objects`, `kinds`, `name` and `tags`.",
            );
        }
        let objects = self.objects.into_iter().map(|of| ObjectId::new(of.kind.into(), of.name)).collect();
        let source = known(&self.source)?;
        Ok(Request {
            target: self.target.as_ref().map_or_else(|| Ok(source.clone()), known)?,
            source,
            at: self.at.map(|Moment(at)| at.to_offset(time::UtcOffset::UTC)),
            first_version: self.first_version,
            selection: Selection {
                objects,
                kinds: self.kinds.into_iter().map(Into::into).collect(),
                pattern: self.name,
                tags: self.tags,
                gone: self.gone,
            },
            on_conflict: self.on_conflict.into(),
            on_damaged: self.on_damaged.into(),
            other_place: self.other_place,
        })
    }
}

/// The plan to carry out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "expected an object")]
pub struct StartRequest {
    /// The digest of a plan that `POST /api/restores/plan` made.
    #[serde(deserialize_with = "digest")]
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    pub plan: Digest,
    /// The name of the Managed HSM, if the plan replaces everything in it. Other plans do not need it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub confirm: Option<String>,
}

fn digest<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let expected = |_| serde::de::Error::custom("expected the 64 hexadecimal digits of a plan's digest");
    String::deserialize(deserializer)?.parse().map_err(expected)
}
