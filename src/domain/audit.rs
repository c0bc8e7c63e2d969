//! The audit trail: which actor requested what, in records that are chained by their digests.
//!
//! The trail has sections, so that no process waits for another to write: one process writes a section, by one
//! [right](super::right), for a day at most. The start of a restore under an idempotency key may be recorded by several
//! processes at once and has a section of its own: all of them write the same record. In other sections the records are
//! numbered, and each holds the name and the digest of the previous one, so a missing or changed record is detected.
//! The first record holds the newest records of the sections of that right that existed when it began, so a section
//! that is missing, or has lost what it had by then, is detected too.
//!
//! Two losses cannot be detected: the newest records of a section if no later record names them, and a section that no
//! later one has named. Immutable storage protects those.
//!
//! Older programs wrote one chain for everything. It stays as it is; the first section of each right holds its newest
//! record.

mod chain;
mod event;
mod expected;
mod subject;
mod words;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

pub use self::{
    chain::{Fault, Link, Section, check},
    event::Event,
    expected::{Expected, ExpectedError, Head, Met},
};
use super::{actor::Actor, record::Format};

/// The version of the stored form that this program writes.
pub const AUDIT_FORMAT: u32 = 2;

/// Deadline for the process that ends a job to record the end; after it another process does, unless the trail has it
/// already.
pub const TOLD_WITHIN: Duration = Duration::minutes(2);

/// A record of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`AUDIT_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// When it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The actor.
    pub by: Actor,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// The previous record; `None` for the first of its section.
    pub after: Option<Link>,
    /// In the first record of a section: the newest records of the sections that existed when it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Link>,
}

impl Record {
    /// Parses a record.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] or [`Fault::TooNew`].
    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let format: Format = serde_json::from_slice(bytes).map_err(|_| Fault::Unreadable)?;
        match format.newer_than(AUDIT_FORMAT) {
            Some(found) => Err(Fault::TooNew { found }),
            None => serde_json::from_slice(bytes).map_err(|_| Fault::Unreadable),
        }
    }
}
