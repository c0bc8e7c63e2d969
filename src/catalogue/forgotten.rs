//! Decisions to forget objects: what is not offered any longer, and what of it is still to be deleted.

use std::collections::{BTreeMap, BTreeSet};

use futures::{TryStreamExt as _, pin_mut};
use time::OffsetDateTime;

use super::{Catalogue, layout};
use crate::{
    azure::container::{Item, Listing, Metadata, Written},
    domain::{
        forgotten::{Forget, Forgotten},
        object::ObjectId,
        source::{SourceKind, SourceName},
    },
    error::Result,
};

/// Names per listing request.
const PAGE: u16 = 5000;

impl Catalogue {
    /// The objects of a vault, or of an HSM whose keys are backed up one by one, that people forgot. The names of the
    /// records say everything, so no damage to one brings a backup back. One request.
    pub async fn forgotten(&self, vault: &SourceName) -> Result<Forgotten> {
        let prefix = layout::people(SourceKind::Vault, vault);
        let names = self.names(&prefix).await?;
        Ok(names.iter().filter_map(|name| layout::parse_forget(&prefix, name)).collect())
    }

    /// When the newest decision about each forgotten object was stored; in the second place, when it arrived. One request.
    pub async fn forgets_stored(
        &self,
        vault: &SourceName,
    ) -> Result<BTreeMap<ObjectId, Option<OffsetDateTime>>> {
        let prefix = layout::people(SourceKind::Vault, vault);
        let pages = self.container.list(Listing { prefix: &prefix, from: None, page: PAGE, metadata: false });
        let items: Vec<Item> = pages.try_concat().await?;
        // The newest comes first in the listing.
        let of = |item: Item| Some((layout::parse_forget(&prefix, &item.name)?.id(), item.modified));
        Ok(items.into_iter().rev().filter_map(of).collect())
    }

    /// The newest decision about each forgotten object of which something may still be to be deleted. One request.
    pub async fn open_forgets(&self, vault: &SourceName, all: &Forgotten) -> Result<Vec<Forget>> {
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let done: BTreeSet<_> =
            self.names(&self.own(&layout::forgets_done(vault))).await?.into_iter().collect();
        Ok(all.iter().filter(|of| !done.contains(&self.own(&layout::forget_done(vault, of)))).collect())
    }

    /// Puts a decision to forget where the plan of the next night sees it. Safe to run twice.
    pub async fn tell_next_night(&self, vault: &SourceName, of: &Forget) -> Result<Written> {
        Ok(self.container.add(&layout::forgotten(vault, of), Vec::new(), Metadata::new()).await?)
    }

    /// Whether a decision to forget lies where the plan of the next night sees it.
    pub async fn is_next_night_told(&self, vault: &SourceName, of: &Forget) -> Result<bool> {
        Ok(self.container.metadata(&layout::forgotten(vault, of)).await?.is_some())
    }

    /// Records that nothing is left of what was to be forgotten. Safe to run twice.
    pub async fn create_forget_done(&self, vault: &SourceName, of: &Forget) -> Result<Written> {
        let name = self.own(&layout::forget_done(vault, of));
        Ok(self.container.add(&name, Vec::new(), Metadata::new()).await?)
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let pages = self.container.list(Listing { prefix, from: None, page: PAGE, metadata: false });
        pin_mut!(pages);
        let mut names = Vec::new();
        while let Some(page) = pages.try_next().await? {
            names.extend(page.into_iter().map(|item| item.name));
        }
        Ok(names)
    }
}
