//! The settings. Nothing else reads the environment.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `KEYVAULT_BACKUP_VAULTS` | vault URLs, separated by commas or white space | required |
//! | `KEYVAULT_BACKUP_CONTAINER` | URL of the blob container for backups and catalogue; write-once is enough | required |
//! | `KEYVAULT_BACKUP_JOBS_CONTAINER` | URL of the blob container for running jobs; needs delete | required |
//! | `KEYVAULT_BACKUP_QUEUE__queueServiceUri` | queue endpoint; the host reads the same setting | required by `serve` |
//! | `KEYVAULT_BACKUP_ROLE` | `backup`, `restore` or `all`: what `AdvanceJobs` of this app looks after | all |
//! | `KEYVAULT_BACKUP_IDENTITY` | `managed`, `workload` or `cli` | what the surroundings offer |
//! | `KEYVAULT_BACKUP_CLIENT_ID` | client id of the user-assigned identity | none |
//! | `KEYVAULT_BACKUP_FULL_PASS_DAYS` | days between runs that back up everything, 1 to 90 | 7 |
//! | `KEYVAULT_BACKUP_INTERVAL_HOURS` | hours after which a vault without a new run that covers it is overdue, 1 to 744 | 26 |
//! | `KEYVAULT_BACKUP_VAULT_RATE` | most requests a second to one vault, 1 to 1000000 | 390 |
//! | `KEYVAULT_BACKUP_RESTORE_SECRETS` | most restores of secrets in ten seconds, 1 to 1000000 | 300 |
//! | `KEYVAULT_BACKUP_RESTORE_KEYS` | the same for keys, and for certificates | 10 |
//! | `KEYVAULT_BACKUP_PLACES` | where vaults lie, `NAME=SUBSCRIPTION/GEOGRAPHY`, separated like vaults | none |
//! | `KEYVAULT_BACKUP_HSMS` | Managed HSM URLs, separated like vaults | none |
//! | `KEYVAULT_BACKUP_HSM_CONTAINER` | URL of the container that HSMs are backed up into; no immutability | required with HSMs |
//! | `KEYVAULT_BACKUP_HSM_KEYS` | keys that are also backed up one by one, `HSM/KEY`, separated like vaults | none |
//! | `KEYVAULT_BACKUP_HSM_BACKUP_AGE_MINUTES` | a full restore wants a backup of its target younger than this, 1 to 1440 | 30 |
//! | `KEYVAULT_BACKUP_HSM_LIMIT_HOURS` | a job that takes longer is reported, 1 to 72 | 6 |
//! | `KEYVAULT_BACKUP_HSM_DOMAINS` | HSMs that share a security domain, `A=B`, separated like vaults | none |
//! | `KEYVAULT_BACKUP_HSM_BACKUP_SAS` | SAS token for backups, where the HSM has no managed identity; deprecated | none |
//! | `KEYVAULT_BACKUP_HSM_RESTORE_SAS` | the same for restores | none |
//! | `KEYVAULT_BACKUP_REQUEST_TIMEOUT` | longest silence of a service, in seconds, 1 to 300 | 60 |
//! | `KEYVAULT_BACKUP_API_VERSION` | Key Vault service version | 2025-07-01 |
//! | `WEBSITE_AUTH_ENABLED` | `true` when the platform's own authentication is on; the platform sets it | not on |

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use url::Url;

use crate::{
    azure::{credential::Identity, limiter::DEFAULT_CEILING},
    domain::{
        object::{VaultName, VaultUrl},
        restore::Place,
    },
};

/// The queue that carries one message for each planned object. `functions/BackUpObject` names it too.
pub const WORK_QUEUE: &str = "backup-objects";

/// The queue that carries one message for each step of a restore. `functions/RestoreObject` names it too.
pub const RESTORE_QUEUE: &str = "restore-objects";

/// The Key Vault service version that is asked for, unless a setting says otherwise.
pub const API_VERSION: &str = "2025-07-01";

mod hsm;

pub use self::hsm::HsmConfig;

const BLOB_SUFFIXES: [&str; 3] =
    [".blob.core.windows.net", ".blob.core.usgovcloudapi.net", ".blob.core.chinacloudapi.cn"];
