//! The results of a restore's steps.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Difference, RESTORE_FORMAT, RestoreId};
use crate::domain::{
    object::{ObjectId, ObjectKind, ObjectName},
    outcome::Failure,
};

/// The result of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum StepResult {
    /// The object is there, and its versions are as the backup recorded them.
    Restored,
    /// It was there already, as the backup has it.
    AlreadyThere,
    /// The soft-deleted object is in use again.
    Recovered,
    /// The object is there, but not as its backup recorded it.
    Differs {
        /// How it differs. Records of older programs do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        difference: Option<Difference>,
    },
    /// Not restored.
    Failed {
        /// Why.
        failure: Failure,
    },
}

impl StepResult {
    /// Whether the object is in the target as the request wants it.
    pub fn succeeded(&self) -> bool {
        !matches!(self, Self::Failed { .. } | Self::Differs { .. })
    }

    /// Whether the step failed.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// Whether the object was compared with its backup.
    pub fn is_compared(&self) -> bool {
        matches!(self, Self::Restored | Self::AlreadyThere | Self::Differs { .. })
    }

    /// Describes how the object differs from its backup, if it does.
    pub fn difference(&self) -> Option<String> {
        let Self::Differs { difference } = self else { return None };
        let unsaid = || "its versions are not those that were recorded at its backup".to_owned();
        Some(difference.as_ref().map_or_else(unsaid, Difference::text))
    }
}

/// The record of a step's result. Written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// [`RESTORE_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// The result.
    #[serde(flatten)]
    pub result: StepResult,
    /// When it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl StepOutcome {
    /// The record of a step's result.
    pub fn new(id: &ObjectId, result: StepResult, at: OffsetDateTime) -> Self {
        Self { v: RESTORE_FORMAT, kind: id.kind, name: id.name.clone(), result, at }
    }

    /// The object.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }
}

/// A reference to a step of an open restore; never any material, and nothing that could be done without the restore's
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

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:11:12 UTC);

    fn secret() -> ObjectId {
        ObjectId::new(ObjectKind::Secret, "db".parse().unwrap())
    }

    #[test]
    fn a_step_succeeds_when_the_target_has_what_the_request_wants() {
        let table = [
            (StepResult::Restored, true),
            (StepResult::AlreadyThere, true),
            (StepResult::Recovered, true),
            (StepResult::Differs { difference: None }, false),
            (StepResult::Failed { failure: Failure::ours("Conflict", "") }, false),
        ];
        for (result, expected) in table {
            assert_eq!(result.succeeded(), expected, "{result:?}");
        }
    }

    #[test]
    fn records_and_messages_speak_of_their_object() {
        let restore = RestoreId::new(NOW, 7);
        assert_eq!(RestoreMessage::new(&restore, &secret()).id(), secret());
        let outcome = StepOutcome::new(&secret(), StepResult::Restored, NOW);
        assert_eq!((outcome.id(), outcome.at), (secret(), NOW));
    }

    #[test]
    fn results_are_stored_as_ever_and_say_more_where_they_differ() {
        let failure = Failure::ours("Conflict", "taken");
        let stored = serde_json::to_string(&failure).unwrap();
        let current = Difference::Current { recorded: "a".parse().unwrap(), found: None };
        let current_stored = r#"{"result":"differs","difference":{"in":"current","recorded":"a"}}"#;
        for (result, json) in [
            (StepResult::Restored, r#"{"result":"restored"}"#.to_owned()),
            (StepResult::AlreadyThere, r#"{"result":"already-there"}"#.to_owned()),
            (StepResult::Recovered, r#"{"result":"recovered"}"#.to_owned()),
            (StepResult::Differs { difference: None }, r#"{"result":"differs"}"#.to_owned()),
            (StepResult::Differs { difference: Some(current) }, current_stored.to_owned()),
            (StepResult::Failed { failure }, format!(r#"{{"result":"failed","failure":{stored}}}"#)),
        ] {
            assert_eq!(serde_json::to_string(&result).unwrap(), json);
            assert_eq!(serde_json::from_str::<StepResult>(&json).unwrap(), result);
            let outcome = StepOutcome::new(&secret(), result, NOW);
            let json = serde_json::to_string(&outcome).unwrap();
            assert_eq!(serde_json::from_str::<StepOutcome>(&json).unwrap(), outcome, "{json}");
        }
    }

    #[test]
    fn what_differs_is_compared_and_said() {
        let versions = Difference::Versions { recorded: 2, found: 3 };
        let current =
            Difference::Current { recorded: "a".parse().unwrap(), found: Some("b".parse().unwrap()) };
        for (result, compared, says) in [
            (StepResult::Restored, true, None),
            (StepResult::AlreadyThere, true, None),
            (StepResult::Recovered, false, None),
            (StepResult::Failed { failure: Failure::ours("Conflict", "") }, false, None),
            (StepResult::Differs { difference: None }, true, Some("not those that were recorded")),
            (StepResult::Differs { difference: Some(versions) }, true, Some("2 recorded, 3 found")),
            (
                StepResult::Differs { difference: Some(Difference::Attributes) },
                true,
                Some("attributes or tags"),
            ),
            (
                StepResult::Differs { difference: Some(current) },
                true,
                Some("the current one is b, and was a at the backup"),
            ),
        ] {
            assert_eq!(result.is_compared(), compared, "{result:?}");
            let words = result.difference();
            assert_eq!(words.is_some(), says.is_some(), "{result:?}");
            assert!(words.unwrap_or_default().contains(says.unwrap_or_default()), "{result:?}");
        }
    }
}
