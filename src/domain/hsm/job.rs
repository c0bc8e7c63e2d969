//! A job of a Managed HSM, and what the next look at it has to do.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{HsmName, Seen};
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

/// How long whoever notes that it sends a start may take to note what came of it. Longer than a request can
/// take; after that it is gone, and whether the start was taken is not known.
const SENT_WITHIN: Duration = Duration::minutes(5);

/// How long a folder is waited for after a start whose answer was lost, before the HSM is asked again.
pub const LOST_FOR: Duration = Duration::minutes(15);

/// How long a job may wait for an HSM that is busy with something else.
const WAITS_FOR: Duration = Duration::hours(12);

/// The least time between two polls of one operation.
const POLL_AFTER: Duration = Duration::seconds(45);

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
        /// The keys.
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
    /// The service refused the start because it is busy with an operation that is not ours.
    Occupied {
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
    },
}

/// How a restore job ended.
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
    /// When the service was last asked about it.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub polled: Option<OffsetDateTime>,
    /// Polls in a row that the service answered with a refusal.
    #[serde(default)]
    pub refused: u32,
    /// Whether it was reported that it takes longer than it should.
    #[serde(default)]
    pub reported: bool,
    /// How it ended, for restores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<HsmEnd>,
}

/// What else is going on at the HSM.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// A restore of the HSM that is under way.
    pub restore: Option<RestoreId>,
    /// Another job of ours whose operation is under way.
    pub busy: Option<RunId>,
    /// What came of the backup that has to succeed first.
    pub safety: Option<Verdict>,
}

