//! What is known of an HSM in the second place.

use super::KIND;
use crate::{
    app::App,
    catalogue::Marks,
    domain::{
        digest::Digest,
        hsm::{CopyEnd, HsmBackup, HsmCopy},
        second::Place,
        source::SourceName,
    },
    error::Result,
};

/// What is read of an HSM in the second place alone, where its folders are not.
pub(super) struct Second {
    /// What the first place did about its points.
    pub(super) first: Marks,
    copies: Vec<HsmCopy>,
}

impl Second {
    /// `None` in the first place.
    pub(super) async fn of(app: &App, hsm: &SourceName) -> Result<Option<Self>> {
        if app.config().place == Place::First {
            return Ok(None);
        }
        let catalogue = app.catalogue()?;
        let (first, copies) =
            futures::try_join!(catalogue.marks_of_first(KIND, hsm), catalogue.hsm_copies(hsm))?;
        Ok(Some(Self { first, copies }))
    }

    /// The digest of what was copied of a backup, if there is a whole copy. Without one it restores nothing here.
    pub(super) fn copy_of(&self, backup: &HsmBackup) -> Option<&Digest> {
        let copy = self.copies.iter().find(|copy| copy.run == backup.run)?;
        match &copy.end {
            CopyEnd::Copied { sum, .. } => Some(sum),
            CopyEnd::NotCopied { .. } => None,
        }
    }

    /// The backups as they count here: of those that succeeded, the ones that have a copy.
    pub(super) fn counted(&self, backups: &[HsmBackup]) -> Vec<HsmBackup> {
        let counts = |backup: &&HsmBackup| !backup.is_good() || self.copy_of(backup).is_some();
        backups.iter().filter(counts).cloned().collect()
    }
}
