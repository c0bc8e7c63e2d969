//! Azure on loopback.
//!
//! [`Azure::start`] opens two ports on the loopback interface. One is an HTTPS proxy that answers `CONNECT`
//! for the host names of Key Vault, Managed HSM, Blob and Queue storage in the public, Government and China
//! clouds, and serves them itself, with certificates of a CA made for the occasion. The other is the managed
//! identity endpoint of App Service. [`Azure::env`] gives the variables which point a program there.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use keyvault_backup_emulator::{Azure, Fault, FaultKind, Operation, SecretSpec};
//!
//! let azure = Azure::start().await?;
//! let vault = azure.vault("payments");
//! vault.put_secret("db-password", SecretSpec::new("hunter2").tag("team", "core"));
//! azure.storage("backups").create_container("vaults");
//! azure.faults().add(Fault::on(Operation::Backup).times(2).reply(FaultKind::Throttled { retry_after: None }));
//!
//! tokio::process::Command::new("some-program").envs(azure.env()).status().await?;
//! assert_eq!(azure.requests().total(Operation::ListSecrets), 2); // the challenge, and the page
//! # Ok(())
//! # }
//! ```
//!
//! One lock guards one vault, HSM, account or log, and is never held across an `await`. Nothing is kept on disk
//! but the CA certificate.

mod authority;
mod call;
pub mod clock;
pub mod faults;
mod hosts;
pub mod hsm;
pub mod identity;
pub mod keyvault;
pub mod knobs;
mod known;
pub mod operation;
mod proxy;
mod reply;
pub mod requests;
mod route;
mod serve;
pub mod storage;
mod timestamp;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use time::OffsetDateTime;
use tokio::task::JoinSet;

use authority::Authority;
use clock::Clock;
use faults::Faults;
use hosts::Cloud;
use hsm::{Hsm, HsmHandle};
use identity::Identity;
use keyvault::{Vault, VaultHandle};
use knobs::Knobs;
use operation::Service;
use requests::RequestLog;
use storage::{Account, StorageHandle};

/// How to start the emulator.
#[derive(Debug, Clone, Default)]
pub struct AzureOptions {
    /// The port of the proxy. 0 takes a free one.
    pub proxy_port: u16,
    /// The port of the identity endpoint. 0 takes a free one.
    pub identity_port: u16,
    /// Where to write the CA certificate. A temporary file if left out.
    pub ca_pem: Option<PathBuf>,
    /// Whether a vault, an HSM or an account comes into being when a client first connects to it. Otherwise only
    /// [`Azure::vault`] and [`Azure::storage`] make them, and a client that asks for another meets what it
    /// would meet in the real world: a name that does not resolve.
    pub create_on_demand: bool,
}

/// Everything that requests need. Handles and connections share it.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) identity: Identity,
    pub(crate) knobs: Knobs,
    pub(crate) requests: RequestLog,
    pub(crate) outstanding: AtomicUsize,
    create_on_demand: bool,
    /// By host name.
    vaults: RwLock<HashMap<String, Arc<Vault>>>,
    /// By host name.
    hsms: RwLock<HashMap<String, Arc<Hsm>>>,
    /// By the host name of their blob service.
    accounts: RwLock<HashMap<String, Arc<Account>>>,
    /// Hosts that somebody else serves.
    forwards: RwLock<HashMap<String, SocketAddr>>,
}

impl World {
    fn vault(&self, host: &str) -> Option<Arc<Vault>> {
        let (name, _, cloud) = hosts::parse(host)?;
        let mut vaults = self.vaults.write();
        let vault = vaults.entry(host.to_owned()).or_insert_with(|| Arc::new(Vault::new(host, name, cloud)));
        Some(Arc::clone(vault))
    }

    fn account(&self, name: &str, cloud: Cloud) -> Arc<Account> {
        let mut accounts = self.accounts.write();
        let account =
            accounts.entry(account_key(name, cloud)).or_insert_with(|| Arc::new(Account::new(name, cloud)));
        Arc::clone(account)
    }

