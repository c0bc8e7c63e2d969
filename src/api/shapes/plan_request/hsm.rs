//! Requests to plan a restore into a Managed HSM.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    api::shapes::{
        field::{Moment, optional, present, required},
        named::Named,
        problem::{Problem, ProblemKind},
    },
    domain::{
        hsm::{HsmRequest, What},
        object::ObjectName,
        run::RunId,
        source::SourceName,
    },
};

/// The maximum number of keys in one request.
const KEYS_LIMIT: usize = 1000;

/// What to restore from the backup of a whole HSM: everything, in place of what the target holds, or some keys.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
#[schema(example = json!({ "source": "hsm-prod", "scope": "hsm", "keys": ["signing"] }))]
pub struct HsmPlanRequest {
    /// The HSM whose backup is restored, by its name or its URL.
    #[schema(
        pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$",
        example = "hsm-prod"
    )]
    pub source: String,
    /// Restore from the backup of the whole HSM. Without it, keys that are backed up one by one are restored.
    pub scope: OfHsm,
    /// The HSM to restore into; by default the source. Another HSM must share its security domain.
    #[schema(
        nullable = false,
        pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$"
    )]
    pub target: Option<String>,
    /// The backup of this run; by default the newest good one.
    #[schema(nullable = false, example = "20261122T010000Z-nightly")]
    pub run: Option<String>,
    /// The newest good backup that had ended by this time.
    #[schema(format = DateTime, nullable = false)]
    pub at: Option<String>,
    /// Restore from the copy of that run's backup, which a person put under `restored/` with `hsm copy-back`. Needs `run`.
    #[serde(default)]
    pub restored: bool,
    /// Restore everything: the content of the target is replaced.
    #[serde(default)]
    pub everything: bool,
    /// These keys. The service restores a key only under a free name.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub keys: Vec<String>,
}

/// What to restore from the backup of a whole HSM. Earlier versions named the target like this; use `scope` and `target`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
#[schema(deprecated, example = json!({ "hsm": "hsm-prod", "keys": ["signing"] }))]
pub struct HsmTargetRequest {
    /// The HSM to restore into.
    #[schema(pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$", example = "hsm-prod")]
    pub hsm: String,
    /// The HSM whose backup is restored; by default the same one.
    #[schema(
        nullable = false,
        pattern = "^([A-Za-z][A-Za-z0-9-]{2,23}|https://[A-Za-z][A-Za-z0-9-]{2,23}[.](vault|managedhsm)[.](azure[.]net|usgovcloudapi[.]net|azure[.]cn)/?)$"
    )]
    pub source: Option<String>,
    /// The backup of this run; by default the newest good one.
    #[schema(nullable = false, example = "20261122T010000Z-nightly")]
    pub run: Option<String>,
    /// The newest good backup that had ended by this time.
    #[schema(format = DateTime, nullable = false)]
    pub at: Option<String>,
    /// Restore from the copy of that run's backup, which a person put under `restored/` with `hsm copy-back`. Needs `run`.
    #[serde(default)]
    pub restored: bool,
    /// Restore everything: the content of the HSM is replaced.
    #[serde(default)]
    pub everything: bool,
    /// These keys. The service restores a key only under a free name.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub keys: Vec<String>,
}

/// The scope of a backup of a whole HSM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OfHsm {
    /// A whole Managed HSM.
    Hsm,
}

/// The fields of every request to restore from the backup of a whole HSM.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
pub struct HsmFields {
    #[serde(default, deserialize_with = "present", rename = "scope")]
    _scope: Option<OfHsm>,
    #[serde(default, deserialize_with = "optional")]
    hsm: Option<SourceName>,
    #[serde(default, deserialize_with = "optional")]
    source: Option<Named>,
    #[serde(default, deserialize_with = "optional")]
    target: Option<Named>,
    #[serde(default, deserialize_with = "optional")]
    run: Option<RunId>,
    #[serde(default, deserialize_with = "optional")]
    at: Option<Moment>,
    #[serde(default)]
    restored: bool,
    #[serde(default)]
    everything: bool,
    #[serde(default)]
    keys: Vec<KeyName>,
}

/// The name of a key.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct KeyName(#[serde(deserialize_with = "required")] ObjectName);

impl HsmFields {
    /// Converts the request to the domain's. `known` finds the target of a name.
    ///
    /// # Errors
    /// When the request selects nothing, too many keys, two backups or two targets; those of `known`.
    pub fn request(
        self,
        known: impl Fn(&Named) -> Result<SourceName, Problem>,
    ) -> Result<HsmRequest, Problem> {
        let invalid = |detail: &str| Err(Problem::new(ProblemKind::InvalidBody, detail));
        if self.keys.is_empty() != self.everything {
            return invalid("Say what to restore: either `everything`, or at least one of `keys`.");
        }
        if self.keys.len() > KEYS_LIMIT {
            return invalid("`keys`: expected at most 1000.");
        }
        if self.run.is_some() && self.at.is_some() {
            return invalid("Say which backup: `run` or `at`, not both.");
        }
        if self.restored && self.run.is_none() {
            return invalid("Say which backup: `restored` needs `run`.");
        }
        let mut keys: Vec<_> = self.keys.into_iter().map(|KeyName(name)| name).collect();
        keys.sort();
        keys.dedup();
        let target = Named::either(("target", self.target), ("hsm", self.hsm.as_ref()))?;
        let source = self.source.or_else(|| self.hsm.map(Named::Name));
        let Some(source) = source else { return invalid("missing field `source`.") };
        Ok(HsmRequest {
            target: known(target.as_ref().unwrap_or(&source))?,
            source: source.name().clone(),
            run: self.run,
            at: self.at.map(|Moment(at)| at.to_offset(time::UtcOffset::UTC)),
            restored: self.restored,
            what: if self.everything { What::All } else { What::Keys(keys) },
        })
    }
}
