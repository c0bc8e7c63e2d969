//! Backups that no recovery point names, because their run left no manifest.

use std::collections::HashSet;

use futures::{TryStreamExt as _, pin_mut};

use super::{Catalogue, layout};
use crate::{
    azure::container::{Item, Listing},
    domain::source::SourceName,
    error::Result,
};

/// Names per listing request. A page takes about ten times its size in memory while it is read.
const PAGE: u16 = 1000;

/// How many backups no recovery point names: those of open runs, and of runs that ended without a manifest. They stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strays {
    /// How many there are.
    pub backups: u64,
    /// Their size.
    pub bytes: u64,
}

impl Catalogue {
    /// Counts the strays of a vault. One request for each 1,000 blobs of its runs and manifests.
    ///
    /// # Errors
    /// Those of storage.
    pub async fn strays(&self, vault: &SourceName) -> Result<Strays> {
        let (manifests, runs) = (layout::manifests(vault), layout::runs(vault));
        let list = |prefix| self.container.list(Listing { prefix, from: None, page: PAGE, metadata: false });
        // The runs first: one that closes meanwhile has its manifest by the time that manifests are listed.
        let mut found = Vec::new();
        let pages = list(&runs);
        pin_mut!(pages);
        while let Some(page) = pages.try_next().await? {
            found.extend(page.iter().filter_map(|Item { name, bytes, .. }| {
                let (run, object) = Self::run_of(vault, name)?;
                object.map(|_| (run, *bytes))
            }));
        }
        let pages = list(&manifests);
        pin_mut!(pages);
        let mut named = HashSet::new();
        while let Some(page) = pages.try_next().await? {
            named.extend(page.iter().filter_map(|item| layout::parse_manifest(&manifests, &item.name)));
        }
        let strays = found.iter().filter(|(run, _)| !named.contains(run));
        Ok(strays.fold(Strays::default(), |sum, (_, bytes)| Strays {
            backups: sum.backups + 1,
            bytes: sum.bytes + bytes,
        }))
    }
}
