//! A backup run that has not been closed yet.

pub mod rounds;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use self::rounds::{Failing, Round, Seen};
use super::{
    actor::{Actor, Via},
    object::{ObjectKind, VaultName},
    outcome::Failure,
    record::cut,
    run::RunId,
};

/// The version of the stored form that this program writes.
pub const JOB_FORMAT: u32 = 1;

/// How long nothing may come in before the messages of unanswered objects are sent again for the first time: see
/// [`rounds`]. Longer than the waits between five deliveries of a message that fails at once. One whose
/// tries hang takes longer; then there are two of it, which costs requests and changes nothing.
pub const STALLED_AFTER: Duration = Duration::minutes(15);

/// How long planning may take before somebody else does it. Longer than an invocation can last. A planner that ended
/// without a plan said so, and is followed sooner.
pub const PLANNED_WITHIN: Duration = Duration::minutes(35);

/// How long a run may stay open. Then what is unanswered has failed.
pub const OPEN_FOR: Duration = Duration::hours(20);

/// How long a message lives. Shorter than a run, so that none that is sent with the plan arrives after its
/// run was closed. One that is sent again may: whoever gets a late message looks first.
pub const MESSAGE_LIFETIME: Duration = Duration::hours(19);

/// How many bytes of a record the text of a failure takes that stands beside another one.
const LEFT_OUT_BYTES: usize = 1000;

/// How often it is noted that `AdvanceJobs` came.
pub const PASS_NOTED_EVERY: Duration = Duration::minutes(5);

/// How long `AdvanceJobs`, which comes every minute, may stay away before nothing counts as moving on.
pub const STANDS_STILL_AFTER: Duration = Duration::minutes(15);

/// Whether nothing moves jobs on: `AdvanceJobs` has stayed away for long, or, where it never came, a job has been
/// open for as long. Where neither is known, as after an installation, nothing is said.
pub fn stands_still(
    last: Option<OffsetDateTime>,
    oldest_open: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> bool {
    last.or(oldest_open).is_some_and(|at| now - at >= STANDS_STILL_AFTER)
}

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
    pub by: Option<Actor>,
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
    /// Why it could not be planned, when that was last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unplanned: Option<Unplanned>,
    /// The round that it is in. Records of older programs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<Round>,
    /// Whether it would cover its vault if it ended as it stood when its last round began: see
    /// [`Numbers::covers`](super::run::Numbers::covers).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub covers: bool,
    /// What fails and is tried again, as of the last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
    /// What its plan had to leave out and a later round lists again, as of its last round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Box<LeftOut>>,
    /// Drawn by whoever wrote the record first, to know it again when the answer to the write was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u64>,
}

/// The last try of planning a run, which came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplanned {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Why.
    pub failure: Failure,
}

/// Kinds that a run's plan had to leave out, and that it lists again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The kinds.
    pub kinds: Vec<ObjectKind>,
    /// Why the newest try failed. Its text is short: the record holds another failure.
    pub failure: Failure,
    /// When that was.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl LeftOut {
    /// These kinds, if there are any.
    pub fn new(kinds: Vec<ObjectKind>, failure: Failure, at: OffsetDateTime) -> Option<Box<Self>> {
        let failure = Failure { text: cut(failure.text, LEFT_OUT_BYTES), request_id: None, ..failure };
        (!kinds.is_empty()).then(|| Box::new(Self { kinds, failure, at }))
    }
}

