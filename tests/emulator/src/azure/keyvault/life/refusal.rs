//! Why an object is not deleted, recovered, purged, restored or made, in the words of the service.

use std::fmt;

use hyper::StatusCode;

use super::{
    super::{backup::BackupError, error, object::Kind, vault::Vault},
    bin::Stage,
};
use crate::azure::{operation::Operation, reply::Reply};

/// Why a vault refuses a step in an object's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such object, live or deleted.
    NotFound,
    /// It belongs to a certificate.
    Managed,
    /// It is live, so that it can neither be recovered nor purged.
    Live,
    /// It is deleted, so that its name can not be used for another.
    Deleted,
    /// It is being deleted, or what a purge has left still holds its name.
    BeingDeleted,
    /// It is being recovered.
    BeingRecovered,
    /// The vault does not purge before the time.
    PurgeProtected,
    /// The name of the backed up object is taken: live, deleted, or not yet free after a purge.
    NameTaken {
        /// The identifier of the newest version in the backup.
        id: String,
    },
    /// The backup can not be read.
    Blob(BackupError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "there is no such object",
            Self::Managed => "it belongs to a certificate",
            Self::Live => "it is live",
            Self::Deleted => "it is deleted",
            Self::BeingDeleted => "it is being deleted",
            Self::BeingRecovered => "it is being recovered",
            Self::PurgeProtected => "the vault is protected from purges",
            Self::NameTaken { id } => return write!(f, "the name is taken: {id}"),
            Self::Blob(error) => return error.fmt(f),
        })
    }
}

impl std::error::Error for Refusal {}

impl From<BackupError> for Refusal {
    fn from(error: BackupError) -> Self {
        Self::Blob(error)
    }
}

impl From<Stage> for Refusal {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Deleted => Self::Deleted,
            Stage::Recovering => Self::BeingRecovered,
            Stage::Deleting | Stage::Purged => Self::BeingDeleted,
        }
    }
}

/// A 409 with an inner code.
fn conflict(inner: &str, message: &str) -> Reply {
    error::error(StatusCode::CONFLICT, "Conflict", Some(inner), message)
}

impl Refusal {
    /// The answer to a request for an operation.
    pub(crate) fn reply(&self, vault: &Vault, kind: Kind, name: &str, operation: Operation) -> Reply {
        match self {
            Self::NotFound => error::not_found(kind, name),
            Self::Managed => managed(kind, operation),
            Self::Live => live(kind, name, operation),
            Self::Deleted => {
                let (title, noun) = (kind.title(), kind.noun());
                let message = format!(
                    "{title} {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, \
                     the {noun} can only be recovered or purged."
                );
                conflict("ObjectIsDeletedButRecoverable", &message)
            }
            Self::BeingDeleted => conflict("ObjectIsBeingDeleted", &busy("deleted", kind, name, operation)),
            Self::BeingRecovered => {
                // Known from a report about a secret that was set again, and by analogy from deletion.
                conflict("ObjectIsBeingRecovered", &busy("recovered", kind, name, operation))
            }
            Self::PurgeProtected => purge_protected(vault),
            Self::NameTaken { id } => name_taken(kind, id),
            Self::Blob(error) => blob(*error),
        }
    }
}

/// Recorded for deletion: each operation has its own words.
fn busy(what: &str, kind: Kind, name: &str, operation: Operation) -> String {
    let title = kind.title();
    match operation {
        Operation::Purge => format!("{title} is currently being {what}."),
        Operation::Recover => format!("{title} {name} is currently being {what}."),
        _ => format!("{title} {name} is currently being {what} and cannot be re-created; retry later."),
    }
}

/// Recorded for recovering a secret and for purging a certificate.
fn live(kind: Kind, name: &str, operation: Operation) -> Reply {
    let title = kind.title();
    let (inner, message) = match operation {
        Operation::Purge => (
            "ObjectMustBeDeletedPriorToBeingPurged",
            format!("{title} must be deleted prior to being purged."),
        ),
        _ => ("RequestNotAllowedOnNonDeletedObject", format!("{title} exists already: {name}")),
    };
    error::error(StatusCode::BAD_REQUEST, "MethodNotAllowed", Some(inner), &message)
}

/// Recorded for the deletion of a secret, inferred for the rest. That a secret can not be set under the name of a
/// certificate is known from a report (MicrosoftDocs/azure-docs#78238).
fn managed(kind: Kind, operation: Operation) -> Reply {
    let (title, noun) = (kind.title(), kind.noun());
    let verb = match operation {
        Operation::Recover => "recover",
        Operation::Purge => "purge",
        Operation::SetSecret => "set",
        Operation::CreateKey => "create",
        _ => "delete",
    };
    let message = format!(
        "Operation \"{verb}\" is not allowed on this {noun}, since it is associated with a certificate. Perform the operation on the \
         corresponding certificate. For more information refer to \
         https://docs.microsoft.com/en-us/azure/key-vault/certificates/about-certificates#composition-of-a-certificate"
    );
    let inner = format!("{title}ManagedByKeyVault");
    error::error(StatusCode::FORBIDDEN, "Forbidden", Some(&inner), &message)
}

/// Status, code and words are known from reports; none of them showed an inner code, so there is none.
fn purge_protected(vault: &Vault) -> Reply {
    let message = format!(
        "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically \
         purge it after the retention period has passed.\r\nVault: {};location={}",
        vault.name,
        vault.options.read().region
    );
    error::error(StatusCode::FORBIDDEN, "Forbidden", None, &message)
}

/// Recorded for a live name and for some time after a purge. For a deleted name it is inferred: a service of
/// 2019 was recorded to say it while a secret was being deleted.
fn name_taken(kind: Kind, id: &str) -> Reply {
    let noun = kind.noun();
    let message = format!(
        "There was a conflict restoring the {noun} '{id}'. This can happen if either: a second {noun} with the same name was created \
         after the first {noun} was deleted; thus trying to restore a {noun} whose name is already in use. To fix this, rename the \
         second {noun} to something else so that the restore works. The second probable cause of this exception is when multiple \
         operations are performed in parallel against the {noun}. To avoid this error, perform operations against a {noun} in a \
         sequential manner."
    );
    error::error(StatusCode::CONFLICT, "Conflict", None, &message)
}

/// Recorded, but for a foreign blob: its words are known from reports, its status and its code are inferred.
fn blob(error: BackupError) -> Reply {
    let code = match error {
        BackupError::Version | BackupError::Corrupt => "Malformed backup blob",
        BackupError::Foreign => "BadParameter",
    };
    error::error(StatusCode::BAD_REQUEST, code, None, &error.to_string())
}
