//! Errors in the words of the service.

use hyper::StatusCode;
use serde_json::json;

use super::{object::Kind, vault::Vault};
use crate::azure::{faults::Forbidden, reply::Reply};

pub(crate) const JSON: &str = "application/json; charset=utf-8";

/// An error body with an optional inner code.
pub(crate) fn error(status: StatusCode, code: &str, inner: Option<&str>, message: &str) -> Reply {
    let mut error = json!({"code": code, "message": message});
    if let Some(inner) = inner {
        error["innererror"] = json!({"code": inner});
    }
    Reply::new(status).body(JSON, json!({"error": error}).to_string())
}

/// The object is not there. `what` is the name, with the version if one was asked for. A purge was recorded with
/// an older text only.
pub(crate) fn not_found(kind: Kind, what: &str) -> Reply {
    let (noun, title) = (kind.noun(), kind.title());
    let message = format!(
        "A {noun} with (name/id) {what} was not found in this key vault. If you recently deleted this {noun} you may be able to \
         recover it using the correct recovery command. For help resolving this issue, please see \
         https://go.microsoft.com/fwlink/?linkid=2125182"
    );
    error(StatusCode::NOT_FOUND, &format!("{title}NotFound"), None, &message)
}

/// The object is not among the deleted ones.
pub(crate) fn deleted_not_found(kind: Kind, name: &str) -> Reply {
    let title = kind.title();
    let message = format!("Deleted {title} not found: {name}");
    error(StatusCode::NOT_FOUND, &format!("{title}NotFound"), None, &message)
}

/// The value of a disabled secret is not shown; after its deletion, nothing of it is.
pub(crate) fn disabled() -> Reply {
    let message = "Operation get is not allowed on a disabled secret.";
    error(StatusCode::FORBIDDEN, "Forbidden", Some("SecretDisabled"), message)
}

/// A body without the value that it must have.
pub(crate) fn bad_value() -> Reply {
    error(StatusCode::BAD_REQUEST, "BadParameter", None, "Property  has invalid value\r\n")
}

/// A subject that no certificate can have (recorded).
pub(crate) fn bad_subject() -> Reply {
    let message = "Property policy.x509_props has invalid value. Invalid X.500 distinguished name\r\n";
    error(StatusCode::BAD_REQUEST, "BadParameter", None, message)
}

/// Nothing is being made (recorded).
pub(crate) fn pending_not_found(name: &str) -> Reply {
    let message = format!("Pending certificate not found: {name}");
    error(StatusCode::NOT_FOUND, "PendingCertificateNotFound", None, &message)
}

/// One version is made at a time (recorded).
pub(crate) fn making_in_progress() -> Reply {
    let message = "A new key vault certificate can not be created or imported while a pending key vault certificate's status is \
                   inProgress.";
    error(StatusCode::CONFLICT, "Conflict", None, message)
}

/// The page that ASP.NET shows for a name with illegal characters. The service answers HTML here, not JSON.
pub(crate) fn illegal_name() -> Reply {
    Reply::new(StatusCode::BAD_REQUEST)
        .body("text/html; charset=utf-8", ILLEGAL_NAME)
        .header("cache-control", "private")
}

const ILLEGAL_NAME: &str = "<!DOCTYPE html>\r\n<html>\r\n    <head>\r\n        <title>Runtime Error</title>\r\n        \
    <meta name=\"viewport\" content=\"width=device-width\" />\r\n    </head>\r\n\r\n    <body bgcolor=\"white\">\r\n\r\n            \
    <span><H1>Server Error in '/' Application.<hr width=100% size=1 color=silver></H1>\r\n\r\n            \
    <h2> <i>Runtime Error</i> </h2></span>\r\n\r\n    </body>\r\n</html>\r\n";

pub(crate) fn method_not_allowed(method: &str) -> Reply {
    error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", None, &format!("HTTP {method} not allowed"))
}

