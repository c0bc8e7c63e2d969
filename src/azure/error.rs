//! Errors of the services, in the domain's terms.

use std::time::Duration;

use azure_core::{
    error::{ErrorKind, ErrorResponse},
    http::{RawResponse, StatusCode, headers::HeaderName},
};
use url::Url;

use crate::domain::{
    fate::{Fate, fate},
    outcome::Failure,
    wording::says,
};

pub use crate::domain::fate::{Meaning, Operation, Service};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

/// A call: the service, the operation, and a text for messages.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The service that is called.
    pub service: Service,
    /// The operation that it is asked for.
    pub operation: Operation,
    /// The action as an infinitive with its object, to follow "Failed to".
    pub what: String,
}

impl Asked {
    /// A call of a service.
    pub fn new(service: Service, operation: Operation, what: impl Into<String>) -> Self {
        Self { service, operation, what: what.into() }
    }

    /// A call of a vault.
    pub fn vault(operation: Operation, what: impl Into<String>) -> Self {
        Self::new(Service::Vault, operation, what)
    }
}

/// A failed call, with the service's answer.
#[derive(Debug, thiserror::Error)]
#[error("Failed to {what}: {code}: {text}", what = asked.what, code = failure.code, text = failure.text)]
pub struct ServiceError {
    /// The call, and the service that answered.
    pub asked: Asked,
    /// The meaning of the failure.
    pub meaning: Meaning,
    /// The service's code and text.
    pub failure: Box<Failure>,
    /// How long the service asks to wait before the next request, if the caller has to wait: the clients of vaults and
    /// of storage do it themselves.
    pub retry_after: Option<Duration>,
    /// The address of the container, if the service says that it does not exist.
    pub missing: Option<Box<Url>>,
}

impl ServiceError {
    /// An answer that this program cannot make sense of.
    pub fn nonsense(asked: Asked, code: &str, text: impl Into<String>) -> Self {
        Self::new(asked, Meaning::Nonsense, Failure::ours(code, text))
    }

    /// A call that failed. Without a token, only the identity was called, and the error is the identity's.
    pub fn new(asked: Asked, meaning: Meaning, failure: Failure) -> Self {
        let service = if meaning == Meaning::NoToken { Service::Identity } else { asked.service };
        Self {
            asked: Asked { service, ..asked },
            meaning,
            failure: Box::new(failure),
            retry_after: None,
            missing: None,
        }
    }

    /// A call that was not sent, because the program was told to stop.
    pub fn stopped(asked: Asked) -> Self {
        let failure = Failure::ours("Stopped", "the program was told to stop before the request was sent");
        Self::new(asked, Meaning::Stopped, failure)
    }

    /// Converts an error of an official client. The body is parsed here because the client loses the code of a body
    /// whose text has escapes, as Key Vault's 403 texts have.
    #[expect(clippy::match_wildcard_for_single_variants, reason = "the enum may grow")]
    pub fn of(asked: Asked, error: &azure_core::Error) -> Self {
        let (meaning, failure) = match error.kind() {
            ErrorKind::HttpResponse { status, error_code, raw_response } => {
                answered(*status, error_code.as_deref(), raw_response.as_deref())
            }
            ErrorKind::Connection | ErrorKind::Io => {
                (Meaning::Network, Failure::ours("NoAnswer", chain(error)))
            }
            ErrorKind::DataConversion => (Meaning::Nonsense, Failure::ours("BadAnswer", chain(error))),
            ErrorKind::Credential => (Meaning::NoToken, Failure::ours("NoToken", chain(error))),
            // `Other`, and kinds that later versions of the client may add.
            _ => (Meaning::NotSent, Failure::ours("NotSent", chain(error))),
        };
        Self::new(asked, meaning, failure)
    }

    /// Whether the service itself refused, so that nothing was done. If not, the outcome is unknown: the answer may
    /// have been lost, or the service may have failed halfway.
    pub fn is_refusal(&self) -> bool {
        self.failure.status.is_some_and(|status| (400..500).contains(&status) && status != 408)
    }

    /// What the program does next.
    pub fn fate(&self) -> Fate {
        fate(self.asked.service, self.asked.operation, self.meaning)
    }

    /// The failure as recorded for an object. A failure of our own storage, queue or identity names that service,
    /// because it says nothing about the object.
    pub fn recorded(&self) -> Failure {
        let (Asked { service, what, .. }, failure) = (&self.asked, &*self.failure);
        if !service.is_ours() {
            return failure.clone();
        }
        let name = service.as_str();
        let text = format!(
            "this program's own {} failed, which says nothing about the object; `preflight` tells why. Failed to {what}: {}",
            name.to_lowercase(),
            failure.text
        );
        Failure { code: format!("{name}/{}", failure.code), text, ..failure.clone() }.bounded()
    }
}

