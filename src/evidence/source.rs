//! What a day's record says of one source.

use time::OffsetDateTime;

use crate::{
    app::App,
    catalogue::{Catalogue, ManifestRef},
    domain::{
        acknowledged::Acknowledged,
        day::Day,
        drill::DrillSummary,
        evidence::{
            AcceptedSeen, Became, Coverage, Covering, DropSeen, FailureSeen, Failures, HoldSeen, SecondSeen,
            SourceEvidence, TroubleSeen, VerificationSeen, worst_gap,
        },
        hsm::HsmBackup,
        manifest::Summary,
        record::count,
        retention::{Hold, Mark},
        run::Scope,
        second::SecondPass,
        source::{SourceId, SourceKind},
        state::{Known, Newest, SourceState, Trouble},
        verification::Verified,
    },
    error::Result,
    retention,
};

/// The most failures of a source that a record names.
const FAILURES: usize = 200;

/// The most accepted failures of a source that a record names.
const ACCEPTED: usize = 100;

/// A source and a day of it.
struct Reading<'a> {
    app: &'a App,
    catalogue: &'a Catalogue,
    source: &'a SourceId,
    day: Day,
    /// What people had put on record by the end of the day.
    acknowledged: Acknowledged,
    /// The last pass over the second place that had ended by the end of the day.
    second: Option<&'a SecondPass>,
}

/// What the record of a day says of a source. `acknowledged` is all that people have put on record about it, `second` the last pass
/// over the second place that had ended by the end of the day.
///
/// # Errors
/// Those of storage. What is damaged, or of a newer program, is named in the record.
pub(super) async fn of(
    app: &App,
    source: &SourceId,
    mut acknowledged: Acknowledged,
    second: Option<&SecondPass>,
    day: Day,
) -> Result<SourceEvidence> {
    acknowledged.losses.retain(|of| of.at < day.end());
    acknowledged.acceptances.retain(|of| of.at < day.end());
    let reading = Reading { app, catalogue: app.catalogue()?, source, day, acknowledged, second };
    let policy = retention::policy(app, &source.name).ok().map(|policy| policy.to_string());
    let mut of = SourceEvidence::of(source, reading.is_configured(), policy);
    match source.kind {
        SourceKind::Vault => reading.vault(&mut of).await?,
        SourceKind::Hsm => reading.hsm(&mut of).await?,
    }
    (of.accepted, of.more_accepted) = reading.accepted();
    of.holds = reading.holds().await?;
    reading.retention(&mut of).await?;
    reading.verification(&mut of).await?;
    reading.drill(&mut of).await?;
    Ok(of)
}

