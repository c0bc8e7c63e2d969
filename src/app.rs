//! The parts of the program, built from the settings.

mod hsms;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

pub use self::hsms::Hsms;
use crate::{
    azure::{
        Connection,
        container::Container,
        credential::credential,
        queue::Queue,
        transport::{GuardedTransport, http_client},
        vault::{VaultClient, restore::RestorePace},
    },
    catalogue::{Audit, Catalogue},
    config::{Config, RESTORE_QUEUE, WORK_QUEUE, poison_of, queues_of},
    domain::{
        location::Location,
        role::Role,
        second::Place,
        source::{Source, SourceName},
    },
    error::{Error, Result},
    jobs::Jobs,
};

/// The longest wait before a retry, whatever a service asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The clients and settings that use cases work with. Building one sends nothing.
pub struct App {
    vaults: BTreeMap<SourceName, VaultClient>,
    drill_vaults: BTreeMap<SourceName, VaultClient>,
    catalogue: Option<Catalogue>,
    second: Option<Catalogue>,
    jobs: Option<Jobs>,
    queue: Option<Queue>,
    restore_queue: Option<Queue>,
    poison_queues: Vec<Queue>,
    hsms: Hsms,
    audit: Option<Audit>,
    connection: Connection,
    config: Config,
}

impl App {
    /// Builds the clients.
    ///
    /// # Errors
    /// When the system's certificate authorities cannot be read, or the settings of the identity are missing.
    pub fn build(config: &Config) -> Result<Self> {
        let unusable =
            |error: &dyn std::error::Error| Error::Refused(format!("the program cannot start: {error}"));
        let client = http_client(config.request_timeout).map_err(|error| unusable(&error))?;
        let credential =
            credential(&config.identity, client.clone(), LONGEST_WAIT).map_err(|error| unusable(&error))?;
        let transport = GuardedTransport::new(client, config.hosts());
        let connection = Connection::new(transport, credential, LONGEST_WAIT, config.api_version.clone());
        let vault = |url: &Source| {
            let client =
                VaultClient::new(url, &connection, config.vault_rate, RestorePace::new(config.restores))?;
            Ok((url.name().clone(), client))
        };
        let container =
            |url: &Option<url::Url>| url.as_ref().map(|url| Container::new(url, &connection)).transpose();
        let queue = |name: &str| {
            let service = config.queue_service.as_ref();
            service.map(|service| Queue::new(service, name, &connection)).transpose()
        };
        let poison = || queues_of(config.role).filter_map(|name| queue(&poison_of(name)).transpose());
        let build = || -> azure_core::Result<Self> {
            Ok(Self {
                vaults: config.vaults.iter().map(vault).collect::<azure_core::Result<_>>()?,
                drill_vaults: config
                    .drill_vaults()
                    .into_iter()
                    .map(vault)
                    .collect::<azure_core::Result<_>>()?,
                catalogue: container(&config.container)?.map(|container| match config.place {
                    Place::First => Catalogue::new(container),
                    Place::Second => Catalogue::second(container),
                }),
                second: container(&config.second_container)?.map(Catalogue::second),
                jobs: container(&config.jobs_container)?.map(Jobs::new),
                queue: queue(WORK_QUEUE)?,
                restore_queue: queue(RESTORE_QUEUE)?,
                poison_queues: poison().collect::<azure_core::Result<_>>()?,
                hsms: Hsms::build(config, &connection)?,
                audit: container(&config.container)?
                    .map(|container| Audit::new(container, config.at_terminal)),
                connection: connection.clone(),
                config: config.clone(),
            })
        };
        build().map_err(|error| unusable(&error))
    }

    /// The configured vaults.
    pub fn vaults(&self) -> impl Iterator<Item = &VaultClient> {
        self.vaults.values()
    }

    /// The names of sources in the catalogue, in order: vaults, and HSMs, of which single keys may be backed up.
    pub fn sources(&self) -> BTreeSet<&SourceName> {
        self.vaults.keys().chain(self.hsms.names()).collect()
    }

    /// Whether a name is that of an HSM and not of a vault.
    pub fn is_hsm(&self, name: &SourceName) -> bool {
        !self.vaults.contains_key(name) && self.hsms.keys_of(name).is_some()
    }

    /// A configured vault.
    ///
    /// # Errors
    /// When it is not configured: nothing is ever sent to a vault that the settings do not name.
    pub fn vault(&self, name: &SourceName) -> Result<&VaultClient> {
        self.vaults.get(name).or_else(|| self.hsms.keys_of(name)).ok_or_else(|| {
            Error::Refused(format!(
                "vault {name} is not one of KEYVAULT_BACKUP_VAULTS; add its URL there if it should be"
            ))
        })
    }

