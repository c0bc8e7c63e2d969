//! Records of the backups of whole HSMs. Their bytes are where the service wrote them.

use futures::{TryStreamExt as _, pin_mut};
use time::OffsetDateTime;

use super::{Catalogue, layout, metadata};
use crate::{
    azure::container::{Listing, Written},
    domain::{
        hsm::{BACKUP_FORMAT, HsmBackup, INVENTORY_FORMAT, Inventory},
        run::RunId,
        source::{SourceKind, SourceName},
    },
    error::{Result, damaged},
    stored::{self, read_metadata},
};

/// Records per listing request. Each has about a kilobyte.
const PAGE: u16 = 100;

/// A backup, and when storage says that its record was written.
pub type StoredHsmBackup = (HsmBackup, Option<OffsetDateTime>);

impl Catalogue {
    /// Records the result of a backup, and with it the blobs in its folder. Safe to run twice: the first record stays.
    pub async fn create_hsm_backup(
        &self,
        backup: &HsmBackup,
        inventory: Option<&Inventory>,
    ) -> Result<Written> {
        let name = layout::hsm_backup(&backup.hsm, backup.opened, &backup.run);
        let bytes = inventory_bytes(&name, inventory)?;
        Ok(self.container.add(&name, bytes, metadata(&name, "backup", backup)?).await?)
    }

    /// The blobs that were in the folder of a backup when it ended, if that is known: older programs did not record them.
    /// One that cannot be read is not known.
    pub async fn hsm_inventory(&self, backup: &HsmBackup) -> Result<Option<Inventory>> {
        self.inventory_in(&layout::hsm_backup(&backup.hsm, backup.opened, &backup.run)).await
    }

    /// The inventory in the body of a record, if it has one that can be read.
    pub(super) async fn inventory_in(&self, record: &str) -> Result<Option<Inventory>> {
        let Some(bytes) = self.container.read(record).await?.filter(|bytes| !bytes.is_empty()) else {
            return Ok(None);
        };
        match stored::read(record, &bytes, INVENTORY_FORMAT) {
            Err(error) if error.is_unreadable() => Ok(None),
            read => read.map(Some),
        }
    }

    /// Backups of an HSM, newest first, until `enough`, whether or not retention has let them go. A record that cannot be
    /// read, or that a newer program wrote, is skipped with a log line.
    pub async fn hsm_backups(
        &self,
        hsm: &SourceName,
        mut enough: impl FnMut(&[HsmBackup]) -> bool,
    ) -> Result<Vec<HsmBackup>> {
        let mut found = Vec::new();
        self.read_hsm_backups(hsm, |backup, _| {
            found.push(backup);
            enough(&found)
        })
        .await?;
        Ok(found)
    }

    /// Every backup of an HSM as [`Catalogue::hsm_backups`] has them, and when storage says that its record was written.
    /// Also whether every record could be read.
    pub async fn stored_hsm_backups(&self, hsm: &SourceName) -> Result<(Vec<StoredHsmBackup>, bool)> {
        let mut found = Vec::new();
        let hear = |backup, stored| {
            found.push((backup, stored));
            false
        };
        let whole = self.read_hsm_backups(hsm, hear).await?;
        Ok((found, whole))
    }

    /// Reads the backups of an HSM, newest first, until `hear` has heard enough. Returns whether every record that was
    /// seen could be read.
    pub(super) async fn read_hsm_backups(
        &self,
        hsm: &SourceName,
        mut hear: impl FnMut(HsmBackup, Option<OffsetDateTime>) -> bool,
    ) -> Result<bool> {
        let mut whole = true;
        let prefix = layout::hsm_backups(hsm);
        let pages = self.container.list(Listing { prefix: &prefix, from: None, page: PAGE, metadata: true });
        pin_mut!(pages);
        while let Some(page) = pages.try_next().await? {
            for item in page {
                match read_metadata(&item.name, &item.metadata, "backup", BACKUP_FORMAT) {
                    Ok(Some(backup)) => {
                        if hear(backup, item.modified) {
                            return Ok(whole);
                        }
                    }
                    Ok(None) => {
                        whole = false;
                        tracing::error!(blob.name = %item.name, "The record {} cannot be read", item.name);
                    }
                    Err(error) => {
                        whole = false;
                        tracing::error!(blob.name = %item.name, "The record {} cannot be read: {error}", item.name);
                    }
                }
            }
        }
        Ok(whole)
    }

    /// The backups of an HSM that retention has not let go, newest first.
    pub async fn offered_hsm_backups(&self, hsm: &SourceName) -> Result<Vec<HsmBackup>> {
        let marks = self.marks(SourceKind::Hsm, hsm).await?;
        let mut found = self.hsm_backups(hsm, |_| false).await?;
        found.retain(|backup| !marks.hides(&backup.run));
        Ok(found)
    }

    /// The record of a run, if it has ended and retention has not let its backup go.
    pub async fn offered_hsm_backup(&self, hsm: &SourceName, run: &RunId) -> Result<Option<HsmBackup>> {
        let marks = self.marks(SourceKind::Hsm, hsm).await?;
        if marks.hides(run) { Ok(None) } else { self.hsm_backup(hsm, run).await }
    }

    /// The record of a run, if it has ended.
    pub async fn hsm_backup(&self, hsm: &SourceName, run: &RunId) -> Result<Option<HsmBackup>> {
        let found = self.hsm_backups(hsm, |found| found.last().is_some_and(|last| last.run == *run)).await?;
        Ok(found.into_iter().find(|backup| backup.run == *run))
    }

    /// The restorable backup with the newest state; with `by`, among those that had ended by then.
    pub async fn newest_hsm_backup(
        &self,
        hsm: &SourceName,
        by: Option<OffsetDateTime>,
    ) -> Result<Option<HsmBackup>> {
        let found = match by {
            // The newest good one is never let go.
            None => self.hsm_backups(hsm, |found| HsmBackup::newest_is_among(found, by)).await?,
            Some(_) => self.offered_hsm_backups(hsm).await?,
        };
        Ok(HsmBackup::newest_good(&found, by).cloned())
    }
}

/// The body of a record that has an inventory, or none.
pub(super) fn inventory_bytes(record: &str, inventory: Option<&Inventory>) -> Result<Vec<u8>> {
    let json = |inventory| serde_json::to_vec(inventory).map_err(|error| damaged(record, &error));
    Ok(inventory.map(json).transpose()?.unwrap_or_default())
}
