//! The plan of a vault: its points, and what goes with those that may go.

use std::collections::{BTreeMap, HashMap, HashSet};

use time::{Date, OffsetDateTime, UtcOffset};

use super::{Of, seen::Seen, standstill};
use crate::{
    app::App,
    azure::container::Version,
    catalogue::{Catalogue, ManifestReader, ManifestRef, Marks},
    domain::{
        entry::Entry,
        location::Location,
        manifest::{Line, Summary},
        object::ObjectId,
        retention::{
            Candidate, Decision, Drop, DroppedBlob, Hold, Kept, PointKind, Policy, Reason, Ruling,
            Standstill, Store, Terms, Unproved, Verdict, exceeds_half, plan,
        },
        run::{CLOSES_WITHIN, RunId, Scope},
        source::{SourceKind, SourceName},
    },
    error::{Error, Result, damaged},
};

/// A point, and what retention decides about it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The point.
    pub point: Candidate,
    /// The verdict.
    pub verdict: Verdict,
    /// The bytes that go with it, if it may go.
    pub frees: u64,
}

/// The plan of a source.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// The source.
    pub of: Of,
    /// Its policy.
    pub policy: Policy,
    /// Why it keeps everything, if it does.
    pub standstill: Option<Standstill>,
    /// Its points, newest first.
    pub points: Vec<Planned>,
    /// How many points would go if a person consented; 0 if none needs to.
    pub needs_consent: usize,
    /// The points that were let go and are not deleted yet.
    pub pending: Vec<RunId>,
}

impl SourcePlan {
    /// The points that may go.
    pub fn drops(&self) -> impl Iterator<Item = &Planned> {
        self.points.iter().filter(|planned| planned.verdict.drops())
    }

    /// The bytes that go.
    pub fn frees(&self) -> u64 {
        self.drops().map(|planned| planned.frees).sum()
    }
}

/// The plan of a vault.
pub(super) async fn vault(
    app: &App,
    vault: &SourceName,
    policy: Policy,
    now: OffsetDateTime,
) -> Result<SourcePlan> {
    Reading::of(app, vault, policy, now).await?.plan().await
}

/// What was read of a vault.
pub(super) struct Reading<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) vault: &'a SourceName,
    pub(super) marks: Marks,
    pub(super) standstill: Option<Standstill>,
    pub(super) now: OffsetDateTime,
    /// The offered manifests, newest first.
    pub(super) manifests: Vec<ManifestRef>,
    pub(super) candidates: Vec<Candidate>,
    /// Which of them belong to the newest state.
    newest: Vec<bool>,
    /// The manifests that were written again in storage.
    overwritten: HashSet<String>,
    policy: Policy,
    holds: Vec<Hold>,
    decisions: Vec<Decision>,
    location: Location,
}

impl<'a> Reading<'a> {
    /// Reads the names and the summaries of a vault's points, and what people decided.
    pub(super) async fn of(
        app: &'a App,
        vault: &'a SourceName,
        policy: Policy,
        now: OffsetDateTime,
    ) -> Result<Self> {
        let catalogue = app.catalogue()?;
        let kind = SourceKind::Vault;
        let (marks, manifests, holds, decisions, acknowledged) = futures::try_join!(
            catalogue.marks(kind, vault),
            catalogue.manifests(vault, None, |_| false),
            holds(app, vault),
            catalogue.decisions(kind, vault),
            catalogue.acknowledged(vault),
        )?;
        let summaries: Vec<(&Summary, Option<OffsetDateTime>)> =
            manifests.iter().filter_map(|found| Some((found.summary.as_ref()?, found.stored))).collect();
        let known = |run: &RunId| acknowledged.loss(run).is_some();
        let standstill = standstill(app, vault, &summaries, &decisions, known, now);
        let location =
            summaries.iter().find(|(of, _)| of.scope == Scope::Vault).map(|(of, _)| (*of.location).clone());
        let candidates: Vec<_> = manifests.iter().map(|found| candidate(vault, found)).collect();
        let mut reading = Self {
            catalogue,
            vault,
            policy,
            holds,
            decisions,
            standstill,
            location: location.unwrap_or_default(),
            newest: is_newest(&candidates, &policy, now),
            overwritten: HashSet::new(),
            candidates,
            marks,
            manifests,
            now,
        };
        if reading.marks.pending().next().is_some() || reading.verdicts().iter().any(Verdict::drops) {
            reading.overwritten = catalogue.overwritten_manifests(vault).await?;
        }
        Ok(reading)
    }

