//! What a restore will do, and what stands in its way.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{OnConflict, Request};
use crate::domain::{
    digest::{Digest, Fingerprint},
    entry::Entry,
    manifest::{Fared, Line},
    object::{ObjectId, ObjectKind, ObjectName},
    run::RunId,
    versions::VersionId,
};

/// The version of the form that this program writes.
pub const PLAN_FORMAT: u32 = 1;

/// What the target holds under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// An object in use, with what listing shows of it.
    Live(Fingerprint),
    /// The key or secret of a certificate in use.
    Managed,
    /// A soft-deleted object.
    Deleted {
        /// Whether it may be purged: purge protection is off.
        purgeable: bool,
    },
}

/// Where a vault lies, as far as the settings say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The Azure subscription.
    pub subscription: Option<String>,
    /// The Azure geography.
    pub geography: Option<String>,
}

impl Place {
    /// Whether both are known and a backup cannot go from one to the other.
    fn excludes(&self, other: &Self) -> bool {
        let differ = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
        differ(&self.subscription, &other.subscription) || differ(&self.geography, &other.geography)
    }
}

/// What is done for one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The backup is restored under a free name.
    Restore,
    /// The soft-deleted object is recovered.
    Recover,
    /// The soft-deleted object is purged, then the backup restored.
    PurgeAndRestore,
}

/// One object of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name, which a restore cannot change.
    pub name: ObjectName,
    /// What is done.
    pub action: Action,
    /// The run that took the backup.
    pub run: RunId,
    /// When it was taken.
    #[serde(with = "time::serde::rfc3339")]
    pub taken: OffsetDateTime,
    /// SHA-256 of the blob.
    pub sha256: Digest,
    /// How many versions come back.
    pub versions: u32,
    /// The newest of them.
    pub newest: VersionId,
    /// What the versions are to look like afterwards.
    pub version_states: Fingerprint,
}

impl Step {
    fn new(entry: &Entry, action: Action) -> Self {
        Self {
            kind: entry.kind,
            name: entry.name.clone(),
            action,
            run: entry.run.clone(),
            taken: entry.taken,
            sha256: entry.sha256,
            versions: entry.versions,
            newest: entry.newest.clone(),
            version_states: entry.version_states,
        }
    }

    /// The object.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }
}

/// Why an object is not restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The target holds it as the backup has it.
    AlreadyThere,
    /// The target holds an object of that name.
    Live,
    /// The target holds a soft-deleted object of that name.
    SoftDeleted,
    /// The same, and it cannot be purged.
    PurgeProtected,
    /// The same, and the identity that restores may not purge.
    MayNotPurge,
    /// Purging was asked for without spelling the object out.
    NotSpelledOut,
    /// Another subscription or geography.
    OtherPlace,
    /// It belongs to a certificate, whose backup contains it.
    Managed,
    /// There is no backup of it, or none that old.
    NoBackup,
    /// The source has it, and no backup of it ever succeeded.
    NeverBackedUp,
    /// There is none of that kind, but one of another kind under that name.
    OtherKind,
    /// Its backup is not what was recorded.
    Damaged,
    /// It was gone from the source by then, and nobody asked for it in particular.
    Gone,
}

impl Reason {
    /// The reason's stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AlreadyThere => "already-there",
            Self::Live => "live",
            Self::SoftDeleted => "soft-deleted",
            Self::PurgeProtected => "purge-protected",
            Self::MayNotPurge => "may-not-purge",
            Self::NotSpelledOut => "not-spelled-out",
            Self::OtherPlace => "other-place",
            Self::Managed => "managed",
            Self::NoBackup => "no-backup",
            Self::NeverBackedUp => "never-backed-up",
            Self::OtherKind => "other-kind",
            Self::Damaged => "damaged",
            Self::Gone => "gone",
        }
    }

    /// What stands in the way, and what would solve it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::AlreadyThere => "the target has it as the backup has it; there is nothing to do",
            Self::Live => {
                "the target has an object of that name, and Key Vault does not restore over one; delete and purge \
                 it first, or restore into another vault"
            }
            Self::SoftDeleted => {
                "the target has a soft-deleted object of that name; recover it (recoverDeleted), or purge it and \
                 restore the backup (purgeDeleted)"
            }
            Self::PurgeProtected => {
                "the target has a soft-deleted object of that name, and purge protection keeps it until its retention \
                 ends; recover it (recoverDeleted), or restore into another vault"
            }
            Self::MayNotPurge => {
                "the target has a soft-deleted object of that name, and this app's identity may not purge; have somebody \
                 purge it who may, or give the identity that right for the time being"
            }
            Self::NotSpelledOut => "a purge is for good: name the object itself to have it purged",
            Self::OtherPlace => {
                "a backup restores only within its subscription and geography; choose a vault there"
            }
            Self::Managed => "it belongs to the certificate of that name; restore the certificate",
            Self::NoBackup => {
                "there is no backup of it as of that time; see its recovery points for when there is one"
            }
            Self::NeverBackedUp => {
                "no backup of it ever succeeded, so it cannot be restored; the report of the newest run says why"
            }
            Self::OtherKind => {
                "there is no backup of it, but one of another kind under that name; name that kind"
            }
            Self::Gone => {
                "it was gone from the vault by then; name it, ask for what is gone, or choose an earlier time (at)"
            }
            Self::Damaged => {
                "its backup is damaged and would not be accepted; choose an earlier one (at), and find out who \
                 changed it"
            }
        }
    }
}

