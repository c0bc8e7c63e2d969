//! Verification: whether what is stored is still what was stored.
//!
//! A pass over a source compares what its index names with what storage lists, reads a part of the backups again, and
//! compares manifests with the backups that they name. It is recorded, with its findings. The newest record of a source
//! has every finding that is open: what a pass found damaged, each later pass reads again, whatever its turn.

mod agreement;
mod bytes;
mod finding;
mod named;
mod open;
mod readings;
mod rotation;
mod share;
mod soundness;
mod suspects;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::{
    agreement::{Agreement, Disagreement},
    bytes::{Stored, fault_of},
    finding::{Fault, Finding},
    named::{Address, Expected, Named},
    open::{OPEN_VERIFICATION_FORMAT, OpenVerification, ReadSoFar},
    readings::{Reading, Readings},
    rotation::{Choice, Days, NEWEST_WITHIN, Rotation},
    share::{Share, ShareError},
    soundness::{Soundness, WhyNothing},
    suspects::{Suspects, Verified},
};
use super::source::{SourceKind, SourceName};

/// The version of the stored form that this program writes.
pub const VERIFICATION_FORMAT: u32 = 1;

/// What a pass over a source came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// [`VERIFICATION_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// Vault or Managed HSM.
    pub kind: SourceKind,
    /// The source.
    pub source: SourceName,
    /// When the pass began. What was stored later was not verified.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// Which backups were read again.
    pub choice: Choice,
    /// Its numbers.
    pub counts: Counts,
    /// What it found wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// The numbers of a pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Backups that the newest index names; of an HSM, the backups that are kept.
    pub named: u32,
    /// How many of them are not there, or of another size.
    #[serde(default, skip_serializing_if = "super::run::is_zero")]
    pub missing: u32,
    /// Backups that storage has, named by the newest index or not; of an HSM, the blobs in the folders of its backups.
    pub stored: u32,
    /// Backups that were read whole.
    pub read: u32,
    /// Their size.
    pub bytes: u64,
    /// Manifests that were compared with their plans and backups.
    pub manifests: u32,
    /// Backups that no manifest names: those of open runs, and of runs that ended without one. They stay.
    #[serde(default, skip_serializing_if = "super::run::is_zero")]
    pub strays: u32,
    /// Backups and records that could not be verified: a newer program wrote them, or they cannot be reached.
    #[serde(default, skip_serializing_if = "super::run::is_zero")]
    pub unverified: u32,
}

impl Verification {
    /// The findings about the newest backup of an object, or of the HSM.
    pub fn of_newest(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.newest)
    }

    /// What a listing shows of it.
    pub fn summary(&self) -> VerificationSummary {
        VerificationSummary {
            v: self.v,
            started: self.started,
            ended: self.ended,
            choice: Some(self.choice),
            counts: self.counts.clone(),
            findings: super::record::count(self.findings.len()),
            of_newest: super::record::count(self.of_newest().count()),
        }
    }
}

/// What a listing shows of a pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationSummary {
    /// [`VERIFICATION_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// When the pass began. What was stored later was not verified.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// Which backups were read again. Absent in records of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
    /// Its numbers.
    pub counts: Counts,
    /// How many things it found wrong.
    #[serde(default, skip_serializing_if = "super::run::is_zero")]
    pub findings: u32,
    /// How many of them are about the newest backup of an object, or of the HSM.
    #[serde(default, skip_serializing_if = "super::run::is_zero")]
    pub of_newest: u32,
}
