//! Records about the second place: how far a pass came, in the first place, and what points lack, in the second one.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use time::OffsetDateTime;

use super::{Places, RECORDS_PAGE};
use crate::{
    azure::container::{Item, Listing, Metadata, Written},
    catalogue::{Catalogue, layout, metadata},
    domain::{
        object::ObjectId,
        run::RunId,
        second::{CopiedWithout, Lacks, Place, SECOND_FORMAT, SecondPass},
        source::SourceName,
    },
    error::{Result, damaged},
    stored,
};

/// The metadata of a record of what a point lacks.
const LACKING: &str = "lacking";

impl Places<'_> {
    /// Records what a point lacks in the second place, before it is copied. Safe to run twice: the first record stays.
    pub async fn note_lacking(&self, vault: &SourceName, run: &RunId, lacking: &[ObjectId]) -> Result<()> {
        let Some(such_as) = lacking.first().cloned() else { return Ok(()) };
        let backups = u32::try_from(lacking.len()).unwrap_or(u32::MAX);
        let name = format!("{}{run}", layout::lacking(vault));
        let record = metadata(&name, LACKING, &CopiedWithout { v: SECOND_FORMAT, backups, such_as })?;
        self.second.container.add(&name, Vec::new(), record).await?;
        Ok(())
    }
}

impl Catalogue {
    /// What points of a vault were copied without into the second place, which this is; empty in the first one. One request.
    /// A record that cannot be read says that something is lacking, and not what.
    pub async fn lacking(&self, vault: &SourceName) -> Result<BTreeMap<RunId, Lacks>> {
        if self.place == Place::First {
            return Ok(BTreeMap::new());
        }
        let prefix = layout::lacking(vault);
        let listing = Listing { prefix: &prefix, from: None, page: RECORDS_PAGE, metadata: true };
        let items: Vec<Item> = self.container.list(listing).try_concat().await?;
        let read = |item: Item| {
            let run = item.name.strip_prefix(&prefix)?.parse().ok()?;
            let record = stored::read_metadata(&item.name, &item.metadata, LACKING, SECOND_FORMAT);
            Some((run, record.ok().flatten().map_or(Lacks::Unreadable, Lacks::Known)))
        };
        Ok(items.into_iter().filter_map(read).collect())
    }

    /// Records what a pass over the second place saw, for those who cannot look there. Safe to run twice.
    pub async fn create_second_pass(&self, pass: &SecondPass, ended: OffsetDateTime) -> Result<Written> {
        let name = layout::second_pass(ended);
        let bytes = serde_json::to_vec(pass).map_err(|error| damaged(&name, &error))?;
        Ok(self.container.add(&name, bytes, Metadata::new()).await?)
    }

    /// The newest pass over the second place that ended; `None` if there was none, or in the second place itself. One request,
    /// and one more if there was one.
    pub async fn last_second_pass(&self) -> Result<Option<SecondPass>> {
        self.last_second_pass_by(None).await
    }

    /// [`Catalogue::last_second_pass`], of those that had ended by a time.
    pub async fn last_second_pass_by(&self, by: Option<OffsetDateTime>) -> Result<Option<SecondPass>> {
        if self.place == Place::Second {
            return Ok(None);
        }
        let from = by.map_or_else(|| layout::SECOND.to_owned(), layout::second_pass);
        let Some(item) = self.first_from(layout::SECOND, &from, false).await? else { return Ok(None) };
        let Some(bytes) = self.container.read(&item.name).await? else { return Ok(None) };
        stored::read(&item.name, &bytes, SECOND_FORMAT).map(Some)
    }
}
