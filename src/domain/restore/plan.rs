//! What a restore will do, and what stands in its way.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    Excluded, Held, OnConflict, Reason, Request, Unusable, World,
    rivals::{Claim, Rivals},
};
use crate::domain::{
    digest::{Digest, Fingerprint},
    entry::Entry,
    form::{Clear, Form},
    location::Apart,
    manifest::{Line, ObjectStatus},
    object::{ObjectId, ObjectKind, ObjectName},
    run::RunId,
    versions::VersionId,
};

/// The version of the form that this program writes.
pub const PLAN_FORMAT: u32 = 2;

/// The action for one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Restore the backup under a free name.
    Restore,
    /// Recover the soft-deleted object.
    Recover,
    /// Purge the soft-deleted object, then restore the backup.
    PurgeAndRestore,
}

/// One object of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object's name, which a restore cannot change.
    pub name: ObjectName,
    /// The action.
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
    /// The current one of these versions.
    pub newest: VersionId,
    /// Digest of the versions' identifiers. Absent in steps of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_ids: Option<Fingerprint>,
    /// Digest of the versions' identifiers and attributes that is expected after the restore.
    pub version_states: Fingerprint,
    /// Digest of the ordered versions, the current one last, that is expected after the restore; `None` if the current
    /// version was not known at the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Fingerprint>,
    /// What may be shown of the backup's form, if the form is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_form: Option<Box<Clear>>,
    /// The run of the newer backup that is damaged or gone, in whose place this one is restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<RunId>,
}

impl Step {
    pub(in crate::domain) fn new(entry: &Entry, action: Action) -> Self {
        Self {
            kind: entry.kind,
            name: entry.name.clone(),
            action,
            run: entry.run.clone(),
            taken: entry.taken,
            sha256: entry.sha256,
            versions: entry.versions,
            newest: entry.newest.clone(),
            version_ids: Some(entry.version_ids),
            version_states: entry.version_states,
            order: entry.order,
            unknown_form: entry.form.unknown().cloned().map(Box::new),
            instead_of: None,
        }
    }

    /// Replaces the form by the one that this program finds in the backup's bytes: a newer program knows more than the
    /// entry.
    pub fn judged(&mut self, form: &Form) {
        self.unknown_form = form.unknown().cloned().map(Box::new);
    }

    /// The object.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind, self.name.clone())
    }
}

/// What a restore will do. Each requested object is in `steps` or in `excluded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePlan {
    /// [`PLAN_FORMAT`] of the program that made it.
    pub v: u32,
    /// The request.
    pub request: Request,
    /// What is done, in the order of the objects: certificates first.
    pub steps: Vec<Step>,
    /// What is not done, and why.
    #[serde(rename = "left")]
    pub excluded: Vec<Excluded>,
}

impl RestorePlan {
    /// A digest of what will be done: it changes if the source or the target changes.
    pub fn digest(&self) -> Digest {
        Digest::of_json(self)
    }

    /// The step for an object.
    pub fn step(&self, id: &ObjectId) -> Option<&Step> {
        let at = self.steps.binary_search_by(|step| (step.kind, &step.name).cmp(&(id.kind, &id.name)));
        self.steps.get(at.ok()?)
    }

    /// Moves steps to the excluded objects.
    pub fn leave(&mut self, objects: &[ObjectId], reason: Reason) {
        self.steps.retain(|step| !objects.contains(&step.id()));
        self.excluded.extend(objects.iter().map(|id| leave(&self.request, id.clone(), reason)));
    }

    /// Excludes the steps that would purge something in favour of a backup of an unknown form.
    pub fn leave_unjudged_purges(&mut self) {
        let unjudged = |step: &&Step| step.action == Action::PurgeAndRestore && step.unknown_form.is_some();
        let unjudged: Vec<_> = self.steps.iter().filter(unjudged).map(Step::id).collect();
        self.leave(&unjudged, Reason::UnknownForm);
    }

    /// Whether there is no step, and only objects without a backup are excluded: then the selection may have matched
    /// nothing.
    pub fn is_bare(&self) -> bool {
        let without_backup =
            |excluded: &Excluded| matches!(excluded.reason, Reason::NoBackup | Reason::NeverBackedUp);
        self.steps.is_empty() && self.excluded.iter().all(without_backup)
    }

    /// The objects that stand in the way.
    pub fn conflicts(&self) -> impl Iterator<Item = &Excluded> {
        self.excluded.iter().filter(|excluded| !excluded.skipped)
    }
}

/// Plans a restore. Pure and total: each line that the selection takes, and each object that it spells out, is
/// accounted for once.
pub fn plan_restore<E>(
    request: &Request,
    index: impl Iterator<Item = Result<Line, E>>,
    world: &World<'_>,
) -> Result<RestorePlan, E> {
    let mut planning = Planning::new(request, world);
    for line in index {
        planning.add(&line?);
    }
    Ok(planning.finish())
}

/// A plan that is being made while the index is read.
struct Planning<'a> {
    request: &'a Request,
    world: &'a World<'a>,
    steps: Vec<Step>,
    excluded: Vec<Excluded>,
    /// Objects that are spelled out and were not read yet.
    missing: Vec<ObjectId>,
    /// Names of these objects under which another kind has a backup.
    others: BTreeSet<ObjectName>,
    rivals: Rivals,
}

impl<'a> Planning<'a> {
    fn new(request: &'a Request, world: &'a World<'a>) -> Self {
        let mut missing = request.selection.objects.clone();
        missing.sort();
        missing.dedup();
        let (steps, excluded, others) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { request, world, steps, excluded, missing, others, rivals: Rivals::default() }
    }

