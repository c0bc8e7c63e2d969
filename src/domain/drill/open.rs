//! A drill that is under way.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{CleanedUp, Counts, DrillId, Rehearsed, Seconds, Seed, Targets, Whole, Why};
use crate::domain::{
    actor::Actor,
    lease,
    object::ObjectId,
    restore::{Step, StepResult},
    run::RunId,
    source::{SourceKind, SourceName},
};

/// The version of the stored form that this program writes.
pub const OPEN_DRILL_FORMAT: u32 = 1;

/// How long the record of a drill may show no sign of life before another process goes on with it. As with restores, its holder
/// has stopped by then.
pub const IS_LEFT_AFTER: Duration = lease::LASTS;

/// How long a process may go on with a drill without having written its record.
pub const TRUST: Duration = lease::TRUST;

/// How long after its beginning a drill's restore times out.
pub const RESTORES_WITHIN: Duration = Duration::hours(2);

/// How long after that end the cleaning up is given up.
pub const CLEANS_WITHIN: Duration = Duration::hours(1);

/// Tries of an object whose restore meets errors that may pass.
const TRIES: u32 = 10;

/// The record of a drill that is under way. There is at most one for each drill vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenDrill {
    /// [`OPEN_DRILL_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The drill.
    pub id: DrillId,
    /// Vault or Managed HSM.
    pub kind: SourceKind,
    /// The source.
    pub source: SourceName,
    /// The drill vault.
    pub target: SourceName,
    /// Who asked for it.
    pub by: Actor,
    /// How many drills of the source there were before.
    pub number: u32,
    /// What decides which objects are drawn.
    pub seed: Seed,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When this was recorded.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Whether a process is at work on it, unless it has died.
    pub working: bool,
    /// How many processes have worked on it.
    pub parts: u32,
    /// Names in the drill vault that are to be deleted and purged there, and no others ever are: those that an earlier drill left,
    /// and those that this one restores, from before the first is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<ObjectId>,
    /// What it restores; `None` until that is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// How its restore ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Why the names are still there, as of the last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclean: Option<Why>,
    /// The sources whose drills follow in the vault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<SourceName>,
    /// Whether the vault may not be cleaned up: it has lost its marker.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

/// What a drill restores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The recovery point.
    pub point: Point,
    /// When the first restore was sent, at the earliest.
    #[serde(with = "time::serde::rfc3339")]
    pub began: OffsetDateTime,
    /// How long processes have restored so far.
    pub took: Seconds,
    /// The number of the process that has restored since then, which tells whether others did.
    pub part: u32,
    /// The objects.
    pub objects: Vec<Drilled>,
    /// How many objects a restore of the source would bring back.
    pub whole: Counts,
    /// How many it would not, because something stands in the way.
    pub excluded: u32,
    /// Those of the names that are always drilled which have no backup at that point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<ObjectId>,
}

/// The recovery point that a drill restores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The run that left it.
    pub run: RunId,
    /// When the run began: what changed in the source later is not in it.
    #[serde(with = "time::serde::rfc3339")]
    pub taken: OffsetDateTime,
    /// As of when the source is restored; `None` for the newest state.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub at: Option<OffsetDateTime>,
}

/// One object of a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// What is restored.
    pub step: Step,
    /// How often an error that may pass has ended a try.
    #[serde(default, skip_serializing_if = "crate::domain::run::is_zero")]
    pub tries: u32,
    /// The result, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<StepResult>,
    /// How long it took from its turn until it was compared; `None` where another process began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<Seconds>,
}

/// How a drill's restore ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How it ended.
    pub restore: Rehearsed,
    /// Why, unless it succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<Why>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How long the sample took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_seconds: Option<Seconds>,
    /// How old what was restored was when the drill began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo_seconds: Option<Seconds>,
    /// What a restore of the whole source would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Whole>,
    /// What it was judged against.
    #[serde(default, skip_serializing_if = "Targets::are_unset")]
    pub targets: Targets,
}

