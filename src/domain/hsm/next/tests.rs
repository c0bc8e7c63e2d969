//! What the next pass does about a job, phase by phase.

use time::macros::datetime;

use super::*;
use crate::domain::{actor::Actor, digest::Digest, hsm::job::RIGHTS_WITHIN, source::SourceName};

const NOW: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);
const SECOND: Duration = Duration::SECOND;
const DUE: Phase = Phase::Due { not_before: None };

fn backup(phase: Phase) -> HsmJob {
    let task = Task::Backup { safety_for: None };
    let job = HsmJob::open(RunId::nightly(NOW), hsm(), task, Actor::TIMER, NOW);
    HsmJob { phase, ..job }
}

/// The backup that a restore needs first.
fn safety_backup(restore: &RestoreId, phase: Phase) -> HsmJob {
    HsmJob { task: Task::Backup { safety_for: Some(restore.clone()) }, ..backup(phase) }
}

fn restore(task: Task, phase: Phase) -> HsmJob {
    let job = HsmJob::open(RestoreId::new(NOW, 7).into(), hsm(), task, Actor::TERMINAL, NOW);
    HsmJob { phase, ..job }
}

fn full(safety: Option<RunId>, phase: Phase) -> HsmJob {
    let (plan, run) = (Digest::of(b"plan"), RunId::nightly(NOW));
    restore(Task::RestoreAll { plan, source: hsm(), run, folder: "f".into(), safety }, phase)
}

fn keys(phase: Phase) -> HsmJob {
    let (plan, run) = (Digest::of(b"plan"), RunId::nightly(NOW));
    let (keys, outcomes) = (Vec::new(), Vec::new());
    restore(Task::RestoreKeys { plan, source: hsm(), run, folder: "f".into(), keys, outcomes }, phase)
}

fn hsm() -> SourceName {
    "hsm-a".parse().unwrap()
}

fn checking(since: Option<OffsetDateTime>) -> Phase {
    Phase::Checking { job: "c".into(), since }
}

fn running(since: OffsetDateTime) -> Phase {
    Phase::Running { job: "j".into(), since }
}

fn polled(job: HsmJob) -> HsmJob {
    HsmJob { polled: Some(NOW), ..job }
}

fn context(change: impl FnOnce(&mut Context)) -> Context {
    let mut context = Context::default();
    change(&mut context);
    context
}

fn alone(job: &HsmJob, after: Duration) -> Move {
    job.next(&Context::default(), NOW + after)
}

/// Why it gives up, if it does.
fn end(next: Move) -> Option<Failure> {
    if let Move::GiveUp(failure) = next { Some(failure) } else { None }
}

#[test]
fn a_backup_is_checked_then_started_then_polled() {
    let table = [
        (DUE, Move::Check),
        (checking(Some(NOW)), Move::PollCheck("c".into())),
        (Phase::Checked, Move::Start),
        (Phase::Sending { at: NOW }, Move::NoOp),
        (running(NOW), Move::Poll("j".into())),
    ];
    for (phase, expected) in table {
        assert_eq!(alone(&backup(phase.clone()), Duration::ZERO), expected, "{phase:?}");
    }
}

#[test]
fn the_service_is_asked_about_an_operation_once_a_minute() {
    let patient =
        [DUE, checking(Some(NOW)), running(NOW), Phase::Lost { at: NOW }, Phase::Occupied { since: NOW }];
    for job in patient
        .map(|phase| polled(backup(phase)))
        .into_iter()
        .chain([polled(full(None, Phase::Occupied { since: NOW }))])
    {
        assert_eq!(alone(&job, ASK_AFTER - SECOND), Move::NoOp, "{job:?}");
        assert_ne!(alone(&job, ASK_AFTER), Move::NoOp, "{job:?}");
    }
}