    fn add(&mut self, line: &Line) {
        let id = line.id();
        if backup_of(line).is_some() && self.missing.iter().any(|missing| missing.name == id.name) {
            self.others.insert(id.name.clone());
        }
        let named = self.missing.iter().position(|missing| *missing == id);
        let named = named.map(|at| self.missing.remove(at)).is_some();
        match self.step(line, named) {
            Some(Ok(step)) => self.steps.push(step),
            Some(Err(reason)) => self.excluded.push(leave(self.request, id, reason)),
            None => {}
        }
    }

    /// The step for a line, or why there is none. `None` for a line that is not selected.
    fn step(&mut self, line: &Line, named: bool) -> Option<Result<Step, Reason>> {
        let (selection, id) = (&self.request.selection, line.id());
        let (backup, takes) = (backup_of(line), selection.takes(line));
        let passed = line.status == ObjectStatus::Gone && !named && !selection.gone;
        let wanted = backup.filter(|_| takes == Some(true) && !passed);
        let claim = Claim::of(line, wanted.is_some(), named);
        let yields = claim.is_some_and(|claim| self.rivals.yields(&id, claim));
        match (line.status, wanted) {
            _ if yields => Some(Err(Reason::Superseded)),
            (_, Some(backup)) => Some(decide(self.request, backup, self.world)),
            (ObjectStatus::Managed | ObjectStatus::Former, None)
                if named && self.rivals.takes_certificate(&id.name) =>
            {
                Some(Err(Reason::WithCertificate))
            }
            (ObjectStatus::Managed | ObjectStatus::Former, None) if named => Some(Err(Reason::Managed)),
            (ObjectStatus::VaultManaged, None) if named => Some(Err(Reason::VaultManaged)),
            (_, None) if backup.is_some() && takes != Some(false) => {
                Some(Err(if passed { Reason::Gone } else { Reason::TagsUnknown }))
            }
            (_, None) if backup.is_some() && named => Some(Err(Reason::NotSelected)),
            // The tags of an object without a backup are unknown: the selection may mean it.
            (ObjectStatus::Failed, None) if backup.is_none() && (named || selection.means(line)) => {
                Some(Err(Reason::NeverBackedUp))
            }
            (_, None) if named => Some(Err(Reason::NoBackup)),
            _ => None,
        }
    }

    fn finish(mut self) -> RestorePlan {
        for id in std::mem::take(&mut self.missing) {
            let reason = if self.others.contains(&id.name) { Reason::OtherKind } else { Reason::NoBackup };
            self.excluded.push(leave(self.request, id, reason));
        }
        let beaten: Vec<_> =
            self.steps.iter().map(Step::id).filter(|id| self.rivals.has_beaten(id)).collect();
        let request = self.request.clone();
        let mut plan = RestorePlan { v: PLAN_FORMAT, request, steps: self.steps, excluded: self.excluded };
        plan.leave(&beaten, Reason::Superseded);
        plan
    }
}

/// The backup of an object as it is now; `None` if the name belongs to another object, whatever it was before.
fn backup_of(line: &Line) -> Option<&Entry> {
    line.entry.as_ref().filter(|_| !line.status.is_managed())
}

fn leave(request: &Request, id: ObjectId, reason: Reason) -> Excluded {
    let skipped = match reason {
        Reason::AlreadyThere | Reason::Gone | Reason::NeverBackedUp | Reason::WithCertificate => true,
        Reason::Superseded => !request.selection.objects.contains(&id),
        reason => reason.is_taken() && request.on_conflict == OnConflict::Skip,
    };
    Excluded { kind: id.kind, name: id.name, reason, skipped }
}

fn decide(request: &Request, entry: &Entry, world: &World<'_>) -> Result<Step, Reason> {
    let id = entry.id();
    let held = world.held.get(&id);
    if matches!(held, Some(Held::Live(fingerprint)) if entry.has_fingerprint(*fingerprint)) {
        return Err(Reason::AlreadyThere);
    }
    let recovers =
        request.on_conflict == OnConflict::RecoverDeleted && matches!(held, Some(Held::Deleted { .. }));
    // Recovery uses no backup: the object never left the target.
    match world.apart(entry).filter(|_| !recovers) {
        Some(Apart::Tenant) => return Err(Reason::OtherTenant),
        Some(Apart::Settings) if !request.other_place => return Err(Reason::OtherPlace),
        Some(Apart::Settings) | None => {}
    }
    if let Some(reason) = world.other_kind(&id) {
        return Err(reason);
    }
    let action = match held {
        None => Action::Restore,
        Some(Held::Live(_) | Held::Managed | Held::DeletedManaged) => return Err(Reason::Live),
        Some(Held::Deleted { purgeable }) => deleted(request, &id, *purgeable)?,
    };
    match world.unusable.get(&id).filter(|_| !recovers) {
        None => Ok(Step::new(entry, action)),
        Some(Unusable { older: Some(older), .. }) => {
            Ok(Step { instead_of: Some(entry.run.clone()), ..Step::new(older, action) })
        }
        Some(Unusable { reason, older: None }) => Err(*reason),
    }
}

fn deleted(request: &Request, id: &ObjectId, purgeable: bool) -> Result<Action, Reason> {
    match request.on_conflict {
        OnConflict::RecoverDeleted => Ok(Action::Recover),
        OnConflict::PurgeDeleted if !request.selection.objects.contains(id) => Err(Reason::NotSpelledOut),
        OnConflict::PurgeDeleted if purgeable => Ok(Action::PurgeAndRestore),
        OnConflict::Fail | OnConflict::Skip if purgeable => Err(Reason::SoftDeleted),
        OnConflict::PurgeDeleted | OnConflict::Fail | OnConflict::Skip => Err(Reason::PurgeProtected),
    }
}

#[cfg(test)]
mod tests;
