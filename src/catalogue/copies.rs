//! Copies of the backups of HSMs: their blobs, and the records of what became of them.

use futures::TryStreamExt as _;
use time::OffsetDateTime;

use super::{Catalogue, hsm::inventory_bytes, layout, metadata};
use crate::{
    azure::container::{Item, Listing, Version, Written},
    domain::{
        digest::Digest,
        hsm::{COPY_FORMAT, HsmBackup, HsmCopy, Inventory},
        run::RunId,
        source::SourceName,
    },
    error::Result,
    stored::read_metadata,
};

const PAGE: u16 = 5000;

impl Catalogue {
    /// The prefix of the blobs of a backup's copy.
    pub fn prefix_of_copy(backup: &HsmBackup) -> String {
        layout::copied_blobs(&backup.hsm, &backup.run)
    }

    /// The blobs that there are of a backup's copy, whether or not it is whole.
    pub async fn copied_blobs(&self, backup: &HsmBackup) -> Result<Vec<Item>> {
        let prefix = layout::copied_blobs(&backup.hsm, &backup.run);
        let listing = Listing { prefix: &prefix, from: None, page: PAGE, metadata: false };
        Ok(self.container.list(listing).try_concat().await?)
    }

    /// Records what became of a backup's copy, and with it the blobs that it has. Safe to run twice: the first record stays.
    pub async fn create_hsm_copy(
        &self,
        backup: &HsmBackup,
        copy: &HsmCopy,
        inventory: Option<&Inventory>,
    ) -> Result<Written> {
        let name = layout::copy_record(&backup.hsm, backup.opened, &backup.run);
        let bytes = inventory_bytes(&name, inventory)?;
        Ok(self.container.add(&name, bytes, metadata(&name, "copy", copy)?).await?)
    }

    /// What became of the copies of an HSM's backups, the newest backup first. One request for up to 5,000. A record that cannot
    /// be read is passed over with a log line: then nothing is known of a copy.
    pub async fn hsm_copies(&self, hsm: &SourceName) -> Result<Vec<HsmCopy>> {
        let prefix = layout::copy_records(hsm);
        let listing = Listing { prefix: &prefix, from: None, page: PAGE, metadata: true };
        let items = self.container.list(listing).try_concat().await?;
        let read = |item: Item| match read_metadata(&item.name, &item.metadata, "copy", COPY_FORMAT) {
            Ok(Some(copy)) => Some(copy),
            Ok(None) => {
                tracing::error!(blob.name = %item.name, "The record {} cannot be read", item.name);
                None
            }
            Err(error) => {
                tracing::error!(blob.name = %item.name, "The record {} cannot be read: {error}", item.name);
                None
            }
        };
        Ok(items.into_iter().filter_map(read).collect())
    }

    /// Of each whole copy of an HSM's backups, when the backup was opened, and when storage wrote the record of the copy.
    pub(super) async fn times_of_copies(
        &self,
        hsm: &SourceName,
    ) -> Result<Vec<(OffsetDateTime, Option<OffsetDateTime>)>> {
        let prefix = layout::copy_records(hsm);
        let listing = Listing { prefix: &prefix, from: None, page: PAGE, metadata: true };
        let items: Vec<Item> = self.container.list(listing).try_concat().await?;
        let times = |item: Item| {
            let copy: Result<Option<HsmCopy>> =
                read_metadata(&item.name, &item.metadata, "copy", COPY_FORMAT);
            let is_copied = copy.is_ok_and(|copy| copy.is_some_and(|copy| copy.is_copied()));
            let opened = layout::opened(&prefix, &item.name).filter(|_| is_copied)?;
            Some((opened, item.modified))
        };
        Ok(items.into_iter().filter_map(times).collect())
    }

    /// What became of the copy of a backup, if that is known.
    pub async fn hsm_copy(&self, hsm: &SourceName, run: &RunId) -> Result<Option<HsmCopy>> {
        Ok(self.hsm_copies(hsm).await?.into_iter().find(|copy| copy.run == *run))
    }

    /// The blobs that a backup's copy had when it was recorded with this digest of them. Others, and those that cannot be
    /// read, say nothing of it.
    pub async fn copy_inventory(&self, backup: &HsmBackup, sum: &Digest) -> Result<Option<Inventory>> {
        let record = layout::copy_record(&backup.hsm, backup.opened, &backup.run);
        Ok(self.inventory_in(&record).await?.filter(|recorded| recorded.digest() == *sum))
    }

    /// Every version of everything of a backup's copy, its record last.
    pub async fn versions_of_copy(&self, backup: &HsmBackup) -> Result<Vec<Version>> {
        let mut versions: Vec<Version> =
            self.container.versions(&Self::prefix_of_copy(backup)).try_concat().await?;
        let record = layout::copy_record(&backup.hsm, backup.opened, &backup.run);
        versions.extend(self.container.versions_of(&record).await?);
        Ok(versions)
    }
}
