//! Strays: blobs among the open jobs that can be read neither by their record nor by their name.

use time::{Duration, OffsetDateTime};

use super::Jobs;
use crate::{azure::container::Item, error::Result};

/// A blob among the open jobs of which only its age is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    name: String,
    since: Option<OffsetDateTime>,
}

impl Stray {
    /// A stray from a listing. `began` is the time in its name, if there is one.
    pub(super) fn new(item: Item, began: Option<OffsetDateTime>) -> Self {
        Self { since: began.or(item.modified), name: item.name }
    }
}

impl Jobs {
    /// Deletes strays that are older than any job may be open, each with an error in the log. That ends the job and
    /// changes nothing else: backups and vaults stay as they are. Safe to run twice.
    pub async fn end_strays(&self, strays: &[Stray], limit: Duration, now: OffsetDateTime) -> Result<()> {
        for Stray { name, since } in strays {
            if since.is_some_and(|since| now - since >= limit) {
                let hours = limit.whole_hours();
                tracing::error!(
                    event = "job.unreadable", blob.name = %name,
                    "The record {name} cannot be read and is at least {hours} hours old; it is deleted, and what its job has done so far stays as it is"
                );
                self.container.delete(name).await?;
            }
        }
        Ok(())
    }
}
