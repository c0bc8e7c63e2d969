//! Refusals in the words of an HSM.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::azure::{call::Call, keyvault::JSON, operation::Operation, reply::Reply};

/// A refusal of what has to do with backups: there is an inner error, and it is always null (recorded).
pub(crate) fn refusal(status: StatusCode, code: &str, message: &str) -> Reply {
    let error = json!({"code": code, "message": message, "innererror": null});
    Reply::new(status).body(JSON, json!({"error": error}).to_string())
}

/// Another job runs. Whether there is a null beside is not known.
pub(crate) fn conflict(message: &str) -> Reply {
    refusal(StatusCode::CONFLICT, "Conflict", message)
}

/// Any other refusal: the id of the request stands in the message (recorded).
pub(crate) fn plain(call: &Call, status: StatusCode, code: &str, message: &str) -> Reply {
    let message = format!("{message} (Activity ID: {})", call.request_id);
    let error = json!({"code": code, "message": message});
    Reply::new(status).body(JSON, json!({"error": error}).to_string())
}

/// What the emulator does not know, by its name.
pub(crate) fn unknown(call: &Call, what: &str) -> Reply {
    let message = format!("The emulator does not know {what}.");
    plain(call, StatusCode::NOT_IMPLEMENTED, "NotImplemented", &message)
}

/// A restore keeps the HSM from everything else (recorded).
pub(crate) fn restoring(call: &Call) -> Reply {
    let message = "User triggered Restore operation is in progress. Retry after the restore operation";
    plain(call, StatusCode::CONFLICT, "Conflict", message)
}

/// A key, live or deleted, that is not there (recorded).
pub(crate) fn not_found(call: &Call) -> Reply {
    let collection = call.uri.path().split('/').nth(1).unwrap_or_default();
    let message = format!("Key not found: https://{}/{collection}/{}", call.host.name, call.route.name);
    plain(call, StatusCode::NOT_FOUND, "KeyNotFound", &message)
}

/// No local role allows it. Code and words are known from a report, the status is inferred.
pub(crate) fn forbidden(call: &Call) -> Reply {
    let action = match call.route.operation {
        Operation::StartBackup | Operation::CheckBackup => "backup/start",
        Operation::BackupStatus => "backup/status",
        Operation::StartRestore | Operation::StartKeyRestore | Operation::CheckRestore => "restore/start",
        Operation::RestoreStatus => "restore/status",
        Operation::Backup => "keys/backup",
        Operation::Restore => "keys/restore",
        Operation::CreateKey => "keys/create",
        Operation::DeleteObject => "keys/delete",
        _ => "keys/read",
    };
    let message = format!("Not authorized to access Microsoft.KeyVault/managedHsm/{action}/action on /");
    plain(call, StatusCode::FORBIDDEN, "AccessDenied", &message)
}

/// Some status with a body in the service's shape.
pub(crate) fn status_reply(call: &Call, status: StatusCode) -> Reply {
    match status {
        StatusCode::CONFLICT => conflict("Another backup operation is in progress"),
        // Recorded.
        StatusCode::INTERNAL_SERVER_ERROR => plain(call, status, "UnknownError", "Unknown error"),
        status => {
            let reason = status.canonical_reason().unwrap_or("Error");
            plain(call, status, reason, reason)
        }
    }
}

/// Puts a refusal of the code that HSMs share with vaults into the words of an HSM.
pub(crate) fn translate(call: &Call, reply: Reply) -> Reply {
    if reply.status.is_success() || reply.status == StatusCode::INTERNAL_SERVER_ERROR {
        return reply;
    }
    let error: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |name: &str| error["error"][name].as_str().unwrap_or_default();
    match text("code") {
        // The page that a vault shows for an illegal name.
        "" => plain(call, reply.status, "BadParameter", "Invalid key identifier or name"),
        "KeyNotFound" => not_found(call),
        "NotImplemented" => plain(call, reply.status, "NotImplemented", text("message")),
        "Malformed backup blob" | "BadParameter" if call.route.operation == Operation::Restore => {
            let message =
                "Backup blob belongs to a different crypto domain and cannot be used with this instance.";
            plain(call, reply.status, "MalformedBackupBlob", message)
        }
        // Of other refusals only codes are known, and not all.
        code => plain(call, reply.status, code, text("message")),
    }
}