/// The code is known from reports; no report showed a `Retry-After`.
pub(crate) fn throttled(retry_after: Option<u32>) -> Reply {
    let message = "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached";
    let reply = error(StatusCode::TOO_MANY_REQUESTS, "Throttled", None, message);
    match retry_after {
        Some(seconds) => reply.header("retry-after", &seconds.to_string()),
        None => reply,
    }
}

/// What a certificate manages is backed up with the certificate.
///
/// The message is known from a report, the inner code only from a refused delete.
pub(crate) fn managed(kind: Kind) -> Reply {
    let title = kind.title();
    let message = format!(
        "Operation \"backup\" is not allowed on this {title}, since it is associated with a certificate. Perform the operation on \
         the corresponding certificate. For more information refer to \
         https://docs.microsoft.com/en-us/azure/key-vault/about-keys-secrets-and-certificates#composition-of-a-certificate"
    );
    error(StatusCode::FORBIDDEN, "Forbidden", Some(&format!("{title}ManagedByKeyVault")), &message)
}

/// How the service refuses an object with too many versions is not known. The limit is documented, the code
/// and the words are ours.
pub(crate) fn too_many_versions(kind: Kind, name: &str, versions: usize, limit: usize) -> Reply {
    let message = format!(
        "The {} {name} has {versions} versions. At most {limit} versions can be backed up.",
        kind.noun()
    );
    error(StatusCode::BAD_REQUEST, "BadParameter", None, &message)
}

/// A 403 for one of the reasons the service knows.
pub(crate) fn forbidden(
    vault: &Vault,
    caller: &str,
    reason: Forbidden,
    kind: Option<Kind>,
    name: &str,
    action: &str,
) -> Reply {
    let options = vault.options.read();
    let (vault_name, region) = (&vault.name, &options.region);
    let collection = kind.map_or("secrets", Kind::collection);
    let (inner, message) = match reason {
        Forbidden::ByPolicy => (
            "ForbiddenByPolicy",
            format!(
                "The user, group or application '{caller}' does not have {collection} {action} permission on key vault \
                 '{vault_name};location={region}'. For help resolving this issue, please see \
                 https://go.microsoft.com/fwlink/?linkid=2125287"
            ),
        ),
        Forbidden::ByRbac => (
            "ForbiddenByRbac",
            format!(
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions \
                 were changed recently, please observe propagation time.\r\nCaller: {caller}\r\nAction: \
                 'Microsoft.KeyVault/vaults/{collection}/{action}/action'\r\nResource: '/subscriptions/{}/resourcegroups/emulator/\
                 providers/microsoft.keyvault/vaults/{vault_name}/{collection}/{name}'\r\nAssignment: (not found)\r\n\
                 DenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: {vault_name};location={region}\r\n",
                options.subscription
            ),
        ),
        Forbidden::ByFirewall => (
            "ForbiddenByFirewall",
            format!(
                "Client address is not authorized and caller is not a trusted service.\r\nClient address: 203.0.113.7\r\nCaller: \
                 {caller}\r\nVault: {vault_name};location={region}"
            ),
        ),
        Forbidden::ByConnection => (
            "ForbiddenByConnection",
            format!(
                "Public network access is disabled and request is not from a trusted service nor via an approved private link.\r\n\
                 Caller: {caller}\r\nVault: {vault_name};location={region}"
            ),
        ),
    };
    error(StatusCode::FORBIDDEN, "Forbidden", Some(inner), &message)
}

/// Some status with a body in the service's shape.
pub(crate) fn status_reply(status: StatusCode) -> Reply {
    let activity = uuid::Uuid::new_v4();
    match status {
        StatusCode::INTERNAL_SERVER_ERROR => {
            error(status, "ServerError", None, &format!("ActivityId: {activity}, ActivityName: Emulated"))
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            error(status, "ServiceUnavailable", None, "The service is temporarily unavailable.")
        }
        StatusCode::CONFLICT => error(
            status,
            "Conflict",
            None,
            "There was a conflict, because of concurrent operations on the object.",
        ),
        status => error(
            status,
            status.canonical_reason().unwrap_or("Error"),
            None,
            &format!("ActivityId: {activity}"),
        ),
    }
}
