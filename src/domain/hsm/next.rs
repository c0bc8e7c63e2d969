//! Decides what the next pass does about a job.

use time::{Duration, OffsetDateTime};

use super::{HsmJob, Phase, Task, backup::SKEW};
use crate::domain::{
    job::OPEN_FOR,
    outcome::Failure,
    restore::RestoreId,
    run::{RunId, Verdict},
};

/// Deadline for recording the result of a start request. Longer than a request can take; after it the outcome counts as
/// unknown.
const SENT_WITHIN: Duration = Duration::minutes(5);

/// How long to wait for a folder after a start whose answer was lost, before the HSM is asked again.
pub const LOST_FOR: Duration = Duration::minutes(15);

/// How long a job may wait before it begins.
pub const WAITS_FOR: Duration = Duration::hours(12);

/// How long a job with an unreadable record keeps other jobs from its HSM. An operation that it began continues without
/// it; the HSM itself says whether it is busy.
pub const UNREADABLE_FOR: Duration = Duration::DAY;

/// How long a check may take. The start gives the same answer, so the job does not wait longer.
const CHECKED_WITHIN: Duration = Duration::minutes(15);

/// How long the service may report an operation as under way before that is no longer believed, and how long a start
/// may be sent again. Until then a job keeps others from the HSM, as the service itself would.
pub const RUNS_FOR: Duration = Duration::days(2);

/// Number of consecutive polls, a minute apart, without a result, after which the job checks what the operation left:
/// as many minutes as a job may wait.
const UNHEARD: u32 = 12 * 60;

/// Number of consecutive polls that the service refuses to answer, after which the job checks what the operation left.
const REFUSED: u32 = 30;

/// The least time between two requests about one operation.
pub(super) const ASK_AFTER: Duration = Duration::seconds(45);

/// The least time between two polls while a person waits at a terminal: what the service itself asks for.
const ASK_WATCHED_AFTER: Duration = Duration::seconds(8);

/// What else is going on at the HSM.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// A restore of the HSM that is under way.
    pub restore: Option<RestoreId>,
    /// Another of this program's jobs whose operation is under way.
    pub busy: Option<RunId>,
    /// The verdict of the backup that has to succeed first.
    pub safety: Option<Verdict>,
    /// Whether that backup is open.
    pub safety_is_open: bool,
    /// Whether a person waits at a terminal for the job's end.
    pub watched: bool,
}

/// What a pass does about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing: work is under way, or the service was asked a moment ago.
    NoOp,
    /// Nothing, for this reason.
    Wait(String),
    /// Open the backup of this run, which has to succeed first.
    BackUpFirst(RunId),
    /// Ask the service whether the operation is possible.
    Check,
    /// Poll the check.
    PollCheck(String),
    /// Send the start, once.
    Start,
    /// Poll the operation.
    Poll(String),
    /// Search for a folder that an unknown operation left; if there is none, ask the HSM.
    FindFolder {
        /// Which folders fit.
        fit: Fit,
        /// Whether to ask the HSM if there is none.
        or_start: bool,
    },
    /// End the job: it cannot continue.
    GiveUp(Failure),
}

/// Which folders can be the result of an operation that is not being followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Folders of this time and later.
    pub since: OffsetDateTime,
    /// Folders last written at this time or later, by an operation that was still under way then.
    pub written_since: OffsetDateTime,
}

impl Fit {
    /// Folders of an operation that was begun at this time, by clocks that may differ.
    fn begun(at: OffsetDateTime) -> Self {
        let since = at - SKEW;
        Self { since, written_since: since }
    }
}

impl HsmJob {
    /// What the next pass does. Nothing is begun while the service has asked for a pause.
    pub fn next(&self, context: &Context, now: OffsetDateTime) -> Move {
        match self.wanted(context, now) {
            Move::Check | Move::PollCheck(_) | Move::Start if self.is_held(now) => Move::NoOp,
            Move::FindFolder { fit, .. } if self.is_held(now) => Move::FindFolder { fit, or_start: false },
            next => next,
        }
    }

    fn wanted(&self, context: &Context, now: OffsetDateTime) -> Move {
        match &self.phase {
            Phase::Due { .. } | Phase::Occupied { .. } if self.begins_no_more(now) => self.gives_up(
                "OutOfTime",
                "no further key is started twenty hours after the restore was requested; plan again for the rest",
            ),
            Phase::Due { not_before } => self.due(*not_before, context, now),
            Phase::Checking { since, .. } if now - since.unwrap_or(self.opened) >= CHECKED_WITHIN => {
                self.checked(context, now)
            }
            Phase::Checking { job, .. } => self.poll(job, context, now, Move::PollCheck),
            Phase::Checked => self.checked(context, now),
            Phase::Sending { at } if now - *at < SENT_WITHIN => Move::NoOp,
            Phase::Sending { at } | Phase::Lost { at } => self.lost(*at, now),
            Phase::Running { since, .. } if now - *since >= RUNS_FOR => self.gives_up(
                "NoEnd",
                "the operation did not end within two days; ask Azure support about it",
            ),
            Phase::Running { job, .. } => self.poll(job, context, now, Move::Poll),
            Phase::Occupied { since } => self.occupied(*since, context, now),
        }
    }

    /// Whether it is a restore of keys, each of which has its own limits, that has been open for as long as a restore
    /// of a vault may be.
    fn begins_no_more(&self, now: OffsetDateTime) -> bool {
        matches!(self.task, Task::RestoreKeys { .. }) && now - self.opened >= OPEN_FOR
    }

