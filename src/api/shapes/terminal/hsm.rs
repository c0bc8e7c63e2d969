//! Managed HSMs.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::shapes::{failure::Failure, run::RunItem, source::HsmStatus},
    domain::{outcome, source::SourceName},
};

/// Managed HSMs, and their newest backups.
#[derive(Debug, Serialize, ToSchema)]
pub struct HsmStatuses {
    /// The HSMs.
    pub hsms: Vec<HsmStatus>,
    /// The newest backups, open ones among them.
    pub runs: Vec<RunItem>,
}

/// The service's answer to whether a backup or a restore could be made.
#[derive(Debug, Serialize, ToSchema)]
pub struct HsmCheck {
    /// The HSM.
    #[schema(example = "hsm-prod")]
    source: String,
    /// The same as `source`, which replaces it.
    #[schema(deprecated, example = "hsm-prod")]
    hsm: String,
    /// `backup` or `restore`.
    #[schema(example = "backup", pattern = "^(backup|restore)$")]
    check: &'static str,
    /// Whether it could be made; absent if the service cannot be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    possible: Option<bool>,
    /// Why it could not, or why the service cannot be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

impl HsmCheck {
    /// An answer.
    pub fn new(
        hsm: &SourceName,
        check: &'static str,
        possible: Option<bool>,
        failure: Option<&outcome::Failure>,
    ) -> Self {
        Self {
            source: hsm.to_string(),
            hsm: hsm.to_string(),
            check,
            possible,
            failure: failure.map(Into::into),
        }
    }
}