    fn hsm(&self, host: &str) -> Option<Arc<Hsm>> {
        let (name, _, cloud) = hosts::parse(host)?;
        let mut hsms = self.hsms.write();
        let hsm = hsms.entry(host.to_owned()).or_insert_with(|| Arc::new(Hsm::new(host, name, cloud)));
        Some(Arc::clone(hsm))
    }

    fn forward(&self, host: &str) -> Option<SocketAddr> {
        self.forwards.read().get(&host.to_ascii_lowercase()).copied()
    }

    pub(crate) fn find_vault(&self, host: &str) -> Option<Arc<Vault>> {
        let found = self.vaults.read().get(host).map(Arc::clone);
        if found.is_none() && self.create_on_demand { self.vault(host) } else { found }
    }

    pub(crate) fn find_hsm(&self, host: &str) -> Option<Arc<Hsm>> {
        let found = self.hsms.read().get(host).map(Arc::clone);
        if found.is_none() && self.create_on_demand { self.hsm(host) } else { found }
    }

    /// What an HSM wrote is in its container, whether or not anybody asks the HSM.
    pub(crate) fn settle_hsms(&self, now: OffsetDateTime) {
        let hsms: Vec<_> = self.hsms.read().values().map(Arc::clone).collect();
        for hsm in hsms {
            hsm.settle(self, now);
        }
    }

    pub(crate) fn find_account(&self, host: &str) -> Option<Arc<Account>> {
        let (name, _, cloud) = hosts::parse(host)?;
        let found = self.accounts.read().get(&account_key(name, cloud)).map(Arc::clone);
        if found.is_none() && self.create_on_demand { Some(self.account(name, cloud)) } else { found }
    }
}

fn account_key(name: &str, cloud: Cloud) -> String {
    format!("{name}{}", cloud.suffix(Service::Blob))
}

struct Running {
    world: Arc<World>,
    proxy: SocketAddr,
    identity: SocketAddr,
    ca_pem: PathBuf,
    /// Keeps the directory of the CA certificate.
    _directory: Option<tempfile::TempDir>,
    /// Listeners and connections; they end with this.
    _tasks: Mutex<JoinSet<std::convert::Infallible>>,
}

/// A running emulator of Azure. Clones are the same emulator; when the last is dropped, it stops.
///
/// A vault, an HSM or an account is named by its short name, which means the public cloud, or by its full host name.
#[derive(Clone)]
pub struct Azure {
    running: Arc<Running>,
}