    pub(super) fn terms(&self) -> Terms<'_> {
        Terms { policy: &self.policy, holds: &self.holds, location: &self.location, now: self.now }
    }

    /// The verdict on every point by policy, holds and the state of the source alone.
    pub(super) fn verdicts(&self) -> Vec<Verdict> {
        plan(&self.candidates, &self.policy, self.standstill.as_ref(), &self.holds, self.now)
    }

    /// Whether a person must consent before so many points go.
    pub(super) fn needs_consent(&self, verdicts: &[Verdict]) -> bool {
        let drops = verdicts.iter().filter(|verdict| verdict.drops()).count();
        exceeds_half(verdicts) && !Decision::consents(&self.decisions, drops, self.now)
    }

    /// The policy in force.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Decides about every point.
    pub(super) async fn plan(self) -> Result<SourcePlan> {
        let mut verdicts = self.verdicts();
        let frees = if verdicts.iter().any(Verdict::drops) {
            self.settle(&mut verdicts).await?.bytes
        } else {
            vec![0; verdicts.len()]
        };
        let drops = verdicts.iter().filter(|verdict| verdict.drops()).count();
        let needs_consent = self.needs_consent(&verdicts);
        if needs_consent {
            for verdict in verdicts.iter_mut().filter(|verdict| verdict.drops()) {
                *verdict = Verdict::Keep(Reason::MoreThanHalf);
            }
        }
        let points = self.candidates.into_iter().zip(verdicts).zip(frees);
        Ok(SourcePlan {
            of: Of { kind: SourceKind::Vault, name: self.vault.clone() },
            policy: self.policy,
            standstill: self.standstill,
            points: points.map(|((point, verdict), frees)| Planned { point, verdict, frees }).collect(),
            needs_consent: if needs_consent { drops } else { 0 },
            pending: self.marks.pending().map(|(run, _)| run.clone()).collect(),
        })
    }

    /// Reads what the kept points name, and keeps every other point of which something may not go.
    ///
    /// Starts again where a point turns out to be unreadable or not to be deletable: what was decided before it may
    /// depend on it. Each start keeps one more point, so it ends.
    pub(super) async fn settle(&self, verdicts: &mut [Verdict]) -> Result<Settled> {
        let mut seen = Seen::new(self.catalogue, self.vault);
        loop {
            let Some((mut kept, mut needs)) = self.name_kept(verdicts).await? else { continue };
            let mut changed = false;
            for (at, verdict) in verdicts.iter_mut().enumerate().filter(|(_, verdict)| verdict.drops()) {
                match self.judge(at, &kept, &mut seen).await {
                    Ok(None) => {}
                    Ok(Some(reason)) => {
                        *verdict = Verdict::Keep(reason);
                        needs.insert(at, self.name(at, &mut kept).await?);
                    }
                    Err(error) if error.is_unreadable() => {
                        *verdict = Verdict::Keep(Reason::Unreadable);
                        changed = true;
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
            if changed {
                continue;
            }
            match self.weigh(verdicts, &kept).await? {
                Weighed::Bound(points) => {
                    for (at, reason) in points {
                        verdicts[at] = Verdict::Keep(reason);
                    }
                }
                Weighed::Free(bytes) => {
                    return Ok(Settled { kept, bytes, copies: self.copies(verdicts, &needs) });
                }
            }
        }
    }

    /// Reads the kept points; `None` if one of them cannot be read or folded in another that was to go: then the
    /// verdicts are others now.
    async fn name_kept(&self, verdicts: &mut [Verdict]) -> Result<Option<(Kept, Needs)>> {
        let mut kept = Kept::default();
        let mut needs = Needs::new();
        let mut folded: HashMap<String, RunId> = HashMap::new();
        for (at, _) in verdicts.iter().enumerate().filter(|(_, verdict)| !verdict.drops()) {
            match self.name(at, &mut kept).await {
                Ok(before) => {
                    let run = &self.candidates[at].run;
                    folded.extend(before.folds.iter().map(|name| (name.clone(), run.clone())));
                    needs.insert(at, before);
                }

                Err(error) if error.is_unreadable() => {
                    let point = &self.candidates[at];
                    kept.cannot_read(&point.run, point.named + CLOSES_WITHIN);
                }
                Err(error) => return Err(error),
            }
        }
        let mut changed = false;
        for (at, manifest) in self.manifests.iter().enumerate() {
            if verdicts[at].drops()
                && let Some(run) = folded.get(&manifest.name)
            {
                verdicts[at] = Verdict::Keep(Reason::FoldedInto(run.clone()));
                changed = true;
            }
        }
        Ok((!changed).then_some((kept, needs)))
    }

    /// The kept points that cannot be made again from their plans once the others are gone.
    fn copies(&self, verdicts: &[Verdict], needs: &Needs) -> Vec<usize> {
        let drops = |name: &String| {
            self.manifests.iter().zip(verdicts).any(|(of, verdict)| verdict.drops() && of.name == *name)
        };
        let loses = |before: &Before| before.base.iter().chain(&before.folds).any(drops);
        needs.iter().filter(|(_, before)| loses(before)).map(|(at, _)| *at).collect()
    }

    /// Adds what a point names, and returns the manifests that it is a change of.
    async fn name(&self, at: usize, kept: &mut Kept) -> Result<Before> {
        let reader = self.open(&self.manifests[at].name).await?;
        let before = Before { base: reader.header().base.clone(), folds: reader.header().folds.clone() };
        for line in reader {
            let line = line?;
            kept.name(&line, &self.location);
            if self.newest[at] {
                kept.know(&line.id());
            }
        }
        Ok(before)
    }

    /// Why a point is kept although its policy lets it go; `None` if it may go.
    async fn judge(&self, at: usize, kept: &Kept, seen: &mut Seen<'_>) -> Result<Option<Reason>> {
        let named = self.candidates[at].named;
        let mut newer: Vec<(ObjectId, RunId, u64)> = Vec::new();
        for line in self.open(&self.manifests[at].name).await? {
            let line = line?;
            for (_, ruling) in kept.judge(&line, named, self.terms()) {
                match ruling {
                    Ruling::Named | Ruling::LongGone => {}
                    Ruling::Succeeded(by) => newer.push((line.id(), by.run.clone(), by.bytes)),
                    Ruling::Stays(why) => {
                        return Ok(Some(Reason::Names { object: Box::new(line.id()), why }));
                    }
                }
            }
        }
        let unseen = seen.first_unseen(newer).await?;
        Ok(unseen
            .map(|(object, run)| Reason::Names { object: Box::new(object), why: Unproved::NotSeen(run) }))
    }

    /// The bytes that go with each point that may go, or those of which a blob cannot be deleted.
    async fn weigh(&self, verdicts: &[Verdict], kept: &Kept) -> Result<Weighed> {
        let mut drafts = Drafts::new(self, kept);
        let mut bytes = vec![0; verdicts.len()];
        let mut bound = Vec::new();
        for (at, _) in verdicts.iter().enumerate().filter(|(_, verdict)| verdict.drops()) {
            bytes[at] = drafts.next(at).await?.iter().map(|blob| blob.bytes).sum();
            if let Some(reason) = drafts.bound.take() {
                bound.push((at, reason));
            }
        }
        Ok(if bound.is_empty() { Weighed::Free(bytes) } else { Weighed::Bound(bound) })
    }

    /// Opens a manifest, unless it was written again: what it says now is not what its run left.
    pub(super) async fn open(&self, name: &str) -> Result<ManifestReader> {
        if self.overwritten.contains(name) {
            return Err(damaged(name, &"it was written again in storage"));
        }
        self.catalogue.manifest(name).await
    }

    /// Adds what a point names that is not offered, and may be again.
    pub(super) async fn name_hidden(&self, record: &Drop, manifest: &str, kept: &mut Kept) -> Result<()> {
        let read = async {
            for line in self.open(manifest).await? {
                kept.name(&line?, &self.location);
            }
            Ok::<_, Error>(())
        };
        match read.await {
            Err(error) if error.is_unreadable() => {
                kept.cannot_read(&record.run, record.named + CLOSES_WITHIN);
                Ok(())
            }
            read => read,
        }
    }

    /// What every offered point names, whatever its verdict.
    pub(super) async fn name_offered(&self) -> Result<Kept> {
        let mut kept = Kept::default();
        for at in 0..self.candidates.len() {
            match self.name(at, &mut kept).await {
                Ok(_) => {}
                Err(error) if error.is_unreadable() => {
                    let point = &self.candidates[at];
                    kept.cannot_read(&point.run, point.named + CLOSES_WITHIN);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(kept)
    }

    /// Whether a hold is on a point as a whole; its ticket.
    pub(super) fn hold_on(&self, run: &RunId, times: [OffsetDateTime; 2]) -> Option<String> {
        self.holds.iter().find(|hold| hold.holds_point(run, times)).map(|hold| hold.ticket.to_string())
    }
}

/// What was found of a vault of which some points may go.
pub(super) struct Settled {
    /// What the kept points name.
    pub(super) kept: Kept,
    /// The bytes that go with each point.
    pub(super) bytes: Vec<u64>,
    /// The kept points that need a second copy first.
    pub(super) copies: Vec<usize>,
}

/// The manifests that a manifest is a change of.
struct Before {
    base: Option<String>,
    folds: Vec<String>,
}

/// What each kept point is a change of.
type Needs = BTreeMap<usize, Before>;

/// What deleting the points that may go would come to.
enum Weighed {
    /// The points of which a blob cannot be deleted: storage keeps it, or it is not what was written.
    Bound(Vec<(usize, Reason)>),
    /// The bytes that go with each point.
    Free(Vec<u64>),
}

/// What goes with each point. A backup that several points name goes with the newest of them.
pub(super) struct Drafts<'a> {
    reading: &'a Reading<'a>,
    kept: &'a Kept,
    drafted: HashSet<String>,
    /// Why a blob of the point that was drafted last cannot be deleted.
    bound: Option<Reason>,
}

impl<'a> Drafts<'a> {
    pub(super) fn new(reading: &'a Reading<'a>, kept: &'a Kept) -> Self {
        Self { reading, kept, drafted: HashSet::new(), bound: None }
    }

    /// The blobs that go with a point, its manifest last. Points are drafted from the newest to the oldest.
    pub(super) async fn next(&mut self, at: usize) -> Result<Vec<DroppedBlob>> {
        let Reading { catalogue, vault, .. } = *self.reading;
        let (manifest, named) = (&self.reading.manifests[at], self.reading.candidates[at].named);
        let mut going: HashMap<RunId, Vec<(ObjectId, Option<RunId>)>> = HashMap::new();
        for line in self.reading.open(&manifest.name).await? {
            let line: Line = line?;
            for (entry, ruling) in self.kept.judge(&line, named, self.reading.terms()) {
                let by = match ruling {
                    Ruling::Named | Ruling::Stays(_) => continue,
                    Ruling::Succeeded(by) => Some(by.run.clone()),
                    Ruling::LongGone => None,
                };
                if self.drafted.insert(key(entry)) {
                    going.entry(entry.run.clone()).or_default().push((line.id(), by));
                }
            }
        }
        let mut blobs = Vec::new();
        for (run, objects) in going {
            let versions = versions(catalogue, vault, &run, &objects).await?;
            for (id, successor) in objects {
                let name = Catalogue::name_of_backup(vault, &run, &id);
                let found = versions.get(&name).map(Vec::as_slice).unwrap_or_default();
                match self.deletable(found) {
                    Ok(None) => {}
                    Ok(Some(version)) => blobs.push(dropped(version, successor)),
                    Err(why) => self.bound = Some(Reason::Names { object: Box::new(id), why }),
                }
            }
        }
        let mut own = catalogue.versions_of_run(vault, &manifest.run).await?;
        own.retain(|version| Catalogue::is_record_of(vault, &manifest.run, &version.name));
        own.extend(catalogue.versions_of_manifest(vault, &manifest.name).await?);
        for (at, version) in own.iter().enumerate() {
            if own.iter().skip(at + 1).any(|other| other.name == version.name) {
                self.bound = Some(Reason::Blob(Unproved::Overwritten));
            }
            if let Some(why) = bound_until(version, self.reading.now) {
                self.bound = Some(Reason::Blob(why));
            }
            blobs.push(dropped(version, None));
        }
        Ok(blobs)
    }

    /// The only version of a blob, if it may be deleted now; `None` if the blob is gone.
    fn deletable<'v>(&self, found: &'v [Version]) -> Result<Option<&'v Version>, Unproved> {
        match found {
            [] => Ok(None),
            [version] => bound_until(version, self.reading.now).map_or(Ok(Some(version)), Err),
            _ => Err(Unproved::Overwritten),
        }
    }
}

/// Why storage refuses to delete a version now.
pub(super) fn bound_until(version: &Version, now: OffsetDateTime) -> Option<Unproved> {
    if version.legal_hold {
        return Some(Unproved::Held("of the storage".to_owned()));
    }
    let until = version.immutable_until.filter(|until| *until > now)?;
    Some(Unproved::Immutable(day(until)))
}

fn day(at: OffsetDateTime) -> Date {
    at.to_offset(UtcOffset::UTC).date()
}

fn key(entry: &Entry) -> String {
    format!("{}/{}/{}", entry.run, entry.kind, entry.name.folded())
}

pub(super) fn dropped(version: &Version, successor: Option<RunId>) -> DroppedBlob {
    DroppedBlob {
        store: Store::Backups,
        name: version.name.clone(),
        version: version.id.clone(),
        etag: version.etag.clone(),
        bytes: version.bytes,
        successor,
    }
}

/// The versions of backups of one run, by blob: one listing of the run for many, one of each blob for a few.
async fn versions(
    catalogue: &Catalogue,
    vault: &SourceName,
    run: &RunId,
    objects: &[(ObjectId, Option<RunId>)],
) -> Result<HashMap<String, Vec<Version>>> {
    const FEW: usize = 20;
    let all = if objects.len() > FEW {
        catalogue.versions_of_run(vault, run).await?
    } else {
        let mut all = Vec::new();
        for (id, _) in objects {
            all.extend(catalogue.versions_of_backup(vault, run, id).await?);
        }
        all
    };
    let mut by_name: HashMap<String, Vec<Version>> = HashMap::new();
    for version in all {
        by_name.entry(version.name.clone()).or_default().push(version);
    }
    Ok(by_name)
}

/// The holds on a vault; on an HSM whose keys are backed up one by one, also those on the HSM.
async fn holds(app: &App, vault: &SourceName) -> Result<Vec<Hold>> {
    let catalogue = app.catalogue()?;
    let mut holds = catalogue.holds(SourceKind::Vault, vault).await?;
    holds.extend(catalogue.holds(SourceKind::Hsm, vault).await?);
    Ok(holds)
}

/// Which points belong to the newest state, whatever holds and policy say.
fn is_newest(points: &[Candidate], policy: &Policy, now: OffsetDateTime) -> Vec<bool> {
    let verdicts = plan(points, policy, None, &[], now);
    verdicts.iter().map(|verdict| *verdict == Verdict::Keep(Reason::Newest)).collect()
}

fn candidate(vault: &SourceName, found: &ManifestRef) -> Candidate {
    let kind = match &found.summary {
        None => PointKind::Unreadable,
        Some(summary) if summary.scope == Scope::Objects => PointKind::Partial,
        Some(summary) => PointKind::Whole { covers: summary.numbers.covers() },
    };
    let planned = found.summary.as_ref().map(|summary| summary.planned);
    let by_name = Catalogue::planned_by_name(vault, &found.name);
    let named = found.run.occurrence().into_iter().chain(planned).chain(by_name).max();
    // Without a time of its own, or of storage, a point counts as new.
    let far = OffsetDateTime::UNIX_EPOCH + time::Duration::days(100 * 366);
    Candidate {
        run: found.run.clone(),
        named: named.unwrap_or(far),
        stored: found.stored.unwrap_or(far),
        kind,
    }
}
