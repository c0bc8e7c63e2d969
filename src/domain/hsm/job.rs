//! The record of a job of a Managed HSM.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{super::source::SourceName, HsmBackup, KeyOutcome, Seen, WAITS_FOR, next::ASK_AFTER};
use crate::domain::{
    actor::Actor,
    digest::Digest,
    object::ObjectName,
    outcome::Failure,
    restore::{Approval, RestoreId},
    right::Right,
    run::{RunId, Verdict},
};

/// The version of the stored form that this program writes.
pub const HSM_JOB_FORMAT: u32 = 1;

/// How long ago a backup made for a restore may have ended when the restore begins: the HSM may be busy for a while
/// after the backup.
const MADE_FOR_IT: Duration = Duration::hours(2);

/// The longest pause before a refused backup is tried again.
const PUT_OFF_AT_MOST: Duration = Duration::HOUR;

/// The least time between two starts, and the longest that a start or a check is postponed at the service's request. If
/// the service wants a longer pause, it has to say so again: a single header does not stop work on an HSM for a day.
const START_AGAIN: [Duration; 2] = [ASK_AFTER, Duration::HOUR];

/// How often the start of a restore may be refused for a right, a minute apart. Rights take up to ten minutes to take
/// effect.
pub(super) const RIGHTS_WITHIN: u32 = 15;

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "task")]
pub enum Task {
    /// Back up the HSM.
    Backup {
        /// The restore that needs this backup first, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        safety_for: Option<RestoreId>,
    },
    /// Replace everything in the HSM.
    RestoreAll {
        /// The digest of its plan.
        plan: Digest,
        /// The HSM that was backed up.
        source: SourceName,
        /// The run that backed it up.
        run: RunId,
        /// The folder.
        folder: String,
        /// The backup of this HSM that has to succeed first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        safety: Option<RunId>,
    },
    /// Restore keys, one after the other.
    RestoreKeys {
        /// The digest of its plan.
        plan: Digest,
        /// The HSM that was backed up.
        source: SourceName,
        /// The run that backed it up.
        run: RunId,
        /// The folder.
        folder: String,
        /// The keys. Those that the plan excludes come first.
        keys: Vec<ObjectName>,
        /// The outcomes of the first of these keys, in their order.
        outcomes: Vec<KeyOutcome>,
    },
}

