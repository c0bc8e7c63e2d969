//! Errors of the services, in the domain's words.

use azure_core::{
    error::{ErrorKind, ErrorResponse},
    http::{RawResponse, StatusCode, headers::HeaderName},
};

use crate::domain::outcome::{Failure, Fate};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

/// What a failed call means. Only this module knows HTTP statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// 429.
    Throttled,
    /// 408 and 5xx.
    Unavailable,
    /// No answer, or half of one.
    Network,
    /// 401 after a fresh token.
    Unauthorized,
    /// 403: by access policy, role, firewall or state of the object.
    Forbidden,
    /// 404.
    NotFound,
    /// 409 or 412 because the thing is there already or has changed.
    Exists,
    /// 409 for any other reason: the object is being deleted, recovered, changed.
    Busy,
    /// Any other refusal.
    Refused,
    /// An answer that makes no sense.
    Nonsense,
    /// No token could be had.
    NoToken,
    /// Never sent: the host is not configured, or the request is not possible.
    NotSent,
}

/// A failed call: what was tried, on what, and what the service said.
#[derive(Debug, thiserror::Error)]
#[error("Failed to {what}: {code}: {text}", code = failure.code, text = failure.text)]
pub struct ServiceError {
    /// What was tried, as an infinitive with its subject.
    pub what: String,
    /// What the failure means.
    pub meaning: Meaning,
    /// What the service said.
    pub failure: Box<Failure>,
}

impl ServiceError {
    /// An answer that makes no sense, found by us.
    pub fn nonsense(what: impl Into<String>, code: &str, text: impl Into<String>) -> Self {
        Self { what: what.into(), meaning: Meaning::Nonsense, failure: Box::new(Failure::ours(code, text)) }
    }

    /// Reads what an official client reports. The body is parsed here because the client loses the code
    /// of a body whose text has escapes, as Key Vault's 403 texts have.
    #[expect(clippy::match_wildcard_for_single_variants, reason = "the enum may grow")]
    pub fn of(what: impl Into<String>, error: &azure_core::Error) -> Self {
        let (meaning, failure) = match error.kind() {
            ErrorKind::HttpResponse { status, error_code, raw_response } => {
                answered(*status, error_code.as_deref(), raw_response.as_deref())
            }
            ErrorKind::Connection | ErrorKind::Io => {
                (Meaning::Network, Failure::ours("NoAnswer", chain(error)))
            }
            ErrorKind::DataConversion => (Meaning::Nonsense, Failure::ours("BadAnswer", chain(error))),
            ErrorKind::Credential => (Meaning::NoToken, Failure::ours("NoToken", chain(error))),
            // `Other`, and what later versions of the client may add.
            _ => (Meaning::NotSent, Failure::ours("NotSent", chain(error))),
        };
        Self { what: what.into(), meaning, failure: Box::new(failure) }
    }

    /// Whether the same call may succeed later.
    pub fn fate(&self) -> Fate {
        match self.meaning {
            Meaning::Throttled
            | Meaning::Unavailable
            | Meaning::Network
            | Meaning::Unauthorized
            | Meaning::Busy
            | Meaning::Nonsense
            | Meaning::NoToken => Fate::Retry,
            Meaning::Forbidden
            | Meaning::NotFound
            | Meaning::Exists
            | Meaning::Refused
            | Meaning::NotSent => Fate::Fail,
        }
    }
}

/// What the client says about itself, around what happened.
const NOISE: [&str; 3] = [
    "retry policy expired and the request will no longer be retried",
    "non-transport error occurred which will not be retried",
    "failed to execute `reqwest` request",
];

/// The texts of an error and of what caused it, once each: outer texts often repeat inner ones.
fn chain(error: &azure_core::Error) -> String {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        let mut own = error.to_string();
        for noise in NOISE {
            own = own.replace(noise, "");
        }
        let own = own.trim_matches(|c: char| c == ':' || c.is_whitespace());
        if !own.is_empty() && !text.contains(own) {
            text += if text.is_empty() { "" } else { ": " };
            text += own;
        }
        cause = error.source();
    }
    text
}

fn answered(status: StatusCode, code: Option<&str>, raw: Option<&RawResponse>) -> (Meaning, Failure) {
    let body = raw.map(|raw| read_body(raw.body().as_ref())).unwrap_or_default();
    let code = body.code.or_else(|| code.map(str::to_owned)).unwrap_or_else(|| u16::from(status).to_string());
    let text = body.text.unwrap_or_else(|| format!("the service answered {status} without an explanation"));
    let failure = Failure {
        text,
        status: Some(status.into()),
        request_id: raw.and_then(|raw| raw.headers().get_optional_string(&REQUEST_ID)),
        code,
    };
    (meaning(status, &failure.code), failure.bounded())
}

pub(super) fn meaning(status: StatusCode, code: &str) -> Meaning {
    let there = ["BlobAlreadyExists", "ConditionNotMet", "QueueAlreadyExists", "ContainerAlreadyExists"];
    match u16::from(status) {
        401 => Meaning::Unauthorized,
        403 => Meaning::Forbidden,
        404 => Meaning::NotFound,
        409 | 412 if there.contains(&code) => Meaning::Exists,
        412 => Meaning::Exists,
        409 => Meaning::Busy,
        429 => Meaning::Throttled,
        408 | 500..=599 => Meaning::Unavailable,
        _ => Meaning::Refused,
    }
}

#[derive(Default)]
struct ErrorBody {
    code: Option<String>,
    text: Option<String>,
}

/// Reads a JSON error of Key Vault or an XML error of storage. A name with illegal characters gets an
/// HTML page from Key Vault: then there is neither code nor text.
fn read_body(body: &[u8]) -> ErrorBody {
    if let Ok(ErrorResponse { error: Some(error) }) = serde_json::from_slice(body) {
        let inner = error.inner_error.and_then(|inner| inner.code);
        let code = match (error.code, inner) {
            (Some(code), Some(inner)) => Some(format!("{code}/{inner}")),
            (code, inner) => code.or(inner),
        };
        return ErrorBody { code, text: error.message };
    }
    let text = String::from_utf8_lossy(body);
    let between = |tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        Some(rest.split_once(&format!("</{tag}>"))?.0.trim().to_owned())
    };
    ErrorBody { code: between("Code"), text: between("Message") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_escapes_keeps_its_code() {
        let body = br#"{"error":{"code":"Forbidden","message":"Caller\r\nsaid \"no\"","innererror":{"code":"ForbiddenByRbac"}}}"#;
        let read = read_body(body);
        assert_eq!(read.code.as_deref(), Some("Forbidden/ForbiddenByRbac"));
        assert_eq!(read.text.as_deref(), Some("Caller\r\nsaid \"no\""));
    }

    #[test]
    fn storage_and_html_bodies_are_read_for_what_they_hold() {
        let xml = b"<?xml version=\"1.0\"?><Error><Code>BlobNotFound</Code><Message>Not here.\nRequestId:1</Message></Error>";
        assert_eq!(read_body(xml).code.as_deref(), Some("BlobNotFound"));
        let html = read_body(b"<!DOCTYPE html><html><title>Runtime Error</title></html>");
        assert!(html.code.is_none() && html.text.is_none());
    }
}