/// What is to be done next about a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Look at the drill vault, and decide what is restored.
    Plan,
    /// Restore the objects that have no result.
    Restore,
    /// Judge the restore: all its objects have a result, or its time is over.
    Judge,
    /// Delete and purge the names on record.
    CleanUp,
    /// Put it on record.
    Close(CleanedUp),
}

impl Drilled {
    /// An object that is to be restored.
    pub const fn new(step: Step) -> Self {
        Self { step, tries: 0, result: None, seconds: None }
    }

    /// Whether an error that may pass was the last that is waited for.
    pub const fn is_tried_enough(&self) -> bool {
        self.tries >= TRIES
    }
}

impl OpenDrill {
    /// The record of a drill of a vault that begins.
    pub fn begin(
        (source, target): (SourceName, SourceName),
        by: Actor,
        seed: Seed,
        number: u32,
        names: Vec<ObjectId>,
        now: OffsetDateTime,
    ) -> Self {
        let salt = seed.as_bytes().iter().take(4).fold(0, |salt, byte| salt << 8 | u32::from(*byte));
        Self {
            v: OPEN_DRILL_FORMAT,
            id: DrillId::new(now, salt),
            kind: SourceKind::Vault,
            source,
            target,
            by,
            number,
            seed,
            started: now,
            at: now,
            working: true,
            parts: 1,
            names,
            plan: None,
            verdict: None,
            unclean: None,
            then: Vec::new(),
            given_up: false,
        }
    }

    /// Whether no process is at work on it.
    pub fn is_left(&self, now: OffsetDateTime) -> bool {
        !self.working || !(self.at - IS_LEFT_AFTER..self.at + IS_LEFT_AFTER).contains(&now)
    }

    /// The record once another process goes on with it.
    #[must_use]
    pub fn taken_over(mut self, now: OffsetDateTime) -> Self {
        (self.at, self.working, self.parts) = (now, true, self.parts.saturating_add(1));
        self
    }

    /// What is to be done next. By the clock alone it comes to its end.
    pub fn next(&self, now: OffsetDateTime) -> Next {
        let Some(verdict) = &self.verdict else {
            return match &self.plan {
                _ if now >= self.started + RESTORES_WITHIN => Next::Judge,
                Some(plan) if plan.objects.iter().any(|of| of.result.is_none()) => Next::Restore,
                Some(_) => Next::Judge,
                None if self.names.is_empty() => Next::Plan,
                None => Next::CleanUp,
            };
        };
        if self.names.is_empty() {
            Next::Close(CleanedUp::Done)
        } else if self.given_up || now >= verdict.at + CLEANS_WITHIN {
            Next::Close(CleanedUp::Failed)
        } else {
            Next::CleanUp
        }
    }

    /// Ends a drill that cannot take place.
    pub fn refuse(&mut self, why: Why, now: OffsetDateTime) {
        self.verdict = Some(Verdict {
            restore: Rehearsed::Failed,
            why: vec![why],
            at: now,
            rto_seconds: None,
            rpo_seconds: None,
            whole: None,
            targets: Targets::default(),
        });
    }
}

