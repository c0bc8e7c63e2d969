//! Jobs as the service describes them.

use std::time::Duration;

use azure_core::http::Url;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{error::scrub, storage::SasToken};

/// A job that the HSM has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Started {
    /// The job's id. There is no list of jobs: without the id, the job cannot be polled.
    pub job_id: String,
    /// The job's status at its start, if the answer has it.
    pub status: Option<OperationStatus>,
    /// How long the HSM asks to wait before the first poll; ten seconds were recorded. Polls name no wait.
    pub retry_after: Option<Duration>,
}

/// The state of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperationState {
    /// It is running.
    InProgress,
    /// It has succeeded. For the restore of one key, that does not mean that anything was restored.
    Succeeded,
    /// It has failed.
    Failed,
    /// It was cancelled.
    Canceled,
    /// A state that this client does not know.
    Other(String),
}

impl OperationState {
    /// Whether the job has ended. A job in an unknown state has not.
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }

    fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "inprogress" => Self::InProgress,
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed,
            "canceled" | "cancelled" => Self::Canceled,
            _ => Self::Other(text.to_owned()),
        }
    }
}

/// The status of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationStatus {
    /// Its state.
    pub status: OperationState,
    /// Its id.
    pub job_id: String,
    /// When it began.
    pub start: Option<OffsetDateTime>,
    /// When it ended.
    pub end: Option<OffsetDateTime>,
    /// The address of a finished backup, without a query. Restores have none.
    pub folder_uri: Option<Url>,
    /// The service's details. Some failures have nothing else: `ResourceNotFound` for a missing container,
    /// `Invalid backup provided` for a folder that is not a backup (both recorded).
    pub status_details: Option<String>,
    /// Why it failed, if the service says so.
    pub error: Option<ServiceFailure>,
}

impl OperationStatus {
    /// The counts of a key's restore, once it has ended.
    pub fn key_restore_counts(&self) -> Option<KeyRestoreCounts> {
        KeyRestoreCounts::parse(self.status_details.as_deref()?)
    }

    /// Reads every form recorded since 2020, and a little more. `asked` is the id of the polled job, `secret` are the
    /// tokens to remove from texts.
    pub(super) fn read(body: &Value, asked: Option<&str>, secret: &[SasToken]) -> Result<Self, &'static str> {
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
        let error = ServiceFailure::read(&body["error"], secret);
        let status = match text("status") {
            Some(status) => OperationState::parse(&scrub(status, secret)),
            None if error.is_some() => OperationState::Failed,
            None => return Err("the job has no status"),
        };
        let folder = text("azureStorageBlobContainerUri").and_then(|uri| Url::parse(uri).ok());
        Ok(Self {
            status,
            job_id: text("jobId").or(asked).ok_or("the job has no id")?.to_owned(),
            start: moment(&body["startTime"]),
            end: moment(&body["endTime"]),
            folder_uri: folder.map(bare),
            status_details: text("statusDetails").map(|text| scrub(text, secret)),
            error,
        })
    }
}

/// An address without the parts that might contain a token.
fn bare(mut uri: Url) -> Url {
    uri.set_query(None);
    uri.set_fragment(None);
    uri
}

/// Parses a time: seconds since 1970, as recorded, or RFC 3339.
fn moment(value: &Value) -> Option<OffsetDateTime> {
    let text = value.as_str();
    let seconds = value.as_i64().or_else(|| text?.parse().ok());
    let seconds = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    seconds.or_else(|| OffsetDateTime::parse(text?, &Rfc3339).ok())
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceFailure {
    /// The service's code.
    pub code: Option<String>,
    /// The code of the underlying failure.
    pub inner_code: Option<String>,
    /// The service's text, without signatures.
    pub message: Option<String>,
}

impl ServiceFailure {
    /// Reads an error. A healthy job has none, or an empty one (recorded in 2020 and 2021).
    fn read(error: &Value, secret: &[SasToken]) -> Option<Self> {
        let text =
            |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(|text| scrub(text, secret));
        let code = text(&error["code"]);
        let inner_code = text(&error["innererror"]["code"]);
        let message = text(&error["message"]);
        let is_some = code.is_some() || inner_code.is_some() || message.is_some();
        is_some.then_some(Self { code, inner_code, message })
    }
}

/// The counts of a key's restore.
///
/// Their unit is unknown: a key with one version was recorded to count as two and as three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRestoreCounts {
    /// Key versions that were restored.
    pub restored: u64,
    /// Key versions that were not restored because they already existed.
    pub not_overwritten: u64,
}

