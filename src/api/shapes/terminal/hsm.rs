//! Managed HSMs.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::shapes::{
        failure::Failure,
        run::RunItem,
        source::{HsmStatus, SecurityDomain},
    },
    copies::back::CopiedBack,
    domain::{hsm::Attestation, outcome, second::Place, source::SourceName},
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

/// The copy of a backup, which was put where a Managed HSM can read it.
#[derive(Debug, Serialize, ToSchema)]
pub struct HsmCopiedBack {
    /// The HSM that was backed up.
    #[schema(example = "hsm-prod")]
    source: String,
    /// The run that left the backup.
    #[schema(example = "20261122T010000Z-nightly")]
    run: String,
    /// The folder in the container.
    #[schema(example = "restored/mhsm-hsm-prod-2026112201000012")]
    folder: String,
    /// How many blobs it has.
    blobs: usize,
    /// Their total size.
    bytes: u64,
    /// How many of them were not there before.
    added: usize,
    /// A command that shows what a restore of everything from it would do.
    pub command: String,
    /// The same as a request to `POST /api/restores/plan`; absent if the copy came from the second place, of which no app knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<HsmCopyRequest>,
}

/// A request to plan a restore from a copy that was brought back.
#[derive(Debug, Serialize, ToSchema)]
pub struct HsmCopyRequest {
    source: String,
    /// Always `hsm`.
    #[schema(example = "hsm")]
    scope: &'static str,
    run: String,
    restored: bool,
    everything: bool,
}

/// That people checked an HSM's security domain.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attested {
    /// The HSM.
    #[schema(example = "hsm-prod")]
    source: String,
    /// The attestation.
    #[serde(flatten)]
    of: SecurityDomain,
}

impl From<&Attestation> for Attested {
    fn from(of: &Attestation) -> Self {
        Self { source: of.hsm.to_string(), of: of.into() }
    }
}

impl HsmCopiedBack {
    /// What was brought back, from this place.
    pub fn new(of: &CopiedBack, from: Place) -> Self {
        let CopiedBack { backup, folder, blobs, bytes, added } = of;
        let (source, run) = (backup.hsm.to_string(), backup.run.to_string());
        let (is_first, flag) = match from {
            Place::First => (true, ""),
            Place::Second => (false, " --second"),
        };
        let request = || HsmCopyRequest {
            source: source.clone(),
            scope: "hsm",
            run: run.clone(),
            restored: true,
            everything: true,
        };
        Self {
            command: format!(
                "keyvault-backup hsm restore --hsm {source} --run {run} --restored{flag} --what-if"
            ),
            request: is_first.then(request),
            source,
            run,
            folder: folder.clone(),
            blobs: *blobs,
            bytes: *bytes,
            added: *added,
        }
    }
}
