//! What the next look at a job has to do.

use time::{Duration, OffsetDateTime};

use super::{HsmJob, Phase, Task};
use crate::domain::{
    outcome::Failure,
    restore::RestoreId,
    run::{RunId, Verdict},
};

/// How long whoever notes that it sends a start may take to note what came of it. Longer than a request can
/// take; after that it is gone, and whether the start was taken is not known.
const SENT_WITHIN: Duration = Duration::minutes(5);

/// How long a folder is waited for after a start whose answer was lost, before the HSM is asked again.
pub const LOST_FOR: Duration = Duration::minutes(15);

/// How long a job may wait for an HSM that is busy with something else.
const WAITS_FOR: Duration = Duration::hours(12);

/// The least time between two questions to the service about one operation.
const ASK_AFTER: Duration = Duration::seconds(45);

/// The same while somebody waits at a terminal: what the service itself asks for.
const ASK_WATCHED_AFTER: Duration = Duration::seconds(8);

/// What else is going on at the HSM.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// A restore of the HSM that is under way.
    pub restore: Option<RestoreId>,
    /// Another job of ours whose operation is under way.
    pub busy: Option<RunId>,
    /// What came of the backup that has to succeed first.
    pub safety: Option<Verdict>,
    /// Whether that backup is open.
    pub safety_is_open: bool,
    /// Somebody waits at a terminal for the job's end.
    pub watched: bool,
}

