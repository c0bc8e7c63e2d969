//! That people checked an HSM's security domain, as they recorded it. No app may add such a record.

use futures::{TryStreamExt as _, pin_mut};
use time::OffsetDateTime;

use super::{Catalogue, layout, metadata};
use crate::{
    azure::container::{Listing, Written},
    domain::{
        hsm::{ATTESTATION_FORMAT, Attestation},
        source::SourceName,
    },
    error::Result,
    stored::read_metadata,
};

/// Records per listing request. Of most only the first is read.
const PAGE: u16 = 5;

const ATTESTATION: &str = "attestation";

impl Catalogue {
    /// Records an attestation, unless there is already one of that second.
    pub async fn create_attestation(&self, of: &Attestation) -> Result<Written> {
        let name = layout::attestation(&of.hsm, of.at);
        Ok(self.container.add(&name, Vec::new(), metadata(&name, ATTESTATION, of)?).await?)
    }

    /// The newest attestation of an HSM, or the newest that was recorded before `before`. One request, almost always.
    ///
    /// A record that cannot be read, or that a newer program wrote, attests nothing: it is passed over with a log line.
    pub async fn last_attestation(
        &self,
        hsm: &SourceName,
        before: Option<OffsetDateTime>,
    ) -> Result<Option<Attestation>> {
        let prefix = layout::attestations(hsm);
        let from = before.map(|before| layout::attestation(hsm, before));
        let listing = Listing { prefix: &prefix, from: from.as_deref(), page: PAGE, metadata: true };
        let pages = self.container.list(listing);
        pin_mut!(pages);
        while let Some(page) = pages.try_next().await? {
            for item in page {
                let name = &item.name;
                match read_metadata::<Attestation>(name, &item.metadata, ATTESTATION, ATTESTATION_FORMAT) {
                    Ok(Some(of)) if layout::attestation(&of.hsm, of.at) != *name => {
                        tracing::error!(blob.name = %name, "Blob {name} does not carry its own record, and does not count");
                    }
                    Ok(Some(of)) if before.is_some_and(|before| of.at >= before) => {}
                    Ok(Some(of)) => return Ok(Some(of)),
                    Ok(None) => {
                        tracing::error!(blob.name = %name, "Blob {name} carries no record, and does not count");
                    }
                    Err(error) => tracing::error!(blob.name = %name, "A record does not count: {error}"),
                }
            }
        }
        Ok(None)
    }
}
