//! The plan of a run: what is backed up, what is skipped, and why.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    asker::Asker,
    index::Index,
    object::{ObjectId, ObjectKind, VaultName},
    outcome::Failure,
    planned::PlannedObjects,
    run::{RunId, Scope},
    versions::Listed,
};

/// The version of the stored form that this program writes.
pub const PLAN_FORMAT: u32 = 1;

/// What happens to a listed object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Backed up: there is no backup yet.
    New,
    /// Backed up: it changed since its last backup.
    Changed,
    /// Backed up: it changed so shortly before its last backup that a later change may not show.
    Unsettled,
    /// Backed up: the last run should have, and could not.
    Missed,
    /// Backed up although nothing shows a change, because listing does not show changes of older versions.
    FullPass,
    /// Backed up because somebody asked for this very object.
    Asked,
    /// Skipped: nothing changed since its last backup.
    Unchanged,
    /// Skipped: it belongs to a certificate, whose backup contains it. The service refuses its backup.
    Managed,
    /// Skipped: managed by the vault, and by none of its certificates, such as a token of a managed storage
    /// account. The service refuses its backup, and no other backup contains it.
    VaultManaged,
}

impl Decision {
    /// Whether the object is backed up.
    pub fn backs_up(self) -> bool {
        !matches!(self, Self::Unchanged | Self::Managed | Self::VaultManaged)
    }
}

/// One object of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Which object.
    #[serde(flatten)]
    pub id: ObjectId,
    /// What happens to it.
    pub decision: Decision,
    /// The run of its newest backup so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<RunId>,
}

/// A kind of object that a vault would not list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlisted {
    /// The kind.
    pub kind: ObjectKind,
    /// What the service said.
    pub failure: Failure,
}

/// What a plan says of the run as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanHeader {
    /// [`PLAN_FORMAT`] of the program that wrote it.
    pub v: u32,
    /// The vault.
    pub vault: VaultName,
    /// The run.
    pub run: RunId,
    /// Who asked for it. Plans of older programs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Asker>,
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
    /// The names of manifests that could not be read, and are passed over by whoever reads this run's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// Kinds that could not be listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlisted: Vec<Unlisted>,
}

impl PlanHeader {
    /// Whether this run backs up everything regardless of changes.
    pub fn is_full_pass(&self) -> bool {
        self.full_pass == self.planned
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
    pub objects: PlannedObjects,
}

impl Plan {
    /// The objects to back up.
    pub fn to_back_up(&self) -> impl Iterator<Item = Planned> {
        self.objects.iter().filter(|object| object.decision.backs_up())
    }
}

/// Whether everything is due to be backed up regardless of changes: never done, or `every` ago.
///
/// An hour is let off, so that a nightly schedule's jitter does not move the pass to the next night.
pub fn full_pass_is_due(last: Option<OffsetDateTime>, every: Duration, now: OffsetDateTime) -> bool {
    last.is_none_or(|last| now - last >= every - Duration::HOUR)
}

/// Decides about everything that a vault lists, object by object.
///
/// What is listed is not kept: the list of a large vault, freed in one piece, would make the allocator hold
/// on to more from then on. The result is sorted, and an object that two pages listed appears once.
pub struct Planner<'i> {
    index: &'i Index,
    full_pass: bool,
    objects: PlannedObjects,
}

impl<'i> Planner<'i> {
    /// Starts with what is known of the vault.
    pub fn new(index: &'i Index, full_pass: bool) -> Self {
        Self { index, full_pass, objects: PlannedObjects::default() }
    }

    /// Decides about one object.
    pub fn add(&mut self, listed: Listed) {
        self.objects.push(&decide(listed, self.index, self.full_pass));
    }

    /// The plan, without the kinds that were not listed to their ends.
    pub fn finish(mut self, unlisted: &[Unlisted]) -> PlannedObjects {
        for unlisted in unlisted {
            self.objects.drop_kind(unlisted.kind);
        }
        self.objects.sort();
        // Without the whole list of certificates nobody knows what belongs to none.
        if unlisted.iter().all(|unlisted| unlisted.kind != ObjectKind::Certificate) {
            self.objects.tell_managers_apart();
        }
        self.objects.shrink_to_fit();
        self.objects
    }
}

fn decide(object: Listed, index: &Index, full_pass: bool) -> Planned {
    let known = index.get(&object.id);
    let decision = match &known {
        _ if object.managed => Decision::Managed,
        None => Decision::New,
        Some(known) if !known.looked_like(object.fingerprint) => Decision::Changed,
        Some(_) if full_pass => Decision::FullPass,
        Some(known) if known.missed => Decision::Missed,
        Some(known) if known.unsettled => Decision::Unsettled,
        Some(_) => Decision::Unchanged,
    };
    let previous = known.filter(|_| decision != Decision::Managed).map(|known| known.run);
    Planned { id: object.id, decision, previous }
}

/// The plan for objects that somebody named.
pub fn plan_objects(mut asked: Vec<ObjectId>, index: &Index) -> PlannedObjects {
    asked.sort();
    asked.dedup();
    let plan = |id| {
        let previous = index.get(&id).map(|known| known.run);
        Planned { id, decision: Decision::Asked, previous }
    };
    asked.into_iter().map(plan).collect()
}
