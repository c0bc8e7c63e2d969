//! Records of acknowledged losses and accepted failures. Apps only read them.

use std::collections::BTreeMap;

use futures::{TryStreamExt as _, pin_mut};
use serde::de::DeserializeOwned;

use super::{
    Catalogue,
    layout::{self, About},
    metadata,
};
use crate::{
    azure::container::{Item, Listing, Written},
    domain::{
        acknowledged::{ACKNOWLEDGED_FORMAT, AcceptanceRecord, Acknowledged, Acknowledgement},
        object::ObjectId,
        source::SourceName,
    },
    error::Result,
    stored::read_metadata,
};

/// Records per listing request. Most have a few hundred bytes, some a few thousand.
const PAGE: u16 = 500;

const LOSS: &str = "acknowledged";
const ACCEPTANCE: &str = "accepted";

impl Catalogue {
    /// Records the acknowledgement of a loss. Safe to run twice: the first record stays.
    pub async fn create_acknowledgement(&self, of: &Acknowledgement) -> Result<Written> {
        let name = layout::loss(&of.source, &of.run);
        Ok(self.container.add(&name, Vec::new(), metadata(&name, LOSS, of)?).await?)
    }

    /// Records a decision about a failing object, unless there is already one of that second.
    pub async fn create_acceptance(&self, of: &AcceptanceRecord) -> Result<Written> {
        let name = layout::acceptance(&of.source, &of.id(), of.at);
        Ok(self.container.add(&name, Vec::new(), metadata(&name, ACCEPTANCE, of)?).await?)
    }

    /// The acknowledged losses and accepted failures of a source. One listing of a page, however many nights there are.
    pub async fn acknowledged(&self, source: &SourceName) -> Result<Acknowledged> {
        Ok(self.all_acknowledged(Some(source)).await?.remove(source).unwrap_or_default())
    }

    /// The acknowledged losses and accepted failures of one source, or of every source that has any.
    ///
    /// A record that cannot be read, or that a newer program wrote, silences nothing: it is skipped with a log line,
    /// and so are the older records of its object.
    pub async fn all_acknowledged(
        &self,
        source: Option<&SourceName>,
    ) -> Result<BTreeMap<SourceName, Acknowledged>> {
        let prefix = layout::acknowledged(source);
        let pages = self.container.list(Listing { prefix: &prefix, from: None, page: PAGE, metadata: true });
        pin_mut!(pages);
        let mut found = BTreeMap::<_, Acknowledged>::new();
        let mut last: Option<(SourceName, ObjectId)> = None;
        while let Some(page) = pages.try_next().await? {
            for item in page {
                let Some((source, about)) = layout::parse_acknowledged(&item.name) else { continue };
                let of = found.entry(source.clone()).or_default();
                match about {
                    About::Loss(run) => {
                        let own = |loss: &Acknowledgement| loss.source == source && loss.run == run;
                        of.losses.extend(read(&item, LOSS, own));
                    }
                    // The newest decision comes first; older ones do not count.
                    About::Object(id) if last.as_ref() == Some(&(source.clone(), id.clone())) => {}
                    About::Object(id) => {
                        let own = |of: &AcceptanceRecord| of.source == source && of.id() == id;
                        of.acceptances.extend(read(&item, ACCEPTANCE, own));
                        last = Some((source, id));
                    }
                }
            }
        }
        Ok(found)
    }
}

/// The record in a blob's metadata, if it can be read and is the blob's `own`.
fn read<T: DeserializeOwned>(item: &Item, key: &str, own: impl Fn(&T) -> bool) -> Option<T> {
    let record = match read_metadata(&item.name, &item.metadata, key, ACKNOWLEDGED_FORMAT) {
        Ok(record) => record.filter(own),
        Err(error) => {
            tracing::error!(blob.name = %item.name, "A record does not count: {error}");
            return None;
        }
    };
    if record.is_none() {
        tracing::error!(blob.name = %item.name, "Blob {} does not carry its own record, and does not count", item.name);
    }
    record
}