#[test]
fn no_start_and_no_check_is_sent_while_the_service_wants_to_be_left_alone() {
    let held = |job: HsmJob| HsmJob { held_until: Some(NOW + SECOND), ..job };
    let asks = |next: Move| {
        matches!(
            next,
            Move::Check | Move::PollCheck(_) | Move::Start | Move::FindFolder { or_start: true, .. }
        )
    };
    let free = context(|of| of.watched = true);
    for job in [
        backup(DUE),
        backup(checking(Some(NOW))),
        backup(Phase::Checked),
        backup(Phase::Lost { at: NOW - LOST_FOR }),
        backup(Phase::Occupied { since: NOW }),
        full(None, DUE),
        full(None, Phase::Occupied { since: NOW }),
        keys(DUE),
        keys(Phase::Occupied { since: NOW }),
    ] {
        assert!(!asks(held(job.clone()).next(&free, NOW)), "{job:?}");
        assert!(asks(held(job.clone()).next(&free, NOW + SECOND)), "{job:?}");
    }
    assert_eq!(
        alone(&held(backup(running(NOW))), Duration::ZERO),
        Move::Poll("j".into()),
        "polls are no starts"
    );
}

#[test]
fn a_watcher_hurries_polls_and_nothing_else() {
    let watched = context(|of| of.watched = true);
    let job = polled(backup(running(NOW)));
    assert_eq!(job.next(&watched, NOW + ASK_WATCHED_AFTER - SECOND), Move::NoOp);
    assert_eq!(job.next(&watched, NOW + ASK_WATCHED_AFTER), Move::Poll("j".into()));
    let refused = HsmJob { refused: 1, ..job };
    assert_eq!(
        refused.next(&watched, NOW + ASK_WATCHED_AFTER),
        Move::NoOp,
        "refusals are counted by the minute"
    );
    let lost = polled(backup(Phase::Lost { at: NOW }));
    assert_eq!(lost.next(&watched, NOW + ASK_WATCHED_AFTER), Move::NoOp, "growth is seen by the minute");
}

#[test]
fn a_start_whose_answer_was_lost_is_not_sent_again_blindly() {
    let fit = Fit { since: NOW - SKEW, written_since: NOW - SKEW };
    let found = |or_start| Move::FindFolder { fit, or_start };
    let (sending, lost) = (backup(Phase::Sending { at: NOW }), backup(Phase::Lost { at: NOW }));
    let table = [
        (&sending, SENT_WITHIN - SECOND, Move::NoOp),
        (&sending, SENT_WITHIN, found(false)),
        (&lost, Duration::ZERO, found(false)),
        (&lost, LOST_FOR - SECOND, found(false)),
        (&lost, LOST_FOR, found(true)),
    ];
    for (job, after, expected) in table {
        assert_eq!(alone(job, after), expected, "{after} {:?}", job.phase);
    }
}

#[test]
fn a_restore_whose_answer_was_lost_is_never_sent_again() {
    let lost = full(None, Phase::Lost { at: NOW });
    let told = HsmJob { waiting: Some("the HSM is silent".into()), ..lost.clone() };
    let wait = |text: &str| Move::Wait(text.into());
    assert_eq!(
        alone(&lost, LOST_FOR - SECOND),
        wait("the answer to the start was lost; it is not sent again")
    );
    assert_eq!(alone(&told, LOST_FOR - SECOND), wait("the HSM is silent"));
    assert_eq!(end(alone(&lost, LOST_FOR)).unwrap().code, "AnswerLost");
}

#[test]
fn a_backup_that_was_begun_leaves_a_folder_since_then_and_a_restore_none() {
    let since = NOW - SKEW;
    assert_eq!(backup(running(NOW)).leaves(), Some(Fit { since, written_since: since }));
    for job in [backup(DUE), backup(Phase::Lost { at: NOW }), full(None, running(NOW)), keys(running(NOW))] {
        assert_eq!(job.leaves(), None, "{job:?}");
    }
}

