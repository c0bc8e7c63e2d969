//! Requests to a container that only the preflight sends.

use azure_storage_blob::models::{
    BlobClientGetPropertiesResultHeaders as _, BlobContainerClientGetPropertiesResultHeaders as _,
    ImmutabilityPolicyMode,
};

use time::OffsetDateTime;

use super::Container;
use crate::azure::error::{Operation, ServiceError};

/// Write protection, as far as the data plane shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Whether the container has a policy of its own.
    pub container: Option<bool>,
    /// Whether versions in the container can have policies.
    pub versions: Option<bool>,
    /// Until when the probe is protected.
    pub until: Option<OffsetDateTime>,
    /// Whether that time cannot be shortened.
    pub locked: Option<bool>,
}

impl Container {
    /// The container's write protection. Parts that the service does not show are unknown.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn protection(&self) -> Result<Protection, ServiceError> {
        let asked = async {
            let found = self.client.get_properties(None).await?;
            Ok(Protection {
                container: found.has_immutability_policy()?,
                versions: found.is_immutable_storage_with_versioning_enabled()?,
                ..Protection::default()
            })
        };
        asked.await.map_err(|error| self.error(Operation::Read, "look up container", "", &error))
    }

    /// A container's write protection, completed by that of a blob in it.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn protection_of(&self, name: &str, container: Protection) -> Result<Protection, ServiceError> {
        let blob = self.client.blob_client(name);
        let asked = async {
            let found = blob.get_properties(None).await?;
            // A mode that the client does not know must not hide the date.
            let mode = found.immutability_policy_mode().ok().flatten();
            Ok(Protection {
                until: found.immutability_policy_expires_on()?,
                locked: mode.map(|mode| mode == ImmutabilityPolicyMode::Locked),
                ..container
            })
        };
        asked.await.map_err(|error| self.error(Operation::Read, "look up blob", name, &error))
    }
}