/// What an open run needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: others are at work.
    NoOp,
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
    pub fn open(vault: VaultName, run: RunId, by: Actor, now: OffsetDateTime) -> Self {
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
            unplanned: None,
            round: None,
            covers: false,
            failing: None,
            left_out: None,
            mark: None,
        }
    }

    /// What is known of a run by its name alone, whose record was last written at a time: it goes on, and ends, as if
    /// nothing had come in since.
    pub fn of_name(vault: VaultName, run: RunId, written: Option<OffsetDateTime>) -> Option<Self> {
        let opened = run.occurrence().or(written)?;
        let progressed = written.unwrap_or(opened);
        Some(Self { by: None, sent: true, progressed, ..Self::open(vault, run, Actor::TIMER, opened) })
    }

    /// Whether it has been open for as long as a run may be.
    pub fn has_expired(&self, now: OffsetDateTime) -> bool {
        now - self.opened >= OPEN_FOR
    }

    /// When somebody other than its opener may plan it. An HTTP caller leaves that to the next look: a
    /// large vault takes longer to list than a caller waits.
    fn plannable(&self) -> Duration {
        match &self.by {
            Some(Actor { via: Via::Http, .. }) => Duration::ZERO,
            _ => PLANNED_WITHIN,
        }
    }

    /// Notes how many planned objects have an outcome. Says whether that is news.
    pub fn note(&mut self, answered: u32, now: OffsetDateTime) -> bool {
        let news = answered != self.answered;
        if news {
            self.answered = answered;
            self.progressed = now;
        }
        news
    }

    /// What the run needs. `seen` is what is seen of it once it has a plan.
    pub fn need(&self, seen: Option<Seen>, now: OffsetDateTime) -> Need {
        let Some(seen) = seen else {
            let due = self.planned_again().unwrap_or(self.opened + self.plannable());
            return if self.has_expired(now) {
                Need::GivingUp
            } else if now >= due {
                Need::Planning
            } else {
                Need::NoOp
            };
        };
        let (unanswered, quiet) = (seen.planned.saturating_sub(self.answered), now - self.progressed);
        let lists = self.lists_again(&seen);
        if unanswered == 0 && !lists {
            Need::Closing
        } else if self.has_expired(now)
            || (!lists && seen.settled >= unanswered && self.is_in_its_last_round(&seen))
        {
            Need::GivingUp
        } else if seen.superseded {
            if quiet >= STALLED_AFTER { Need::GivingUp } else { Need::NoOp }
        } else if quiet >= self.pause() {
            Need::Sending
        } else {
            Need::NoOp
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-11-22 02:00 UTC);
    const SECOND: Duration = Duration::SECOND;

    fn job(by: Actor) -> BackupJob {
        BackupJob::open("kv-prod".parse().unwrap(), RunId::nightly(START), by, START)
    }

    /// A run of which so many objects are answered, the last of them after this time.
    fn answered(answered: u32, after: Duration) -> BackupJob {
        let mut job = job(Actor::TIMER);
        assert!(job.note(answered, START + after));
        job
    }

    #[test]
    fn a_run_without_a_plan_is_planned_by_somebody_else_or_given_up() {
        let http = Actor::http(None, None);
        let of_before = BackupJob { by: None, ..job(Actor::TIMER) };
        let table = [
            (job(Actor::TIMER), Duration::ZERO, Need::NoOp),
            (job(Actor::TIMER), PLANNED_WITHIN - SECOND, Need::NoOp),
            (job(Actor::TIMER), PLANNED_WITHIN, Need::Planning),
            (of_before, PLANNED_WITHIN - SECOND, Need::NoOp),
            (job(http.clone()), Duration::ZERO, Need::Planning), // the caller does not wait for it
            (job(http), OPEN_FOR, Need::GivingUp),
            (job(Actor::TIMER), OPEN_FOR - SECOND, Need::Planning),
            (job(Actor::TIMER), OPEN_FOR, Need::GivingUp),
        ];
        for (job, after, expected) in table {
            assert_eq!(job.need(None, START + after), expected, "{after} {job:?}");
        }
    }

    #[test]
    fn a_planned_run_is_closed_or_sent_again_or_given_up() {
        let minutes = Duration::minutes;
        let of = |planned| Some(Seen { planned, ..Seen::default() });
        let half = answered(1, minutes(10));
        let table = [
            (&half, minutes(10), Need::NoOp),
            (&half, minutes(10) + STALLED_AFTER - SECOND, Need::NoOp),
            (&half, minutes(10) + STALLED_AFTER, Need::Sending),
            (&half, OPEN_FOR - SECOND, Need::Sending),
            (&half, OPEN_FOR, Need::GivingUp),
            (&answered(2, minutes(10)), minutes(10), Need::Closing),
            (&answered(2, OPEN_FOR), OPEN_FOR, Need::Closing), // what is whole is not given up
            (&answered(3, minutes(10)), minutes(10), Need::Closing),
        ];
        for (job, after, expected) in table {
            assert_eq!(job.need(of(2), START + after), expected, "{after} {job:?}");
        }
        assert_eq!(job(Actor::TIMER).need(of(0), START), Need::Closing, "nothing has to be backed up");
    }

    #[test]
    fn a_look_that_finds_nothing_new_is_no_progress() {
        let mut job = answered(1, Duration::MINUTE);
        assert!(!job.note(1, START + Duration::HOUR));
        assert_eq!(job.progressed, START + Duration::MINUTE);
    }

    #[test]
    fn a_run_of_which_only_the_name_can_be_read_goes_on_from_when_its_record_was_written() {
        let of_name = |run: &str, written| {
            BackupJob::of_name("kv-prod".parse().unwrap(), run.parse().unwrap(), written)
        };
        let later = START + Duration::HOUR;
        // Its name and when its record was written; when it was opened, and when it last progressed.
        for (run, written, opened, progressed) in [
            ("20261122T020000Z-nightly", None, START, START),
            ("20261122T020000Z-nightly", Some(later), START, later),
        ] {
            let job = of_name(run, written).unwrap();
            assert_eq!((job.opened, job.progressed), (opened, progressed), "{run} {written:?}");
            assert_eq!((job.run.as_str(), job.sent, job.answered, job.by), (run, true, 0, None));
        }
    }

    #[test]
    fn jobs_stand_still_when_the_timer_stays_away() {
        let now = datetime!(2026-11-22 02:00 UTC);
        let (fresh, old) = (Some(now - Duration::minutes(14)), Some(now - Duration::minutes(15)));
        for (last, oldest_open, stands) in [
            (None, None, false),
            (fresh, None, false),
            (fresh, old, false),
            (old, None, true),
            (old, fresh, true),
            (None, fresh, false),
            (None, old, true),
        ] {
            assert_eq!(stands_still(last, oldest_open, now), stands, "{last:?} {oldest_open:?}");
        }
    }

    #[test]
    fn no_message_outlives_its_run() {
        assert!(MESSAGE_LIFETIME < OPEN_FOR);
    }
}
