//! Errors and headers in the words of storage.

use hyper::{Method, StatusCode};
use quick_xml::escape::escape;

use crate::azure::{
    call::Call, faults::Forbidden, identity::TENANT, operation::Service, reply::Reply, timestamp::rfc3339,
};

pub(crate) const XML: &str = "application/xml";
/// Every XML body of the service begins with a byte order mark.
pub(crate) const PROLOGUE: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>";

/// An error with its code in a header and, except in answer to `HEAD`, in the body.
pub(crate) fn error(call: &Call, status: StatusCode, code: &'static str, message: &str) -> Reply {
    detailed(call, status, code, message, "")
}

fn detailed(call: &Call, status: StatusCode, code: &'static str, message: &str, more: &str) -> Reply {
    let mut reply = Reply::new(status);
    reply.set_static("x-ms-error-code", code);
    if call.method == Method::HEAD || status == StatusCode::NOT_MODIFIED {
        return reply;
    }
    let body = format!(
        "{PROLOGUE}<Error><Code>{code}</Code><Message>{}\nRequestId:{}\nTime:{}</Message>{more}</Error>",
        escape(message),
        call.request_id,
        rfc3339(call.now)
    );
    reply.body(XML, body)
}

/// What the emulator does not know, by its name.
pub(crate) fn unknown(call: &Call, what: &str) -> Reply {
    let message = format!("The emulator does not know {what}.");
    error(call, StatusCode::NOT_IMPLEMENTED, "NotImplemented", &message)
}

/// A resource that is there and does not have this method.
pub(crate) fn unsupported_verb(call: &Call) -> Reply {
    let message = "The resource doesn't support specified Http Verb.";
    error(call, StatusCode::METHOD_NOT_ALLOWED, "UnsupportedHttpVerb", message)
}

/// A header that is missing.
pub(crate) fn mandatory_header(call: &Call) -> Reply {
    let message = "An HTTP header that's mandatory for this request is not specified.";
    error(call, StatusCode::BAD_REQUEST, "MissingRequiredHeader", message)
}

/// A header with a value that it can not have.
pub(crate) fn invalid_header(call: &Call, name: &str, value: &str) -> Reply {
    let message = "The value for one of the HTTP headers is not in the correct format.";
    let more = format!("<HeaderName>{name}</HeaderName><HeaderValue>{}</HeaderValue>", escape(value));
    detailed(call, StatusCode::BAD_REQUEST, "InvalidHeaderValue", message, &more)
}

/// A parameter with a value that it can not have.
pub(crate) fn invalid_query(call: &Call) -> Reply {
    let message = "Value for one of the query parameters specified in the request URI is invalid.";
    error(call, StatusCode::BAD_REQUEST, "InvalidQueryParameterValue", message)
}

/// The current version goes with its blob (its code and its status are known from reports, the words are ours).
pub(crate) fn not_on_root(call: &Call) -> Reply {
    let message = "The specified operation is not allowed on the current version.";
    error(call, StatusCode::FORBIDDEN, "OperationNotAllowedOnRootBlob", message)
}

pub(crate) fn container_not_found(call: &Call) -> Reply {
    error(call, StatusCode::NOT_FOUND, "ContainerNotFound", "The specified container does not exist.")
}

pub(crate) fn blob_not_found(call: &Call) -> Reply {
    error(call, StatusCode::NOT_FOUND, "BlobNotFound", "The specified blob does not exist.")
}

pub(crate) fn queue_not_found(call: &Call) -> Reply {
    error(call, StatusCode::NOT_FOUND, "QueueNotFound", "The specified queue does not exist.")
}

pub(crate) fn condition_not_met(call: &Call, status: StatusCode) -> Reply {
    error(
        call,
        status,
        "ConditionNotMet",
        "The condition specified using HTTP conditional header(s) is not met.",
    )
}

/// What a role that may not delete gets.
pub(crate) fn forbidden(call: &Call) -> Reply {
    let message = "This request is not authorized to perform this operation using this permission.";
    error(call, StatusCode::FORBIDDEN, "AuthorizationPermissionMismatch", message)
}

/// Storage tells an address that is kept out from a missing right (documented), and nothing more.
pub(crate) fn refused(call: &Call, reason: Forbidden) -> Reply {
    match reason {
        Forbidden::ByPolicy | Forbidden::ByRbac => forbidden(call),
        Forbidden::ByFirewall | Forbidden::ByConnection => {
            let message = "This request is not authorized to perform this operation.";
            error(call, StatusCode::FORBIDDEN, "AuthorizationFailure", message)
        }
    }
}

/// What overwriting gets under an immutability policy.
pub(crate) fn immutable(call: &Call) -> Reply {
    let message = "This operation is not permitted as the blob is immutable due to a policy.";
    error(call, StatusCode::CONFLICT, "BlobImmutableDueToPolicy", message)
}

pub(crate) fn not_found(call: &Call) -> Reply {
    match (call.host.service, &call.route.item) {
        (Service::Queue, _) => queue_not_found(call),
        (_, Some(_)) => blob_not_found(call),
        _ => container_not_found(call),
    }
}

/// Storage throttles with 503.
pub(crate) fn busy(call: &Call, retry_after: Option<u32>) -> Reply {
    let reply = error(call, StatusCode::SERVICE_UNAVAILABLE, "ServerBusy", "The server is busy.");
    match retry_after {
        Some(seconds) => reply.header("retry-after", &seconds.to_string()),
        None => reply,
    }
}

/// Some status with a body in the shape of storage.
pub(crate) fn status_reply(call: &Call, status: StatusCode) -> Reply {
    let (code, message) = match status {
        StatusCode::SERVICE_UNAVAILABLE => ("ServerBusy", "The server is busy."),
        StatusCode::INTERNAL_SERVER_ERROR => {
            ("InternalError", "Server encountered an internal error. Please try again after some time.")
        }
        StatusCode::CONFLICT => ("LeaseAlreadyPresent", "There is already a lease present."),
        _ => ("InternalError", "The request failed."),
    };
    error(call, status, code, message)
}

/// The 401 for a request without a token, or with one that is not for storage.
pub(crate) fn challenge(call: &Call, token_present: bool) -> Reply {
    let authority = call.host.cloud.authority();
    let header = format!(
        "Bearer authorization_uri={authority}/{TENANT}/oauth2/authorize resource_id=https://storage.azure.com"
    );
    let reply = if token_present {
        let message = "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.";
        let detail = "<AuthenticationErrorDetail>Audience validation failed. Audience did not match.</AuthenticationErrorDetail>";
        detailed(call, StatusCode::UNAUTHORIZED, "InvalidAuthenticationInfo", message, detail)
    } else {
        let message = "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";
        error(call, StatusCode::UNAUTHORIZED, "NoAuthenticationInformation", message)
    };
    reply.header("www-authenticate", &header)
}

/// Adds the headers that every answer of storage has.
pub(crate) fn decorate(call: &Call, reply: &mut Reply) {
    let server = if call.host.service == Service::Queue {
        "Windows-Azure-Queue/1.0 Microsoft-HTTPAPI/2.0"
    } else {
        "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"
    };
    reply.set_static("server", server);
    reply.set("x-ms-request-id", &call.request_id);
    for name in ["x-ms-version", "x-ms-client-request-id"] {
        if let Some(value) = call.headers.get(name) {
            reply.headers.insert(name, value.clone());
        }
    }
}
