//! Managed HSMs in answers: their backups, and how each is doing.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    restores::hsm_shapes::HsmRestore,
    runs::{RunInSource, RunItem},
    shapes::{Failure, Scope, State as RunState},
    status::Success,
};
use crate::{
    domain::hsm::{HsmBackup, HsmJob},
    query::hsms::{Doing, Run},
};

/// What is known of the backup of a whole HSM, beside what is known of every run.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HsmRun {
    /// How far it is, while it runs.
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
    /// Whether the folder was found, and the operation that wrote it not watched.
    found: bool,
    /// How the folder is known, where it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

/// How far a job of an HSM is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = HsmPhase)]
pub enum Phase {
    /// Nothing was sent; `waiting` says what it waits for, if for anything.
    Due,
    /// The service checks whether it could be done.
    Checking,
    /// The service said that it could be done.
    Checked,
    /// The start is being sent.
    Sending,
    /// The service is at it.
    Running,
    /// The answer to the start was lost. It is not sent again blindly.
    Lost,
    /// The HSM is busy with something that this program did not start.
    Occupied,
}

impl From<&crate::domain::hsm::Phase> for Phase {
    fn from(phase: &crate::domain::hsm::Phase) -> Self {
        use crate::domain::hsm::Phase as Of;
        match phase {
            Of::Due { .. } => Self::Due,
            Of::Checking { .. } => Self::Checking,
            Of::Checked => Self::Checked,
            Of::Sending { .. } => Self::Sending,
            Of::Running { .. } => Self::Running,
            Of::Lost { .. } => Self::Lost,
            Of::Occupied { .. } => Self::Occupied,
        }
    }
}

/// The service's name for the operation that a job waits for.
pub(super) fn operation(job: &HsmJob) -> Option<String> {
    match &job.phase {
        crate::domain::hsm::Phase::Running { job, .. } => Some(job.clone()),
        _ => None,
    }
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
                    operation: operation(job),
                    folder: None,
                    blobs: None,
                    bytes: None,
                    found: false,
                    note: None,
                    failure: None,
                }),
                ..Self::new(job.hsm.as_vault(), &job.id, RunState::Running, Some(job.opened))
            },
            Run::Ended(backup) => ended(backup),
        }
    }
}

fn ended(backup: &HsmBackup) -> RunItem {
    let folder = backup.folder.as_ref();
    RunItem {
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
        ..RunItem::new(backup.hsm.as_vault(), &backup.run, backup.verdict.into(), Some(backup.opened))
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

/// A backup of a whole HSM that can be restored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HsmBackup)]
pub struct Stored {
    /// The HSM.
    #[schema(example = "hsm-prod")]
    source: String,
    /// The run that took it.
    #[schema(example = "20261122T010000Z-nightly")]
    run: String,
    /// When the state in it was taken.
    #[serde(with = "time::serde::rfc3339")]
    taken: OffsetDateTime,
    /// The folder in the container.
    #[schema(example = "mhsm-hsm-prod-2026112201000042")]
    folder: String,
    /// How many blobs it holds.
    blobs: u32,
    /// How large they are.
    bytes: u64,
}

impl Stored {
    /// A backup that has a folder.
    pub fn new(backup: &HsmBackup) -> Option<Self> {
        let folder = backup.folder.as_ref()?;
        Some(Self {
            source: backup.hsm.to_string(),
            run: backup.run.to_string(),
            taken: backup.taken(),
            folder: folder.path.clone(),
            blobs: folder.blobs,
            bytes: folder.bytes,
        })
    }
}

/// How an HSM is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HsmStatus {
    /// The HSM.
    #[schema(example = "hsm-prod")]
    hsm: String,
    /// Whether it is not overdue, and its last backup ended well.
    ok: bool,
    /// Whether its newest good backup is older than expected, or there is none.
    overdue: bool,
    /// The newest backup that can be restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_success: Option<Success>,
    /// The newest backup that has ended, well or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<RunItem>,
    /// Backups that have not ended.
    running: Vec<RunItem>,
    /// The restore that is under way. While the service is at one of everything, the HSM answers nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    restore: Option<HsmRestore>,
}

impl HsmStatus {
    /// How an HSM is `now`.
    pub fn new(doing: Doing, interval: time::Duration, now: OffsetDateTime) -> Self {
        let (ok, overdue) = (doing.is_ok(interval, now), doing.is_overdue(interval, now));
        let Doing { hsm, good, last, open } = doing;
        let (backups, restores): (Vec<_>, Vec<_>) = open.into_iter().partition(HsmJob::is_backup);
        Self {
            hsm: hsm.to_string(),
            ok,
            overdue,
            newest_success: good.map(|good| Success::at(good.run.to_string(), good.taken(), now)),
            last_run: last.as_ref().map(ended),
            running: backups.into_iter().map(|job| (&Run::Open(Box::new(job))).into()).collect(),
            restore: restores.first().map(Into::into),
        }
    }

    /// Whether it is well.
    pub fn is_ok(&self) -> bool {
        self.ok
    }
}