impl Plan {
    /// How long the sample took: as long as the one process was at work that restored it, or else by the clock from the beginning
    /// to `now`.
    pub fn rto(&self, parts: u32, now: OffsetDateTime) -> Seconds {
        if self.part == parts { self.took } else { Seconds::from(now - self.began).max(self.took) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        restore::Action,
        samples::{self, NIGHT},
    };

    fn open() -> OpenDrill {
        let pair = ("kv-a".parse().unwrap(), "kv-drill".parse().unwrap());
        OpenDrill::begin(pair, Actor::TIMER, Seed::of(b"x"), 0, Vec::new(), NIGHT)
    }

    fn plan(results: &[Option<StepResult>]) -> Plan {
        let step = Step::new(&samples::entry(&samples::secret("db"), NIGHT), Action::Restore);
        let of =
            |result: &Option<StepResult>| Drilled { result: result.clone(), ..Drilled::new(step.clone()) };
        Plan {
            point: Point { run: RunId::nightly(NIGHT), taken: NIGHT, at: None },
            began: NIGHT,
            took: Seconds::from(1.5),
            part: 1,
            objects: results.iter().map(of).collect(),
            whole: Counts::default(),
            excluded: 0,
            missing: Vec::new(),
        }
    }

    #[test]
    fn a_drill_goes_from_its_plan_to_its_end_and_by_the_clock_alone_in_any_case() {
        let names = || vec![samples::secret("db")];
        let (second, soon) = (Duration::SECOND, NIGHT + Duration::HOUR);
        let late = NIGHT + RESTORES_WITHIN;
        let planned = |results: &[Option<StepResult>]| OpenDrill {
            plan: Some(plan(results)),
            names: names(),
            ..open()
        };
        let judged = |names: Vec<ObjectId>| {
            let mut judged = OpenDrill { names, ..open() };
            judged.refuse(Why::new("x", "y"), NIGHT);
            judged
        };
        let left = OpenDrill { names: names(), ..open() };
        let (failed, done) = (Next::Close(CleanedUp::Failed), Next::Close(CleanedUp::Done));
        for (drill, now, expected) in [
            (open(), NIGHT, Next::Plan),
            (open(), late - second, Next::Plan),
            (open(), late, Next::Judge),
            (left.clone(), NIGHT, Next::CleanUp),
            (left, late, Next::Judge),
            (planned(&[None, Some(StepResult::Restored)]), soon, Next::Restore),
            (planned(&[None]), late, Next::Judge),
            (planned(&[Some(StepResult::Restored)]), soon, Next::Judge),
            (planned(&[]), soon, Next::Judge),
            (judged(names()), soon - second, Next::CleanUp),
            (judged(names()), soon, failed),
            (judged(Vec::new()), NIGHT, done),
            (judged(Vec::new()), late, done),
            (OpenDrill { given_up: true, ..judged(names()) }, NIGHT, failed),
        ] {
            assert_eq!(drill.next(now), expected, "{drill:?} {now}");
        }
    }

    #[test]
    fn a_drill_without_a_sign_of_life_is_left_to_another_process() {
        for (working, now, left) in [
            (true, NIGHT, false),
            (true, NIGHT + IS_LEFT_AFTER - Duration::SECOND, false),
            (true, NIGHT + IS_LEFT_AFTER, true),
            (true, NIGHT - Duration::SECOND, false),
            (true, NIGHT - IS_LEFT_AFTER - Duration::SECOND, true), // its clock was ahead
            (false, NIGHT, true),
        ] {
            assert_eq!(OpenDrill { working, ..open() }.is_left(now), left, "{working} {now}");
        }
        let taken = OpenDrill { working: false, ..open() }.taken_over(NIGHT + Duration::DAY);
        assert_eq!((taken.at, taken.working, taken.parts), (NIGHT + Duration::DAY, true, 2));
    }

    #[test]
    fn a_time_with_a_gap_is_that_of_the_clock() {
        let minute = NIGHT + Duration::MINUTE;
        assert_eq!(plan(&[]).rto(1, minute), Seconds::from(1.5));
        assert_eq!(plan(&[]).rto(2, minute), Seconds::from(60.0));
        assert_eq!(plan(&[]).rto(2, NIGHT), Seconds::from(1.5));
    }

    #[test]
    fn an_object_is_tried_ten_times() {
        for (tries, enough) in [(0, false), (9, false), (10, true)] {
            let object = Drilled { tries, ..plan(&[None]).objects.remove(0) };
            assert_eq!(object.is_tried_enough(), enough, "{tries}");
        }
    }

    #[test]
    fn the_record_reads_back() {
        let mut drill = OpenDrill { plan: Some(plan(&[None, Some(StepResult::Restored)])), ..open() };
        drill.refuse(Why::new("x", "y"), NIGHT);
        let json = serde_json::to_string(&drill).unwrap();
        assert_eq!(serde_json::from_str::<OpenDrill>(&json).unwrap(), drill, "{json}");
    }
}