const QUEUE_SUFFIXES: [&str; 3] =
    [".queue.core.windows.net", ".queue.core.usgovcloudapi.net", ".queue.core.chinacloudapi.cn"];

/// What the caller cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Vaults alone, for a backup into a file.
    Vaults,
    /// The two containers, to read the catalogue.
    Storage,
    /// Vaults and containers, for a backup from a terminal.
    Backup,
    /// Everything, for the handler.
    Serve,
}

/// What an app is there for. The functions that are on say the same; `AdvanceJobs` is on in both apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Backups.
    Backup,
    /// Restores.
    Restore,
    /// Both.
    All,
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The vaults, each once.
    pub vaults: Vec<VaultUrl>,
    /// The container for backups and the catalogue.
    pub container: Option<Url>,
    /// The container for running jobs.
    pub jobs_container: Option<Url>,
    /// The storage account's queue endpoint.
    pub queue_service: Option<Url>,
    /// What this app is there for.
    pub role: Role,
    /// The identity.
    pub identity: Identity,
    /// Time between runs that back up everything.
    pub full_pass: time::Duration,
    /// How old the newest run that covers a vault may be before the vault is overdue.
    pub interval: time::Duration,
    /// Whether the platform's own authentication is on, so that what it says of a caller counts.
    pub platform_auth: bool,
    /// Most requests a second to one vault.
    pub vault_rate: u32,
    /// Most restores in ten seconds: secrets, keys, certificates.
    pub restores: [u32; 3],
    /// Where vaults lie.
    pub places: BTreeMap<VaultName, Place>,
    /// The Managed HSMs.
    pub hsm: HsmConfig,
    /// Longest silence of a service.
    pub request_timeout: Duration,
    /// Key Vault service version.
    pub api_version: String,
}

/// Everything that is wrong with the settings, each fault with its variable.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings are not usable:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for ConfigError {}

/// A variable of the process's environment. Empty counts as not set, as the platform shows unset ones.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

impl Config {
    /// Reads the settings through `lookup`, which is [`environment`] or flags in front of it.
    ///
    /// # Errors
    /// All faults at once.
    pub fn read(lookup: impl Fn(&str) -> Option<String>, needs: Needs) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup, faults: Vec::new() };
        // An app may look after HSMs alone.
        let hsms = (reader.lookup)("KEYVAULT_BACKUP_HSMS").is_some();
        let vaults = reader.vaults(needs != Needs::Storage && !hsms);
        let config = Self {
            container: reader.container("KEYVAULT_BACKUP_CONTAINER", needs >= Needs::Storage),
            jobs_container: reader.container("KEYVAULT_BACKUP_JOBS_CONTAINER", needs >= Needs::Backup),
            queue_service: reader.endpoint(
                "KEYVAULT_BACKUP_QUEUE__queueServiceUri",
                &QUEUE_SUFFIXES,
                needs == Needs::Serve,
            ),
            role: reader.role(),
            identity: reader.identity(),
            full_pass: time::Duration::days(
                reader.number("KEYVAULT_BACKUP_FULL_PASS_DAYS", 7_u16, 1, 90).into(),
            ),
            interval: time::Duration::hours(
                reader.number("KEYVAULT_BACKUP_INTERVAL_HOURS", 26_u16, 1, 744).into(),
            ),
            platform_auth: reader.platform_auth(),
            vault_rate: reader.number("KEYVAULT_BACKUP_VAULT_RATE", DEFAULT_CEILING, 1, 1_000_000),
            restores: reader.restores(),
            places: reader.places(),
            hsm: reader.hsm(&vaults, needs),
            vaults,
            request_timeout: Duration::from_secs(
                reader.number("KEYVAULT_BACKUP_REQUEST_TIMEOUT", 60_u32, 1, 300).into(),
            ),
            api_version: reader.api_version(),
        };
        if reader.faults.is_empty() { Ok(config) } else { Err(ConfigError(reader.faults)) }
    }

    /// The hosts that tokens may be sent to.
    pub fn hosts(&self) -> crate::azure::transport::Hosts {
        let storage = [&self.container, &self.jobs_container, &self.queue_service, &self.hsm.container];
        let storage = storage.into_iter().flatten().filter_map(|url| url.host_str().map(str::to_owned));
        let hsms = self.hsm.hsms.iter().map(|hsm| hsm.host().to_owned());
        self.vaults.iter().map(|vault| vault.host().to_owned()).chain(hsms).chain(storage).collect()
    }
}

