//! Jobs, and how they are shown.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{access::Storage, folder::Image};
use crate::azure::{storage::PROLOGUE, timestamp::rfc3339};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HsmOperationKind {
    /// A full backup.
    Backup,
    /// A full restore.
    Restore,
    /// A restore of one key.
    KeyRestore,
    /// A check of whether a backup could be made.
    BackupCheck,
    /// A check of whether a restore could be made.
    RestoreCheck,
}

impl HsmOperationKind {
    pub(crate) fn is_check(self) -> bool {
        matches!(self, Self::BackupCheck | Self::RestoreCheck)
    }

    pub(crate) fn is_restore(self) -> bool {
        matches!(self, Self::Restore | Self::KeyRestore)
    }

    /// The first part of the address at which the job is asked about.
    pub(crate) fn family(self) -> &'static str {
        match self {
            Self::Backup | Self::BackupCheck => "backup",
            Self::Restore | Self::KeyRestore | Self::RestoreCheck => "restore",
        }
    }
}

/// When a job ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Due {
    /// At the poll after so many more.
    Polls(usize),
    /// By the emulator's clock.
    At(OffsetDateTime),
}

/// Why a job failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) details: &'static str,
    /// Code and message.
    pub(crate) error: Option<(&'static str, String)>,
}

impl Failure {
    /// A failure of which the details are all that is said.
    pub(crate) fn silent(details: &'static str) -> Self {
        Self { details, error: None }
    }

    /// A failure with an error beside the details.
    pub(crate) fn said(details: &'static str, code: &'static str, message: &str) -> Self {
        Self { details, error: Some((code, message.to_owned())) }
    }

    /// A refusal of the storage: its code stands in both places, and the message is the whole answer, over many
    /// lines (recorded; which headers it shows is ours).
    pub(crate) fn of_storage(status: u16, code: &'static str, message: &str, at: OffsetDateTime) -> Self {
        let (request, time) = (uuid::Uuid::new_v4(), rfc3339(at));
        let said = format!("{message}\nRequestId:{request}\nTime:{time}");
        let text = format!(
            "{said}\r\nStatus: {status} ({message})\r\nErrorCode: {code}\r\n\r\nContent:\r\n{PROLOGUE}<Error><Code>{code}</Code>\
             <Message>{said}</Message></Error>\r\n\r\nHeaders:\r\nServer: Windows-Azure-Blob/1.0,Microsoft-HTTPAPI/2.0\r\n\
             x-ms-error-code: {code}\r\nx-ms-request-id: {request}\r\nContent-Type: application/xml\r\n"
        );
        Self { details: code, error: Some((code, text)) }
    }
}

/// What a job that has ended has done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    pub(crate) folder_uri: Option<String>,
    pub(crate) details: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) kind: HsmOperationKind,
    /// The service version of the start.
    pub(crate) version: String,
    pub(crate) storage: Storage,
    /// Of a restore.
    pub(crate) folder: Option<String>,
    /// Of a restore of one key.
    pub(crate) key: Option<String>,
    /// What a backup will write: what the HSM held at its start.
    pub(crate) image: Option<Image>,
    pub(crate) started: OffsetDateTime,
    pub(crate) due: Due,
    pub(crate) ended: Option<(OffsetDateTime, Result<Done, Failure>)>,
}

impl Job {
    /// When it ends by the clock, while it runs.
    pub(crate) fn due_at(&self) -> Option<OffsetDateTime> {
        match self.due {
            Due::At(due) if self.ended.is_none() => Some(due),
            _ => None,
        }
    }

    pub(crate) fn status(&self) -> &'static str {
        match &self.ended {
            None => "InProgress",
            Some((_, Ok(_))) => "Succeeded",
            Some((_, Err(_))) => "Failed",
        }
    }

    pub(crate) fn details(&self) -> Option<&str> {
        match &self.ended {
            None => None,
            Some((_, Ok(done))) => done.details.as_deref(),
            Some((_, Err(failure))) => Some(failure.details),
        }
    }

    /// The job as polls show it. Restores have no address of a folder.
    pub(crate) fn to_json(&self) -> Value {
        let ended = self.ended.as_ref().map(|(at, _)| at.unix_timestamp());
        let mut shown = json!({
            "status": self.status(),
            "statusDetails": self.details(),
            "error": self.error(),
            "startTime": self.started.unix_timestamp(),
            "endTime": ended,
            "jobId": self.id,
        });
        if self.kind.family() == "backup" {
            let done = self.ended.as_ref().and_then(|(_, result)| result.as_ref().ok());
            shown["azureStorageBlobContainerUri"] = json!(done.and_then(|done| done.folder_uri.as_deref()));
        }
        shown
    }

    fn error(&self) -> Value {
        match &self.ended {
            Some((_, Err(Failure { error: Some((code, message)), .. }))) => {
                json!({"code": code, "message": message, "innererror": null})
            }
            Some((_, Ok(_))) => Value::Null,
            // An error of nulls was recorded in 2020 and 2021, when the newest version was 7.2.
            _ if self.version.starts_with("7.2") || self.version.starts_with("7.1") => {
                json!({"code": null, "message": null, "innererror": null})
            }
            _ => Value::Null,
        }
    }
}