/// How far a job has got with the operation that it has to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "phase")]
pub enum Phase {
    /// Nothing was sent.
    Due {
        /// The earliest time to send it.
        #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        not_before: Option<OffsetDateTime>,
    },
    /// The service checks whether the operation is possible, which changes nothing.
    Checking {
        /// The service's name for the check.
        job: String,
        /// Since when. Absent in records of the first programs.
        #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
        since: Option<OffsetDateTime>,
    },
    /// The check has ended, and the operation can be started.
    Checked,
    /// The process that recorded this, and no other, sends the start.
    Sending {
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// The operation is under way.
    Running {
        /// The service's name for the operation.
        job: String,
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
    },
    /// The start was sent and its answer lost: the operation may or may not be under way.
    Lost {
        /// When it was sent.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// The service refused the start because it is busy: with an operation of another party, or with one of this
    /// program whose start got no answer.
    Occupied {
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
    },
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HsmEnd {
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The verdict.
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
    pub hsm: SourceName,
    /// The actor that requested it.
    pub by: Actor,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub opened: OffsetDateTime,
    /// What it does.
    #[serde(flatten)]
    pub task: Task,
    /// How far it has got.
    #[serde(flatten)]
    pub phase: Phase,
    /// Why it waits, for a reader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// A folder that may be its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// When the service was last asked about it, whether or not it answered.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub polled: Option<OffsetDateTime>,
    /// Number of consecutive polls without a result: refused, or not answered.
    #[serde(default)]
    pub refused: u32,
    /// The time before which no start and no check is sent: the service refused the last one and asked for this pause.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub held_until: Option<OffsetDateTime>,
    /// Whether it has waited until the newest backup met the service's rule for restores of everything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waited: bool,
    /// The approval by which a restore began, if its plan needed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Box<Approval>>,
    /// Whether it was reported as taking too long.
    #[serde(default)]
    pub reported: bool,
    /// How it ended. A restore whose open record has this does nothing more, and the record is about to be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<HsmEnd>,
}

impl HsmJob {
    /// The service's name for the operation that is running.
    pub fn operation(&self) -> Option<&str> {
        match &self.phase {
            Phase::Running { job, .. } => Some(job),
            _ => None,
        }
    }

    /// The right by which it was requested. `None` for the safety backup of a restore.
    pub fn right(&self) -> Option<Right> {
        match &self.task {
            Task::Backup { safety_for: None } => Some(Right::Backup),
            Task::Backup { safety_for: Some(_) } => None,
            Task::RestoreAll { .. } | Task::RestoreKeys { .. } => Some(Right::Restore),
        }
    }

    /// The record of a job that begins now.
    pub fn open(id: RunId, hsm: SourceName, task: Task, by: Actor, now: OffsetDateTime) -> Self {
        Self {
            v: HSM_JOB_FORMAT,
            id,
            hsm,
            by,
            opened: now,
            task,
            phase: Phase::Due { not_before: None },
            waiting: None,
            seen: None,
            polled: None,
            refused: 0,
            held_until: None,
            waited: false,
            approval: None,
            reported: false,
            ended: None,
        }
    }

    /// Whether it is a backup.
    pub fn is_backup(&self) -> bool {
        matches!(self.task, Task::Backup { .. })
    }

    /// Its name as a restore; `None` for a backup.
    pub fn restore(&self) -> Option<RestoreId> {
        if self.is_backup() { None } else { self.id.clone().try_into().ok() }
    }

    /// Whether it restores everything after a backup that was made for it.
    pub fn has_safety(&self) -> bool {
        matches!(self.task, Task::RestoreAll { safety: Some(_), .. })
    }

    /// Whether the newest good backup of its HSM is too old for a restore of everything to begin: not younger than
    /// `age` or, if it was made for this restore, too long ended. `false` once the job has waited for the service's
    /// rule.
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

    /// Postpones a start that was refused for a right or a network, since that may pass. A backup is tried again at
    /// growing intervals for as long as a job may wait; a restore, for which a person waits, every minute for a while.
    /// Returns whether there is another attempt.
    pub fn put_off(&mut self, now: OffsetDateTime) -> bool {
        self.refused += 1;
        let pause = if self.is_backup() {
            PUT_OFF_AT_MOST.min(Duration::MINUTE * 2_i32.saturating_pow(self.refused.min(16)))
        } else {
            Duration::MINUTE
        };
        let next = now + pause;
        self.phase = Phase::Due { not_before: Some(next) };
        if self.is_backup() { next - self.opened < WAITS_FOR } else { self.refused < RIGHTS_WITHIN }
    }

    /// Holds back starts and checks after a refused one: for as long as the service asks, or until the next pass.
    pub fn hold(&mut self, asked: Option<std::time::Duration>, now: OffsetDateTime) {
        let [least, most] = START_AGAIN;
        let asked = asked.map_or(least, |asked| Duration::try_from(asked).unwrap_or(most));
        self.held_until = Some(now + asked.clamp(least, most));
    }

    /// Whether starts and checks are held back.
    pub(super) fn is_held(&self, now: OffsetDateTime) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }

    /// Whether the HSM may be running an operation of this job.
    pub fn is_at_work(&self) -> bool {
        matches!(self.phase, Phase::Sending { .. } | Phase::Running { .. } | Phase::Lost { .. })
    }

    /// Whether it takes longer than `limit` and that was not reported yet.
    pub fn is_overdue(&self, limit: Duration, now: OffsetDateTime) -> bool {
        !self.reported && now - self.opened >= limit
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::hsm::{BACKUP_FORMAT, Folder};

    const NOW: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);
    const AGE: Duration = Duration::HOUR;

    fn backup() -> HsmJob {
        let task = Task::Backup { safety_for: None };
        HsmJob::open(RunId::nightly(NOW), "hsm-a".parse().unwrap(), task, Actor::TIMER, NOW)
    }

    fn restore(task: Task) -> HsmJob {
        HsmJob::open(RestoreId::new(NOW, 7).into(), "hsm-a".parse().unwrap(), task, Actor::TERMINAL, NOW)
    }

    fn everything(safety: Option<RunId>) -> HsmJob {
        let (plan, source, run) = (Digest::of(b"plan"), "hsm-a".parse().unwrap(), RunId::nightly(NOW));
        restore(Task::RestoreAll { plan, source, run, folder: "f".into(), safety })
    }

    fn keys() -> HsmJob {
        let (plan, source, run) = (Digest::of(b"plan"), "hsm-a".parse().unwrap(), RunId::nightly(NOW));
        restore(Task::RestoreKeys {
            plan,
            source,
            run,
            folder: "f".into(),
            keys: Vec::new(),
            outcomes: Vec::new(),
        })
    }

    /// A good backup of a state of this age, which ended this long ago.
    fn newest(age: Duration, ended: Duration) -> HsmBackup {
        let time = Some(NOW - age);
        HsmBackup {
            v: BACKUP_FORMAT,
            hsm: "hsm-a".parse().unwrap(),
            run: RunId::nightly(NOW - age),
            by: Actor::TIMER,
            opened: NOW - age,
            started: time,
            ended: NOW - ended,
            job: None,
            verdict: Verdict::Succeeded,
            folder: Some(Folder {
                path: "f".into(),
                uri: None,
                time,
                blobs: 1,
                bytes: 1,
                written: None,
                sum: None,
            }),
            found: false,
            note: None,
            failure: None,
        }
    }

    #[test]
    fn a_job_is_a_backup_or_the_restore_of_its_name() {
        let safety = Some(RunId::safety(&RestoreId::new(NOW, 7).into()));
        let table = [
            (backup(), None, false),
            (everything(None), Some(RestoreId::new(NOW, 7)), false),
            (everything(safety), Some(RestoreId::new(NOW, 7)), true),
            (keys(), Some(RestoreId::new(NOW, 7)), false),
        ];
        for (job, restore, has_safety) in table {
            assert_eq!(job.is_backup(), restore.is_none(), "{job:?}");
            assert_eq!((job.restore(), job.has_safety()), (restore, has_safety), "{job:?}");
        }
    }

    #[test]
    fn a_restore_of_everything_begins_only_with_a_backup_that_is_fresh_enough() {
        let (none, safety) = (everything(None), everything(Some(RunId::manual(NOW, 1))));
        let second = Duration::SECOND;
        let table = [
            (&none, None, true),
            (&none, Some(newest(AGE - second, Duration::ZERO)), false),
            (&none, Some(newest(AGE, Duration::ZERO)), true),
            // The HSM may be busy for a while after the backup made for this restore.
            (&safety, Some(newest(AGE * 5, MADE_FOR_IT - second)), false),
            (&safety, Some(newest(AGE * 5, MADE_FOR_IT)), true),
            (&safety, None, true),
        ];
        for (job, newest, expected) in table {
            assert_eq!(job.is_outdated(newest.as_ref(), AGE, NOW), expected, "{job:?} {newest:?}");
            let waited = HsmJob { waited: true, ..job.clone() };
            assert!(!waited.is_outdated(newest.as_ref(), AGE, NOW), "it has waited for the service's rule");
        }
        let longer = newest(AGE * 5, MADE_FOR_IT);
        assert!(!safety.is_outdated(Some(&longer), MADE_FOR_IT + second, NOW), "a longer setting counts");
    }

    #[test]
    fn an_operation_may_be_under_way_from_its_start_until_its_end_was_seen() {
        let (job, at) = (|| "j".to_owned(), NOW);
        let table = [
            (Phase::Due { not_before: None }, false),
            (Phase::Checking { job: job(), since: None }, false),
            (Phase::Checked, false),
            (Phase::Sending { at }, true),
            (Phase::Running { job: job(), since: at }, true),
            (Phase::Lost { at }, true),
            (Phase::Occupied { since: at }, false),
        ];
        for (phase, expected) in table {
            assert_eq!(HsmJob { phase: phase.clone(), ..backup() }.is_at_work(), expected, "{phase:?}");
        }
    }

    #[test]
    fn what_takes_too_long_is_reported_once() {
        let job = backup();
        assert!(!job.is_overdue(AGE, NOW + AGE - Duration::SECOND));
        assert!(job.is_overdue(AGE, NOW + AGE));
        assert!(!HsmJob { reported: true, ..job }.is_overdue(AGE, NOW + AGE));
    }

    #[test]
    fn a_start_that_was_refused_is_held_back_as_long_as_the_service_asks_within_reason() {
        let seconds = |seconds| Some(std::time::Duration::from_secs(seconds));
        let table = [
            (None, ASK_AFTER),
            (seconds(0), ASK_AFTER),
            (seconds(10), ASK_AFTER),
            (seconds(600), Duration::minutes(10)),
            (seconds(86_400), Duration::HOUR),
            (seconds(u64::MAX), Duration::HOUR),
        ];
        for (asked, pause) in table {
            let mut job = backup();
            job.hold(asked, NOW);
            assert_eq!(job.held_until, Some(NOW + pause), "{asked:?}");
            assert!(job.is_held(NOW + pause - Duration::SECOND) && !job.is_held(NOW + pause));
        }
        assert!(!backup().is_held(NOW));
    }

    #[test]
    fn a_backup_is_put_off_by_twice_as_long_each_time_up_to_an_hour_as_long_as_it_may_wait() {
        let mut job = backup();
        for minutes in [2, 4, 8, 16, 32, 60, 60] {
            assert!(job.put_off(NOW));
            assert_eq!(job.phase, Phase::Due { not_before: Some(NOW + Duration::minutes(minutes)) });
        }
        let last = NOW + WAITS_FOR - PUT_OFF_AT_MOST;
        assert!(job.put_off(last - Duration::SECOND) && !job.put_off(last));
    }
}
