//! What is open, as it seems, and can be read neither by its record nor by its name.

use time::{Duration, OffsetDateTime};

use super::Jobs;
use crate::{azure::container::Item, error::Result};

/// Something among what is open of which nothing is known but how long it has been there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    name: String,
    since: Option<OffsetDateTime>,
}

impl Stray {
    /// A blob of a listing. `began` is the time in its name, where there is one.
    pub(super) fn new(item: Item, began: Option<OffsetDateTime>) -> Self {
        Self { since: began.or(item.modified), name: item.name }
    }
}

impl Jobs {
    /// Takes what has been there for longer than anything is open out of what is open, loudly. It ends the work and
    /// nothing else: what it was about keeps whatever it has. Safe to run twice.
    pub async fn end_strays(&self, strays: &[Stray], limit: Duration, now: OffsetDateTime) -> Result<()> {
        for Stray { name, since } in strays {
            if since.is_some_and(|since| now - since >= limit) {
                let hours = limit.whole_hours();
                tracing::error!(
                    event = "job.unreadable", blob.name = %name,
                    "{name} has been open for {hours} hours and cannot be read; it is not open any more, and what it was about is as it was left"
                );
                self.container.delete(name).await?;
            }
        }
        Ok(())
    }
}
