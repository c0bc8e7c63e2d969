//! The record of an open backup run.

pub mod rounds;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use self::rounds::{Failing, Round, Seen};
use super::{
    actor::{Actor, Via},
    object::ObjectKind,
    outcome::Failure,
    record::cut,
    run::RunId,
    source::SourceName,
};

/// The version of the stored form that this program writes.
pub const JOB_FORMAT: u32 = 1;

/// How long no result may arrive before the messages of unanswered objects are sent again for the first time: see
/// [`rounds`]. Longer than the waits between five deliveries of a message that fails at once. A message
/// whose attempts hang takes longer and then exists twice, which costs requests and changes nothing.
pub const STALLED_AFTER: Duration = Duration::minutes(15);

/// Deadline for the process that begins a job for a caller of the API to do its part: to carry out a small one, or to send
/// its messages. After it another process sends them.
pub const SENT_WITHIN: Duration = Duration::minutes(2);

/// Deadline for planning; after it another process plans the run. Longer than an invocation can last. A planner that
/// ended without a plan has recorded that, and is followed sooner.
pub const PLANNED_WITHIN: Duration = Duration::minutes(35);

/// How long a run may stay open; after that, unanswered objects have failed.
pub const OPEN_FOR: Duration = Duration::hours(20);

/// Lifetime of a message. Shorter than that of a run, so that no message sent with the plan arrives after its run was
/// closed. A message that is sent again may; its receiver checks the run first.
pub const MESSAGE_LIFETIME: Duration = Duration::hours(19);

/// The most bytes of a failure's text in a record that holds another failure too.
const LEFT_OUT_BYTES: usize = 1000;

/// How often passes of `AdvanceJobs` are recorded.
pub const PASS_NOTED_EVERY: Duration = Duration::minutes(5);

/// How long `AdvanceJobs`, which comes every minute, may stay away before jobs count as standing still.
pub const STANDS_STILL_AFTER: Duration = Duration::minutes(15);

/// Whether jobs stand still: `AdvanceJobs` has stayed away for too long or, if it never came, a job has been open for
/// as long. `false` if neither time is known, as after an installation.
pub fn stands_still(
    last: Option<OffsetDateTime>,
    oldest_open: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> bool {
    last.or(oldest_open).is_some_and(|at| now - at >= STANDS_STILL_AFTER)
}

/// The record of an open run. It is written before the run's plan and deleted after its manifest, so a started run is
/// never forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupJob {
    /// [`JOB_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The vault.
    pub vault: SourceName,
    /// The run.
    pub run: RunId,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub opened: OffsetDateTime,
    /// The actor that requested it. Absent in records of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// Whether everything is backed up, changed or not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everything: bool,
    /// Whether all messages were sent at least once.
    pub sent: bool,
    /// How many planned objects had an outcome as of the last pass.
    pub answered: u32,
    /// When that number last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub progressed: OffsetDateTime,
    /// Why the last attempt to plan it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unplanned: Option<Unplanned>,
    /// The current round. Absent in records of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<Round>,
    /// Whether it would cover its vault if it ended in the state at the start of its last round: see
    /// [`Numbers::covers`](super::run::Numbers::covers).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub covers: bool,
    /// What fails and is tried again, as of the last pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
    /// Kinds that its plan left out and that a later round lists again, as of its last round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Box<LeftOut>>,
    /// A random number from the process that wrote the record first, to recognize it if the answer to the write was
    /// lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u64>,
}

/// The last attempt to plan a run, which failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplanned {
    /// When it failed.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Why it failed.
    pub failure: Failure,
}

/// Kinds that a run's plan left out and that the run lists again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The kinds.
    pub kinds: Vec<ObjectKind>,
    /// Why the newest attempt failed. The text is short because the record holds another failure too.
    pub failure: Failure,
    /// When it failed.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl LeftOut {
    /// The record of these kinds; `None` if there are none.
    pub fn new(kinds: Vec<ObjectKind>, failure: Failure, at: OffsetDateTime) -> Option<Box<Self>> {
        let failure = Failure { text: cut(failure.text, LEFT_OUT_BYTES), request_id: None, ..failure };
        (!kinds.is_empty()).then(|| Box::new(Self { kinds, failure, at }))
    }
}

/// What an open run needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: its work is under way.
    NoOp,
    /// A plan: none was made in time.
    Planning,
    /// Its messages sent, again or for the first time.
    Sending,
    /// A record of failure for every unanswered object, then its manifest.
    GivingUp,
    /// Its manifest.
    Closing,
}

impl BackupJob {
    /// The record of a run that begins now.
    pub fn open(vault: SourceName, run: RunId, by: Actor, now: OffsetDateTime) -> Self {
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

    /// Replaces a record that cannot be read: built from the run's name and the time of the record's last write. The
    /// run continues, and ends, as if no result had arrived since.
    pub fn of_name(vault: SourceName, run: RunId, written: Option<OffsetDateTime>) -> Option<Self> {
        let opened = run.occurrence().or(written)?;
        let progressed = written.unwrap_or(opened);
        Some(Self { by: None, sent: true, progressed, ..Self::open(vault, run, Actor::TIMER, opened) })
    }

    /// Whether it has been open for as long as a run may be.
    pub fn has_expired(&self, now: OffsetDateTime) -> bool {
        now - self.opened >= OPEN_FOR
    }

    /// How long after its opening another process may plan it. An HTTP caller leaves planning to the next pass: listing
    /// a large vault takes longer than a caller waits.
    fn plannable(&self) -> Duration {
        if self.is_for_http() { Duration::ZERO } else { PLANNED_WITHIN }
    }

    /// Whether a caller of the API asked for it.
    fn is_for_http(&self) -> bool {
        matches!(self.by, Some(Actor { via: Via::Http, .. }))
    }

    /// Records how many planned objects have an outcome. Returns whether the number changed.
    pub fn note(&mut self, answered: u32, now: OffsetDateTime) -> bool {
        let news = answered != self.answered;
        if news {
            self.answered = answered;
            self.progressed = now;
        }
        news
    }

    /// What the run needs next. `seen` is its observed state once it has a plan.
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

    /// A run with this many answered objects, the last one answered this long after the start.
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
            (&answered(2, OPEN_FOR), OPEN_FOR, Need::Closing), // a complete run is not given up
            (&answered(3, minutes(10)), minutes(10), Need::Closing),
        ];
        for (job, after, expected) in table {
            assert_eq!(job.need(of(2), START + after), expected, "{after} {job:?}");
        }
        assert_eq!(job(Actor::TIMER).need(of(0), START), Need::Closing, "nothing has to be backed up");
    }

    #[test]
    fn the_messages_of_a_request_that_died_are_sent_soon_and_a_terminals_are_not() {
        let unsent = job(Actor::http(None, None));
        let sent = BackupJob { sent: true, ..unsent.clone() };
        for (job, after, expected) in [
            (&unsent, SENT_WITHIN - SECOND, Need::NoOp),
            (&unsent, SENT_WITHIN, Need::Sending),
            (&sent, SENT_WITHIN, Need::NoOp),
            (&job(Actor::TERMINAL), SENT_WITHIN, Need::NoOp),
            (&job(Actor::TIMER), SENT_WITHIN, Need::NoOp),
        ] {
            let seen = Seen { planned: 2, ..Seen::default() };
            assert_eq!(job.need(Some(seen), START + after), expected, "{after} {job:?}");
        }
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
