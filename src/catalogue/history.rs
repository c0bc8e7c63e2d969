//! Looking back: a run by its name, an object's backups one after the other.

use time::Duration;

use super::{Catalogue, ManifestRef};
use crate::{
    domain::{
        entry::Entry,
        object::{ObjectId, VaultName},
        run::RunId,
    },
    error::Result,
};

/// How much earlier than the time in its name a run may be planned: clocks differ.
const EARLIEST: Duration = Duration::DAY;

impl Catalogue {
    /// The manifest of a run, or `None` when the run is open or was never started in this vault.
    pub async fn find(&self, vault: &VaultName, run: &RunId) -> Result<Option<ManifestRef>> {
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

    /// Every backup of an object, from the newest back to the first that is still stored.
    pub async fn history(&self, vault: &VaultName, id: &ObjectId) -> Result<Vec<Entry>> {
        let view = self.view(vault, None).await?;
        let mut newest = None;
        for line in self.lines(&view).await? {
            let line = line?;
            if line.id() == *id {
                newest = line.entry;
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
        Ok(entries)
    }
}