#[test]
fn nothing_lasts_for_ever() {
    // If it is started again and again, the last start is not long ago.
    let anew = NOW + RUNS_FOR - Duration::HOUR;
    let table = [
        (backup(DUE), WAITS_FOR, "NeverFree"),
        (full(Some(RunId::manual(NOW, 1)), DUE), WAITS_FOR, "NeverFree"),
        (backup(Phase::Checked), WAITS_FOR, "NeverFree"),
        (backup(Phase::Sending { at: NOW }), WAITS_FOR, "AnswerLost"),
        (backup(Phase::Lost { at: NOW }), WAITS_FOR, "AnswerLost"),
        (backup(Phase::Lost { at: anew }), RUNS_FOR, "AnswerLost"),
        (backup(running(NOW)), RUNS_FOR, "NoEnd"),
        (full(None, running(NOW)), RUNS_FOR, "NoEnd"),
        (backup(Phase::Occupied { since: NOW }), WAITS_FOR, "NeverFree"),
        (backup(Phase::Occupied { since: anew }), RUNS_FOR, "NeverFree"),
    ];
    for (job, limit, code) in table {
        assert_eq!(end(alone(&job, limit - SECOND)), None, "{job:?}");
        let failure = end(alone(&job, limit)).unwrap_or_else(|| panic!("{job:?} goes on"));
        assert_eq!(failure.code, code, "{job:?}");
        assert!(!failure.text.contains("Last:"), "{}", failure.text);
        let told = HsmJob { waiting: Some("the HSM is busy".into()), ..job };
        assert!(end(alone(&told, limit)).unwrap().text.ends_with(". Last: the HSM is busy"));
    }
}

#[test]
fn a_start_that_is_refused_for_a_right_is_tried_again_for_as_long_as_a_job_may_wait() {
    let (mut job, mut now, mut tries) = (backup(Phase::Checked), NOW, 1);
    while job.put_off(now) {
        let Phase::Due { not_before: Some(next) } = job.phase else { panic!("it is due again") };
        assert_eq!(job.next(&Context::default(), next - SECOND), Move::NoOp);
        assert_eq!(job.next(&Context::default(), next), Move::Check);
        (now, tries) = (next, tries + 1);
        assert!(tries < 20, "{tries} tries until {now}");
    }
    assert!(now - NOW > WAITS_FOR - Duration::HOUR * 2, "{tries} tries until {now}");
    let mut restore = full(None, DUE);
    assert!((1..RIGHTS_WITHIN).all(|_| restore.put_off(NOW)) && !restore.put_off(NOW));
}

#[test]
fn many_keys_may_take_longer_than_a_job_may_wait() {
    let later = Duration::hours(6);
    let next_key = keys(Phase::Due { not_before: Some(NOW + later) });
    assert_eq!(alone(&next_key, later - SECOND), Move::NoOp);
    assert_eq!(alone(&next_key, later), Move::Start);
    assert_eq!(alone(&next_key, later + WAITS_FOR - SECOND), Move::Start);
    assert_eq!(end(alone(&next_key, later + WAITS_FOR)).unwrap().code, "NeverFree");
}

#[test]
fn polls_that_tell_nothing_are_enough_at_some_time_and_refusals_sooner() {
    let unheard = |polls, refuses| HsmJob { refused: polls, ..backup(running(NOW)) }.is_unheard(refuses);
    for (limit, refuses) in [(30, true), (720, false)] {
        assert!(!unheard(limit - 1, refuses) && unheard(limit, refuses), "{limit}");
    }
}

#[test]
fn nothing_is_replaced_before_the_safety_backup_has_succeeded() {
    let run = RunId::manual(NOW, 1);
    let job = full(Some(run.clone()), DUE);
    let after = |safety| job.next(&Context { safety, ..Context::default() }, NOW);
    assert_eq!(after(None), Move::BackUpFirst(run.clone()));
    let open = context(|of| of.safety_is_open = true);
    assert_eq!(job.next(&open, NOW), Move::Wait(format!("the HSM is backed up first, in run {run}")));
    for ended in [Verdict::Failed, Verdict::PartiallyFailed] {
        assert_eq!(end(after(Some(ended))).unwrap().code, "NoSafetyBackup", "{ended}");
    }
    assert_eq!(after(Some(Verdict::Succeeded)), Move::Start);
    assert_eq!(alone(&full(None, DUE), Duration::ZERO), Move::Start, "where it was young enough");
}

