//! The plan of a run: what is backed up, what is skipped, and why.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    acknowledged::Accepted,
    actor::Actor,
    forgotten::Forget,
    loss::{GoneShare, Loss},
    manifest::{KEEP_GONE, Line},
    object::{ObjectId, ObjectKind},
    observed_location::{Hint, Moved, ObservedLocation},
    outcome::Failure,
    planned::Planned,
    run::{RunId, Scope, is_zero},
    source::SourceName,
};

/// The version of the stored form that this program writes.
pub const PLAN_FORMAT: u32 = 2;

/// A kind of object that a vault would not list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlisted {
    /// The kind.
    pub kind: ObjectKind,
    /// What the service said.
    pub failure: Failure,
    /// How many rounds of the run list it, the first one included; 0 where no later one does. See [`lists`](super::lists).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rounds: u32,
}

impl Unlisted {
    /// A kind that is left out for good.
    pub fn for_good(kind: ObjectKind, failure: Failure) -> Self {
        Self { kind, failure, rounds: 0 }
    }
}

/// A kind that could be listed only after the run's plan was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedLate {
    /// The kind.
    pub kind: ObjectKind,
    /// The round of the run that began with it.
    pub round: u32,
    /// When listing it began.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// What a plan says of the run as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanHeader {
    /// [`PLAN_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The vault.
    pub vault: SourceName,
    /// The run.
    pub run: RunId,
    /// Who asked for it. Plans of older programs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// How many seconds after its occurrence the run was opened, if it was late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<u32>,
    /// The whole vault or some objects.
    pub scope: Scope,
    /// When the plan was made. Manifests are ordered by this time.
    #[serde(with = "time::serde::rfc3339")]
    pub planned: OffsetDateTime,
    /// When everything was last backed up regardless of changes; now, when this run does.
    #[serde(with = "time::serde::rfc3339")]
    pub full_pass: OffsetDateTime,
    /// The name of the newest whole manifest, whose entries are carried forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The names of later manifests, whose entries are folded in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<String>,
    /// The names of manifests that could not be read. Readers of this run's manifest skip them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// Kinds that could not be listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlisted: Vec<Unlisted>,
    /// Kinds that a later round could list. Never stored with a plan: supplements say so, see [`Plan::with`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listed_late: Vec<ListedLate>,
    /// How much may be gone since the run before. Plans of some objects, and of older programs, do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_share: Option<GoneShare>,
    /// For how many days the index keeps an object that is gone. Absent where no policy is known: then it is
    /// [`KEEP_GONE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_gone: Option<u32>,
    /// The objects that people forgot since the newest whole manifest was made. What was forgotten is not carried forward.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<Forget>,
    /// The losses that were open as of the run before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// The failures that people accept as of this plan. Read where something failed in the run before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Accepted>,
    /// The runs whose losses a person has acknowledged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledged: Vec<RunId>,
    /// What is known of where the vault lies. Plans of some objects, and of older programs, do not say.
    #[serde(rename = "whereabouts", default, skip_serializing_if = "Option::is_none")]
    pub observed_location: Option<Box<ObservedLocation>>,
    /// That the vault lies elsewhere than it did, as this run or an earlier one saw, until a person acknowledges that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Box<Moved>>,
    /// What else made everything due.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
}

impl PlanHeader {
    /// The header of a plan that starts from nothing and backs up everything.
    pub fn new(vault: SourceName, run: RunId, scope: Scope, planned: OffsetDateTime) -> Self {
        Self {
            v: PLAN_FORMAT,
            vault,
            run,
            by: None,
            late: None,
            scope,
            planned,
            full_pass: planned,
            base: None,
            folds: Vec::new(),
            unread: Vec::new(),
            unlisted: Vec::new(),
            listed_late: Vec::new(),
            gone_share: None,
            keep_gone: None,
            forgotten: Vec::new(),
            losses: Vec::new(),
            accepted: Vec::new(),
            acknowledged: Vec::new(),
            observed_location: None,
            moved: None,
            hints: Vec::new(),
        }
    }

    /// How long the index keeps an object that is gone.
    pub fn keeps_gone(&self) -> Duration {
        self.keep_gone.map_or(KEEP_GONE, |days| Duration::days(i64::from(days)))
    }

    /// Whether this run backs up everything regardless of changes.
    pub fn is_full_pass(&self) -> bool {
        self.full_pass == self.planned
    }

    /// Whether a line of the run's manifest is a failure that a person accepts as of this plan.
    pub fn accepts(&self, line: &Line) -> bool {
        self.accepted.iter().any(|of| of.covers(line, self.planned))
    }

    /// Whether the run's manifest already holds what another one says, as far as that could be read.
    pub fn covers(&self, manifest: &str) -> bool {
        let mut known = self.base.iter().chain(&self.folds).chain(&self.unread);
        known.any(|name| name == manifest)
    }
}

/// A run's plan. Stored create-only: the first one made for a run is the run's plan for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it says of the run.
    pub header: PlanHeader,
    /// Every object, in the order of blob names, each once.
    pub objects: Vec<Planned>,
}

impl Plan {
    /// The objects to back up.
    pub fn to_back_up(&self) -> impl Iterator<Item = &Planned> {
        self.objects.iter().filter(|object| object.decision.backs_up())
    }

    /// What is planned for an object.
    pub fn find(&self, id: &ObjectId) -> Option<&Planned> {
        let place = self.objects.binary_search_by(|of| of.key().cmp(&id.key())).ok()?;
        self.objects.get(place)
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::domain::samples::NIGHT;

    fn header() -> PlanHeader {
        PlanHeader::new("kv-prod".parse().unwrap(), RunId::nightly(NIGHT), Scope::Vault, NIGHT)
    }

    #[test]
    fn a_plan_starts_from_nothing_and_with_everything_until_it_is_told_more() {
        let of = header();
        assert!(of.is_full_pass() && !of.covers("a") && of.by.is_none());
        let later = PlanHeader { full_pass: NIGHT - Duration::DAY, ..header() };
        assert!(!later.is_full_pass());
    }

    #[test]
    fn a_manifest_covers_what_it_is_made_of_and_what_could_not_be_read() {
        let of = PlanHeader {
            base: Some("a".into()),
            folds: vec!["b".into()],
            unread: vec!["c".into()],
            ..header()
        };
        assert_eq!(["a", "b", "c", "d"].map(|name| of.covers(name)), [true, true, true, false]);
    }
}
