//! History: finds a run by its name, and the backups of an object from newest to oldest.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{Catalogue, ManifestRef, Marks, View};
use crate::{
    domain::{
        entry::Entry,
        location::{Apart, Location},
        object::ObjectId,
        run::RunId,
        source::{SourceKind, SourceName},
    },
    error::Result,
};

/// How much earlier than the time in its name a run may be planned, because clocks differ.
const EARLIEST: Duration = Duration::DAY;

/// One backup of an object: a point to which it can be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    /// The backup.
    #[serde(flatten)]
    pub entry: Entry,
    /// How the vault's location differs from that of the backup, if known. Such a backup cannot be restored there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
    /// Whether retention let older backups go before the next one of this list, or before its end.
    pub gap: bool,
}

/// When the runs were planned and finished whose points are offered, of a vault of which retention let some go.
struct Offered(Vec<(OffsetDateTime, OffsetDateTime)>);

impl Offered {
    /// Whether an offered point names a backup: one of a run that closed after the backup was taken, and was planned
    /// before the next backup of the object.
    fn names(&self, entry: &Entry, newer: &Entry) -> bool {
        self.0.iter().any(|(planned, finished)| *finished >= entry.taken && *planned < newer.taken)
    }
}

impl Catalogue {
    /// The manifest of a run, or `None` if the run is open or was never started in this vault.
    pub async fn find(&self, vault: &SourceName, run: &RunId) -> Result<Option<ManifestRef>> {
        let occurrence = run.occurrence();
        let found = self.manifests(vault, None, |found| {
            found.last().is_some_and(|last| {
                let planned = last.summary.as_ref().map(|summary| summary.planned);
                last.run == *run
                    || planned.zip(occurrence).is_some_and(|(planned, at)| at - planned > EARLIEST)
            })
        });
        Ok(found.await?.into_iter().find(|found| found.run == *run))
    }

    /// Every backup under an object's name that is offered, from the newest back to the oldest, including those of an
    /// earlier object of that name.
    ///
    /// Each backup names the one before it. Where retention let some go, the list goes on with the newest older point
    /// that is offered, which costs the reading of its manifest.
    pub async fn history(&self, vault: &SourceName, id: &ObjectId) -> Result<Vec<Point>> {
        let view = self.view(vault, None).await?;
        let location = view.location();
        let mut newest = None;
        for line in self.lines(&view).await? {
            let line = line?;
            if line.id() == *id {
                newest = line.entry.or(line.former.map(|former| *former));
                break;
            }
        }
        let (offered, forgotten) = futures::try_join!(self.offered(vault), self.forgotten(vault))?;
        let mut points: Vec<Point> = Vec::new();
        let mut next = newest;
        while let Some(entry) = next.take().filter(|entry| !forgotten.has(entry)) {
            let (newer, previous, taken) = (points.last(), entry.previous.clone(), entry.taken);
            let is_offered = newer
                .zip(offered.as_ref())
                .is_none_or(|(newer, offered)| offered.names(&entry, &newer.entry));
            if is_offered {
                points.push(Point { apart: entry.location.apart(&location), entry, gap: false });
            } else if let Some(newer) = points.last_mut() {
                newer.gap = true;
            }
            next = match previous {
                None => None,
                Some(previous) => match self.entry(vault, &previous, id).await? {
                    Some(entry) if entry.run == previous => Some(entry),
                    _ if offered.is_none() => None,
                    _ => {
                        if let Some(newer) = points.last_mut() {
                            newer.gap = true;
                        }
                        self.older(vault, id, taken).await?
                    }
                },
            };
        }
        Ok(points)
    }

    /// The newest backup of an object before a time, by the newest point that is offered and older.
    async fn older(
        &self,
        vault: &SourceName,
        id: &ObjectId,
        before: OffsetDateTime,
    ) -> Result<Option<Entry>> {
        let at = before - Duration::SECOND;
        let view = self.view(vault, Some(at)).await?;
        for line in self.lines(&view).await? {
            let line = line?;
            if line.id() == *id {
                return Ok(line
                    .entry
                    .or(line.former.map(|former| *former))
                    .filter(|entry| entry.taken < before));
            }
        }
        Ok(None)
    }

    /// When the offered runs of a vault ran, or `None` if all are offered. Reads the marks of retention, and the
    /// manifests' summaries if there are any.
    async fn offered(&self, vault: &SourceName) -> Result<Option<Offered>> {
        if self.marks(SourceKind::Vault, vault).await? == Marks::default() {
            return Ok(None);
        }
        let manifests = self.manifests(vault, None, |_| false).await?;
        let summaries = manifests.into_iter().filter_map(|found| found.summary);
        let spans = summaries.map(|summary| (summary.planned, summary.finished)).collect();
        Ok(Some(Offered(spans)))
    }

    /// The newest known location of a vault: as of `view`, or as of the newest run if `view` is of an earlier time.
    pub async fn location(&self, vault: &SourceName, view: &View) -> Result<Location> {
        if view.at.is_none() { Ok(view.location()) } else { Ok(self.view(vault, None).await?.location()) }
    }
}