#[test]
fn a_restore_that_waits_for_the_services_rule_begins_when_it_is_met() {
    let then = Phase::Due { not_before: Some(NOW + SECOND) };
    let safe = Context { safety: Some(Verdict::Succeeded), ..Context::default() };
    for job in [full(None, then.clone()), keys(then.clone()), full(Some(RunId::manual(NOW, 1)), then)] {
        assert_eq!(job.next(&safe, NOW), Move::NoOp, "{job:?}");
        assert_eq!(job.next(&safe, NOW + SECOND), Move::Start, "{job:?}");
    }
}

#[test]
fn whoever_comes_later_leaves_the_hsm_to_what_is_under_way() {
    let (own, other) = (RestoreId::new(NOW, 7), RestoreId::new(NOW, 8));
    let restoring = context(|of| of.restore = Some(own.clone()));
    let busy = context(|of| of.busy = Some(RunId::manual(NOW, 1)));
    // A check that has taken too long is like one that has ended.
    let stuck = checking(Some(NOW - CHECKED_WITHIN));
    for phase in [DUE, stuck, Phase::Checked, Phase::Occupied { since: NOW }] {
        let jobs = [
            (backup(phase.clone()), true),
            (safety_backup(&other, phase.clone()), true),
            (safety_backup(&own, phase.clone()), false),
            (keys(phase.clone()), false),
        ];
        for (job, waits) in jobs {
            let Move::Wait(why) = job.next(&busy, NOW) else { panic!("{job:?}") };
            assert!(why.contains(RunId::manual(NOW, 1).as_str()), "{why}");
            match job.next(&restoring, NOW) {
                Move::Wait(why) => assert!(waits && why.contains(own.as_str()), "{why} {job:?}"),
                other => assert!(!waits, "{other:?} {job:?}"),
            }
        }
    }
}

#[test]
fn a_check_that_never_ends_keeps_nobody_from_the_backup() {
    for since in [Some(NOW), None] {
        let job = backup(checking(since)); // Older records do not have the time: the job's counts.
        assert_eq!(alone(&job, CHECKED_WITHIN - SECOND), Move::PollCheck("c".into()), "{since:?}");
        assert_eq!(alone(&job, CHECKED_WITHIN), Move::Start, "{since:?}");
    }
}

#[test]
fn only_a_folder_of_what_was_under_way_fits() {
    let since = NOW + Duration::HOUR;
    let found = |job: HsmJob| job.next(&Context::default(), since);
    let fit =
        |from| Move::FindFolder { fit: Fit { since: from, written_since: since - SKEW }, or_start: true };
    let occupied = Phase::Occupied { since };
    assert_eq!(
        found(backup(occupied.clone())),
        fit(NOW - Duration::HOUR),
        "one that was begun a little before serves as well"
    );
    let wanted = safety_backup(&RestoreId::new(NOW, 7), occupied.clone());
    assert_eq!(found(wanted), fit(NOW), "what a restore replaces is not in an older one");
    assert_eq!(found(full(None, occupied)), Move::Start, "a restore leaves no folder");
}

#[test]
fn a_restore_of_keys_begins_no_further_one_after_twenty_hours() {
    let after = |hours: i64| NOW + Duration::hours(hours);
    let (due, occupied) = (Phase::Due { not_before: Some(after(19)) }, Phase::Occupied { since: after(19) });
    for phase in [due, occupied] {
        assert_eq!(end(alone(&keys(phase.clone()), OPEN_FOR - SECOND)), None, "{phase:?}");
        assert_eq!(end(alone(&keys(phase), OPEN_FOR)).map(|why| why.code), Some("OutOfTime".to_owned()));
    }
    let at_it = keys(running(after(19)));
    assert_eq!(alone(&at_it, OPEN_FOR), Move::Poll("j".into()), "the one that is under way is followed");
}
