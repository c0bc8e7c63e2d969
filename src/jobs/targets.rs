//! Which restore has a vault or an HSM: one at a time.

use super::{Jobs, forms::read, metadata};
use crate::{
    azure::{container::Written, error::Meaning},
    domain::restore::RestoreId,
    error::{Error, Result},
};

/// The key of the record in its metadata.
const KEY: &str = "restore";

/// What somebody who wants a target finds.
pub(super) enum Target {
    /// It is the asker's.
    Ours,
    /// Another restore is on record, or what is on record cannot be read.
    Held {
        /// The restore.
        by: Option<RestoreId>,
        /// The state of the record.
        etag: String,
    },
}

impl Jobs {
    /// Takes a target that nobody has. Safe to run twice.
    pub(super) async fn take(&self, target: &str, id: &RestoreId) -> Result<Target> {
        if self.container.create(target, Vec::new(), metadata(KEY, id)?).await? == Written::Created {
            return Ok(Target::Ours);
        }
        let Some((found, etag)) = self.container.state(target).await? else { return Err(busy(target)) };
        let by: Option<RestoreId> = read(&found, KEY);
        if by.as_ref() == Some(id) { Ok(Target::Ours) } else { Ok(Target::Held { by, etag }) }
    }

    /// Takes a target from a restore that has ended or never began.
    pub(super) async fn take_over(&self, target: &str, etag: &str, id: &RestoreId) -> Result<()> {
        match self.container.replace(target, etag, metadata(KEY, id)?).await {
            Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => Err(busy(target)),
            taken => Ok(taken?),
        }
    }

    /// Gives a target free, if the restore has it. Safe to run twice.
    pub(super) async fn give_free(&self, target: &str, id: &RestoreId) -> Result<()> {
        let Some((found, etag)) = self.container.state(target).await? else { return Ok(()) };
        if read::<RestoreId>(&found, KEY).as_ref() != Some(id) {
            return Ok(());
        }
        match self.container.delete_state(target, &etag).await {
            Err(error) if error.meaning == Meaning::Exists => Ok(()),
            deleted => Ok(deleted?),
        }
    }
}

fn busy(target: &str) -> Error {
    Error::Busy(format!("{target} was just given free or taken by another restore; try again"))
}
