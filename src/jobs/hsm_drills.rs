//! Records of drills of HSMs that are under way.

use super::{Jobs, damaged};
use crate::{
    azure::{container::Metadata, error::Meaning},
    domain::{
        drill::{OPEN_HSM_DRILL_FORMAT, OpenHsmDrill},
        source::SourceName,
    },
    error::Result,
    stored,
};

const OPEN: &str = "hsm-drills/";

/// The record of a drill of an HSM as it was read.
#[derive(Clone, Debug)]
pub struct StoredHsmDrill {
    /// The record.
    pub of: OpenHsmDrill,
    etag: String,
}

impl Jobs {
    /// Records that a drill is under way in its drill HSM, unless one is, and returns the record that is there then.
    ///
    /// # Errors
    /// Those of storage, and a record that cannot be read.
    pub async fn open_hsm_drill(&self, of: &OpenHsmDrill) -> Result<Option<StoredHsmDrill>> {
        let name = name(&of.target);
        self.container.create(&name, json(&name, of)?, Metadata::new()).await?;
        self.hsm_drill_in(&of.target).await
    }

    /// The drill that is under way in a drill HSM.
    ///
    /// # Errors
    /// Those of storage, and a record that cannot be read: nothing replaces it.
    pub async fn hsm_drill_in(&self, hsm: &SourceName) -> Result<Option<StoredHsmDrill>> {
        let name = name(hsm);
        let Some((bytes, etag)) = self.container.read_state(&name).await? else { return Ok(None) };
        Ok(Some(StoredHsmDrill { of: stored::read(&name, &bytes, OPEN_HSM_DRILL_FORMAT)?, etag }))
    }

    /// Writes a record back, and returns it with its new state. `None` if another process wrote it meanwhile.
    pub async fn save_hsm_drill(&self, stored: &StoredHsmDrill) -> Result<Option<StoredHsmDrill>> {
        let StoredHsmDrill { of, etag } = stored;
        let name = name(&of.target);
        match self.container.rewrite(&name, etag, json(&name, of)?, Metadata::new()).await {
            Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => {}
            written => written?,
        }
        // A retry after a lost answer finds its own write.
        Ok(self.hsm_drill_in(&of.target).await?.filter(|found| found.of == *of))
    }

    /// Removes the record of a drill that is on record.
    pub async fn close_hsm_drill(&self, of: &OpenHsmDrill) -> Result<()> {
        Ok(self.container.delete(&name(&of.target)).await?)
    }
}

fn name(hsm: &SourceName) -> String {
    format!("{OPEN}{hsm}")
}

fn json(name: &str, of: &OpenHsmDrill) -> Result<Vec<u8>> {
    serde_json::to_vec(of).map_err(|error| damaged(name, &error))
}
