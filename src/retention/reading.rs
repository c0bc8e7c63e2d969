//! What is read of a vault: its points, what each names, and what people decided.

use std::collections::HashSet;

use time::{Duration, OffsetDateTime};

use super::standstill;
use crate::{
    app::App,
    catalogue::{Catalogue, ManifestReader, ManifestRef, Marks},
    domain::{
        forgotten::Forgotten,
        location::Location,
        manifest::{Line, Summary},
        retention::{
            Candidate, Decision, Drop, Hold, Kept, Policy, Reason, Standstill, Terms, Verdict, agreed,
            needs_consent, plan,
        },
        run::{CLOSES_WITHIN, RunId, Scope},
        second::Place,
        source::{SourceId, SourceKind, SourceName},
        verification::Suspects,
    },
    error::{Error, Result, damaged},
};

/// The manifests that a manifest is a change of.
pub(super) struct Before {
    pub(super) base: Option<String>,
    pub(super) folds: Vec<String>,
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
    pub(super) holds: Vec<Hold>,
    /// In the second place, what the first one did about its points.
    first: Option<Marks>,
    /// The objects that people forgot: no point names their backups.
    pub(super) forgotten: Forgotten,
    /// The backups about which a finding is open.
    suspects: Suspects,
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
        let first = match app.config().place {
            Place::First => None,
            Place::Second => Some(catalogue.marks_of_first(kind, vault).await?),
        };
        let (marks, mut manifests, holds, decisions, acknowledged, forgotten, suspects) = futures::try_join!(
            catalogue.marks(kind, vault),
            catalogue.newest_manifests(vault, |_| false),
            holds(app, vault, now),
            catalogue.decisions(kind, vault),
            catalogue.acknowledged(vault),
            catalogue.forgotten(vault),
            catalogue.suspects(kind, vault),
        )?;
        manifests.retain(|found| !marks.hides(&found.run));
        let summaries: Vec<(&Summary, Option<OffsetDateTime>)> =
            manifests.iter().filter_map(|found| Some((found.summary.as_ref()?, found.stored))).collect();
        let standstill = standstill::of_vault(app, vault, &summaries, (&decisions, &acknowledged), now);
        let location =
            summaries.iter().find(|(of, _)| of.scope == Scope::Vault).map(|(of, _)| (*of.location).clone());
        let candidates: Vec<_> = manifests.iter().map(|found| candidate(vault, found)).collect();
        let mut reading = Self {
            catalogue,
            vault,
            policy,
            holds,
            first,
            decisions,
            standstill,
            forgotten,
            suspects,
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

    /// The vault as a source.
    pub(super) fn source(&self) -> SourceId {
        SourceId { kind: SourceKind::Vault, name: self.vault.clone() }
    }

    pub(super) fn terms(&self) -> Terms<'_> {
        Terms { policy: &self.policy, holds: &self.holds, location: &self.location, now: self.now }
    }

    /// The verdict on every point by policy, holds and the state of the source alone.
    pub(super) fn verdicts(&self) -> Vec<Verdict> {
        let plan = plan(&self.candidates, &self.policy, self.standstill.as_ref(), &self.holds, self.now);
        match &self.first {
            None => plan,
            Some(first) => agreed(plan, &self.candidates, |run| first.swept(run), &self.policy, self.now),
        }
    }

    /// How many points would go if a person consented, where one must.
    pub(super) fn needs_consent(&self, verdicts: &[Verdict]) -> Option<usize> {
        needs_consent(verdicts, &self.decisions, self.now)
    }

    /// Whether this is the second place, in which people let points go that the first deleted long ago, and delete them at once.
    pub(super) const fn is_second(&self) -> bool {
        self.first.is_some()
    }

