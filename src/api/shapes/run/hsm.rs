//! Backups of whole Managed HSMs, shown as runs.

use serde::Serialize;
use utoipa::ToSchema;

use super::{RunInSource, RunItem};
use crate::{
    api::shapes::{
        failure::Failure,
        hsm::Phase,
        state::{Scope, State as RunState},
    },
    domain::hsm::HsmBackup,
    query::hsms::Run,
};

/// Facts that only the backup of a whole HSM has.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HsmRun {
    /// The phase, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    /// Why it waits, while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<String>,
    /// The service's name for the operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    /// The folder in the container, once it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "mhsm-hsm-prod-2026112201000042")]
    folder: Option<String>,
    /// How many blobs it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    blobs: Option<u32>,
    /// How large they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Whether the folder was found by a search, because the operation's result was not seen.
    found: bool,
    /// How the folder was identified, if it was found by a search.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

impl From<&Run> for RunItem {
    fn from(run: &Run) -> Self {
        match run {
            Run::Open(job) => Self {
                scope: Some(Scope::Hsm),
                late_seconds: job.id.late(job.opened),
                hsm: Some(HsmRun {
                    phase: Some((&job.phase).into()),
                    waiting: job.waiting.clone(),
                    operation: job.operation().map(str::to_owned),
                    folder: None,
                    blobs: None,
                    bytes: None,
                    found: false,
                    note: None,
                    failure: None,
                }),
                ..Self::new(&job.hsm, &job.id, RunState::Running, Some(job.opened))
            },
            Run::Ended(backup) => (&**backup).into(),
        }
    }
}

impl From<&HsmBackup> for RunItem {
    fn from(backup: &HsmBackup) -> Self {
        let folder = backup.folder.as_ref();
        Self {
            scope: Some(Scope::Hsm),
            late_seconds: backup.late(),
            finished: Some(backup.ended),
            duration_seconds: Some(backup.duration().whole_seconds()),
            hsm: Some(HsmRun {
                phase: None,
                waiting: None,
                operation: backup.job.clone(),
                folder: folder.map(|of| of.path.clone()),
                blobs: folder.map(|of| of.blobs),
                bytes: folder.map(|of| of.bytes),
                found: backup.found,
                note: backup.note.clone(),
                failure: backup.failure.as_ref().map(Into::into),
            }),
            ..Self::new(&backup.hsm, &backup.run, backup.verdict.into(), Some(backup.opened))
        }
    }
}

impl From<&Run> for RunInSource {
    fn from(run: &Run) -> Self {
        let by = match run {
            Run::Open(job) => &job.by,
            Run::Ended(backup) => &backup.by,
        };
        Self::of_hsm(run.into(), by.into())
    }
}
