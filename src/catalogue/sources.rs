//! The known sources and their recovery points. They serve the answer to a request for something that does not exist,
//! so each of these may read a whole listing.

use futures::{TryStreamExt as _, pin_mut};

use super::{Catalogue, layout};
use crate::{
    azure::container::{Item, Listing},
    domain::{nothing::Points, source::SourceName},
    error::Result,
};

/// The most sources that are listed: each costs a request.
const MOST: usize = 200;

impl Catalogue {
    /// The earliest and the newest recovery point of a vault: when runs finished that left an object with a backup.
    /// Reads every manifest's metadata.
    pub async fn points(&self, vault: &SourceName) -> Result<Option<Points>> {
        let found = self.manifests(vault, None, |_| false).await?;
        let summaries = found.into_iter().filter_map(|found| found.summary);
        Ok(Points::of(summaries.filter(|of| of.protected > 0).map(|of| of.finished)))
    }

    /// The earliest and the newest recovery point of an HSM: when its restorable backups ended.
    pub async fn hsm_points(&self, hsm: &SourceName) -> Result<Option<Points>> {
        let found = self.hsm_backups(hsm, |_| false).await?;
        Ok(Points::of(found.iter().filter(|of| of.is_good()).map(|of| of.ended)))
    }

    /// Whether there is any blob of a vault.
    pub async fn knows(&self, vault: &SourceName) -> Result<bool> {
        Ok(self.first(&layout::source(vault), None).await?.is_some())
    }

    /// Whether there is a record of a backup of a whole HSM.
    pub async fn knows_hsm(&self, hsm: &SourceName) -> Result<bool> {
        Ok(self.first(&layout::hsm_backups(hsm), None).await?.is_some())
    }

    /// The vaults that have any blob, and the HSMs whose keys are backed up one by one. One request each.
    pub async fn vaults(&self) -> Result<Vec<String>> {
        self.rooms(layout::VAULTS).await
    }

    /// The HSMs that have a record of a backup. One request each.
    pub async fn hsms(&self) -> Result<Vec<String>> {
        self.rooms(layout::HSMS).await
    }

    /// The first parts of the names under a prefix. With a storage service that ignores where a listing starts, only
    /// the first of them.
    async fn rooms(&self, prefix: &str) -> Result<Vec<String>> {
        let mut rooms: Vec<String> = Vec::new();
        let mut from = None;
        while rooms.len() < MOST
            && let Some(item) = self.first(prefix, from.as_deref()).await?
            && let Some(room) = layout::room(prefix, &item.name)
            && rooms.last().is_none_or(|last| last != room)
        {
            rooms.push(room.to_owned());
            from = Some(layout::after_room(prefix, room));
        }
        Ok(rooms)
    }

    async fn first(&self, prefix: &str, from: Option<&str>) -> Result<Option<Item>> {
        let pages = self.container.list(Listing { prefix, from, page: 1, metadata: false });
        pin_mut!(pages);
        while let Some(page) = pages.try_next().await? {
            if let Some(item) = page.into_iter().next() {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }
}