/// What a look has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing: somebody is at it, or it was asked a moment ago.
    Patience,
    /// Nothing, for this reason.
    Wait(String),
    /// Ask the service whether it could be done.
    Check,
    /// Ask how the check stands.
    PollCheck(String),
    /// Send the start, once.
    Start,
    /// Ask how the operation stands.
    Poll(String),
    /// Look for a folder that an unknown operation left, made after a time; if there is none, ask the HSM.
    LookFor {
        /// Folders before this do not fit.
        since: OffsetDateTime,
        /// Whether the HSM is asked when there is none.
        or_start: bool,
    },
    /// It cannot go on.
    GiveUp(Failure),
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

    /// Whether an operation of it may be under way at the HSM.
    pub fn is_at_work(&self) -> bool {
        matches!(self.phase, Phase::Sending { .. } | Phase::Running { .. } | Phase::Lost { .. })
    }

    /// Whether it takes longer than `limit` and nobody was told.
    pub fn is_overdue(&self, limit: Duration, now: OffsetDateTime) -> bool {
        !self.reported && now - self.opened >= limit
    }

    /// What the next look has to do.
    pub fn next(&self, around: &Around, now: OffsetDateTime) -> Move {
        match &self.phase {
            Phase::Due { not_before } => self.due(*not_before, around, now),
            Phase::Checking { job } => self.poll(job, now, Move::PollCheck),
            Phase::Checked => Move::Start,
            Phase::Sending { at } if now - *at < SENT_WITHIN => Move::Patience,
            Phase::Sending { at } | Phase::Lost { at } => self.lost(*at, now),
            Phase::Running { job, .. } => self.poll(job, now, Move::Poll),
            Phase::Occupied { since } => self.occupied(*since, now),
        }
    }

    fn poll(&self, job: &str, now: OffsetDateTime, poll: impl FnOnce(String) -> Move) -> Move {
        let early = self.polled.is_some_and(|polled| now - polled < POLL_AFTER);
        if early { Move::Patience } else { poll(job.to_owned()) }
    }

    fn due(&self, not_before: Option<OffsetDateTime>, around: &Around, now: OffsetDateTime) -> Move {
        if now - self.opened >= WAITS_FOR {
            let why = self.waiting.as_deref().unwrap_or("the HSM was never free");
            return Move::GiveUp(Failure::ours("NeverFree", format!("it waited twelve hours: {why}")));
        }
        if let Some(busy) = &around.busy {
            return Move::Wait(format!("job {busy} is under way at the HSM"));
        }
        match &self.task {
            Task::Backup { safety_for } => match &around.restore {
                Some(restore) if safety_for.as_ref() != Some(restore) => {
                    Move::Wait(format!("restore {restore} is under way; the HSM is backed up after it"))
                }
                _ => Move::Check,
            },
            Task::RestoreAll { safety: Some(safety), .. } => match around.safety {
                None => Move::Wait(format!("the HSM is backed up first, in run {safety}")),
                Some(Verdict::Succeeded) => Self::ready(not_before, now),
                Some(_) => Move::GiveUp(Failure::ours(
                    "NoSafetyBackup",
                    format!(
                        "the HSM could not be backed up first (run {safety}), so nothing was replaced in it"
                    ),
                )),
            },
            Task::RestoreAll { .. } | Task::RestoreKeys { .. } => Self::ready(not_before, now),
        }
    }

    fn ready(not_before: Option<OffsetDateTime>, now: OffsetDateTime) -> Move {
        match not_before {
            Some(time) if time > now => Move::Patience,
            _ => Move::Start,
        }
    }

    fn lost(&self, at: OffsetDateTime, now: OffsetDateTime) -> Move {
        if self.is_backup() {
            return Move::LookFor { since: at - Duration::minutes(2), or_start: now - at >= LOST_FOR };
        }
        // A restore leaves nothing to look for. It is not sent again: that is for somebody who has looked.
        if now - at < LOST_FOR {
            return Move::Wait("the answer to the start was lost; it is not sent again".into());
        }
        Move::GiveUp(Failure::ours(
            "AnswerLost",
            "the start was sent and its answer lost: the restore may have been carried out or not. Look at the \
             HSM, and plan again if it is not as it should be",
        ))
    }

    fn occupied(&self, since: OffsetDateTime, now: OffsetDateTime) -> Move {
        if now - since >= WAITS_FOR {
            return Move::GiveUp(Failure::ours(
                "NeverFree",
                "the HSM was busy with an operation that this program did not start for twelve hours",
            ));
        }
        if self.is_backup() {
            // A backup that somebody else began up to an hour before serves as well.
            Move::LookFor { since: self.opened - Duration::HOUR, or_start: true }
        } else {
            Move::Start
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);

    fn backup(phase: Phase) -> HsmJob {
        let task = Task::Backup { safety_for: None };
        let job = HsmJob::open(RunId::nightly(NOW), "hsm-a".parse().unwrap(), task, Asker::TIMER, NOW);
        HsmJob { phase, ..job }
    }

    fn full(safety: Option<RunId>, phase: Phase) -> HsmJob {
        let (plan, hsm) = (Digest::of(b"plan"), "hsm-a".parse::<HsmName>().unwrap());
        let task = Task::RestoreAll {
            plan,
            source: hsm.clone(),
            run: RunId::nightly(NOW),
            folder: "mhsm-hsm-a-2026112202000000".into(),
            safety,
        };
        let job = HsmJob::open(RestoreId::new(NOW, 7).into(), hsm, task, Asker::TERMINAL, NOW);
        HsmJob { phase, ..job }
    }

    const DUE: Phase = Phase::Due { not_before: None };

    #[test]
    fn a_backup_is_checked_then_started_then_polled_once_a_minute() {
        let around = Around::default();
        assert_eq!(backup(DUE).next(&around, NOW), Move::Check);
        assert_eq!(backup(Phase::Checked).next(&around, NOW), Move::Start);
        let mut running = backup(Phase::Running { job: "j".into(), since: NOW });
        assert_eq!(running.next(&around, NOW), Move::Poll("j".into()));
        running.polled = Some(NOW);
        assert_eq!(running.next(&around, NOW + Duration::seconds(20)), Move::Patience);
        assert_eq!(running.next(&around, NOW + Duration::MINUTE), Move::Poll("j".into()));
    }

    #[test]
    fn a_start_whose_answer_was_lost_is_not_sent_again_blindly() {
        let around = Around::default();
        let sending = backup(Phase::Sending { at: NOW });
        assert_eq!(sending.next(&around, NOW + Duration::MINUTE), Move::Patience);
        let since = NOW - Duration::minutes(2);
        let looking = |after| sending.next(&around, NOW + after);
        assert_eq!(looking(SENT_WITHIN), Move::LookFor { since, or_start: false });
        assert_eq!(looking(LOST_FOR), Move::LookFor { since, or_start: true });
        let lost = full(None, Phase::Lost { at: NOW });
        assert!(matches!(lost.next(&around, NOW + LOST_FOR), Move::GiveUp(_)), "a restore never is");
    }

    #[test]
    fn a_backup_waits_for_a_restore_and_says_why_unless_the_restore_wants_it() {
        let restore = RestoreId::new(NOW, 7);
        let around = Around { restore: Some(restore.clone()), ..Around::default() };
        let Move::Wait(why) = backup(DUE).next(&around, NOW) else { panic!("it waits") };
        assert!(why.contains(restore.as_str()));
        let mut wanted = backup(DUE);
        wanted.task = Task::Backup { safety_for: Some(restore) };
        assert_eq!(wanted.next(&around, NOW), Move::Check);
    }

    #[test]
    fn nothing_is_replaced_before_the_safety_backup_has_succeeded() {
        let job = full(Some(RunId::manual(NOW, 1)), DUE);
        let after = |safety| job.next(&Around { safety, ..Around::default() }, NOW);
        assert!(matches!(after(None), Move::Wait(_)));
        assert!(matches!(after(Some(Verdict::Failed)), Move::GiveUp(_)));
        assert_eq!(after(Some(Verdict::Succeeded)), Move::Start);
    }

    #[test]
    fn a_job_never_waits_for_ever() {
        let busy = Around { busy: Some(RunId::nightly(NOW)), ..Around::default() };
        assert!(matches!(backup(DUE).next(&busy, NOW + WAITS_FOR), Move::GiveUp(_)));
        let occupied = backup(Phase::Occupied { since: NOW });
        assert!(matches!(occupied.next(&busy, NOW + WAITS_FOR), Move::GiveUp(_)));
    }
}
