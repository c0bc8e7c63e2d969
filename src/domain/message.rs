//! The message that requests the backup of one object.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    object::{ObjectId, ObjectKind, ObjectName},
    plan::PlanHeader,
    planned::{Decision, Planned},
    run::RunId,
    source::SourceName,
};

/// The version of the form that this program sends.
pub const MESSAGE_FORMAT: u32 = 1;

/// A reference to a planned object; never any material.
///
/// It names an object of a run, and no more: a sender of messages must not be able to decide what a run backs up.
/// `planned`, `previous` and `asked` are for programs that do not read the plan; this program does not trust
/// them.
///
/// The host merges a message's fields into the invocation's metadata, over its own: no field may be called `id`,
/// `dequeueCount` or the like. Unknown fields are ignored, since other senders add their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// [`MESSAGE_FORMAT`] of the program that sent it.
    pub version: u32,
    /// The vault.
    pub vault: SourceName,
    /// The run.
    pub run: RunId,
    /// When the run was planned.
    #[serde(with = "time::serde::timestamp")]
    pub planned: OffsetDateTime,
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub object: ObjectName,
    /// The run of the object's newest backup so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<RunId>,
    /// The object was requested by name: it is then a failure if it does not exist.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
}

impl Message {
    /// The message for one object of a plan.
    pub fn new(header: &PlanHeader, planned: &Planned) -> Self {
        Self {
            version: MESSAGE_FORMAT,
            vault: header.vault.clone(),
            run: header.run.clone(),
            planned: header.planned,
            kind: planned.kind,
            object: planned.name.clone(),
            previous: planned.previous.clone(),
            asked: planned.decision == Decision::Asked,
        }
    }

    /// The object whose backup it requests.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.object.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        run::Scope,
        samples::{NIGHT, secret},
    };

    #[test]
    fn a_message_names_a_planned_object_and_whether_somebody_asked_for_it() {
        let header = PlanHeader::new("kv-prod".parse().unwrap(), RunId::nightly(NIGHT), Scope::Vault, NIGHT);
        for (decision, asked) in [(Decision::New, false), (Decision::Missed, false), (Decision::Asked, true)]
        {
            let message = Message::new(&header, &Planned::new(secret("db"), decision));
            assert_eq!(
                (message.id(), message.run, message.asked),
                (secret("db"), RunId::nightly(NIGHT), asked)
            );
        }
    }
}