    fn poll(
        &self,
        job: &str,
        context: &Context,
        now: OffsetDateTime,
        poll: impl FnOnce(String) -> Move,
    ) -> Move {
        // Polls without a result are counted, a minute apart, against a limit: a watcher must not hurry that.
        let after = if context.watched && self.refused == 0 { ASK_WATCHED_AFTER } else { ASK_AFTER };
        if self.was_asked(after, now) { Move::NoOp } else { poll(job.to_owned()) }
    }

    fn was_asked(&self, within: Duration, now: OffsetDateTime) -> bool {
        self.polled.is_some_and(|polled| now - polled < within)
    }

    /// Searches for a folder have to be a minute apart, even if a person waits: that is how growth is noticed.
    fn find_folder(&self, fit: Fit, or_start: bool, now: OffsetDateTime) -> Move {
        if self.was_asked(ASK_AFTER, now) { Move::NoOp } else { Move::FindFolder { fit, or_start } }
    }

    /// Whether polls have gone without a result for so long that the job checks what the operation left. The limit is
    /// lower if the service `refuses` to answer.
    pub fn is_unheard(&self, refuses: bool) -> bool {
        self.refused >= if refuses { REFUSED } else { UNHEARD }
    }

    /// Which folders the operation under way may leave; `None` for a restore, which leaves none.
    pub fn leaves(&self) -> Option<Fit> {
        match self.phase {
            Phase::Running { since, .. } if self.is_backup() => Some(Fit::begun(since)),
            _ => None,
        }
    }

    /// Ends the job with this failure and the last known reason for waiting.
    fn gives_up(&self, code: &str, text: &str) -> Move {
        let last = self.waiting.as_deref().map(|words| format!(". Last: {words}"));
        Move::GiveUp(Failure::ours(code, format!("{text}{}", last.unwrap_or_default())))
    }

    fn due(&self, not_before: Option<OffsetDateTime>, context: &Context, now: OffsetDateTime) -> Move {
        // For keys after the first, the limit counts from the previous one: many keys may take longer than that.
        let since =
            not_before.filter(|_| !self.is_backup()).map_or(self.opened, |time| time.max(self.opened));
        if now - since >= WAITS_FOR {
            return self.never_free();
        }
        if let Some(why) = self.in_the_way(context) {
            return Move::Wait(why);
        }
        match &self.task {
            Task::Backup { .. }
                if self.was_asked(ASK_AFTER, now) || not_before.is_some_and(|time| time > now) =>
            {
                Move::NoOp
            }
            Task::Backup { .. } => Move::Check,
            Task::RestoreAll { safety: Some(safety), .. } => match context.safety {
                None if context.safety_is_open => {
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

    /// The work of this program that has to end first at the HSM, if there is any.
    fn in_the_way(&self, context: &Context) -> Option<String> {
        if let Some(busy) = &context.busy {
            return Some(format!("job {busy} is under way at the HSM"));
        }
        match (&self.task, &context.restore) {
            (Task::Backup { safety_for }, Some(restore)) if safety_for.as_ref() != Some(restore) => {
                Some(format!("restore {restore} is under way; the HSM is backed up after it"))
            }
            _ => None,
        }
    }

    fn never_free(&self) -> Move {
        self.gives_up("NeverFree", "it could not begin for twelve hours")
    }

    fn checked(&self, context: &Context, now: OffsetDateTime) -> Move {
        match self.in_the_way(context) {
            _ if now - self.opened >= WAITS_FOR => self.never_free(),
            Some(why) => Move::Wait(why),
            None => Move::Start,
        }
    }

    fn ready(not_before: Option<OffsetDateTime>, now: OffsetDateTime) -> Move {
        if not_before.is_some_and(|time| time > now) { Move::NoOp } else { Move::Start }
    }

    fn lost(&self, at: OffsetDateTime, now: OffsetDateTime) -> Move {
        if self.is_backup() {
            // Each repeated start has a new `at`.
            if now - at >= WAITS_FOR || now - self.opened >= RUNS_FOR {
                let text = "the start was sent, no complete folder appeared, and the HSM took no new start for twelve hours";
                return self.gives_up("AnswerLost", text);
            }
            // Blobs written before the start was sent are not part of what it began.
            return self.find_folder(Fit::begun(at), now - at >= LOST_FOR, now);
        }
        // A restore leaves nothing to search for. It is not sent again: a person has to check the HSM first.
        if now - at < LOST_FOR {
            let why =
                self.waiting.as_deref().unwrap_or("the answer to the start was lost; it is not sent again");
            return Move::Wait(why.to_owned());
        }
        self.gives_up(
            "AnswerLost",
            "the start was sent, but no answer says what became of it: the restore may or may not have been carried \
             out. Check the HSM, and plan again if it is not as it should be",
        )
    }

    fn occupied(&self, since: OffsetDateTime, context: &Context, now: OffsetDateTime) -> Move {
        if now - since >= WAITS_FOR || now - self.opened >= RUNS_FOR {
            return self
                .gives_up("NeverFree", "the HSM refused to begin for twelve hours, because it was busy");
        }
        if let Some(why) = self.in_the_way(context) {
            return Move::Wait(why);
        }
        match &self.task {
            Task::Backup { safety_for } => {
                // A backup that another party began up to an hour before serves as well, except if a restore is about
                // to replace what is there now.
                let before = if safety_for.is_some() { Duration::ZERO } else { Duration::HOUR };
                let fit = Fit { since: self.opened - before, written_since: since - SKEW };
                self.find_folder(fit, true, now)
            }
            _ if self.was_asked(ASK_AFTER, now) => Move::NoOp,
            _ => Move::Start,
        }
    }
}

#[cfg(test)]
mod tests;
