//! Failures, as they are answered.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::outcome;

/// Why something failed, in the words of the service that refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The service's error code, or this program's where the service gave none.
    #[schema(example = "Forbidden/ForbiddenByRbac")]
    code: String,
    /// The service's text.
    text: String,
    /// The service's HTTP status, where it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// The service's request id, for a support case.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl From<&outcome::Failure> for Failure {
    fn from(failure: &outcome::Failure) -> Self {
        let outcome::Failure { code, text, status, request_id } = failure.clone();
        Self { code, text, status, request_id }
    }
}
