//! What the next look at a job has to do.

use time::{Duration, OffsetDateTime};

use super::{HsmJob, Phase, Task, backup::SKEW};
use crate::domain::{
    job::OPEN_FOR,
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

/// How long a job whose record cannot be read keeps others from its HSM. What it began goes on without it; the HSM itself
/// says whether it is busy.
pub const UNREADABLE_FOR: Duration = Duration::DAY;

/// How long a check may take. The start says the same, so it is not waited for.
const CHECKED_WITHIN: Duration = Duration::minutes(15);

/// How long the service may say that an operation is under way before nobody believes it, and how long a start may be
/// sent anew. Until then a job keeps others from the HSM, as the service would by itself.
const RUNS_FOR: Duration = Duration::days(2);

/// Polls in a row, a minute apart, that tell nothing, after which what the operation left is looked at: as many minutes as a
/// job may wait.
const UNHEARD: u32 = 12 * 60;

/// The same where the service refuses to say.
const REFUSED: u32 = 30;

/// The least time between two questions to the service about one operation.
pub(super) const ASK_AFTER: Duration = Duration::seconds(45);

/// The same while somebody waits at a terminal: what the service itself asks for.
const ASK_WATCHED_AFTER: Duration = Duration::seconds(8);

/// What else is going on at the HSM.
#[derive(Clone, Debug, Default)]
pub struct Context {
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
    NoOp,
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
    FindFolder {
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

impl Fit {
    /// Those of an operation that was begun then, by clocks that may differ.
    fn begun(at: OffsetDateTime) -> Self {
        let since = at - SKEW;
        Self { since, written_since: since }
    }
}

impl HsmJob {
    /// What the next look has to do. While the service has asked to be left alone nothing is begun.
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
                "no key is begun twenty hours after the restore was asked for; plan again for those that are left",
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
                "the operation was not seen to end for two days; ask Azure support about it",
            ),
            Phase::Running { job, .. } => self.poll(job, context, now, Move::Poll),
            Phase::Occupied { since } => self.occupied(*since, context, now),
        }
    }

    /// Whether it is a restore of keys, each of which has limits of its own, that has been open for as long as a restore
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
        // Polls that tell nothing are counted, a minute apart, until there were too many: a watcher must not hurry that.
        let after = if context.watched && self.refused == 0 { ASK_WATCHED_AFTER } else { ASK_AFTER };
        if self.was_asked(after, now) { Move::NoOp } else { poll(job.to_owned()) }
    }

    fn was_asked(&self, within: Duration, now: OffsetDateTime) -> bool {
        self.polled.is_some_and(|polled| now - polled < within)
    }

    /// Looks for a folder have to be a minute apart, whoever watches: that is how growth is noticed.
    fn find_folder(&self, fit: Fit, or_start: bool, now: OffsetDateTime) -> Move {
        if self.was_asked(ASK_AFTER, now) { Move::NoOp } else { Move::FindFolder { fit, or_start } }
    }

    /// Whether polls have told nothing for so long that what the operation left is looked at instead. Where the service
    /// `refuses` for good that is sooner.
    pub fn is_unheard(&self, refuses: bool) -> bool {
        self.refused >= if refuses { REFUSED } else { UNHEARD }
    }

    /// Which folders the operation under way can have left; `None` for a restore, which leaves none.
    pub fn leaves(&self) -> Option<Fit> {
        match self.phase {
            Phase::Running { since, .. } if self.is_backup() => Some(Fit::begun(since)),
            _ => None,
        }
    }

    /// What went wrong, with the last words that were heard.
    fn gives_up(&self, code: &str, text: &str) -> Move {
        let last = self.waiting.as_deref().map(|words| format!(". Last: {words}"));
        Move::GiveUp(Failure::ours(code, format!("{text}{}", last.unwrap_or_default())))
    }

    fn due(&self, not_before: Option<OffsetDateTime>, context: &Context, now: OffsetDateTime) -> Move {
        // For the keys after the first, since the one before: many keys may take longer than that.
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

    /// What else of ours the HSM has to be left to first.
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
            // Each start that is sent anew has another `at`.
            if now - at >= WAITS_FOR || now - self.opened >= RUNS_FOR {
                let text = "the start was sent, no whole folder came of it, and the HSM did not begin anew for twelve hours";
                return self.gives_up("AnswerLost", text);
            }
            // What was written before the start was sent is no part of what it began.
            return self.find_folder(Fit::begun(at), now - at >= LOST_FOR, now);
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
                // A backup that somebody else began up to an hour before serves as well, but not where a restore is about to
                // replace what is there now.
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
