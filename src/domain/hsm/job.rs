//! A job of a Managed HSM.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{HsmBackup, HsmName, Seen};
use crate::domain::{
    asker::Asker,
    digest::Digest,
    object::ObjectName,
    outcome::Failure,
    restore::RestoreId,
    run::{RunId, Verdict},
};

/// The version of the stored form that this program writes.
pub const HSM_JOB_FORMAT: u32 = 1;

/// How long ago a backup that was made for a restore may have ended when the restore begins: the HSM may be busy for a
/// while after it.
const MADE_FOR_IT: Duration = Duration::hours(2);

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "task")]
pub enum Task {
    /// Backs the HSM up.
    Backup {
        /// The restore that wants this backup first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        safety_for: Option<RestoreId>,
    },
    /// Replaces everything in the HSM.
    RestoreAll {
        /// The digest of its plan.
        plan: Digest,
        /// The HSM that was backed up.
        source: HsmName,
        /// The run that backed it up.
        run: RunId,
        /// The folder.
        folder: String,
        /// The backup of this HSM that has to succeed first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        safety: Option<RunId>,
    },
    /// Restores keys, one after the other.
    RestoreKeys {
        /// The digest of its plan.
        plan: Digest,
        /// The HSM that was backed up.
        source: HsmName,
        /// The run that backed it up.
        run: RunId,
        /// The folder.
        folder: String,
        /// The keys. Those that the plan leaves come first.
        keys: Vec<ObjectName>,
        /// What became of the first of them.
        outcomes: Vec<KeyOutcome>,
    },
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyOutcome {
    /// The key.
    pub key: ObjectName,
    /// What became of it.
    #[serde(flatten)]
    pub result: KeyResult,
}

/// What the restore of a key came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum KeyResult {
    /// Everything of it is back.
    Restored {
        /// What the service counted as restored.
        counted: u64,
    },
    /// The service said that it succeeded, and also that it left this much as it was.
    NotOverwritten {
        /// What it counted as restored.
        restored: u64,
        /// What it could not overwrite.
        left: u64,
    },
    /// It was not restored.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// How far a job is with the operation that it has to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "phase")]
pub enum Phase {
    /// Nothing was sent.
    Due {
        /// Not before this time.
        #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        not_before: Option<OffsetDateTime>,
    },
    /// The service checks whether it could be done. Changes nothing.
    Checking {
        /// The service's name for the check.
        job: String,
        /// Since when. Records of the first programs do not say.
        #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        since: Option<OffsetDateTime>,
    },
    /// It was checked, and can be started.
    Checked,
    /// The start is being sent, by whoever noted this and by nobody else.
    Sending {
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// The service is at it.
    Running {
        /// The service's name for the operation.
        job: String,
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
    },
    /// The start was sent and its answer lost: the operation may be under way or not.
    Lost {
        /// When it was sent.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// The service refused the start because it is busy: with an operation that is not ours, or with one of ours whose
    /// start got no answer.
    Occupied {
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
    },
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HsmEnd {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How.
    pub verdict: Verdict,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// The record of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HsmJob {
    /// [`HSM_JOB_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// Its name: a run's or a restore's.
    pub id: RunId,
    /// The HSM.
    pub hsm: HsmName,
    /// Who asked for it.
    pub by: Asker,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub opened: OffsetDateTime,
    /// What it does.
    #[serde(flatten)]
    pub task: Task,
    /// How far it is.
    #[serde(flatten)]
    pub phase: Phase,
    /// Why it waits, for a reader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// A folder that may be its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// When the service was last asked about it, whether it answered or not.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub polled: Option<OffsetDateTime>,
    /// Polls in a row that told nothing: refused, or not answered.
    #[serde(default)]
    pub refused: u32,
    /// Whether it has waited until the newest backup met the service's rule for restores of everything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waited: bool,
    /// Whether it was reported that it takes longer than it should.
    #[serde(default)]
    pub reported: bool,
    /// How it ended. A restore whose open record says so does nothing any more, and is about to be forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<HsmEnd>,
}

impl HsmJob {
    /// The record of a job that begins now.
    pub fn open(id: RunId, hsm: HsmName, task: Task, by: Asker, now: OffsetDateTime) -> Self {
        Self {
            v: HSM_JOB_FORMAT,
            id,
            hsm,
            by,
            opened: now.replace_nanosecond(0).unwrap_or(now),
            task,
            phase: Phase::Due { not_before: None },
            waiting: None,
            seen: None,
            polled: None,
            refused: 0,
            waited: false,
            reported: false,
            ended: None,
        }
    }

    /// Whether it is a backup.
    pub fn is_backup(&self) -> bool {
        matches!(self.task, Task::Backup { .. })
    }

    /// The restore that it is.
    pub fn restore(&self) -> Option<RestoreId> {
        if self.is_backup() { None } else { self.id.clone().try_into().ok() }
    }

    /// Whether it is a restore of everything that has a backup of its own.
    pub fn has_safety(&self) -> bool {
        matches!(self.task, Task::RestoreAll { safety: Some(_), .. })
    }

    /// Whether the newest good backup of its HSM is too old for a restore of everything to begin: not younger than `age`,
    /// or, where it was made for this restore, than a while. One that has waited for the service's rule is not meant.
    pub fn is_outdated(&self, newest: Option<&HsmBackup>, age: Duration, now: OffsetDateTime) -> bool {
        let is_fresh = |backup: &HsmBackup| {
            if self.has_safety() {
                now - backup.ended < age.max(MADE_FOR_IT)
            } else {
                backup.is_young(age, now)
            }
        };
        !self.waited && !newest.is_some_and(is_fresh)
    }

    /// Whether an operation of it may be under way at the HSM.
    pub fn is_at_work(&self) -> bool {
        matches!(self.phase, Phase::Sending { .. } | Phase::Running { .. } | Phase::Lost { .. })
    }

    /// Whether it takes longer than `limit` and nobody was told.
    pub fn is_overdue(&self, limit: Duration, now: OffsetDateTime) -> bool {
        !self.reported && now - self.opened >= limit
    }
}