/// What a look has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing: somebody is at it, or it was asked a moment ago.
    Patience,
    /// Nothing, for this reason.
    Wait(String),
    /// Open the backup of this run, which has to succeed first.
    BackUpFirst(RunId),
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
    /// What the next look has to do.
    pub fn next(&self, around: &Around, now: OffsetDateTime) -> Move {
        match &self.phase {
            Phase::Due { not_before } => self.due(*not_before, around, now),
            // A check that never ends must not keep the HSM from its backup: the start says the same.
            Phase::Checking { .. } if now - self.opened >= WAITS_FOR => Move::Start,
            Phase::Checking { job } => self.poll(job, around, now, Move::PollCheck),
            Phase::Checked => self.checked(around, now),
            Phase::Sending { at } if now - *at < SENT_WITHIN => Move::Patience,
            Phase::Sending { at } | Phase::Lost { at } => self.lost(*at, now),
            Phase::Running { job, .. } => self.poll(job, around, now, Move::Poll),
            Phase::Occupied { since } => self.occupied(*since, around, now),
        }
    }

    fn poll(
        &self,
        job: &str,
        around: &Around,
        now: OffsetDateTime,
        poll: impl FnOnce(String) -> Move,
    ) -> Move {
        // Refusals are counted, a minute apart, until there were too many: a watcher must not hurry that.
        let after = if around.watched && self.refused == 0 { ASK_WATCHED_AFTER } else { ASK_AFTER };
        if self.was_asked(after, now) { Move::Patience } else { poll(job.to_owned()) }
    }

    fn was_asked(&self, within: Duration, now: OffsetDateTime) -> bool {
        self.polled.is_some_and(|polled| now - polled < within)
    }

    /// Looks for a folder have to be a minute apart, whoever watches: that is how growth is noticed.
    fn look_for(&self, since: OffsetDateTime, or_start: bool, now: OffsetDateTime) -> Move {
        if self.was_asked(ASK_AFTER, now) { Move::Patience } else { Move::LookFor { since, or_start } }
    }

    fn due(&self, not_before: Option<OffsetDateTime>, around: &Around, now: OffsetDateTime) -> Move {
        // For the keys after the first, since the one before: many keys may take longer than that.
        let since = not_before.map_or(self.opened, |time| time.max(self.opened));
        if now - since >= WAITS_FOR {
            return self.never_free();
        }
        if let Some(why) = self.in_the_way(around) {
            return Move::Wait(why);
        }
        match &self.task {
            Task::Backup { .. } => Move::Check,
            Task::RestoreAll { safety: Some(safety), .. } => match around.safety {
                None if around.safety_is_open => {
                    Move::Wait(format!("the HSM is backed up first, in run {safety}"))
                }
                None => Move::BackUpFirst(safety.clone()),
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

    /// What else of ours the HSM has to be left to first.
    fn in_the_way(&self, around: &Around) -> Option<String> {
        if let Some(busy) = &around.busy {
            return Some(format!("job {busy} is under way at the HSM"));
        }
        match (&self.task, &around.restore) {
            (Task::Backup { safety_for }, Some(restore)) if safety_for.as_ref() != Some(restore) => {
                Some(format!("restore {restore} is under way; the HSM is backed up after it"))
            }
            _ => None,
        }
    }

    fn never_free(&self) -> Move {
        let why = self.waiting.as_deref().unwrap_or("the HSM was never free");
        Move::GiveUp(Failure::ours("NeverFree", format!("it waited twelve hours: {why}")))
    }

    fn checked(&self, around: &Around, now: OffsetDateTime) -> Move {
        match self.in_the_way(around) {
            None => Move::Start,
            Some(_) if now - self.opened >= WAITS_FOR => self.never_free(),
            Some(why) => Move::Wait(why),
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
            return self.look_for(at - Duration::minutes(2), now - at >= LOST_FOR, now);
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

    fn occupied(&self, since: OffsetDateTime, around: &Around, now: OffsetDateTime) -> Move {
        if now - since >= WAITS_FOR {
            return Move::GiveUp(Failure::ours(
                "NeverFree",
                "the HSM was busy with an operation that this program did not start for twelve hours",
            ));
        }
        if let Some(why) = self.in_the_way(around) {
            return Move::Wait(why);
        }
        if self.is_backup() {
            // A backup that somebody else began up to an hour before serves as well.
            self.look_for(self.opened - Duration::HOUR, true, now)
        } else if self.was_asked(ASK_AFTER, now) {
            Move::Patience
        } else {
            Move::Start
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::{asker::Asker, digest::Digest, hsm::HsmName};

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

    fn around(change: impl FnOnce(&mut Around)) -> Around {
        let mut around = Around::default();
        change(&mut around);
        around
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
        assert_eq!(after(None), Move::BackUpFirst(RunId::manual(NOW, 1)));
        let open = around(|of| of.safety_is_open = true);
        assert!(matches!(job.next(&open, NOW), Move::Wait(_)));
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

    #[test]
    fn a_watcher_hurries_polls_and_nothing_else() {
        let watched = around(|of| of.watched = true);
        let mut job = backup(Phase::Running { job: "j".into(), since: NOW });
        job.polled = Some(NOW);
        let soon = NOW + Duration::seconds(10);
        assert_eq!(job.next(&watched, soon), Move::Poll("j".into()));
        job.refused = 1;
        assert_eq!(job.next(&watched, soon), Move::Patience, "refusals are counted by the minute");
        let mut lost = backup(Phase::Lost { at: NOW });
        lost.polled = Some(NOW);
        assert_eq!(lost.next(&watched, soon), Move::Patience, "growth is seen by the minute");
    }

    #[test]
    fn a_checked_or_refused_backup_leaves_the_hsm_to_what_is_under_way() {
        let restoring = around(|of| of.restore = Some(RestoreId::new(NOW, 7)));
        let busy = around(|of| of.busy = Some(RunId::manual(NOW, 1)));
        for phase in [Phase::Checked, Phase::Occupied { since: NOW }] {
            assert!(matches!(backup(phase.clone()).next(&restoring, NOW), Move::Wait(_)), "{phase:?}");
            // Its folder would be taken for ours.
            assert!(matches!(backup(phase.clone()).next(&busy, NOW), Move::Wait(_)), "{phase:?}");
        }
    }

    #[test]
    fn a_check_that_never_ends_keeps_nobody_from_the_backup() {
        let stuck = backup(Phase::Checking { job: "j".into() });
        assert_eq!(stuck.next(&Around::default(), NOW + WAITS_FOR), Move::Start);
    }

    #[test]
    fn many_keys_may_take_longer_than_a_job_may_wait() {
        let next_key = full(None, Phase::Due { not_before: Some(NOW + WAITS_FOR) });
        assert_eq!(next_key.next(&Around::default(), NOW + WAITS_FOR * 1.5), Move::Start);
    }
}