/// Texts that the client puts around the cause, about itself.
const NOISE: [&str; 3] = [
    "retry policy expired and the request will no longer be retried",
    "non-transport error occurred which will not be retried",
    "failed to execute `reqwest` request",
];

/// The texts of an error and its sources, once each: outer texts often repeat inner ones.
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
    (meaning(status, &failure), failure.bounded())
}

/// The meaning of an answer. Only this module knows HTTP statuses.
pub(super) fn meaning(status: StatusCode, Failure { code, text, .. }: &Failure) -> Meaning {
    let code = code.as_str();
    let there = ["BlobAlreadyExists", "ConditionNotMet", "QueueAlreadyExists", "ContainerAlreadyExists"];
    match u16::from(status) {
        401 => Meaning::Unauthorized,
        403 if is_of_the_object(code, text) => Meaning::Forbidden,
        403 => Meaning::Denied,
        404 => Meaning::NotFound,
        409 | 412 if there.contains(&code) => Meaning::Exists,
        412 => Meaning::Exists,
        400 if is_of_the_state(code) => Meaning::Exists,
        409 => Meaning::Busy,
        429 => Meaning::Throttled,
        408 | 500..=599 => Meaning::Unavailable,
        _ => Meaning::Refused,
    }
}

/// Whether a 400 refuses to recover or purge an object because it is in use.
fn is_of_the_state(code: &str) -> bool {
    let codes = ["RequestNotAllowedOnNonDeletedObject", "ObjectMustBeDeletedPriorToBeingPurged"];
    codes.iter().any(|known| code.contains(known))
}

/// Whether a 403 is about the object rather than the caller: it belongs to a certificate, is protected, disabled, or of
/// a kind that this vault does not have. Older answers have only a text.
fn is_of_the_object(code: &str, text: &str) -> bool {
    let codes = ["ManagedByKeyVault", "SecretDisabled", "KeyDisabled", "HardwareKeysNotSupported"];
    let texts = ["since it is associated with a certificate", "because purge protection is enabled"];
    codes.iter().any(|known| code.contains(known)) || says(text, &texts)
}

#[derive(Default)]
struct ErrorBody {
    code: Option<String>,
    text: Option<String>,
}

