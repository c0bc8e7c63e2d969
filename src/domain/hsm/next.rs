//! What the next look at a job has to do.

use time::{Duration, OffsetDateTime};

use super::{HsmJob, Phase, Task, backup::SKEW};
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

/// How long a job may wait before it begins.
pub const WAITS_FOR: Duration = Duration::hours(12);

/// How long a check may take. The start says the same, so it is not waited for.
const CHECKED_WITHIN: Duration = Duration::minutes(15);

/// How long the service may say that an operation is under way before nobody believes it, and how long a start may be
/// sent anew. Until then a job keeps others from the HSM, as the service would by itself.
const RUNS_FOR: Duration = Duration::days(2);

/// Polls in a row, a minute apart, that tell nothing, after which nothing will come of an operation: as long as a
/// job may wait.
const UNHEARD: u32 = 12 * 60;

/// The same where the service refuses to say.
const REFUSED: u32 = 30;

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
    /// Look for a folder that an unknown operation left; if there is none, ask the HSM.
    LookFor {
        /// Which folders fit.
        fit: Fit,
        /// Whether the HSM is asked when there is none.
        or_start: bool,
    },
    /// It cannot go on.
    GiveUp(Failure),
}

/// Which folders can be the result of an operation that nobody watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Those of this time and later.
    pub since: OffsetDateTime,
    /// Those that something was written to at this time or later: of an operation that was still under way then.
    pub written_since: OffsetDateTime,
}