    /// The policy in force.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Adds what a point names, and returns the manifests that it is a change of.
    pub(super) async fn name(&self, at: usize, kept: &mut Kept) -> Result<Before> {
        let reader = self.open(&self.manifests[at].name).await?;
        let before = Before { base: reader.header().base.clone(), folds: reader.header().folds.clone() };
        for line in self.forgotten.strip_all(reader) {
            let line = line?;
            kept.name(&line, &self.location);
            if self.newest[at] {
                kept.know(&line.id());
            }
        }
        Ok(before)
    }

    /// The lines of a manifest.
    pub(super) async fn lines(&self, name: &str) -> Result<impl Iterator<Item = Result<Line>>> {
        Ok(self.forgotten.strip_all(self.open(name).await?))
    }

    /// Opens a manifest, unless it was written again: what it says now is not what its run left.
    async fn open(&self, name: &str) -> Result<ManifestReader> {
        if self.overwritten.contains(name) {
            return Err(damaged(name, &"it was written again in storage"));
        }
        self.catalogue.manifest(name).await
    }

    /// Adds what a point names that is not offered, and may be again.
    pub(super) async fn name_hidden(&self, record: &Drop, manifest: &str, kept: &mut Kept) -> Result<()> {
        let read = async {
            for line in self.lines(manifest).await? {
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

    /// What kept points name, before any of them was read.
    pub(super) fn nothing_kept(&self) -> Kept {
        Kept::beside(&self.suspects)
    }

    /// What every offered point names, whatever its verdict.
    pub(super) async fn name_offered(&self) -> Result<Kept> {
        let mut kept = self.nothing_kept();
        for at in 0..self.candidates.len() {
            match self.name(at, &mut kept).await {
                Ok(_) => {}
                Err(error) if error.is_unreadable() => self.cannot_read(at, &mut kept),
                Err(error) => return Err(error),
            }
        }
        Ok(kept)
    }

    /// Records that a point cannot be read.
    pub(super) fn cannot_read(&self, at: usize, kept: &mut Kept) {
        let point = &self.candidates[at];
        kept.cannot_read(&point.run, point.named + CLOSES_WITHIN);
    }

    /// Whether a hold is on a point as a whole; its ticket.
    pub(super) fn hold_on(&self, run: &RunId, times: [OffsetDateTime; 2]) -> Option<String> {
        self.holds.iter().find(|hold| hold.holds_point(run, times)).map(|hold| hold.ticket.to_string())
    }
}

/// The holds on a vault; on an HSM whose keys are backed up one by one, also those on the HSM.
pub(super) async fn holds(app: &App, vault: &SourceName, now: OffsetDateTime) -> Result<Vec<Hold>> {
    let mut holds = holds_of(app, SourceKind::Vault, vault, now).await?;
    holds.extend(holds_of(app, SourceKind::Hsm, vault, now).await?);
    Ok(holds)
}

/// The holds that bind retention of a source.
pub(super) async fn holds_of(
    app: &App,
    kind: SourceKind,
    source: &SourceName,
    now: OffsetDateTime,
) -> Result<Vec<Hold>> {
    let catalogue = app.catalogue()?;
    match app.config().place {
        Place::First => catalogue.holds(kind, source).await,
        Place::Second => catalogue.holds_in_second(kind, source, counts_since(app, now)).await,
    }
}

/// Until when something of the first place must have arrived in the second one to let anything go there.
pub(super) fn counts_since(app: &App, now: OffsetDateTime) -> OffsetDateTime {
    now - Duration::days(app.config().second_keeps.into())
}

/// Which points belong to the newest state, whatever holds and policy say.
fn is_newest(points: &[Candidate], policy: &Policy, now: OffsetDateTime) -> Vec<bool> {
    let verdicts = plan(points, policy, None, &[], now);
    verdicts.iter().map(|verdict| *verdict == Verdict::Keep(Reason::Newest)).collect()
}

fn candidate(vault: &SourceName, found: &ManifestRef) -> Candidate {
    let by_name = Catalogue::planned_by_name(vault, &found.name);
    Candidate::of_run(&found.run, found.summary.as_ref(), by_name, found.stored)
}