/// Reads a JSON error of Key Vault or an XML error of storage. Key Vault answers a name with illegal characters
/// with an HTML page, which gives neither code nor text.
fn read_body(body: &[u8]) -> ErrorBody {
    if let Ok(ErrorResponse { error: Some(error) }) = serde_json::from_slice(body) {
        let inner = error.inner_error.and_then(|inner| inner.code);
        let code = match (error.code, inner) {
            (Some(code), Some(inner)) => Some(format!("{code}/{inner}")),
            (code, inner) => code.or(inner),
        };
        return ErrorBody { code, text: error.message };
    }
    let body = String::from_utf8_lossy(body);
    let between = |tag: &str| {
        let (_, rest) = body.split_once(&format!("<{tag}>"))?;
        Some(rest.split_once(&format!("</{tag}>"))?.0.trim().to_owned())
    };
    // Storage describes the fault of a token beside its message.
    let text = between("Message").map(|said| match between("AuthenticationErrorDetail") {
        Some(detail) => format!("{said}\n{detail}"),
        None => said,
    });
    ErrorBody { code: between("Code"), text }
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
    fn a_refusal_is_of_the_object_only_where_it_says_so() {
        let of = |code, text| meaning(StatusCode::Forbidden, &Failure::ours(code, text));
        let managed =
            "Operation \"backup\" is not allowed on this Key, since it is associated with a certificate.";
        let protected =
            "Operation \"purge\" is not allowed because purge protection is enabled for this vault.";
        for (code, text) in [
            ("Forbidden/KeyManagedByKeyVault", ""),
            ("Forbidden/SecretDisabled", ""),
            ("Forbidden/HardwareKeysNotSupported", ""),
            ("Forbidden", managed),
            ("Forbidden/ForbiddenByPolicy", protected),
        ] {
            assert_eq!(of(code, text), Meaning::Forbidden, "{code} {text}");
        }
        for code in
            ["Forbidden/ForbiddenByRbac", "Forbidden/ForbiddenByFirewall", "AccessDenied", "Forbidden", "403"]
        {
            assert_eq!(of(code, "Public network access is disabled"), Meaning::Denied, "{code}");
        }
    }

    #[test]
    fn what_is_in_use_already_is_there() {
        let of = |code: &str| meaning(StatusCode::BadRequest, &Failure::ours(code, ""));
        for code in ["RequestNotAllowedOnNonDeletedObject", "ObjectMustBeDeletedPriorToBeingPurged"] {
            let code = format!("MethodNotAllowed/{code}");
            assert_eq!(of(&code), Meaning::Exists);
        }
        assert_eq!(of("MethodNotAllowed"), Meaning::Refused);
    }

    #[test]
    fn what_is_ours_says_so_on_the_record() {
        let said = Failure::ours("AuthorizationFailure", "not authorized");
        let of = |service, meaning| {
            let asked = Asked::new(service, Operation::Write, "write blob backups/x");
            ServiceError::new(asked, meaning, said.clone()).recorded()
        };
        assert_eq!(of(Service::Vault, Meaning::Denied), said);
        let ours = of(Service::Storage, Meaning::Denied);
        assert_eq!(ours.code, "Storage/AuthorizationFailure");
        assert!(ours.text.contains("write blob backups/x: not authorized"), "{ours:?}");
        assert!(
            of(Service::Vault, Meaning::NoToken).code.starts_with("Identity/"),
            "only the identity was called"
        );
    }

    #[test]
    fn storage_and_html_bodies_are_read_for_what_they_hold() {
        let xml = b"<?xml version=\"1.0\"?><Error><Code>BlobNotFound</Code><Message>Not here.\nRequestId:1</Message></Error>";
        assert_eq!(read_body(xml).code.as_deref(), Some("BlobNotFound"));
        let detailed = b"<Error><Code>A</Code><Message>Failed.</Message><AuthenticationErrorDetail>Issuer did not match.</AuthenticationErrorDetail></Error>";
        assert_eq!(read_body(detailed).text.as_deref(), Some("Failed.\nIssuer did not match."));
        let html = read_body(b"<!DOCTYPE html><html><title>Runtime Error</title></html>");
        assert!(html.code.is_none() && html.text.is_none());
    }
    #[test]
    fn a_status_has_one_meaning_and_its_code_may_have_a_better_one() {
        for (status, code, expected) in [
            (400, "BadParameter", Meaning::Refused),
            (401, "AKV10000", Meaning::Unauthorized),
            (403, "AuthorizationFailure", Meaning::Denied),
            (404, "SecretNotFound", Meaning::NotFound),
            (405, "", Meaning::Refused),
            (408, "", Meaning::Unavailable),
            (409, "Conflict", Meaning::Busy),
            (409, "BlobAlreadyExists", Meaning::Exists),
            (409, "QueueAlreadyExists", Meaning::Exists),
            (409, "ContainerAlreadyExists", Meaning::Exists),
            (409, "ContainerBeingDeleted", Meaning::Busy),
            (409, "ConditionNotMet", Meaning::Exists),
            // The blob that was to be replaced is not the one that was read.
            (412, "ConditionNotMet", Meaning::Exists),
            (412, "AnythingElse", Meaning::Exists),
            (413, "", Meaning::Refused),
            (429, "Throttled", Meaning::Throttled),
            (499, "", Meaning::Refused),
            (500, "InternalError", Meaning::Unavailable),
            (503, "ServerBusy", Meaning::Unavailable),
            (599, "", Meaning::Unavailable),
        ] {
            assert_eq!(
                meaning(StatusCode::from(status), &Failure::ours(code, "")),
                expected,
                "{status} {code}"
            );
        }
    }

    #[test]
    fn what_never_reached_the_service_is_told_apart() {
        let asked = || Asked::vault(Operation::List, "list kv-prod");
        let of = |kind, text: &'static str| {
            ServiceError::of(asked(), &azure_core::Error::with_message(kind, text))
        };
        for (kind, expected, code, service) in [
            (ErrorKind::Io, Meaning::Network, "NoAnswer", Service::Vault),
            (ErrorKind::Connection, Meaning::Network, "NoAnswer", Service::Vault),
            (ErrorKind::DataConversion, Meaning::Nonsense, "BadAnswer", Service::Vault),
            (ErrorKind::Credential, Meaning::NoToken, "NoToken", Service::Identity),
            (ErrorKind::Other, Meaning::NotSent, "NotSent", Service::Vault),
        ] {
            let error = of(kind, "it broke");
            assert_eq!(
                (error.meaning, error.failure.code.as_str(), error.asked.service),
                (expected, code, service)
            );
            assert_eq!((error.failure.text.as_str(), error.is_refusal()), ("it broke", false));
        }
        assert_eq!(ServiceError::stopped(asked()).meaning, Meaning::Stopped);
    }

    #[test]
    fn the_causes_are_told_once_each_and_without_what_the_client_says_of_itself() {
        let inner = azure_core::Error::with_message(ErrorKind::Io, "dns error");
        let repeated = azure_core::Error::with_error(ErrorKind::Io, inner, "connect: dns error");
        let outer = azure_core::Error::with_error(
            ErrorKind::Io,
            repeated,
            "retry policy expired and the request will no longer be retried",
        );
        assert_eq!(chain(&outer), "connect: dns error");
        let noise = azure_core::Error::with_message(ErrorKind::Io, "failed to execute `reqwest` request: ");
        assert_eq!(chain(&noise), "");
    }
}
