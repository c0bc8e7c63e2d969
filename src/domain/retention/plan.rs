//! The plan: a verdict for every recovery point of a source, by policy, holds and the state of the source.

use time::{OffsetDateTime, macros::datetime};

use super::{Decision, Dropped, Hold, Policy, Reason, Standstill};
use crate::domain::{
    hsm::HsmBackup,
    manifest::Summary,
    run::{CLOSES_WITHIN, RunId, Scope},
};

/// The time of a point of which none is known: far off, so that the point counts as new.
const AS_NEW: OffsetDateTime = datetime!(2070-01-01 0:00 UTC);

/// What a point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointKind {
    /// What a run of the whole source left.
    Whole {
        /// Whether the run covered its source. One that did not counts towards no number.
        covers: bool,
    },
    /// What a run of some objects left. Nights fold it in.
    Partial,
    /// What cannot be read, so that it is not known what it is.
    Unreadable,
}

/// A point of a source, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The run that left it.
    pub run: RunId,
    /// Its time by the run's own record: when it was planned, or opened.
    pub named: OffsetDateTime,
    /// Its time by storage: when it was written.
    pub stored: OffsetDateTime,
    /// What it is.
    pub kind: PointKind,
}

impl Candidate {
    /// The point of a run of a vault. `by_name` is when its manifest's name says that it was planned; `summary` is
    /// `None` if it cannot be read. Of its own times the latest counts.
    pub fn of_run(
        run: &RunId,
        summary: Option<&Summary>,
        by_name: Option<OffsetDateTime>,
        stored: Option<OffsetDateTime>,
    ) -> Self {
        let kind = match summary {
            None => PointKind::Unreadable,
            Some(summary) if summary.scope == Scope::Objects => PointKind::Partial,
            Some(summary) => PointKind::Whole { covers: summary.numbers.covers() },
        };
        let planned = summary.map(|summary| summary.planned);
        let named = run.occurrence().into_iter().chain(planned).chain(by_name).max();
        Self { run: run.clone(), named: named.unwrap_or(AS_NEW), stored: stored.unwrap_or(AS_NEW), kind }
    }

    /// The point of a backup of a whole HSM. `is_suspect` is whether a finding about its folder is open: then it is not good.
    pub fn of_backup(backup: &HsmBackup, stored: OffsetDateTime, is_suspect: bool) -> Self {
        let kind = PointKind::Whole { covers: backup.is_good() && !is_suspect };
        Self { run: backup.run.clone(), named: backup.opened, stored, kind }
    }

    fn times(&self) -> [OffsetDateTime; 2] {
        [self.named, self.stored]
    }

    fn covers(&self) -> bool {
        self.kind == PointKind::Whole { covers: true }
    }
}

/// What retention decides about a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is kept.
    Keep(Reason),
    /// It may go, as far as policy and holds say.
    Drop(Dropped),
}

impl Verdict {
    /// Whether the point may go.
    pub const fn drops(&self) -> bool {
        matches!(self, Self::Drop(_))
    }
}

/// The verdict for each of `points`, which are all that a source offers, in any order.
///
/// A point is let go only where both its times say so: no writer can make a point older than storage knows it, and
/// points that were copied in one day are still told apart by their names. Whatever the policy says, the newest state
/// of the source is kept, and so is everything while the source stands still.
pub fn plan(
    points: &[Candidate],
    policy: &Policy,
    standstill: Option<&Standstill>,
    holds: &[Hold],
    now: OffsetDateTime,
) -> Vec<Verdict> {
    let covering = points.iter().filter(|point| point.covers());
    let newest = covering.clone().map(|point| point.named).max();
    let by_name = picks(points, policy, |point| point.named, now);
    let by_storage = picks(points, policy, |point| point.stored, now);
    let picked = by_name.into_iter().zip(by_storage).map(|(named, stored)| named.or(stored));
    let verdict = |(point, picked): (&Candidate, Option<_>)| {
        let held = holds.iter().find(|hold| hold.holds_point(&point.run, point.times()));
        let reason = held
            .map(|hold| Reason::Held(hold.ticket.to_string()))
            .or_else(|| newest.is_some_and(|newest| is_of_newest(point, newest)).then_some(Reason::Newest))
            .or(picked)
            .or_else(|| standstill.cloned().map(Reason::Source))
            .or_else(|| newest.is_none().then_some(Reason::Source(Standstill::NeverCovered)))
            .or_else(|| (point.kind == PointKind::Unreadable).then_some(Reason::Unreadable));
        reason.map_or_else(|| Verdict::Drop(dropped(point, policy)), Verdict::Keep)
    };
    points.iter().zip(picked).map(verdict).collect()
}

/// Whether the newest covering point may need this one: a run may close after a newer one was planned.
fn is_of_newest(point: &Candidate, newest: OffsetDateTime) -> bool {
    point.named + CLOSES_WITHIN >= newest
}

/// Why the policy keeps each point by one of its times. Only points that cover their source count.
fn picks(
    points: &[Candidate],
    policy: &Policy,
    time: impl Fn(&Candidate) -> OffsetDateTime,
    now: OffsetDateTime,
) -> Vec<Option<Reason>> {
    let covering: Vec<_> = points.iter().filter(|point| point.covers()).map(&time).collect();
    let mut counted = policy.picks(&covering, now).into_iter();
    let pick = |point: &Candidate| {
        if point.covers() {
            counted.next().flatten()
        } else {
            policy.picks(&[time(point)], now)[0].filter(is_young)
        }
    };
    points.iter().map(pick).map(|pick| pick.map(Reason::Picked)).collect()
}

fn is_young(pick: &super::Pick) -> bool {
    matches!(pick, super::Pick::Within { .. })
}

fn dropped(point: &Candidate, policy: &Policy) -> Dropped {
    let within = policy.within;
    match point.kind {
        PointKind::Partial => Dropped::FoldedIn,
        PointKind::Whole { covers: false } => Dropped::NeverCovered { within },
        PointKind::Whole { covers: true } | PointKind::Unreadable => Dropped::Expired { within },
    }
}

/// How many points would go if a person consented: where they are more than half, and no person has.
pub fn needs_consent(verdicts: &[Verdict], decisions: &[Decision], now: OffsetDateTime) -> Option<usize> {
    let drops = verdicts.iter().filter(|verdict| verdict.drops()).count();
    (drops * 2 > verdicts.len() && !Decision::consents(decisions, drops, now)).then_some(drops)
}

/// The verdicts while no person consents: everything is kept.
pub fn withheld(verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let keep = |verdict| match verdict {
        Verdict::Drop(_) => Verdict::Keep(Reason::MoreThanHalf),
        keep @ Verdict::Keep(_) => keep,
    };
    verdicts.into_iter().map(keep).collect()
}

#[cfg(test)]
mod tests;
