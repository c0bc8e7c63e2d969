//! The record of a restore.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Approval, RestoreId, RestoreNumbers, RestorePlan};
use crate::domain::record::count;
use crate::domain::{
    actor::{Actor, Via},
    digest::Digest,
    job::{OPEN_FOR, SENT_WITHIN, STALLED_AFTER},
    lease::Lease,
    outcome::Failure,
    run::Verdict,
    source::SourceName,
};

/// The version of the stored forms and of the message that this program writes.
pub const RESTORE_FORMAT: u32 = 1;

/// How a restore ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How it ended.
    pub verdict: Verdict,
    /// Why it ended before all of its steps did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
}

/// Why a restore ended before all of its steps did. Steps without an outcome then count as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// It was open for as long as a restore may be.
    HoursOver,
    /// Its terminal was told to stop.
    Interrupted,
    /// A person or a program abandoned it.
    Abandoned,
    /// Its terminal stopped renewing the lease on the vault.
    TerminalGone,
    /// Another restore took the vault after the lease had expired.
    Displaced,
}

impl Cut {
    /// The failure of a step that has no outcome of its own.
    pub fn failure(self) -> Failure {
        let (code, text) = match self {
            Self::HoursOver => {
                ("NoAnswer", "nothing came of its message; see the poison queue and the log for why")
            }
            Self::Interrupted => (
                "Interrupted",
                "the restore was interrupted before its turn; plan again to restore what is missing",
            ),
            Self::Abandoned => (
                "Abandoned",
                "the restore was abandoned before its turn; plan again to restore what is missing",
            ),
            Self::TerminalGone => (
                "TerminalGone",
                "the terminal that carried out the restore is gone; plan again to restore what is missing",
            ),
            Self::Displaced => (
                "Displaced",
                "the restore's lease on the vault ran out and another restore took it; plan again to restore what is \
                 missing",
            ),
        };
        Failure::ours(code, text)
    }
}

/// How a restore stands to the lease on the vault that it restores into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It has the lease.
    Ours,
    /// It has the lease, but did not renew it in time.
    RunOut,
    /// It was told to stop, but a request may still be under way.
    Stopping,
    /// It was told to stop, long enough ago that no request is under way.
    Stopped,
    /// It does not have the lease.
    Lost,
}

impl Holding {
    /// How a restore stands to the lease on its vault.
    pub fn of(restore: &RestoreId, lease: Option<&Lease>, now: OffsetDateTime) -> Self {
        match lease.filter(|lease| lease.restore == *restore) {
            None => Self::Lost,
            Some(lease) => match (lease.stopped, lease.is_over(now)) {
                (false, false) => Self::Ours,
                (false, true) => Self::RunOut,
                (true, false) => Self::Stopping,
                (true, true) => Self::Stopped,
            },
        }
    }
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
    pub source: SourceName,
    /// The vault that they are restored into.
    pub target: SourceName,
    /// The actor that requested it.
    pub by: Actor,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub opened: OffsetDateTime,
    /// Its numbers so far.
    pub numbers: RestoreNumbers,
    /// How many steps it has.
    pub steps: u32,
    /// How many of them had an outcome as of the last pass.
    pub answered: u32,
    /// When that number last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub progressed: OffsetDateTime,
    /// Whether all messages were sent at least once, or a terminal works through the steps without messages.
    pub sent: bool,
    /// Whether an app continues it when the terminal that carries it out is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hand_over: bool,
    /// The approval by which it began, if its plan needed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Box<Approval>>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// What an open restore needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The removal of its traces: it has ended.
    Nothing,
    /// Nothing now: its work is under way.
    NoOp,
    /// A message for each step that waits for a busy vault.
    Nudging,
    /// A message for each step without an outcome.
    Sending,
    /// To end for this reason: steps without an outcome have failed.
    Cutting(Cut),
    /// Its end recorded.
    Closing,
}

impl RestoreJob {
    /// The record of a restore that begins now.
    pub fn open(id: RestoreId, plan: &RestorePlan, by: Actor, now: OffsetDateTime) -> Self {
        Self {
            v: RESTORE_FORMAT,
            id,
            plan: plan.digest(),
            source: plan.request.source.clone(),
            target: plan.request.target.clone(),
            sent: by.via == Via::Terminal,
            hand_over: false,
            approval: None,
            by,
            opened: now,
            numbers: RestoreNumbers::of(plan),
            steps: count(plan.steps.len()),
            answered: 0,
            progressed: now,
            ended: None,
        }
    }

