//! The record of a backup of a whole HSM.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::HsmName;
use crate::domain::{
    asker::Asker,
    outcome::Failure,
    run::{RunId, Verdict},
};

/// The version of the stored form that this program writes.
pub const BACKUP_FORMAT: u32 = 1;

/// The folder that a backup left in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Its path in the container, as the service gave it. Never computed.
    pub path: String,
    /// Its address, as the service gave it; none when it was found in the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The time in its name, if that can be read.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub time: Option<OffsetDateTime>,
    /// How many blobs it holds.
    pub blobs: u32,
    /// How large they are.
    pub bytes: u64,
}

/// A folder in the container while a job waits for it to be whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The folder.
    pub folder: Folder,
    /// Looks in a row at which it was the same.
    pub looks: u32,
}

impl Seen {
    /// Looks at which a folder has to be the same, a minute apart, before it counts as whole. The service has
    /// no mark of its own for that.
    const WHOLE_AFTER: u32 = 4;

    /// Notes a look.
    #[must_use]
    pub fn again(before: Option<Self>, folder: Folder) -> Self {
        let looks = before.filter(|before| before.folder == folder).map_or(0, |before| before.looks) + 1;
        Self { folder, looks }
    }

    /// Whether it counts as whole.
    pub fn is_whole(&self) -> bool {
        self.looks >= Self::WHOLE_AFTER && self.folder.blobs > 0
    }
}

/// Whether a folder of this time can be the result of an operation that was under way at `at`.
pub fn fits(time: OffsetDateTime, at: OffsetDateTime, slack: Duration) -> bool {
    time >= at - slack
}

/// What came of a backup of a whole HSM. Written once, when the job ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HsmBackup {
    /// [`BACKUP_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The HSM.
    pub hsm: HsmName,
    /// The run.
    pub run: RunId,
    /// Who asked for it.
    pub by: Asker,
    /// When the job was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub opened: OffsetDateTime,
    /// When the service began, as it says.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub started: Option<OffsetDateTime>,
    /// When the job ended; the service's word where it gave one.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// The service's name for the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// `Succeeded` or `Failed`; an HSM is never backed up in part.
    pub verdict: Verdict,
    /// What it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<Folder>,
    /// The operation was not watched: its start's answer was lost, or somebody else started it. The folder was
    /// found, fits the time, and had stopped growing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl HsmBackup {
    /// When the state that it holds was taken.
    pub fn taken(&self) -> OffsetDateTime {
        let folder = self.folder.as_ref().and_then(|folder| folder.time);
        folder.or(self.started).unwrap_or(self.opened)
    }

    /// Whether it can be restored.
    pub fn is_good(&self) -> bool {
        self.verdict == Verdict::Succeeded && self.folder.is_some()
    }
}