impl Reading<'_> {
    /// What the newest verification saw that had ended by the end of the day.
    async fn verification(&self, of: &mut SourceEvidence) -> Result<()> {
        let SourceId { kind, name } = self.source;
        match self.catalogue.last_verification_by(*kind, name, Some(self.day.end())).await {
            Err(error) if error.is_unreadable() => of.unread.push("the last verification".to_owned()),
            // One that saw nothing is none.
            last => {
                of.verification = last?.filter(|last| last.counts.why_nothing(*kind).is_none()).map(|last| {
                    VerificationSeen {
                        at: last.ended,
                        named: last.counts.named.into(),
                        missing: last.counts.missing.into(),
                        damaged: u64::from(last.of_newest)
                            - u64::from(last.counts.missing.min(last.of_newest)),
                        read: last.counts.read.into(),
                    }
                });
            }
        }
        Ok(())
    }

    /// What the newest drill came to that had begun and ended by the end of the day.
    async fn drill(&self, of: &mut SourceEvidence) -> Result<()> {
        let (SourceId { kind, name }, end) = (self.source, self.day.end());
        let ended = |found: &[DrillSummary]| found.last().is_some_and(|last| last.ended < end);
        match self.catalogue.drills(*kind, name, Some(end), ended).await {
            Err(error) if error.is_unreadable() => of.unread.push("the last drill".to_owned()),
            found => of.drill = found?.last().filter(|last| last.ended < end).map(Into::into),
        }
        Ok(())
    }

    /// The state of the source with what is known of the second place at the end of the day, which the record has as well. `newest`
    /// is the newest point in the first place by then.
    fn in_second(
        &self,
        of: &mut SourceEvidence,
        state: SourceState,
        newest: Option<OffsetDateTime>,
    ) -> SourceState {
        let state = state.with_second(self.second, newest, self.day.end());
        let seen = self.second.zip(state.second);
        of.second = seen.and_then(|(pass, seen)| SecondSeen::of(pass, self.source, seen));
        state
    }

    fn is_configured(&self) -> bool {
        match self.source.kind {
            SourceKind::Vault => self.app.sources().contains(&self.source.name),
            SourceKind::Hsm => self.app.hsms().names().any(|known| *known == self.source.name),
        }
    }

    async fn vault(&self, of: &mut SourceEvidence) -> Result<()> {
        let manifests = self.catalogue.manifests_of_day(&self.source.name, self.day).await?;
        for lost in manifests.iter().filter(|found| found.summary.is_none()) {
            of.unread.push(format!("the summary of run {}", lost.run));
        }
        let known: Vec<(&Summary, Option<OffsetDateTime>)> =
            manifests.iter().filter_map(|found| Some((found.summary.as_ref()?, found.stored))).collect();
        let stored = |summary: &Summary, stored: Option<OffsetDateTime>| stored.unwrap_or(summary.finished);
        for (summary, at) in &known {
            if self.day.has(stored(summary, *at)) {
                of.runs.count(summary.verdict, summary.late.is_some());
                of.runs.backed_up += summary.numbers.backed_up;
                of.runs.bytes += summary.numbers.bytes;
            }
        }
        let covering: Vec<_> = known
            .iter()
            .filter(|(summary, _)| summary.scope == Scope::Vault && summary.numbers.covers())
            .map(|(summary, at)| {
                let stored = stored(summary, *at);
                // A clock that is ahead must not make a backup younger than storage says.
                Covering { of: summary.planned.min(stored), stored }
            })
            .collect();
        of.gap = self.gap(&covering);
        let known = Known::of(Newest::of(known.iter().copied()), Some(&self.acknowledged));
        let (interval, end) = (self.app.interval(), self.day.end());
        let state = SourceState::of_vault(&self.source.name, Ok(&known), 0, interval, end);
        of.coverage = known.newest.covering.as_ref().map(|summary| Coverage {
            run: summary.run.clone(),
            numbers: summary.numbers.clone(),
            protected: summary.protected,
        });
        let newest = known.newest.last.as_ref().map(|last| last.planned);
        let state = self.in_second(of, state, newest);
        told(of, &state);
        self.failures(of, &manifests).await
    }

    /// Reads the runs of the day, the earliest first, from the first one with a failure on.
    async fn failures(&self, of: &mut SourceEvidence, manifests: &[ManifestRef]) -> Result<()> {
        let mut failures = Failures::default();
        for found in manifests.iter().rev() {
            let Some(summary) = &found.summary else { continue };
            let is_of_day = self.day.has(found.stored.unwrap_or(summary.finished));
            if !is_of_day || summary.numbers.failed == 0 && failures.is_empty() {
                continue;
            }
            match self.lines(found, &mut failures).await {
                Err(error) if error.is_unreadable() => {
                    of.unread.push(format!("what failed in run {}: {error}", found.run));
                }
                read => read?,
            }
        }
        (of.failures, of.more_failures) = failures.finish(FAILURES);
        Ok(())
    }

    async fn lines(&self, found: &ManifestRef, failures: &mut Failures) -> Result<()> {
        for line in self.catalogue.manifest(&found.name).await? {
            let line = line?;
            let is_accepted = self.acknowledged.covering(&line, self.day.end()).is_some();
            failures.note(&found.run, &line, is_accepted);
        }
        Ok(())
    }

    async fn hsm(&self, of: &mut SourceEvidence) -> Result<()> {
        let (found, whole) = self.catalogue.hsm_backups_of_day(&self.source.name, self.day).await?;
        if !whole {
            of.unread.push("a record of a backup".to_owned());
        }
        let stored = |(backup, stored): &(HsmBackup, Option<OffsetDateTime>)| stored.unwrap_or(backup.ended);
        let of_day: Vec<_> = found.iter().filter(|backup| self.day.has(stored(backup))).collect();
        for (backup, _) in &of_day {
            of.runs.count(backup.verdict, backup.late().is_some());
            of.runs.backed_up += u32::from(backup.is_good());
            of.runs.bytes += backup.folder.as_ref().map_or(0, |folder| folder.bytes);
        }
        let good = found.iter().filter(|(backup, _)| backup.is_good());
        let covering: Vec<_> = good
            .map(|found| Covering { of: found.0.taken().min(stored(found)), stored: stored(found) })
            .collect();
        of.gap = self.gap(&covering);
        let backups: Vec<_> = found.iter().map(|(backup, _)| backup.clone()).collect();
        let both = (HsmBackup::newest_good(&backups, None), backups.first());
        let (end, interval) = (self.day.end(), self.app.interval());
        let attested = self.catalogue.last_attestation(&self.source.name, Some(end)).await?;
        let state =
            SourceState::of_hsm(&self.source.name, both, 0, None, &Verified::default(), (interval, end));
        let state = state.with_attestation(attested.as_ref().map(|of| of.at), end);
        let copies = self.catalogue.hsm_copies(&self.source.name).await?;
        let is_copied = |backup: &&HsmBackup| {
            copies.iter().any(|copy| copy.run == backup.run && copy.is_copied() && copy.at < end)
        };
        let newest = backups.iter().filter(is_copied).map(|backup| backup.opened).max();
        let state = self.in_second(of, state, newest);
        told(of, &state);
        of.attestation = attested.map(Into::into);
        of.failures = of_day.iter().filter_map(|(backup, _)| failure(backup, &backups)).collect();
        Ok(())
    }

    fn gap(&self, covering: &[Covering]) -> Option<u64> {
        let gap = worst_gap(covering, self.day)?;
        Some(u64::try_from(gap.whole_seconds()).unwrap_or_default())
    }

    /// The failures that were accepted at the end of the day. A whole HSM has none.
    fn accepted(&self) -> (Vec<AcceptedSeen>, u32) {
        if self.source.kind == SourceKind::Hsm {
            return (Vec::new(), 0);
        }
        let mut accepted: Vec<_> = self
            .acknowledged
            .acceptances
            .iter()
            .filter_map(AcceptedSeen::of)
            .filter(|of| self.day.end() < of.until)
            .collect();
        let more = count(accepted.len().saturating_sub(ACCEPTED));
        accepted.truncate(ACCEPTED);
        (accepted, more)
    }

    async fn holds(&self) -> Result<Vec<HoldSeen>> {
        let holds = self.catalogue.holds(self.source.kind, &self.source.name).await?;
        Ok(holds.iter().filter(|hold| hold.at < self.day.end()).map(seen).collect())
    }

    async fn retention(&self, of: &mut SourceEvidence) -> Result<()> {
        let SourceId { kind, name } = self.source;
        for mark in self.catalogue.marks_of_day(*kind, name, self.day).await? {
            match mark.mark {
                Mark::Dropped => {
                    match self.catalogue.drop_record(*kind, name, &mark.run, mark.number).await {
                        Ok((record, _)) => of.dropped.push(DropSeen {
                            run: mark.run,
                            code: record.code,
                            why: record.why,
                            by: record.by,
                        }),
                        Err(error) if error.is_unreadable() => {
                            of.unread.push(format!("why run {} was let go: {error}", mark.run));
                        }
                        Err(error) => return Err(error),
                    }
                }
                Mark::Reinstated => of.reinstated.push(mark.run),
                Mark::Swept => of.deleted.push(mark.run),
                Mark::Sweeping => {}
            }
        }
        Ok(())
    }
}

fn told(of: &mut SourceEvidence, state: &SourceState) {
    of.newest = state.covered;
    let trouble =
        |trouble: &Trouble| TroubleSeen { code: trouble.code().to_owned(), text: trouble.to_string() };
    of.troubles = state.troubles.iter().map(trouble).collect();
}

/// The failure of a backup of a whole HSM, if it failed. `all` are the backups by the end of the day.
fn failure(backup: &HsmBackup, all: &[HsmBackup]) -> Option<FailureSeen> {
    if backup.is_good() {
        return None;
    }
    let newest = HsmBackup::newest_good(all, None);
    let later = newest.filter(|good| good.opened > backup.opened);
    Some(FailureSeen {
        object: None,
        run: backup.run.clone(),
        code: backup.failure.as_ref().map_or_else(|| "unknown".to_owned(), |of| of.code.clone()),
        became: if later.is_some() { Became::BackedUp } else { Became::Open },
        last_backup: newest.map(HsmBackup::taken),
    })
}

fn seen(hold: &Hold) -> HoldSeen {
    HoldSeen {
        ticket: hold.ticket.to_string(),
        scope: hold.scope.to_string(),
        reason: hold.reason.to_string(),
        by: hold.by.to_string(),
        at: hold.at,
    }
}
