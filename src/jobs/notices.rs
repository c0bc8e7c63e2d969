//! Records of what was told outside, and of what is still to be delivered.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

use super::{Jobs, damaged};
use crate::{
    azure::{container::Metadata, error::Meaning},
    domain::{
        digest::Fingerprint,
        notice::{NOTICES_FORMAT, Part, Told},
    },
    error::{Error, Result},
    stored,
};

/// How often a process looks at the record of a part that has nothing to deliver.
const EVERY: Duration = Duration::minutes(5);

/// The record of a part as it was read.
#[derive(Clone, Debug)]
pub struct StoredNotices {
    /// The record; a new one where there is none.
    pub told: Told,
    etag: Option<String>,
}

/// When this process last looked at each part, and whether something was to be delivered then.
pub(super) type Looked = BTreeMap<Part, (OffsetDateTime, bool)>;

impl Jobs {
    /// Whether it is time to look at the record of a part: every five minutes, or every time while something is to be
    /// delivered.
    pub fn looks_at_notices(&self, part: Part, now: OffsetDateTime) -> bool {
        let looked = self.looked.lock();
        looked.get(&part).is_none_or(|(at, waits)| *waits || !(*at..*at + EVERY).contains(&now))
    }

    /// Remembers that this process looked at the record of a part, and whether something is still to be delivered.
    pub fn looked_at_notices(&self, part: Part, now: OffsetDateTime, waits: bool) {
        self.looked.lock().insert(part, (now, waits));
    }

    /// The record of a part. A damaged one counts as new, with a log line: it is better to tell something twice than
    /// never.
    ///
    /// # Errors
    /// Those of storage, and [`Error::TooNew`].
    pub async fn notices(&self, part: Part) -> Result<StoredNotices> {
        let name = name(part);
        let Some((bytes, etag)) = self.container.read_state(&name).await? else {
            return Ok(StoredNotices { told: Told::default(), etag: None });
        };
        let told = match stored::read(&name, &bytes, NOTICES_FORMAT) {
            Err(error @ Error::Damaged { .. }) => {
                tracing::error!(
                    blob.name = name,
                    "What was told is not known, so all that is wrong is told again: {error}"
                );
                Told::default()
            }
            read => read?,
        };
        Ok(StoredNotices { told, etag: Some(etag) })
    }

    /// Writes the record of a part back, and returns it with its new state. `None` if another process wrote it meanwhile.
    ///
    /// # Errors
    /// Those of storage.
    pub async fn save_notices(&self, part: Part, stored: StoredNotices) -> Result<Option<StoredNotices>> {
        let name = name(part);
        let writer = Fingerprint::of(&fastrand::u128(..).to_be_bytes()).to_string();
        let mut told = stored.told;
        (told.v, told.writer) = (NOTICES_FORMAT, writer);
        let json = serde_json::to_vec(&told).map_err(|error| damaged(&name, &error))?;
        match stored.etag {
            None => drop(self.container.create(&name, json, Metadata::new()).await?),
            Some(etag) => match self.container.rewrite(&name, &etag, json, Metadata::new()).await {
                Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => {}
                written => written?,
            },
        }
        // A retry after a lost answer finds its own write.
        let found = self.notices(part).await?;
        Ok(Some(found).filter(|found| found.told.writer == told.writer))
    }
}

fn name(part: Part) -> String {
    format!("notices/{}", part.as_str())
}