struct Reader<L> {
    lookup: L,
    faults: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    fn fault(&mut self, name: &str, text: impl fmt::Display) {
        self.faults.push(format!("{name}: {text}"));
    }

    fn required(&mut self, name: &str, required: bool) -> Option<String> {
        let value = (self.lookup)(name);
        if value.is_none() && required {
            self.fault(name, "is not set");
        }
        value
    }

    fn vaults(&mut self, required: bool) -> Vec<VaultUrl> {
        const NAME: &str = "KEYVAULT_BACKUP_VAULTS";
        let text = self.required(NAME, required).unwrap_or_default();
        let mut vaults: Vec<VaultUrl> = Vec::new();
        for part in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty()) {
            match part.parse::<VaultUrl>() {
                Ok(vault) if vaults.iter().any(|known| known.name() == vault.name()) => {
                    self.fault(NAME, format_args!("{} is there twice", vault.name()));
                }
                Ok(vault) => vaults.push(vault),
                Err(error) => self.fault(NAME, error),
            }
        }
        vaults
    }

    fn endpoint(&mut self, name: &str, suffixes: &[&str], required: bool) -> Option<Url> {
        let text = self.required(name, required)?;
        let url = Url::parse(&text).ok().filter(|url| {
            let host = url.host_str().unwrap_or_default();
            let known =
                suffixes.iter().any(|suffix| host.strip_suffix(suffix).is_some_and(|of| !of.is_empty()));
            let bare = url.username().is_empty() && url.query().is_none() && url.fragment().is_none();
            url.scheme() == "https" && url.port().is_none() && known && bare
        });
        if url.is_none() {
            self.fault(name, format_args!("expected https://ACCOUNT{}, got something else", suffixes[0]));
        }
        url
    }

    fn container(&mut self, name: &str, required: bool) -> Option<Url> {
        let url = self.endpoint(name, &BLOB_SUFFIXES, required)?;
        let container = url.path().trim_matches('/');
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(3..=63).contains(&container.len()) || !container.bytes().all(legal) {
            self.fault(name, "expected the name of a container after the host, as in https://ACCOUNT.blob.core.windows.net/backups");
            return None;
        }
        Some(url)
    }

    fn identity(&mut self) -> Identity {
        const NAME: &str = "KEYVAULT_BACKUP_IDENTITY";
        let client_id = (self.lookup)("KEYVAULT_BACKUP_CLIENT_ID");
        let set = |name: &str| (self.lookup)(name).is_some();
        match (self.lookup)(NAME).as_deref() {
            Some("managed") => Identity::Managed { client_id },
            Some("workload") => Identity::Workload { client_id },
            None if set("IDENTITY_ENDPOINT") => Identity::Managed { client_id },
            None if set("AZURE_FEDERATED_TOKEN_FILE") => Identity::Workload { client_id },
            Some("cli") | None => Identity::Cli,
            Some(_) => {
                self.fault(NAME, "expected managed, workload or cli");
                Identity::Cli
            }
        }
    }

    fn role(&mut self) -> Role {
        const NAME: &str = "KEYVAULT_BACKUP_ROLE";
        match (self.lookup)(NAME).as_deref() {
            Some("backup") => Role::Backup,
            Some("restore") => Role::Restore,
            Some("all") | None => Role::All,
            Some(_) => {
                self.fault(NAME, "expected backup, restore or all");
                Role::All
            }
        }
    }

    fn number<T: FromStr + Copy + PartialOrd + fmt::Display>(
        &mut self,
        name: &str,
        default: T,
        least: T,
        most: T,
    ) -> T {
        let Some(text) = (self.lookup)(name) else { return default };
        match text.trim().parse::<T>() {
            Ok(number) if number >= least && number <= most => number,
            _ => {
                self.fault(name, format_args!("expected a whole number from {least} to {most}"));
                default
            }
        }
    }

    fn platform_auth(&self) -> bool {
        (self.lookup)("WEBSITE_AUTH_ENABLED").is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    fn restores(&mut self) -> [u32; 3] {
        let keys = self.number("KEYVAULT_BACKUP_RESTORE_KEYS", 10, 1, 1_000_000);
        [self.number("KEYVAULT_BACKUP_RESTORE_SECRETS", 300, 1, 1_000_000), keys, keys]
    }

    fn places(&mut self) -> BTreeMap<VaultName, Place> {
        const NAME: &str = "KEYVAULT_BACKUP_PLACES";
        let text = (self.lookup)(NAME).unwrap_or_default();
        let mut places = BTreeMap::new();
        for part in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty()) {
            let split = part.split_once('=').and_then(|(name, place)| Some((name, place.split_once('/')?)));
            let Some((Ok(vault), (subscription, geography))) =
                split.map(|(name, place)| (name.parse(), place))
            else {
                self.fault(NAME, "expected NAME=SUBSCRIPTION/GEOGRAPHY; either may be empty");
                continue;
            };
            let known = |text: &str| Some(text.to_ascii_lowercase()).filter(|text| !text.is_empty());
            let place = Place { subscription: known(subscription), geography: known(geography) };
            places.insert(vault, place);
        }
        places
    }

    fn api_version(&mut self) -> String {
        const NAME: &str = "KEYVAULT_BACKUP_API_VERSION";
        let version = (self.lookup)(NAME).unwrap_or_else(|| API_VERSION.to_owned());
        if !version.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')) {
            self.fault(NAME, "expected a version such as 2025-07-01 or 7.6");
        }
        version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)], needs: Needs) -> Result<Config, ConfigError> {
        let lookup =
            |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Config::read(lookup, needs)
    }

    const GOOD: [(&str, &str); 4] = [
        ("KEYVAULT_BACKUP_VAULTS", "https://kv-a.vault.azure.net, https://kv-b.vault.azure.net/"),
        ("KEYVAULT_BACKUP_CONTAINER", "https://backups.blob.core.windows.net/vaults"),
        ("KEYVAULT_BACKUP_JOBS_CONTAINER", "https://host.blob.core.windows.net/backup-jobs"),
        ("KEYVAULT_BACKUP_QUEUE__queueServiceUri", "https://host.queue.core.windows.net"),
    ];

    #[test]
    fn hosts_are_those_of_the_settings_and_no_others() {
        let hosts = read(&GOOD, Needs::Serve).unwrap().hosts();
        let expected = [
            "backups.blob.core.windows.net",
            "host.blob.core.windows.net",
            "host.queue.core.windows.net",
            "kv-a.vault.azure.net",
            "kv-b.vault.azure.net",
        ];
        assert!(hosts.iter().map(String::as_str).eq(expected), "{hosts:?}");
    }

    #[test]
    fn all_faults_are_named_at_once() {
        let mut pairs = GOOD.to_vec();
        pairs[0].1 = "http://kv-a.vault.azure.net https://evil.example";
        pairs[1].1 = "https://backups.blob.core.windows.net";
        pairs.remove(3);
        pairs.extend([("KEYVAULT_BACKUP_FULL_PASS_DAYS", "0"), ("KEYVAULT_BACKUP_IDENTITY", "root")]);
        let ConfigError(faults) = read(&pairs, Needs::Serve).unwrap_err();
        let named: Vec<_> = faults.iter().map(|fault| fault.split(':').next().unwrap()).collect();
        assert_eq!(
            named,
            [
                "KEYVAULT_BACKUP_VAULTS",
                "KEYVAULT_BACKUP_VAULTS",
                "KEYVAULT_BACKUP_CONTAINER",
                "KEYVAULT_BACKUP_QUEUE__queueServiceUri",
                "KEYVAULT_BACKUP_IDENTITY",
                "KEYVAULT_BACKUP_FULL_PASS_DAYS",
            ]
        );
    }

    #[test]
    fn a_backup_into_a_file_needs_no_storage() {
        assert!(read(&GOOD[..1], Needs::Vaults).is_ok());
        assert!(read(&[], Needs::Vaults).is_err());
    }
}
