//! What became of the steps of a restore.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{RESTORE_FORMAT, RestoreId};
use crate::domain::{
    object::{ObjectId, ObjectKind, ObjectName},
    outcome::Failure,
};

/// How long a step may wait for a vault that is busy with its name. Recorded traffic shows seven minutes
/// after a purge.
const BUSY_FOR: Duration = Duration::minutes(20);

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result", content = "failure")]
pub enum StepResult {
    /// The object is there, and its versions are as the backup recorded them.
    Restored,
    /// It was there already, as the backup has it.
    AlreadyThere,
    /// The soft-deleted object is in use again.
    Recovered,
    /// The object is there, and its versions are not as recorded: somebody is at work on it, or it changed
    /// while it was backed up.
    Differs,
    /// Not restored.
    Failed(Failure),
}

impl StepResult {
    /// Whether the object is in the target as the request wants it.
    pub fn succeeded(&self) -> bool {
        !matches!(self, Self::Failed(_) | Self::Differs)
    }
}

/// The record of a step's end. Written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// [`RESTORE_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// What became of it.
    #[serde(flatten)]
    pub result: StepResult,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl StepOutcome {
    /// The record of what became of a step.
    pub fn new(id: &ObjectId, result: StepResult, at: OffsetDateTime) -> Self {
        let at = at.replace_nanosecond(0).unwrap_or(at);
        Self { v: RESTORE_FORMAT, kind: id.kind, name: id.name.clone(), result, at }
    }

    /// The object.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }
}

/// The record that a step waits for a vault which is busy with the object's name. Written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// [`RESTORE_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

impl Waiting {
    /// Begins to wait.
    pub fn since(now: OffsetDateTime) -> Self {
        Self { v: RESTORE_FORMAT, since: now.replace_nanosecond(0).unwrap_or(now) }
    }

    /// Whether that was long enough.
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        now - self.since >= BUSY_FOR
    }
}

/// A reference to a step of an open restore; never any material, and nothing that could be done without its
/// plan. For the names of its fields see [`Message`](crate::domain::message::Message).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreMessage {
    /// [`RESTORE_FORMAT`] of the program that sent it.
    pub version: u32,
    /// The restore.
    pub restore: RestoreId,
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub object: ObjectName,
}

impl RestoreMessage {
    /// The message for one step.
    pub fn new(restore: &RestoreId, id: &ObjectId) -> Self {
        Self { version: RESTORE_FORMAT, restore: restore.clone(), kind: id.kind, object: id.name.clone() }
    }

    /// The object.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.object.clone())
    }
}