    /// Records the outcomes so far. Returns whether their number changed.
    pub fn note(&mut self, numbers: RestoreNumbers, answered: usize, now: OffsetDateTime) -> bool {
        let answered = count(answered);
        let news = answered != self.answered;
        // A record of an older program may have fewer numbers than its plan gives now.
        (self.numbers, self.answered) = (numbers, answered);
        if news {
            self.progressed = now;
        }
        news
    }

    /// Records its end.
    pub fn end(&mut self, now: OffsetDateTime) {
        self.finish(None, now);
    }

    /// Records its end before all of its steps have ended.
    pub fn cut(&mut self, cut: Cut, now: OffsetDateTime) {
        self.numbers.fail_the_rest();
        self.finish(Some(cut), now);
    }

    fn finish(&mut self, cut: Option<Cut>, now: OffsetDateTime) {
        self.ended = Some(Ended { at: now, verdict: self.numbers.verdict(), cut });
    }

    /// Whether only the terminal that began it carries it out. An app leaves it alone, and ends it when the terminal is
    /// gone: the person who stopped it may have had a reason.
    pub fn is_the_terminals(&self) -> bool {
        self.by.via == Via::Terminal && !self.hand_over
    }

    /// What it needs next. `waiting` is how many steps wait for a busy vault.
    ///
    /// The clock alone always ends it: after [`OPEN_FOR`], or when its lease has expired.
    pub fn need(&self, waiting: usize, holding: Holding, now: OffsetDateTime) -> Need {
        let quiet = now - self.progressed;
        if self.ended.is_some() {
            return Need::Nothing;
        } else if self.answered >= self.steps {
            return Need::Closing;
        } else if now - self.opened >= OPEN_FOR {
            return Need::Cutting(Cut::HoursOver);
        }
        match holding {
            Holding::Lost => Need::Cutting(Cut::Displaced),
            Holding::Stopped => Need::Cutting(Cut::Abandoned),
            Holding::RunOut if self.is_the_terminals() => Need::Cutting(Cut::TerminalGone),
            Holding::Stopping => Need::NoOp,
            Holding::Ours | Holding::RunOut if self.is_the_terminals() => Need::NoOp,
            Holding::Ours | Holding::RunOut => {
                if quiet >= STALLED_AFTER || (!self.sent && quiet >= SENT_WITHIN) {
                    Need::Sending
                } else if waiting > 0 {
                    Need::Nudging
                } else {
                    Need::NoOp
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::domain::restore::{OnConflict, OnDamaged, Request, Selection};

    const START: OffsetDateTime = datetime!(2026-11-22 10:11:12 UTC);

    fn job(via: Via) -> RestoreJob {
        let vault: SourceName = "kv-prod".parse().unwrap();
        let request = Request {
            source: vault.clone(),
            target: vault,
            at: None,
            first_version: false,
            selection: Selection::default(),
            on_conflict: OnConflict::Fail,
            on_damaged: OnDamaged::default(),
            other_place: false,
        };
        let plan = RestorePlan { v: 1, request, steps: Vec::new(), excluded: Vec::new() };
        let by = Actor { via, key: None, principal: None };
        RestoreJob { steps: 2, ..RestoreJob::open(RestoreId::new(START, 7), &plan, by, START) }
    }

    #[test]
    fn an_open_restore_needs_what_its_age_and_its_outcomes_say() {
        const SECOND: Duration = Duration::SECOND;
        let (unsent, sent) = (job(Via::Http), RestoreJob { sent: true, ..job(Via::Http) });
        let (half, whole) =
            (RestoreJob { answered: 1, ..sent.clone() }, RestoreJob { answered: 2, ..sent.clone() });
        let mut ended = half.clone();
        ended.end(START);
        let table = [
            (&unsent, 0, Duration::ZERO, Need::NoOp),
            (&unsent, 0, SENT_WITHIN - SECOND, Need::NoOp),
            (&unsent, 0, SENT_WITHIN, Need::Sending),
            (&sent, 0, SENT_WITHIN, Need::NoOp),
            (&sent, 1, SENT_WITHIN, Need::Nudging),
            (&half, 1, STALLED_AFTER - SECOND, Need::Nudging),
            (&half, 1, STALLED_AFTER, Need::Sending),
            (&half, 1, OPEN_FOR - SECOND, Need::Sending),
            (&half, 1, OPEN_FOR, Need::Cutting(Cut::HoursOver)),
            (&whole, 0, Duration::ZERO, Need::Closing),
            (&whole, 0, OPEN_FOR, Need::Closing),
            (&ended, 1, OPEN_FOR, Need::Nothing),
            (&job(Via::Terminal), 0, SENT_WITHIN, Need::NoOp), // it works through the steps without messages
        ];
        for (job, waiting, after, expected) in table {
            assert_eq!(job.need(waiting, Holding::Ours, START + after), expected, "{after} {job:?}");
        }
        let mut progressed = half;
        assert!(progressed.note(progressed.numbers, 0, START + SENT_WITHIN));
        let later = START + SENT_WITHIN + STALLED_AFTER;
        assert_eq!(
            progressed.need(0, Holding::Ours, later - SECOND),
            Need::NoOp,
            "it was quiet only since then"
        );
    }

    #[test]
    fn numbers_are_noted_also_where_no_step_is_new() {
        let mut job = job(Via::Http);
        let numbers = RestoreNumbers { planned: 3, failed: 1, ..RestoreNumbers::default() };
        assert!(!job.note(numbers, 0, START + Duration::HOUR));
        assert_eq!((job.numbers, job.progressed), (numbers, START));
        assert!(job.note(numbers, 1, START + Duration::SECOND));
        assert_eq!((job.answered, job.progressed), (1, START + Duration::SECOND));
    }

    #[test]
    fn an_end_is_what_the_numbers_say() {
        let mut job = job(Via::Http);
        job.numbers = RestoreNumbers { planned: 2, restored: 1, failed: 1, ..RestoreNumbers::default() };
        job.end(START + Duration::SECOND);
        let end = Ended { at: START + Duration::SECOND, verdict: Verdict::PartiallyFailed, cut: None };
        assert_eq!(job.ended, Some(end));
    }

    #[test]
    fn an_app_goes_on_with_a_terminals_restore_only_when_it_was_handed_over() {
        let alone = job(Via::Terminal);
        let handed = RestoreJob { hand_over: true, ..alone.clone() };
        for (holding, alones, handeds) in [
            (Holding::Ours, Need::NoOp, Need::Sending),
            (Holding::RunOut, Need::Cutting(Cut::TerminalGone), Need::Sending),
            (Holding::Stopping, Need::NoOp, Need::NoOp),
            (Holding::Stopped, Need::Cutting(Cut::Abandoned), Need::Cutting(Cut::Abandoned)),
            (Holding::Lost, Need::Cutting(Cut::Displaced), Need::Cutting(Cut::Displaced)),
        ] {
            assert_eq!(alone.need(1, holding, START + STALLED_AFTER), alones, "{holding:?}");
            assert_eq!(handed.need(1, holding, START + STALLED_AFTER), handeds, "{holding:?}");
        }
    }

    #[test]
    fn how_a_restore_stands_to_its_vault_is_what_the_lease_says() {
        let id = |salt| RestoreId::new(START, salt);
        let lease = Lease::taken(id(1), START);
        let late = START + Duration::HOUR;
        for (lease, at, holding) in [
            (Some(lease.clone()), START, Holding::Ours),
            (Some(lease.clone()), late, Holding::RunOut),
            (Some(lease.clone().stop(START)), START, Holding::Stopping),
            (Some(lease.stop(START)), late, Holding::Stopped),
            (Some(Lease::taken(id(2), START)), START, Holding::Lost),
            (None, START, Holding::Lost),
        ] {
            assert_eq!(Holding::of(&id(1), lease.as_ref(), at), holding);
        }
    }

    #[test]
    fn a_cut_restore_has_failed_for_what_has_no_outcome() {
        let mut job = job(Via::Terminal);
        job.numbers =
            RestoreNumbers { planned: 5, restored: 2, skipped: 1, failed: 1, ..RestoreNumbers::default() };
        job.cut(Cut::Interrupted, START);
        assert_eq!((job.numbers.failed, job.numbers.restored), (2, 2));
        let ended = job.ended.expect("it has ended");
        assert_eq!((ended.verdict, ended.cut), (Verdict::PartiallyFailed, Some(Cut::Interrupted)));
    }
}
