//! The known sources and their recovery points.

use futures::{TryStreamExt as _, pin_mut};

use time::OffsetDateTime;

use super::{
    Catalogue, layout,
    recent::{NewestPoint, point},
    view::summary_of,
};
use crate::{
    azure::container::{Item, Listing},
    domain::{
        hsm::HsmBackup,
        nothing::Points,
        source::{SourceId, SourceKind, SourceName},
    },
    error::{Error, Result},
};

impl Catalogue {
    /// The earliest and the newest recovery point of a vault: when runs finished that left an object with a backup.
    ///
    /// Costs a page of the newest manifests, one request for each 5,000 names, and one for each of the
    /// earliest manifests up to the first that left a backup.
    pub async fn points(&self, vault: &SourceName) -> Result<Option<Points>> {
        let mut newest = NewestPoint::default();
        let manifests = self.newest_manifests(vault, |found| {
            newest.see(found);
            newest.is_final
        });
        let (_, earliest) = futures::try_join!(manifests, self.earliest_point(vault))?;
        Ok(Points::of(earliest.into_iter().chain(newest.at)))
    }

    /// The earliest recovery point of a vault. Costs what [`Catalogue::points`] does without the page.
    ///
    /// A run finishes after it was planned, so none that was planned after the earliest point has finished before it.
    pub async fn earliest_point(&self, vault: &SourceName) -> Result<Option<OffsetDateTime>> {
        let prefix = layout::manifests(vault);
        let pages = self.container.list(Listing { prefix: &prefix, from: None, page: 5000, metadata: false });
        let names = async { Ok::<Vec<Item>, Error>(pages.try_concat().await?) };
        let (names, marks) = futures::try_join!(names, self.marks(SourceKind::Vault, vault))?;
        let is_hidden =
            |name: &str| layout::parse_manifest(&prefix, name).is_some_and(|run| marks.hides(&run));
        let mut earliest = None;
        for Item { name, .. } in names.into_iter().rev() {
            let Some(planned) = layout::planned(vault, &name).filter(|_| !is_hidden(&name)) else { continue };
            if earliest.is_some_and(|earliest| planned > earliest) {
                break;
            }
            let summary = self.container.metadata(&name).await?.as_ref().and_then(summary_of);
            let found = summary.as_ref().and_then(point);
            earliest = earliest.into_iter().chain(found).min();
        }
        Ok(earliest)
    }

    /// The earliest and the newest recovery point of an HSM: when its restorable backups ended.
    pub async fn hsm_points(&self, hsm: &SourceName) -> Result<Option<Points>> {
        let found = self.offered_hsm_backups(hsm).await?;
        Ok(HsmBackup::points(&found))
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
    pub async fn vaults(&self) -> Result<Vec<SourceName>> {
        self.rooms(layout::VAULTS).await
    }

    /// The HSMs that have a record of a backup. One request each.
    pub async fn hsms(&self) -> Result<Vec<SourceName>> {
        self.rooms(layout::HSMS).await
    }

    /// Every source that the catalogue has, configured or not. One request each.
    pub async fn sources(&self) -> Result<Vec<SourceId>> {
        let (vaults, hsms) = futures::try_join!(self.vaults(), self.hsms())?;
        Ok(SourceId::all(vaults, hsms))
    }

    /// The sources that are the first parts of the names under a prefix.
    pub(super) async fn rooms(&self, prefix: &str) -> Result<Vec<SourceName>> {
        let rooms = self.first_parts(prefix).await?;
        Ok(rooms.iter().filter_map(|room| room.parse().ok()).collect())
    }

    /// The first parts of the names under a prefix. One request each. With a storage service that ignores where a listing
    /// starts, only the first of them.
    pub(super) async fn first_parts(&self, prefix: &str) -> Result<Vec<String>> {
        let mut parts = Vec::new();
        let mut from: Option<String> = None;
        while let Some(item) = self.first(prefix, from.as_deref()).await?
            && let Some(part) = layout::room(prefix, &item.name)
            && from.as_ref().is_none_or(|from| item.name >= *from)
        {
            parts.push(part.to_owned());
            from = Some(layout::after_room(prefix, part));
        }
        Ok(parts)
    }

    /// The first blob under a prefix whose name is not before `from`.
    pub(super) async fn first_from(&self, prefix: &str, from: &str, metadata: bool) -> Result<Option<Item>> {
        let pages = self.container.list(Listing { prefix, from: Some(from), page: 1, metadata });
        pin_mut!(pages);
        while let Some(page) = pages.try_next().await? {
            // An older service ignores where a listing starts.
            if let Some(item) = page.into_iter().find(|item| *item.name >= *from) {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// The first blob under a prefix; with `from`, the first from that name on.
    pub(super) async fn first(&self, prefix: &str, from: Option<&str>) -> Result<Option<Item>> {
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