/// An object that is not restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name.
    pub name: ObjectName,
    /// Why.
    pub reason: Reason,
    /// Whether it is skipped, as the request wants, rather than in the way.
    pub skipped: bool,
}

/// What a restore will do. Each object that was asked for is in `steps` or in `left`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePlan {
    /// [`PLAN_FORMAT`] of the program that made it.
    pub v: u32,
    /// What was asked.
    pub request: Request,
    /// What is done, in the order of the objects: certificates first.
    pub steps: Vec<Step>,
    /// What is not.
    pub left: Vec<Left>,
}

impl RestorePlan {
    /// A digest of what will be done: it changes when the world moves.
    pub fn digest(&self) -> Digest {
        Digest::of_json(self)
    }

    /// The step for an object.
    pub fn step(&self, id: &ObjectId) -> Option<&Step> {
        let at = self.steps.binary_search_by(|step| (step.kind, &step.name).cmp(&(id.kind, &id.name)));
        self.steps.get(at.ok()?)
    }

    /// Takes steps out.
    pub fn leave(&mut self, objects: &[ObjectId], reason: Reason) {
        self.steps.retain(|step| !objects.contains(&step.id()));
        self.left.extend(objects.iter().map(|id| leave(&self.request, id.clone(), reason)));
    }

    /// The objects that stand in the way.
    pub fn conflicts(&self) -> impl Iterator<Item = &Left> {
        self.left.iter().filter(|left| !left.skipped)
    }
}

/// What planning is given: the index as of the time asked for, and what the target holds.
#[derive(Debug)]
pub struct World<'a> {
    /// Where the source lies.
    pub source: &'a Place,
    /// Where the target lies.
    pub target: &'a Place,
    /// What the target holds, by object.
    pub held: &'a BTreeMap<ObjectId, Held>,
}

/// Plans a restore. Pure and total: every line that the selection takes, and every object that it spells
/// out, is accounted for once.
pub fn plan_restore<E>(
    request: &Request,
    index: impl Iterator<Item = Result<Line, E>>,
    world: &World<'_>,
) -> Result<RestorePlan, E> {
    let (mut steps, mut left) = (Vec::new(), Vec::new());
    let mut missing = request.selection.objects.clone();
    missing.sort();
    missing.dedup();
    let mut others = BTreeSet::new();
    for line in index {
        let line = line?;
        let id = line.id();
        if line.entry.is_some() && missing.iter().any(|missing| missing.name == id.name) {
            others.insert(id.name.clone());
        }
        let named = missing.iter().position(|missing| *missing == id).map(|at| missing.remove(at)).is_some();
        if named && line.fared == Fared::Managed {
            left.push(leave(request, id, Reason::Managed));
        } else if line.fared == Fared::Gone
            && !named
            && !request.selection.gone
            && request.selection.takes(&line)
        {
            left.push(leave(request, id, Reason::Gone));
        } else if request.selection.takes(&line) {
            match decide(request, &line, world) {
                Ok(step) => steps.extend(step),
                Err(reason) => left.push(leave(request, id, reason)),
            }
        } else if named {
            left.push(leave(request, id, Reason::NoBackup));
        } else if line.fared == Fared::Failed && request.selection.misses(&line) {
            left.push(leave(request, id, Reason::NeverBackedUp));
        }
    }
    left.extend(missing.into_iter().map(|id| {
        let reason = if others.contains(&id.name) { Reason::OtherKind } else { Reason::NoBackup };
        leave(request, id, reason)
    }));
    Ok(RestorePlan { v: PLAN_FORMAT, request: request.clone(), steps, left })
}

fn leave(request: &Request, id: ObjectId, reason: Reason) -> Left {
    let taken =
        matches!(reason, Reason::Live | Reason::SoftDeleted | Reason::PurgeProtected | Reason::MayNotPurge);
    let skipped = matches!(reason, Reason::AlreadyThere | Reason::Gone | Reason::NeverBackedUp)
        || (taken && request.on_conflict == OnConflict::Skip);
    Left { kind: id.kind, name: id.name, reason, skipped }
}

fn decide(request: &Request, line: &Line, world: &World<'_>) -> Result<Option<Step>, Reason> {
    let Some(entry) = &line.entry else { return Ok(None) };
    let held = world.held.get(&line.id());
    if matches!(held, Some(Held::Live(fingerprint)) if entry.looked_like(*fingerprint)) {
        return Err(Reason::AlreadyThere);
    }
    if world.source.excludes(world.target) {
        return Err(Reason::OtherPlace);
    }
    let action = match held {
        None => Action::Restore,
        Some(Held::Live(_) | Held::Managed) => return Err(Reason::Live),
        Some(Held::Deleted { purgeable }) => deleted(request, line, *purgeable)?,
    };
    Ok(Some(Step::new(entry, action)))
}

fn deleted(request: &Request, line: &Line, purgeable: bool) -> Result<Action, Reason> {
    match request.on_conflict {
        OnConflict::RecoverDeleted => Ok(Action::Recover),
        OnConflict::PurgeDeleted if !request.selection.objects.contains(&line.id()) => {
            Err(Reason::NotSpelledOut)
        }
        OnConflict::PurgeDeleted if purgeable => Ok(Action::PurgeAndRestore),
        OnConflict::Fail | OnConflict::Skip if purgeable => Err(Reason::SoftDeleted),
        OnConflict::PurgeDeleted | OnConflict::Fail | OnConflict::Skip => Err(Reason::PurgeProtected),
    }
}
