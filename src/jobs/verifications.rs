//! Records of verifications that are under way.

use futures::TryStreamExt as _;

use super::{Jobs, damaged};
use crate::{
    azure::{
        container::{Item, Listing, Metadata},
        error::Meaning,
    },
    domain::{
        source::{SourceKind, SourceName},
        verification::{OPEN_VERIFICATION_FORMAT, OpenVerification},
    },
    error::{Error, Result},
    stored,
};

const OPEN: &str = "verifications/";

/// The record of a verification as it was read.
#[derive(Clone, Debug)]
pub struct StoredVerification {
    /// The record.
    pub of: OpenVerification,
    etag: String,
}

impl Jobs {
    /// Records that a verification is under way, unless one is, and returns the record that is there then.
    ///
    /// # Errors
    /// Those of storage, and a record that cannot be read.
    pub async fn open_verification(&self, of: &OpenVerification) -> Result<Option<StoredVerification>> {
        let name = name(of.kind, &of.source);
        self.container.create(&name, json(&name, of)?, Metadata::new()).await?;
        self.read_verification(&name).await
    }

    /// Every verification that is under way. A record that cannot be read is skipped with a log line: the next pass over
    /// its source begins anew.
    pub async fn open_verifications(&self) -> Result<Vec<StoredVerification>> {
        let pages = self.container.list(Listing { prefix: OPEN, from: None, page: 5000, metadata: false });
        let items: Vec<Item> = pages.try_concat().await?;
        let mut found = Vec::new();
        for item in items {
            match self.read_verification(&item.name).await {
                Err(error) if error.is_unreadable() => {
                    tracing::error!(blob.name = %item.name, "A record of a verification is passed over: {error}");
                }
                read => found.extend(read?),
            }
        }
        Ok(found)
    }

    /// The verification of a source that is under way. One that cannot be read counts as none, and is replaced.
    ///
    /// # Errors
    /// Those of storage, and a record that a newer program wrote.
    pub async fn verification_of(
        &self,
        kind: SourceKind,
        source: &SourceName,
    ) -> Result<Option<StoredVerification>> {
        let name = name(kind, source);
        match self.read_verification(&name).await {
            Err(Error::Damaged { .. }) => {
                self.container.delete(&name).await?;
                Ok(None)
            }
            read => read,
        }
    }

    async fn read_verification(&self, name: &str) -> Result<Option<StoredVerification>> {
        let Some((bytes, etag)) = self.container.read_state(name).await? else { return Ok(None) };
        Ok(Some(StoredVerification { of: stored::read(name, &bytes, OPEN_VERIFICATION_FORMAT)?, etag }))
    }

    /// Writes a record back, and returns it with its new state. `None` if another process wrote it meanwhile: that process
    /// goes on with the verification.
    pub async fn save_verification(&self, stored: &StoredVerification) -> Result<Option<StoredVerification>> {
        let StoredVerification { of, etag } = stored;
        let name = name(of.kind, &of.source);
        match self.container.rewrite(&name, etag, json(&name, of)?, Metadata::new()).await {
            Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => {}
            written => written?,
        }
        // A retry after a lost answer finds its own write.
        Ok(self.read_verification(&name).await?.filter(|found| found.of == *of))
    }

    /// Removes the record of a verification that has ended.
    pub async fn close_verification(&self, of: &OpenVerification) -> Result<()> {
        Ok(self.container.delete(&name(of.kind, &of.source)).await?)
    }
}

fn name(kind: SourceKind, source: &SourceName) -> String {
    format!("{OPEN}{}/{source}", kind.folder())
}

fn json(name: &str, of: &OpenVerification) -> Result<Vec<u8>> {
    serde_json::to_vec(of).map_err(|error| damaged(name, &error))
}
