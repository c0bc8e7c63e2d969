//! Requests to a vault that only the preflight sends.

use futures::{TryStreamExt as _, pin_mut};

use super::VaultClient;
use crate::{
    azure::error::{Asked, Operation, ServiceError},
    domain::object::{ObjectKind, ObjectName},
};

/// Pages that are searched for an object. The first ones may have only objects that belong to certificates.
const PAGES: usize = 4;

impl VaultClient {
    /// The first object of a kind that has a backup of its own, if the first pages show one.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn first(&self, kind: ObjectKind) -> Result<Option<ObjectName>, ServiceError> {
        let pages = self.list(kind);
        pin_mut!(pages);
        for _ in 0..PAGES {
            let Some(page) = pages.try_next().await? else { return Ok(None) };
            if let Some(found) = page.into_iter().find(|listed| !listed.managed) {
                return Ok(Some(found.id.name));
            }
        }
        Ok(None)
    }

    /// Requests a secret's value, and drops it. Meant for a name that cannot exist: the refusal shows whether the
    /// caller may read values.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn read_value(&self, name: &ObjectName) -> Result<(), ServiceError> {
        let read = self.secrets.get_secret(name.as_str(), None).await;
        read.map(drop).map_err(|error| {
            let what = format!("read a secret that is not there in vault {}", self.source.name());
            ServiceError::of(Asked::vault(Operation::Read, what), &error)
        })
    }
}
