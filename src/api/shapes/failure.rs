//! Failures, as they are answered.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{failed, outcome};

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

/// Objects that failed with one code and status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FailedObjects)]
pub struct Failed {
    /// How many there are.
    objects: u32,
    /// Why the first of them failed.
    failure: Failure,
}

impl Failed {
    /// Why objects failed, summed up.
    pub fn alike(failures: impl IntoIterator<Item = outcome::Failure>) -> Vec<Self> {
        let failed = failed::alike(failures).into_iter();
        failed.map(|of| Self { objects: of.objects, failure: (&of.failure).into() }).collect()
    }
}
