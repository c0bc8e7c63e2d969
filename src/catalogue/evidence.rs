//! Records of evidence, and what a day's record is made from.

use futures::{TryStreamExt as _, pin_mut};
use time::{Duration, OffsetDateTime};

use super::{Catalogue, ManifestRef, StoredHsmBackup, layout, retention::MARK};
use crate::{
    azure::container::{Listing, Metadata, Written},
    domain::{
        day::Day,
        digest::Digest,
        evidence::{EVIDENCE_FORMAT, Evidence},
        hsm::HsmBackup,
        manifest::Summary,
        retention::Mark,
        run::{CLOSES_WITHIN, RunId, Scope},
        source::{SourceKind, SourceName},
    },
    error::{Result, damaged},
    stored,
};

/// How long after it was opened the record of a backup of a whole HSM may be written: it may wait for two days, and run
/// for long. A longer value is safe, and costs a page of a listing.
const HSM_ENDS_WITHIN: Duration = Duration::days(7);

/// A mark of retention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayMark {
    /// The run that left the point.
    pub run: RunId,
    /// The mark's number.
    pub number: u32,
    /// What it says.
    pub mark: Mark,
}

impl Catalogue {
    /// Whether a day has its record. One request.
    pub async fn has_evidence(&self, day: Day) -> Result<bool> {
        Ok(self.container.metadata(&layout::evidence(day)).await?.is_some())
    }

    /// Adds the record of a day. Safe to run twice: the first record stays.
    pub async fn create_evidence(&self, evidence: &Evidence) -> Result<Written> {
        let name = layout::evidence(evidence.day);
        let bytes = serde_json::to_vec(evidence).map_err(|error| damaged(&name, &error))?;
        Ok(self.container.add(&name, bytes, Metadata::new()).await?)
    }

    /// The record of a day, with the digest of its stored bytes; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::error::Error::Damaged) also for the record of another day.
    pub async fn evidence(&self, day: Day) -> Result<Option<(Evidence, Digest)>> {
        let name = layout::evidence(day);
        let Some(bytes) = self.container.read(&name).await? else { return Ok(None) };
        let evidence: Evidence = stored::read(&name, &bytes, EVIDENCE_FORMAT)?;
        if evidence.day != day {
            return Err(damaged(&name, &format_args!("it is the record of {}", evidence.day)));
        }
        Ok(Some((evidence, Digest::of(&bytes))))
    }

    /// The manifests of a vault that storage had by the end of a day, newest first, whether or not retention has let
    /// their points go: those that it got on the day, and older ones until one that covers the vault.
    pub async fn manifests_of_day(&self, vault: &SourceName, day: Day) -> Result<Vec<ManifestRef>> {
        // A run closes after it was planned, and was planned by a clock that may be ahead.
        let at = day.end() + CLOSES_WITHIN;
        let before = day.start() - CLOSES_WITHIN;
        let covers = |of: &Summary| of.numbers.covers() && of.scope == Scope::Vault;
        let mut found = self
            .listed(vault, Some(at), None, |found| {
                let planned = found.last().and_then(|last| last.summary.as_ref()).map(|of| of.planned);
                let older = |of: &&ManifestRef| since(of).is_some_and(|stored| stored < day.start());
                let covering = found.iter().filter(older).filter_map(|of| of.summary.as_ref()).any(covers);
                covering && planned.is_some_and(|planned| planned < before)
            })
            .await?
            .manifests;
        found.retain(|of| since(of).is_none_or(|stored| stored < day.end()));
        Ok(found)
    }

    /// The records of backups of a whole HSM that storage had by the end of a day, newest first: those that it got on the
    /// day, and older ones until the newest good one is among them. Also whether each could be read.
    pub async fn hsm_backups_of_day(
        &self,
        hsm: &SourceName,
        day: Day,
    ) -> Result<(Vec<StoredHsmBackup>, bool)> {
        let mut found: Vec<StoredHsmBackup> = Vec::new();
        let mut older = Vec::new();
        let before = day.start() - HSM_ENDS_WITHIN;
        let whole = self.read_hsm_backups(hsm, |backup, stored| {
            let at = stored.unwrap_or(backup.ended);
            if at < day.start() {
                older.push(backup.clone());
            }
            if at < day.end() {
                found.push((backup, stored));
            }
            older.last().is_some_and(|last| last.opened < before) && HsmBackup::newest_is_among(&older, None)
        });
        let whole = whole.await?;
        Ok((found, whole))
    }

    /// The marks of retention that storage got on a day, in the order of runs. One request for each 5,000 marks.
    pub async fn marks_of_day(
        &self,
        kind: SourceKind,
        source: &SourceName,
        day: Day,
    ) -> Result<Vec<DayMark>> {
        let prefix = layout::marks(kind, source);
        let pages = self.container.list(Listing { prefix: &prefix, from: None, page: 5000, metadata: true });
        pin_mut!(pages);
        let mut marks = Vec::new();
        while let Some(page) = pages.try_next().await? {
            for item in page {
                let Some((run, number)) = layout::parse_mark(&prefix, &item.name) else { continue };
                let mark = item.metadata.get(MARK).and_then(|mark| mark.parse().ok());
                if let Some(mark) = mark.filter(|_| item.modified.is_some_and(|at| day.has(at))) {
                    marks.push(DayMark { run, number, mark });
                }
            }
        }
        Ok(marks)
    }

    /// When retention was last applied to every source on a day, if it was. One request.
    pub async fn retention_of_day(&self, day: Day) -> Result<Option<OffsetDateTime>> {
        let from = layout::pass(day.end() - Duration::SECOND);
        let item = self.first_from(layout::PASSES, &from, false).await?;
        Ok(item.and_then(|item| layout::pass_time(&item.name)).filter(|at| day.has(*at)))
    }
}

/// Since when storage has a manifest, or when its run finished if storage does not say.
fn since(of: &ManifestRef) -> Option<OffsetDateTime> {
    of.stored.or_else(|| of.summary.as_ref().map(|summary| summary.finished))
}
