//! What is observed of a Managed HSM.

use super::{Finding, Severity, remedy::Remedy};
use crate::domain::{cause::Came, hsm::RestoreGrant, source::SourceName};

/// The end of a check that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The backup would work.
    Well,
    /// The backup would not work, in the service's words.
    Failed(String),
    /// It had not ended after so many seconds.
    Running(u64),
    /// The check could not be polled.
    Lost(Came),
}

/// The observations of an HSM.
#[derive(Clone, Debug)]
pub struct HsmSeen {
    /// The HSM.
    pub name: SourceName,
    /// The account of the container that it writes to.
    pub account: String,
    /// That container.
    pub container: String,
    /// Starting a check of a backup.
    pub backup: Came,
    /// How that check ended.
    pub ended: Option<Ended>,
    /// Starting a check of a restore.
    pub restore: Came,
    /// Backing up one key, where the settings name one.
    pub key: Option<Came>,
    /// The account and the container of the records about rights to restore, if one is configured.
    pub records: Option<(String, String)>,
    /// The rights to restore that are on record there, or why they are not known.
    pub grants: Option<Result<Vec<RestoreGrant>, String>>,
}

impl HsmSeen {
    /// An error of this HSM.
    pub(super) fn finding(&self, name: &'static str, seen: String, remedy: Remedy) -> Finding {
        Finding {
            name,
            severity: Severity::Error,
            subject: self.name.to_string(),
            seen,
            why: "The HSM cannot be backed up.",
            remedy,
        }
    }
}
