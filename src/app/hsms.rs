//! The Managed HSMs of the settings.

use std::collections::BTreeMap;

use azure_core::http::Url;

use crate::{
    azure::{
        Connection,
        container::Container,
        hsm::HsmClient,
        managed_hsm::{BackupDestination, RestoreSource},
        vault::{VaultClient, restore::RestorePace},
    },
    config::{Config, HsmConfig, Landing},
    domain::{object::ObjectName, restore::Pace, source::SourceName},
    error::{Error, Result},
};

/// Requests a second for single keys of an HSM (documentation, "Managed HSM scaling guidance": backup 10).
const KEYS_PER_SECOND: u32 = 10;

/// The Managed HSMs, and where they are backed up.
pub struct Hsms {
    clients: BTreeMap<SourceName, HsmClient>,
    keys: BTreeMap<SourceName, VaultClient>,
    container: Option<Container>,
    config: HsmConfig,
}

impl Hsms {
    /// Builds the clients. Sends nothing.
    pub(super) fn build(config: &Config, connection: &Connection) -> azure_core::Result<Self> {
        let mut clients = BTreeMap::new();
        let mut keys = BTreeMap::new();
        // The next pass tries again within a minute; a retry would hold up other jobs.
        let once = connection.without_retries();
        for url in &config.hsm.hsms {
            let address = Url::parse(&url.to_string())?;
            let client = HsmClient::new(&address, &once, config.hsm.secrets()).map_err(|error| {
                azure_core::Error::with_message(azure_core::error::ErrorKind::Other, error.to_string())
            })?;
            clients.insert(url.name().clone(), client);
            let pace = RestorePace::new(Pace::of_all(KEYS_PER_SECOND * 10));
            let client = VaultClient::new(url, connection, KEYS_PER_SECOND, pace)?;
            keys.insert(url.name().clone(), client);
        }
        let landing = config.hsm.landing.as_ref();
        let container = landing.map(|of| Container::new(of.container(), connection)).transpose()?;
        Ok(Self { clients, keys, container, config: config.hsm.clone() })
    }

    /// The configured HSMs.
    pub fn names(&self) -> impl Iterator<Item = &SourceName> {
        self.clients.keys()
    }

    /// Whether no HSM is configured.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// A configured HSM.
    ///
    /// # Errors
    /// When it is not configured: nothing is ever sent to an HSM that the settings do not name.
    pub fn get(&self, name: &SourceName) -> Result<&HsmClient> {
        self.clients.get(name).ok_or_else(|| {
            Error::Refused(format!(
                "HSM {name} is not one of KEYVAULT_BACKUP_HSMS; add its URL there if it should be"
            ))
        })
    }

    /// The keys of a configured HSM, as those of a vault.
    ///
    /// # Errors
    /// As [`Hsms::get`].
    pub fn keys(&self, name: &SourceName) -> Result<&VaultClient> {
        self.get(name)?;
        self.keys_of(name).ok_or_else(|| Error::Refused(format!("HSM {name} has no keys client")))
    }

    /// The keys of a configured HSM, by the name under which the catalogue has its single keys.
    pub(super) fn keys_of(&self, name: &SourceName) -> Option<&VaultClient> {
        self.keys.get(name)
    }

    /// The keys of an HSM that are backed up one by one.
    pub fn single_keys(&self, name: &SourceName) -> Vec<ObjectName> {
        let of = |(hsm, key): &(SourceName, ObjectName)| (hsm == name).then(|| key.clone());
        self.config.keys.iter().filter_map(of).collect()
    }

    /// The container that HSMs are backed up into.
    ///
    /// # Errors
    /// When none is configured.
    pub fn container(&self) -> Result<&Container> {
        self.container
            .as_ref()
            .ok_or_else(|| Error::Refused("KEYVAULT_BACKUP_HSM_CONTAINER is not set".into()))
    }

    /// That container, and the folders in it under which backups go.
    ///
    /// # Errors
    /// When none is configured.
    pub fn landing(&self) -> Result<&Landing> {
        let landing = self.config.landing.as_ref();
        landing.ok_or_else(|| Error::Refused("KEYVAULT_BACKUP_HSM_CONTAINER is not set".into()))
    }

    /// The container for backups, and the identity as which the HSM writes there.
    ///
    /// # Errors
    /// When no container is configured.
    pub fn destination(&self) -> Result<BackupDestination> {
        Ok(BackupDestination::new(self.landing()?.address(), self.config.backup_auth.clone()))
    }

    /// A folder of that container, and the identity as which the HSM reads there.
    ///
    /// # Errors
    /// As [`Hsms::destination`].
    pub fn source(&self, folder: &str) -> Result<RestoreSource> {
        let container = self.landing()?.container().clone();
        Ok(RestoreSource::new(container, folder, self.config.restore_auth.clone()))
    }

    /// The path of an address in the configured container; `None` if it is not in there.
    pub fn path_in_container<'a>(&self, uri: &'a Url) -> Option<&'a str> {
        self.config.landing.as_ref()?.path_of(uri)
    }

    /// Whether two HSMs share a security domain according to the settings, so that backups of one restore into the
    /// other.
    pub fn share_domain(&self, a: &SourceName, b: &SourceName) -> bool {
        a == b || self.config.domains.contains(&(a.clone(), b.clone()))
    }

    /// The greatest age of the target's newest backup at a full restore.
    pub fn backup_age(&self) -> time::Duration {
        self.config.backup_age
    }

    /// The duration after which an open job is reported.
    pub fn limit(&self) -> time::Duration {
        self.config.limit
    }
}
