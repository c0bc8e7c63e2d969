//! A restore that is being carried out, or was.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{RestoreId, RestorePlan, StepResult};
use crate::domain::{
    asker::{Asker, Via},
    digest::Digest,
    job::{OPEN_FOR, STALLED_AFTER},
    object::VaultName,
    run::Verdict,
};

/// The version of the stored forms and of the message that this program writes.
pub const RESTORE_FORMAT: u32 = 1;

/// How long whoever starts a restore may take to send its messages before somebody else does.
const SENT_WITHIN: Duration = Duration::minutes(2);

/// A restore's numbers: planned = restored + skipped + failed, once it has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreNumbers {
    /// Objects that were asked for.
    pub planned: u32,
    /// Objects that are in the target as their backup has them.
    pub restored: u32,
    /// Objects that the request wants left as they are.
    pub skipped: u32,
    /// Objects that stood in the way, and steps that failed.
    pub failed: u32,
}

impl RestoreNumbers {
    /// The numbers of a plan of which nothing is done yet.
    pub fn of(plan: &RestorePlan) -> Self {
        let conflicts = plan.conflicts().count();
        Self {
            planned: count(plan.steps.len() + plan.left.len()),
            restored: 0,
            skipped: count(plan.left.len() - conflicts),
            failed: count(conflicts),
        }
    }

    /// Counts a step.
    pub fn add(&mut self, result: &StepResult) {
        if result.succeeded() {
            self.restored += 1;
        } else {
            self.failed += 1;
        }
    }

    /// How a restore with these numbers ended.
    pub fn verdict(&self) -> Verdict {
        match (self.failed, self.restored + self.skipped) {
            (0, _) => Verdict::Succeeded,
            (_, 0) => Verdict::Failed,
            _ => Verdict::PartiallyFailed,
        }
    }
}

fn count(objects: usize) -> u32 {
    u32::try_from(objects).unwrap_or(u32::MAX)
}

/// How a restore ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How.
    pub verdict: Verdict,
}

/// The record of a restore. It stays after the restore has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreJob {
    /// [`RESTORE_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// Its name.
    pub id: RestoreId,
    /// The digest of its plan.
    pub plan: Digest,
    /// The vault whose backups are restored.
    pub source: VaultName,
    /// The vault that they are restored into.
    pub target: VaultName,
    /// Who asked for it.
    pub by: Asker,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub opened: OffsetDateTime,
    /// What came of it so far.
    pub numbers: RestoreNumbers,
    /// How many steps it has.
    pub steps: u32,
    /// How many of them had an outcome when it was last looked at.
    pub answered: u32,
    /// When that number last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub progressed: OffsetDateTime,
    /// Whether all messages were sent at least once, or somebody works through the steps without any.
    pub sent: bool,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// What an open restore needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Its traces removed: it has ended.
    Nothing,
    /// Nothing now: others are at work.
    Patience,
    /// A message for each step that waits for a busy vault.
    Nudging,
    /// A message for each step without an outcome.
    Sending,
    /// A record of failure for each step without an outcome, then its end.
    GivingUp,
    /// Its end recorded.
    Closing,
}

impl RestoreJob {
    /// The record of a restore that begins now.
    pub fn open(id: RestoreId, plan: &RestorePlan, by: Asker, now: OffsetDateTime) -> Self {
        let now = now.replace_nanosecond(0).unwrap_or(now);
        Self {
            v: RESTORE_FORMAT,
            id,
            plan: plan.digest(),
            source: plan.request.source.clone(),
            target: plan.request.target.clone(),
            sent: by.via == Via::Terminal,
            by,
            opened: now,
            numbers: RestoreNumbers::of(plan),
            steps: count(plan.steps.len()),
            answered: 0,
            progressed: now,
            ended: None,
        }
    }

    /// Notes the outcomes so far. Says whether that is news.
    pub fn note(&mut self, numbers: RestoreNumbers, answered: usize, now: OffsetDateTime) -> bool {
        let answered = count(answered);
        let news = answered != self.answered;
        if news {
            (self.numbers, self.answered) = (numbers, answered);
            self.progressed = now.replace_nanosecond(0).unwrap_or(now);
        }
        news
    }

    /// Notes its end.
    pub fn end(&mut self, now: OffsetDateTime) {
        let at = now.replace_nanosecond(0).unwrap_or(now);
        self.ended = Some(Ended { at, verdict: self.numbers.verdict() });
    }

    /// What it needs. `waiting` is how many steps wait for a busy vault.
    pub fn need(&self, waiting: usize, now: OffsetDateTime) -> Need {
        let quiet = now - self.progressed;
        if self.ended.is_some() {
            Need::Nothing
        } else if self.answered >= self.steps {
            Need::Closing
        } else if now - self.opened >= OPEN_FOR {
            Need::GivingUp
        } else if quiet >= STALLED_AFTER || (!self.sent && quiet >= SENT_WITHIN) {
            Need::Sending
        } else if waiting > 0 {
            Need::Nudging
        } else {
            Need::Patience
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::restore::{OnConflict, Request, Selection};

    const START: OffsetDateTime = datetime!(2026-11-22 10:11:12 UTC);

    fn job(via: Via) -> RestoreJob {
        let vault: VaultName = "kv-prod".parse().unwrap();
        let request = Request {
            source: vault.clone(),
            target: vault,
            at: None,
            selection: Selection::default(),
            on_conflict: OnConflict::Fail,
        };
        let plan = RestorePlan { v: 1, request, steps: Vec::new(), left: Vec::new() };
        let by = Asker { via, key: None, principal: None };
        RestoreJob { steps: 2, ..RestoreJob::open(RestoreId::new(START, 7), &plan, by, START) }
    }

    #[test]
    fn an_open_restore_always_ends() {
        let mut job = job(Via::Http);
        assert_eq!(job.need(0, START), Need::Patience);
        assert_eq!(job.need(0, START + SENT_WITHIN), Need::Sending);
        job.sent = true;
        assert_eq!(job.need(1, START + SENT_WITHIN), Need::Nudging);
        assert_eq!(job.need(1, START + STALLED_AFTER), Need::Sending);
        assert_eq!(job.need(1, START + OPEN_FOR), Need::GivingUp);
        assert!(job.note(job.numbers, 2, START + OPEN_FOR));
        assert_eq!(job.need(0, START + OPEN_FOR), Need::Closing);
        job.end(START + OPEN_FOR);
        assert_eq!(job.need(0, START + OPEN_FOR), Need::Nothing);
    }

    #[test]
    fn whoever_restores_at_a_terminal_needs_no_messages() {
        assert_eq!(job(Via::Terminal).need(0, START + SENT_WITHIN), Need::Patience);
    }
}
