//! A backup run that has not been closed yet.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    asker::{Asker, Via},
    object::VaultName,
    run::RunId,
};

/// The version of the stored form that this program writes.
pub const JOB_FORMAT: u32 = 1;

/// How long nothing may come in before the messages of unanswered objects are sent again. Longer than
/// the waits between five deliveries of a message that fails at once. One whose tries hang takes longer; then
/// there are two of it, which costs requests and changes nothing.
pub const STALLED_AFTER: Duration = Duration::minutes(15);

/// How long planning may take before somebody else does it. Longer than an invocation can last.
pub const PLANNED_WITHIN: Duration = Duration::minutes(35);

/// How long a run waits for a kind that may yet be listed. Then it goes on without it, if there is something to
/// back up of the others: one kind in trouble must not leave the whole vault unprotected for a night.
pub const LISTED_WITHIN: Duration = Duration::hours(2);

/// How long a run may stay open. Then what is unanswered has failed.
pub const OPEN_FOR: Duration = Duration::hours(20);

/// How long a message lives. Shorter than a run, so that none that is sent with the plan arrives after its
/// run was closed. One that is sent again may: whoever gets a late message looks first.
pub const MESSAGE_LIFETIME: Duration = Duration::hours(19);

/// The record of an open run. It is written before the run's plan and deleted after its manifest, so a
/// run that was started is never forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupJob {
    /// [`JOB_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The vault.
    pub vault: VaultName,
    /// The run.
    pub run: RunId,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub opened: OffsetDateTime,
    /// Who asked for it. Records of older programs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Asker>,
    /// Whether everything is to be backed up, changed or not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everything: bool,
    /// Whether all messages were sent at least once.
    pub sent: bool,
    /// How many planned objects had an outcome when it was last looked at.
    pub answered: u32,
    /// When that number last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub progressed: OffsetDateTime,
    /// Drawn by whoever wrote the record first, to know it again when the answer to the write was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u64>,
}

/// What an open run needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: others are at work.
    Patience,
    /// A plan: whoever was to make it is gone.
    Planning,
    /// Its messages sent, again or for the first time.
    Sending,
    /// A record of failure for what is unanswered, then its manifest.
    GivingUp,
    /// Its manifest.
    Closing,
}

impl BackupJob {
    /// The record of a run that begins now.
    pub fn open(vault: VaultName, run: RunId, by: Asker, now: OffsetDateTime) -> Self {
        let now = now.replace_nanosecond(0).unwrap_or(now);
        Self {
            v: JOB_FORMAT,
            vault,
            run,
            opened: now,
            by: Some(by),
            everything: false,
            sent: false,
            answered: 0,
            progressed: now,
            mark: None,
        }
    }

    /// Whether it has been open for as long as a run may be.
    pub fn has_expired(&self, now: OffsetDateTime) -> bool {
        now - self.opened >= OPEN_FOR
    }

    /// When somebody other than its opener may plan it. An HTTP caller leaves that to the next look: a
    /// large vault takes longer to list than a caller waits.
    fn plannable(&self) -> Duration {
        match &self.by {
            Some(Asker { via: Via::Http, .. }) => Duration::ZERO,
            _ => PLANNED_WITHIN,
        }
    }

    /// Whether planning waits for a kind that may yet be listed.
    pub fn waits_for_lists(&self, now: OffsetDateTime) -> bool {
        now - self.opened < LISTED_WITHIN
    }

    /// Notes how many planned objects have an outcome. Says whether that is news.
    pub fn note(&mut self, answered: u32, now: OffsetDateTime) -> bool {
        let news = answered != self.answered;
        if news {
            self.answered = answered;
            self.progressed = now.replace_nanosecond(0).unwrap_or(now);
        }
        news
    }

    /// What the run needs. `planned` is how many objects its plan backs up, if there is a plan.
    pub fn need(&self, planned: Option<u32>, now: OffsetDateTime) -> Need {
        let Some(planned) = planned else {
            return if self.has_expired(now) {
                Need::GivingUp
            } else if now - self.opened >= self.plannable() {
                Need::Planning
            } else {
                Need::Patience
            };
        };
        if self.answered >= planned {
            Need::Closing
        } else if self.has_expired(now) {
            Need::GivingUp
        } else if now - self.progressed >= STALLED_AFTER {
            Need::Sending
        } else {
            Need::Patience
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_open_run_always_ends() {
        let start = datetime!(2026-11-22 02:00 UTC);
        let mut job = BackupJob::open("kv-prod".parse().unwrap(), RunId::nightly(start), Asker::TIMER, start);
        assert_eq!(job.need(None, start + Duration::MINUTE), Need::Patience);
        assert_eq!(job.need(None, start + PLANNED_WITHIN), Need::Planning);
        assert_eq!(job.need(None, start + OPEN_FOR), Need::GivingUp);
        assert_eq!(job.need(Some(2), start + Duration::MINUTE), Need::Patience);
        assert!(job.note(1, start + Duration::minutes(10)));
        assert_eq!(job.need(Some(2), start + Duration::minutes(24)), Need::Patience);
        assert_eq!(job.need(Some(2), start + Duration::minutes(25)), Need::Sending);
        assert_eq!(job.need(Some(2), start + OPEN_FOR), Need::GivingUp);
        assert!(job.note(2, start + OPEN_FOR));
        assert_eq!(job.need(Some(2), start + OPEN_FOR), Need::Closing);
    }

    #[test]
    fn no_message_outlives_its_run() {
        assert!(MESSAGE_LIFETIME < OPEN_FOR);
    }
}
