//! What is known of an HSM in the second place.

use super::KIND;
use crate::{
    app::App,
    catalogue::Marks,
    domain::{
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

    /// How many blobs the copy of a backup has, and their size, if there is a whole one.
    pub(super) fn copy_of(&self, backup: &HsmBackup) -> Option<(u32, u64)> {
        let copy = self.copies.iter().find(|copy| copy.run == backup.run)?;
        match copy.end {
            CopyEnd::Copied { blobs, bytes, .. } => Some((blobs, bytes)),
            CopyEnd::NotCopied { .. } => None,
        }
    }
}