impl HsmJob {
    /// What the next look has to do.
    pub fn next(&self, around: &Around, now: OffsetDateTime) -> Move {
        match &self.phase {
            Phase::Due { not_before } => self.due(*not_before, around, now),
            Phase::Checking { since, .. } if now - since.unwrap_or(self.opened) >= CHECKED_WITHIN => {
                self.checked(around, now)
            }
            Phase::Checking { job, .. } => self.poll(job, around, now, Move::PollCheck),
            Phase::Checked => self.checked(around, now),
            Phase::Sending { at } if now - *at < SENT_WITHIN => Move::Patience,
            Phase::Sending { at } | Phase::Lost { at } => self.lost(*at, now),
            Phase::Running { since, .. } if now - *since >= RUNS_FOR => self.gives_up(
                "NoEnd",
                "the operation was not seen to end for two days; ask Azure support about it",
            ),
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
        // Polls that tell nothing are counted, a minute apart, until there were too many: a watcher must not hurry that.
        let after = if around.watched && self.refused == 0 { ASK_WATCHED_AFTER } else { ASK_AFTER };
        if self.was_asked(after, now) { Move::Patience } else { poll(job.to_owned()) }
    }

    fn was_asked(&self, within: Duration, now: OffsetDateTime) -> bool {
        self.polled.is_some_and(|polled| now - polled < within)
    }

    /// Looks for a folder have to be a minute apart, whoever watches: that is how growth is noticed.
    fn look_for(&self, fit: Fit, or_start: bool, now: OffsetDateTime) -> Move {
        if self.was_asked(ASK_AFTER, now) { Move::Patience } else { Move::LookFor { fit, or_start } }
    }

    /// Whether nothing will come of the operation any more, after one more poll that told nothing. Where the service
    /// `refuses` for good that is sooner.
    pub fn is_unheard(&self, refuses: bool) -> bool {
        self.refused >= if refuses { REFUSED } else { UNHEARD }
    }

    /// What went wrong, with the last words that were heard.
    fn gives_up(&self, code: &str, text: &str) -> Move {
        let last = self.waiting.as_deref().map(|words| format!(". Last: {words}"));
        Move::GiveUp(Failure::ours(code, format!("{text}{}", last.unwrap_or_default())))
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
            Task::Backup { .. } if self.was_asked(ASK_AFTER, now) => Move::Patience,
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
        self.gives_up("NeverFree", "it could not begin for twelve hours")
    }

    fn checked(&self, around: &Around, now: OffsetDateTime) -> Move {
        match self.in_the_way(around) {
            _ if now - self.opened >= WAITS_FOR => self.never_free(),
            None => Move::Start,
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
            // Each start that is sent anew has another `at`.
            if now - at >= WAITS_FOR || now - self.opened >= RUNS_FOR {
                let text = "the start was sent, no whole folder came of it, and the HSM did not begin anew for twelve hours";
                return self.gives_up("AnswerLost", text);
            }
            // What was written before the start was sent is no part of what it began.
            let since = at - SKEW;
            return self.look_for(Fit { since, written_since: since }, now - at >= LOST_FOR, now);
        }
        // A restore leaves nothing to look for. It is not sent again: that is for somebody who has looked.
        if now - at < LOST_FOR {
            let why =
                self.waiting.as_deref().unwrap_or("the answer to the start was lost; it is not sent again");
            return Move::Wait(why.to_owned());
        }
        self.gives_up(
            "AnswerLost",
            "the start was sent, and no answer says what came of it: the restore may have been carried out or not. \
             Look at the HSM, and plan again if it is not as it should be",
        )
    }

    fn occupied(&self, since: OffsetDateTime, around: &Around, now: OffsetDateTime) -> Move {
        if now - since >= WAITS_FOR || now - self.opened >= RUNS_FOR {
            return self
                .gives_up("NeverFree", "the HSM refused to begin for twelve hours, because it was busy");
        }
        if let Some(why) = self.in_the_way(around) {
            return Move::Wait(why);
        }
        match &self.task {
            Task::Backup { safety_for } => {
                // A backup that somebody else began up to an hour before serves as well, but not where a restore is about to
                // replace what is there now.
                let before = if safety_for.is_some() { Duration::ZERO } else { Duration::HOUR };
                let fit = Fit { since: self.opened - before, written_since: since - SKEW };
                self.look_for(fit, true, now)
            }
            _ if self.was_asked(ASK_AFTER, now) => Move::Patience,
            _ => Move::Start,
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
        let fit = Fit { since: NOW - SKEW, written_since: NOW - SKEW };
        let looking = |after| sending.next(&around, NOW + after);
        assert_eq!(looking(SENT_WITHIN), Move::LookFor { fit, or_start: false });
        assert_eq!(looking(LOST_FOR), Move::LookFor { fit, or_start: true });
        assert!(matches!(looking(WAITS_FOR), Move::GiveUp(_)), "not for ever");
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
        let stuck = |since| backup(Phase::Checking { job: "j".into(), since });
        let after = |job: HsmJob, time| job.next(&Around::default(), NOW + time);
        assert_eq!(after(stuck(Some(NOW)), CHECKED_WITHIN), Move::Start);
        assert_eq!(after(stuck(None), CHECKED_WITHIN), Move::Start, "records of before");
        let restoring = around(|of| of.restore = Some(RestoreId::new(NOW, 7)));
        assert!(matches!(stuck(Some(NOW)).next(&restoring, NOW + CHECKED_WITHIN), Move::Wait(_)));
    }

    #[test]
    fn no_phase_lasts_for_ever() {
        let give_up = |phase: Phase, after| backup(phase).next(&Around::default(), NOW + after);
        assert!(matches!(give_up(Phase::Checked, WAITS_FOR), Move::GiveUp(_)), "a start that never leaves");
        let running = Phase::Running { job: "j".into(), since: NOW };
        assert!(
            matches!(give_up(running, RUNS_FOR), Move::GiveUp(_)),
            "a service that says the same for ever"
        );
        let renewed = NOW + RUNS_FOR;
        for phase in [Phase::Lost { at: renewed }, Phase::Occupied { since: renewed }] {
            assert!(
                matches!(give_up(phase, RUNS_FOR), Move::GiveUp(_)),
                "a start that is sent anew for ever"
            );
        }
        let mut job = backup(DUE);
        (job.refused, job.waiting) = (REFUSED, Some("the last words".into()));
        assert!(job.is_unheard(true) && !job.is_unheard(false));
        let Move::GiveUp(failure) = job.next(&Around::default(), NOW + WAITS_FOR) else {
            panic!("it gives up")
        };
        assert!(failure.text.ends_with("the last words"), "{failure:?}");
    }

    #[test]
    fn only_a_folder_of_what_was_under_way_fits() {
        let since = NOW + Duration::HOUR;
        let fit = |job: &HsmJob| match job.next(&Around::default(), since + Duration::MINUTE) {
            Move::LookFor { fit, or_start: true } => fit,
            other => panic!("{other:?}"),
        };
        let nightly = fit(&backup(Phase::Occupied { since }));
        assert_eq!(nightly, Fit { since: NOW - Duration::HOUR, written_since: since - SKEW });
        let mut wanted = backup(Phase::Occupied { since });
        wanted.task = Task::Backup { safety_for: Some(RestoreId::new(NOW, 7)) };
        assert_eq!(fit(&wanted).since, NOW, "what a restore replaces is not in an older one");
    }

    #[test]
    fn many_keys_may_take_longer_than_a_job_may_wait() {
        let next_key = full(None, Phase::Due { not_before: Some(NOW + WAITS_FOR) });
        assert_eq!(next_key.next(&Around::default(), NOW + WAITS_FOR * 1.5), Move::Start);
    }
}
