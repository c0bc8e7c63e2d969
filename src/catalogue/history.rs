//! History: finds a run by its name, and the backups of an object from newest to oldest.

use serde::Serialize;
use time::Duration;

use super::{Catalogue, ManifestRef, View};
use crate::{
    domain::{
        entry::Entry,
        location::{Apart, Location},
        object::ObjectId,
        run::RunId,
        source::SourceName,
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

    /// Every backup under an object's name, from the newest back to the oldest still stored, including those of an
    /// earlier object of that name.
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
        let mut entries: Vec<Entry> = newest.into_iter().collect();
        while let Some(previous) = entries.last().and_then(|entry| entry.previous.clone()) {
            match self.entry(vault, &previous, id).await? {
                Some(entry) if entry.run == previous => entries.push(entry),
                _ => break,
            }
        }
        Ok(entries.into_iter().map(|entry| Point { apart: entry.location.apart(&location), entry }).collect())
    }

    /// The newest known location of a vault: as of `view`, or as of the newest run if `view` is of an earlier time.
    pub async fn location(&self, vault: &SourceName, view: &View) -> Result<Location> {
        if view.at.is_none() { Ok(view.location()) } else { Ok(self.view(vault, None).await?.location()) }
    }
}