impl KeyRestoreCounts {
    /// Parses `Number of successful key versions restored: 2, Number of key versions could not overwrite: 0`
    /// and similar texts. `None` if a number is missing.
    pub fn parse(details: &str) -> Option<Self> {
        let (mut restored, mut not_overwritten) = (None, None);
        for part in details.to_ascii_lowercase().split([',', ';', '\n']) {
            let number = || part.split(|c: char| !c.is_ascii_digit()).find_map(|digits| digits.parse().ok());
            if part.contains("overwrit") {
                not_overwritten = number();
            } else if part.contains("restored") {
                restored = number();
            }
        }
        Some(Self { restored: restored?, not_overwritten: not_overwritten? })
    }

    /// Whether every version in the backup was restored.
    pub fn is_complete(self) -> bool {
        self.restored > 0 && self.not_overwritten == 0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn read(body: &Value) -> OperationStatus {
        OperationStatus::read(body, Some("asked"), &[]).unwrap()
    }

    #[test]
    fn an_error_of_nulls_is_none() {
        let nulls = json!({"code": null, "message": null, "innererror": null});
        let status = read(&json!({"status": "InProgress", "error": nulls}));
        assert_eq!((status.error, status.job_id.as_str()), (None, "asked"));
        let inner = json!({"code": null, "innererror": {"code": "Inner"}});
        let status = read(&json!({"error": inner}));
        assert_eq!(status.status, OperationState::Failed);
        assert_eq!(status.error.unwrap().inner_code.as_deref(), Some("Inner"));
    }

    #[test]
    fn times_are_read_in_both_forms() {
        let at = datetime!(2024-06-19 04:30:09 UTC);
        for time in [json!(1_718_771_409), json!("1718771409"), json!("2024-06-19T04:30:09Z")] {
            assert_eq!(read(&json!({"status": "Failed", "startTime": time})).start, Some(at));
        }
        assert_eq!(read(&json!({"status": "Failed", "startTime": "soon"})).start, None);
    }

    #[test]
    fn states_are_told_apart() {
        for (text, ended) in
            [("Succeeded", true), ("CANCELLED", true), ("InProgress", false), ("Queued", false)]
        {
            assert_eq!(read(&json!({"status": text})).status.has_ended(), ended, "{text}");
        }
        assert!(OperationStatus::read(&json!({}), Some("asked"), &[]).is_err());
    }

    #[test]
    fn counts_are_read_leniently() {
        let counts = |text| KeyRestoreCounts::parse(text).map(|of| (of.restored, of.not_overwritten));
        let recorded =
            "Number of successful key versions restored: 0, Number of key versions could not overwrite: 2";
        assert_eq!(counts(recorded), Some((0, 2)));
        assert_eq!(counts("could not overwrite : 1; restored 12 versions"), Some((12, 1)));
        assert_eq!(counts("Number of successful key versions restored: 2"), None);
        assert!(KeyRestoreCounts { restored: 2, not_overwritten: 0 }.is_complete());
        assert!(!KeyRestoreCounts { restored: 0, not_overwritten: 0 }.is_complete());
    }

    #[test]
    fn nothing_of_a_signature_is_left() {
        let uri = "https://a.blob.core.windows.net/c/mhsm-x-2024061904300987?sig=secret";
        let error = json!({"code": "BadRequest", "message": "bad: ?se=1&sig=secret"});
        let body = json!({"status": "Failed", "azureStorageBlobContainerUri": uri, "error": error});
        assert!(!format!("{:?}", read(&body)).contains("secret"));
    }
}
