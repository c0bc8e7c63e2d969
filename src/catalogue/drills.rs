//! Records of drills.

use futures::{TryStreamExt as _, pin_mut};
use time::OffsetDateTime;

use super::{Catalogue, layout, metadata};
use crate::{
    azure::container::{Listing, Written},
    domain::{
        drill::{DRILL_FORMAT, Drill, DrillId, DrillSummary},
        source::{SourceKind, SourceName},
    },
    error::{Result, damaged},
    stored::{self, read_metadata},
};

/// The metadata of a drill.
const SUMMARY: &str = "drill";

const PAGE: u16 = 100;

impl Catalogue {
    /// Puts a drill on record. Safe to run twice: the first record stays.
    pub async fn create_drill(&self, of: &Drill) -> Result<Written> {
        let name = layout::drill(of.kind, &of.source, of.started, &of.id);
        let bytes = serde_json::to_vec(of).map_err(|error| damaged(&name, &error))?;
        Ok(self.container.add(&name, bytes, metadata(&name, SUMMARY, &of.summary())?).await?)
    }

    /// What the drills of a source came to, the newest first, until `enough` of them were seen; with `by`, of those that began by
    /// then. One request for up to a hundred.
    ///
    /// # Errors
    /// Also if a record cannot be read: then it is not known what a drill left behind.
    pub async fn drills(
        &self,
        kind: SourceKind,
        source: &SourceName,
        by: Option<OffsetDateTime>,
        mut enough: impl FnMut(&[DrillSummary]) -> bool,
    ) -> Result<Vec<DrillSummary>> {
        let prefix = layout::drills(kind, source);
        let from = by.map(|by| layout::drills_from(kind, source, by));
        let listing = Listing { prefix: &prefix, from: from.as_deref(), page: PAGE, metadata: true };
        let pages = self.container.list(listing);
        pin_mut!(pages);
        let mut found = Vec::new();
        while let Some(page) = pages.try_next().await? {
            for item in page.into_iter().filter(|item| from.as_ref().is_none_or(|from| item.name >= *from)) {
                let summary = read_metadata(&item.name, &item.metadata, SUMMARY, DRILL_FORMAT)?;
                found.push(summary.ok_or_else(|| damaged(&item.name, &"its record is gone"))?);
                if enough(&found) {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// The record of a drill; `None` if there is none.
    ///
    /// # Errors
    /// Also if it cannot be read.
    pub async fn drill(&self, kind: SourceKind, source: &SourceName, id: &DrillId) -> Result<Option<Drill>> {
        let name = layout::drill(kind, source, id.began(), id);
        let Some(bytes) = self.container.read(&name).await? else { return Ok(None) };
        let read: Drill = stored::read(&name, &bytes, DRILL_FORMAT)?;
        let is_own = read.kind == kind && read.source == *source && read.id == *id;
        if is_own { Ok(Some(read)) } else { Err(damaged(&name, &"it is of another drill")) }
    }
}