    /// A drill vault. It is none of [`App::vaults`], so that nothing but a drill reaches it.
    ///
    /// # Errors
    /// When the settings do not declare it, or this app does not drill.
    pub fn drill_vault(&self, name: &SourceName) -> Result<&VaultClient> {
        self.drill_vaults.get(name).ok_or_else(|| {
            Error::Refused(format!("vault {name} is not a drill vault of KEYVAULT_BACKUP_DRILL_VAULTS here"))
        })
    }

    /// The catalogue.
    ///
    /// # Errors
    /// When no container is configured.
    pub fn catalogue(&self) -> Result<&Catalogue> {
        self.catalogue.as_ref().ok_or_else(|| Error::Refused("KEYVAULT_BACKUP_CONTAINER is not set".into()))
    }

    /// The catalogue of the second place, if there is one.
    pub fn second(&self) -> Option<&Catalogue> {
        self.second.as_ref()
    }

    /// The open jobs.
    ///
    /// # Errors
    /// When no container is configured.
    pub fn jobs(&self) -> Result<&Jobs> {
        self.jobs.as_ref().ok_or_else(|| Error::Refused("KEYVAULT_BACKUP_JOBS_CONTAINER is not set".into()))
    }

    /// The open jobs of the place that is read: `None` in the second one, where no job runs.
    ///
    /// # Errors
    /// As [`App::jobs`].
    pub fn jobs_here(&self) -> Result<Option<&Jobs>> {
        match self.config.place {
            Place::First => self.jobs().map(Some),
            Place::Second => Ok(None),
        }
    }

    /// The queue of backups.
    ///
    /// # Errors
    /// When no queue is configured.
    pub fn queue(&self) -> Result<&Queue> {
        self.queue
            .as_ref()
            .ok_or_else(|| Error::Refused("KEYVAULT_BACKUP_QUEUE__queueServiceUri is not set".into()))
    }

    /// The queue of restores.
    ///
    /// # Errors
    /// When no queue is configured.
    pub fn restore_queue(&self) -> Result<&Queue> {
        self.restore_queue
            .as_ref()
            .ok_or_else(|| Error::Refused("KEYVAULT_BACKUP_QUEUE__queueServiceUri is not set".into()))
    }

    /// The poison queues of the queues that this app reads; none where no queue is configured.
    pub fn poison_queues(&self) -> &[Queue] {
        &self.poison_queues
    }

    /// The audit trail.
    ///
    /// # Errors
    /// When no container is configured.
    pub fn audit(&self) -> Result<&Audit> {
        self.audit.as_ref().ok_or_else(|| Error::Refused("KEYVAULT_BACKUP_CONTAINER is not set".into()))
    }

    /// The Managed HSMs.
    pub fn hsms(&self) -> &Hsms {
        &self.hsms
    }

    /// Two containers for requests that may move gigabytes.
    ///
    /// # Errors
    /// When the clients cannot be built.
    pub fn patient(&self, urls: [&url::Url; 2]) -> Result<[Container; 2]> {
        let refused = |error: &dyn std::error::Error| Error::Refused(error.to_string());
        let connection = self.connection.patient().map_err(|error| refused(&error))?;
        let [a, b] = urls.map(|url| Container::new(url, &connection).map_err(|error| refused(&error)));
        Ok([a?, b?])
    }

    /// The connection that clients are built from, for the preflight, which builds its own.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The role of this app.
    pub fn role(&self) -> Role {
        self.config.role
    }

    /// The location of a vault: the settings, and the tenant that the vault has named to this process. An HSM has no
    /// tenant here: where its keys restore depends on its security domain alone.
    pub fn location(&self, vault: &SourceName) -> Location {
        let client = self.vaults.get(vault).or_else(|| self.drill_vaults.get(vault));
        let tenant = client.and_then(VaultClient::tenant);
        Location { tenant, ..self.config.locations.get(vault).cloned().unwrap_or_default() }
    }

    /// Time between runs that back up everything.
    pub fn full_pass(&self) -> time::Duration {
        self.config.full_pass
    }

    /// The age of the newest covering run above which a vault is overdue.
    pub fn interval(&self) -> time::Duration {
        self.config.interval
    }

    /// Whether the platform's own authentication is on.
    pub fn platform_auth(&self) -> bool {
        self.config.platform_auth
    }
}

/// The program behind a pointer that handlers share.
pub type SharedApp = Arc<App>;
