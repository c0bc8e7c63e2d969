//! The right to restore an HSM, as people recorded it. No app may add such a record, so none can put off its own end.

use futures::{TryStreamExt as _, pin_mut};

use super::{Catalogue, layout};
use crate::{
    azure::container::Listing,
    domain::{
        hsm::{RestoreGrant, open_grants},
        source::SourceName,
    },
    error::{Result, damaged},
};

/// Names per listing request.
const PAGE: u16 = 500;

impl Catalogue {
    /// The rights to restore an HSM that are on record and not revoked. What the HSM itself grants is not known here.
    ///
    /// # Errors
    /// Those of storage, and when a name is no record.
    pub async fn restore_grants(&self, hsm: &SourceName) -> Result<Vec<RestoreGrant>> {
        let prefix = layout::restore_grants(hsm);
        let pages = self.container.list(Listing { prefix: &prefix, from: None, page: PAGE, metadata: false });
        pin_mut!(pages);
        let mut records = Vec::new();
        while let Some(page) = pages.try_next().await? {
            for item in page {
                let record = layout::parse_restore_grant(&prefix, &item.name);
                records
                    .push(record.ok_or_else(|| damaged(&item.name, &"its name grants and revokes nothing"))?);
            }
        }
        Ok(open_grants(records))
    }
}
