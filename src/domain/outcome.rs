//! What became of a planned object that has no new backup.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::object::{ObjectId, ObjectKind, ObjectName};

/// The version of the stored form that this program writes.
pub const OUTCOME_FORMAT: u32 = 1;

/// Texts of the service are kept up to this many characters.
const TEXT_LIMIT: usize = 1000;

/// Whether something that went wrong may go right when it is done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Throttling, an outage, a lost connection: do it again later.
    Retry,
    /// Refused for good: record it and go on.
    Fail,
}

/// Why an object could not be backed up, in the words of whoever refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The service's error code, or ours where the service said nothing.
    pub code: String,
    /// The service's text, cut to a thousand characters.
    pub text: String,
    /// The HTTP status, where there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The service's request id, for a support case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Failure {
    /// A failure that we found ourselves.
    pub fn ours(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into(), status: None, request_id: None }.bounded()
    }

    /// Cuts the text, on a character boundary.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        if let Some((cut, _)) = self.text.char_indices().nth(TEXT_LIMIT) {
            self.text.truncate(cut);
        }
        self
    }
}

/// The kinds of outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeKind {
    /// Not backed up, and something is wrong.
    Failed,
    /// Deleted between listing and backup: nothing to back up, nothing wrong.
    Disappeared,
}

/// The record of a planned object that got no backup. Written once per run and object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// [`OUTCOME_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// What became of it.
    pub outcome: OutcomeKind,
    /// What the service said.
    pub failure: Failure,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Outcome {
    /// The record of `failure`, or of the object's disappearance.
    pub fn new(id: &ObjectId, outcome: OutcomeKind, failure: Failure, at: OffsetDateTime) -> Self {
        let at = at.replace_nanosecond(0).unwrap_or(at);
        Self {
            v: OUTCOME_FORMAT,
            kind: id.kind,
            name: id.name.clone(),
            outcome,
            failure: failure.bounded(),
            at,
        }
    }

    /// The object it speaks of.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }
}
