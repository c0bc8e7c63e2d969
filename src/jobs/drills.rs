//! Records of drills that are under way.

use futures::TryStreamExt as _;

use super::{Jobs, damaged};
use crate::{
    azure::{
        container::{Item, Listing, Metadata},
        error::Meaning,
    },
    domain::{
        drill::{OPEN_DRILL_FORMAT, OpenDrill},
        source::SourceName,
    },
    error::Result,
    stored,
};

const OPEN: &str = "drills/";

/// The record of a drill as it was read.
#[derive(Clone, Debug)]
pub struct StoredDrill {
    /// The record.
    pub of: OpenDrill,
    etag: String,
}

impl Jobs {
    /// Records that a drill is under way in its vault, unless one is, and returns the record that is there then.
    ///
    /// # Errors
    /// Those of storage, and a record that cannot be read.
    pub async fn open_drill(&self, of: &OpenDrill) -> Result<Option<StoredDrill>> {
        let name = name(&of.target);
        self.container.create(&name, json(&name, of)?, Metadata::new()).await?;
        self.drill_in(&of.target).await
    }

    /// Every drill that is under way, each read for itself.
    pub async fn open_drills(&self) -> Result<Vec<Result<StoredDrill>>> {
        let pages = self.container.list(Listing { prefix: OPEN, from: None, page: 5000, metadata: false });
        let items: Vec<Item> = pages.try_concat().await?;
        let mut found = Vec::new();
        for item in items {
            found.extend(self.read_drill(&item.name).await.transpose());
        }
        Ok(found)
    }

    /// The drill that is under way in a vault.
    ///
    /// # Errors
    /// Those of storage, and a record that cannot be read: it may name what is in the vault, so nothing replaces it.
    pub async fn drill_in(&self, vault: &SourceName) -> Result<Option<StoredDrill>> {
        self.read_drill(&name(vault)).await
    }

    async fn read_drill(&self, name: &str) -> Result<Option<StoredDrill>> {
        let Some((bytes, etag)) = self.container.read_state(name).await? else { return Ok(None) };
        Ok(Some(StoredDrill { of: stored::read(name, &bytes, OPEN_DRILL_FORMAT)?, etag }))
    }

    /// Writes a record back, and returns it with its new state. `None` if another process wrote it meanwhile: that process goes on
    /// with the drill.
    pub async fn save_drill(&self, stored: &StoredDrill) -> Result<Option<StoredDrill>> {
        let StoredDrill { of, etag } = stored;
        let name = name(&of.target);
        match self.container.rewrite(&name, etag, json(&name, of)?, Metadata::new()).await {
            Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => {}
            written => written?,
        }
        // A retry after a lost answer finds its own write.
        Ok(self.read_drill(&name).await?.filter(|found| found.of == *of))
    }

    /// Removes the record of a drill that is on record.
    pub async fn close_drill(&self, of: &OpenDrill) -> Result<()> {
        Ok(self.container.delete(&name(&of.target)).await?)
    }
}

fn name(vault: &SourceName) -> String {
    format!("{OPEN}{vault}")
}

fn json(name: &str, of: &OpenDrill) -> Result<Vec<u8>> {
    serde_json::to_vec(of).map_err(|error| damaged(name, &error))
}