impl Azure {
    /// Starts it on free ports. It runs on the calling runtime, so a test must not block that runtime's only
    /// thread.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(AzureOptions::default()).await
    }

    /// Starts it with options.
    pub async fn start_with(options: AzureOptions) -> io::Result<Self> {
        let (ca_pem, directory) = match options.ca_pem {
            Some(path) => (path, None),
            None => {
                tempfile::tempdir().map(|directory| (directory.path().join("ca.pem"), Some(directory)))?
            }
        };
        let world = Arc::new(World {
            authority: Authority::create(&ca_pem)?,
            clock: Clock::default(),
            faults: Faults::default(),
            identity: Identity::new(),
            knobs: Knobs::default(),
            requests: RequestLog::default(),
            outstanding: AtomicUsize::new(0),
            create_on_demand: options.create_on_demand,
            vaults: RwLock::default(),
            hsms: RwLock::default(),
            accounts: RwLock::default(),
            forwards: RwLock::default(),
        });
        let proxy = proxy::bind(options.proxy_port, "the proxy").await?;
        let identity = proxy::bind(options.identity_port, "the identity endpoint").await?;
        let (proxy_at, identity_at) = (proxy.local_addr()?, identity.local_addr()?);
        let mut tasks = JoinSet::new();
        tasks.spawn(proxy::accept(proxy, Arc::clone(&world), proxy::tunnel));
        tasks.spawn(proxy::accept(identity, Arc::clone(&world), proxy::identity));
        let running = Running {
            world,
            proxy: proxy_at,
            identity: identity_at,
            ca_pem,
            _directory: directory,
            _tasks: Mutex::new(tasks),
        };
        Ok(Self { running: Arc::new(running) })
    }

    /// The variables that point a program at the emulator. They say nothing about the program itself.
    pub fn env(&self) -> Vec<(String, String)> {
        let ca = self.ca_pem_path().display().to_string();
        let no_proxy = "127.0.0.1,localhost".to_owned();
        let variables = [
            ("HTTPS_PROXY", self.proxy_url()),
            ("https_proxy", self.proxy_url()),
            ("NO_PROXY", no_proxy.clone()),
            ("no_proxy", no_proxy),
            ("SSL_CERT_FILE", ca.clone()),
            ("NODE_EXTRA_CA_CERTS", ca.clone()), // Node knows only this one
            ("REQUESTS_CA_BUNDLE", ca),          // and Python's requests only this one
            ("IDENTITY_ENDPOINT", format!("http://{}/msi/token", self.running.identity)),
            ("IDENTITY_HEADER", self.identity().header().to_owned()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Lets another server serve a host: the proxy opens tunnels to it. The server needs a
    /// [certificate](Self::certificate).
    pub fn forward(&self, host: &str, server: SocketAddr) {
        self.running.world.forwards.write().insert(host.to_ascii_lowercase(), server);
    }

    /// A certificate for these hosts, with its chain, and its key; both as PEM.
    pub fn certificate(&self, hosts: &[String]) -> io::Result<(String, String)> {
        self.running.world.authority.certificate(hosts)
    }

    /// The file with the certificate of the emulator's CA.
    pub fn ca_pem_path(&self) -> &Path {
        &self.running.ca_pem
    }

    /// The URL of the proxy.
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.running.proxy)
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.running.world.clock
    }

    /// The issuer of tokens.
    pub fn identity(&self) -> &Identity {
        &self.running.world.identity
    }

    /// The fault script.
    pub fn faults(&self) -> &Faults {
        &self.running.world.faults
    }

    /// The request log.
    pub fn requests(&self) -> &RequestLog {
        &self.running.world.requests
    }

    /// The settings.
    pub fn knobs(&self) -> &Knobs {
        &self.running.world.knobs
    }

    /// How many requests are being served at this moment.
    pub fn outstanding(&self) -> usize {
        self.running.world.outstanding.load(Ordering::Relaxed)
    }

    /// A vault, made if it is not there.
    ///
    /// A full name that is no vault's is taken for a short one.
    pub fn vault(&self, name: &str) -> VaultHandle {
        let world = &self.running.world;
        let name = name.to_ascii_lowercase();
        let known = hosts::parse(&name).filter(|(_, service, _)| *service == Service::Vault);
        let (short, cloud) = known.map_or((name.as_str(), Cloud::Public), |(short, _, cloud)| (short, cloud));
        let host = format!("{short}{}", cloud.suffix(Service::Vault));
        let mut vaults = world.vaults.write();
        let vault = vaults.entry(host.clone()).or_insert_with(|| Arc::new(Vault::new(&host, short, cloud)));
        VaultHandle { world: Arc::clone(world), vault: Arc::clone(vault) }
    }

    /// A Managed HSM, made if it is not there.
    ///
    /// A full name that is no HSM's is taken for a short one.
    pub fn hsm(&self, name: &str) -> HsmHandle {
        let world = &self.running.world;
        let name = name.to_ascii_lowercase();
        let known = hosts::parse(&name).filter(|(_, service, _)| *service == Service::Hsm);
        let (short, cloud) = known.map_or((name.as_str(), Cloud::Public), |(short, _, cloud)| (short, cloud));
        let host = format!("{short}{}", cloud.suffix(Service::Hsm));
        let mut hsms = world.hsms.write();
        let hsm = hsms.entry(host.clone()).or_insert_with(|| Arc::new(Hsm::new(&host, short, cloud)));
        HsmHandle { world: Arc::clone(world), hsm: Arc::clone(hsm) }
    }

    /// A storage account with its blobs and queues, made if it is not there.
    pub fn storage(&self, account: &str) -> StorageHandle {
        let world = &self.running.world;
        let account = account.to_ascii_lowercase();
        let (short, cloud) = hosts::parse(&account)
            .map_or((account.as_str(), Cloud::Public), |(short, _, cloud)| (short, cloud));
        StorageHandle { world: Arc::clone(world), account: world.account(short, cloud) }
    }
}
