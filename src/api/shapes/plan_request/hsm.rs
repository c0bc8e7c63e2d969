//! Requests to plan a restore into a Managed HSM.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    api::shapes::{
        field::{Moment, optional, required},
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

/// What to restore into an HSM: everything, in place of what it holds, or some keys.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
#[schema(example = json!({ "hsm": "hsm-prod", "keys": ["signing"] }))]
pub struct HsmPlanRequest {
    /// The HSM to restore into.
    #[serde(deserialize_with = "required")]
    #[schema(value_type = String, pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$", example = "hsm-prod")]
    hsm: SourceName,
    /// The HSM whose backup is restored; by default the same one. Another HSM must share its security domain.
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$")]
    source: Option<SourceName>,
    /// The backup of this run; by default the newest good one.
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = Option<String>, nullable = false, example = "20261122T010000Z-nightly")]
    run: Option<RunId>,
    /// The newest good backup that had ended by this time.
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    at: Option<Moment>,
    /// Restore everything: the content of the HSM is replaced.
    #[serde(default)]
    everything: bool,
    /// These keys. The service restores a key only under a free name.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 1000)]
    keys: Vec<KeyName>,
}

/// The name of a key.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct KeyName(#[serde(deserialize_with = "required")] ObjectName);

impl HsmPlanRequest {
    /// Converts the request to the domain's.
    ///
    /// # Errors
    /// When the request selects nothing, too many keys, or two backups.
    pub fn request(self) -> Result<HsmRequest, Problem> {
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
        let mut keys: Vec<_> = self.keys.into_iter().map(|KeyName(name)| name).collect();
        keys.sort();
        keys.dedup();
        Ok(HsmRequest {
            source: self.source.unwrap_or_else(|| self.hsm.clone()),
            target: self.hsm,
            run: self.run,
            at: self.at.map(|Moment(at)| at.to_offset(time::UtcOffset::UTC)),
            what: if self.everything { What::All } else { What::Keys(keys) },
        })
    }
}
