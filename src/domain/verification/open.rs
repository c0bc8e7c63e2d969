//! A verification that is under way.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{Choice, Finding};
use crate::domain::source::{SourceKind, SourceName};

/// The version of the stored form that this program writes.
pub const OPEN_VERIFICATION_FORMAT: u32 = 1;

/// How long a pass may record no progress before another process goes on with it.
const GOES_ON_AFTER: Duration = Duration::minutes(5);

/// The record of a verification that is under way: how far it has read. Another process goes on from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenVerification {
    /// [`OPEN_VERIFICATION_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// Vault or Managed HSM.
    pub kind: SourceKind,
    /// The source.
    pub source: SourceName,
    /// When the pass began.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When this was recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Which backups it reads.
    pub choice: Choice,
    /// What it has read.
    #[serde(flatten)]
    pub read: ReadSoFar,
}

/// What a verification has read so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSoFar {
    /// The last backup in the order of names up to which everything was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<String>,
    /// How many were read.
    pub backups: u32,
    /// Their size.
    pub bytes: u64,
    /// How many could not be verified.
    #[serde(default)]
    pub unverified: u32,
    /// What was wrong with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl OpenVerification {
    /// The record of a pass that begins.
    pub fn begin(kind: SourceKind, source: SourceName, choice: Choice, now: OffsetDateTime) -> Self {
        let read = ReadSoFar::default();
        Self { v: OPEN_VERIFICATION_FORMAT, kind, source, started: now, at: now, choice, read }
    }

    /// Whether no process seems to be at work on it.
    pub fn is_left(&self, now: OffsetDateTime) -> bool {
        !(self.at..self.at + GOES_ON_AFTER).contains(&now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{samples::NIGHT, verification::Rotation};

    #[test]
    fn a_pass_without_progress_is_left_to_another_process() {
        let choice =
            Choice::Turn { within: Rotation::DEFAULT, days: super::super::Days::since(None, NIGHT.date()) };
        let open = OpenVerification::begin(SourceKind::Vault, "kv-a".parse().unwrap(), choice, NIGHT);
        let second = Duration::SECOND;
        for (now, left) in [
            (NIGHT, false),
            (NIGHT + GOES_ON_AFTER - second, false),
            (NIGHT + GOES_ON_AFTER, true),
            (NIGHT - second, true), // its clock was ahead
        ] {
            assert_eq!(open.is_left(now), left, "{now}");
        }
    }
}
