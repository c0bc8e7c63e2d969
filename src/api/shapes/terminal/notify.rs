//! What came back from the targets of notices.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{domain::notice::Target, notify::Answer};

/// A test of every target.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotifyTest {
    /// The targets, in the order of the setting.
    pub targets: Vec<TestedTarget>,
}

/// A target that was tested. Its address is a secret and not told.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestedTarget {
    /// The host.
    #[schema(example = "hooks.slack.com")]
    host: String,
    /// The form of the message.
    #[schema(example = "slack", pattern = "^(teams|slack|json)$")]
    form: &'static str,
    /// Whether the target took the message.
    delivered: bool,
    /// What came back.
    #[schema(example = "it answered 200")]
    answer: String,
}

impl TestedTarget {
    /// What came back from a target.
    pub fn new(target: &Target, answer: &Answer) -> Self {
        Self {
            host: target.host().to_owned(),
            form: target.form().into(),
            delivered: answer.is_ok(),
            answer: answer.words(),
        }
    }
}
