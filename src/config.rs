//! The settings. No other module reads the environment.
//!
#![doc = include_str!("../docs/settings.md")]

use std::{collections::BTreeMap, fmt, time::Duration};

use url::Url;

use crate::{
    azure::{credential::Identity, limiter::DEFAULT_CEILING},
    domain::{
        bound::Bounds,
        drill::Drills,
        location::{Fact, Location},
        loss::GoneShare,
        restore::{Approvals, Pace, Pairs},
        retention::{Policies, PoliciesError},
        role::Role,
        second::Place,
        source::{Source, SourceName},
        verification::Rotation,
    },
};

/// The queue that carries one message for each planned object. `functions/BackUpObject` names it too.
pub const WORK_QUEUE: &str = "backup-objects";

/// The queue that carries one message for each step of a restore. `functions/RestoreObject` names it too.
pub const RESTORE_QUEUE: &str = "restore-objects";

/// The queues that an app of this role reads.
pub fn queues_of(role: Role) -> impl Iterator<Item = &'static str> {
    [(WORK_QUEUE, role.backs_up()), (RESTORE_QUEUE, role.restores())]
        .into_iter()
        .filter_map(|(name, reads)| reads.then_some(name))
}

/// The queue into which the Functions host puts the messages that it gives up.
pub fn poison_of(queue: &str) -> String {
    format!("{queue}-poison")
}

/// The default Key Vault service version.
pub const API_VERSION: &str = "2025-07-01";

mod approvals;
mod authentication;
mod drills;
mod hsm;
mod landing;
pub mod named;
mod notify;
mod pairs;
mod reader;
mod role;
mod schedules;

use self::reader::Reader;
pub use self::{
    authentication::Authentication, hsm::HsmConfig, landing::Landing, notify::Notify, reader::parts,
    schedules::Schedules,
};

/// The settings that a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Only vaults, for a backup into a file.
    Vaults,
    /// The backup container, to read the catalogue.
    Storage,
    /// The containers, to read the catalogue and the jobs.
    Jobs,
    /// Vaults and containers, for a backup from a terminal.
    Backup,
    /// Everything, for the handler.
    Serve,
}

/// The validated settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// The vaults, each once.
    pub vaults: Vec<Source>,
    /// The container for backups and the catalogue.
    pub container: Option<Url>,
    /// The place that `container` is.
    pub place: Place,
    /// The container in another account that backups are copied into.
    pub second_container: Option<Url>,
    /// The container for open jobs.
    pub jobs_container: Option<Url>,
    /// The storage account's queue endpoint.
    pub queue_service: Option<Url>,
    /// The app's role.
    pub role: Role,
    /// Whether the program runs at a terminal, and not under the host.
    pub at_terminal: bool,
    /// The identity.
    pub identity: Identity,
    /// Time between runs that back up everything.
    pub full_pass: time::Duration,
    /// How old the newest run that covers a vault may be before the vault is overdue.
    pub interval: time::Duration,
    /// The share of a vault that may be gone from one run to the next without a loss.
    pub gone_share: GoneShare,
    /// Whether the platform's own authentication is on, so that its statements about callers can be trusted.
    pub platform_auth: bool,
    /// What has to guard the HTTP functions; `None` where that is not set.
    pub authentication: Option<Authentication>,
    /// The pairs of source and target that callers of the HTTP API may restore.
    pub pairs: Pairs,
    /// Which plans of restores need the approval of a second person.
    pub approvals: Approvals,
    /// How long an approval holds.
    pub approval_for: time::Duration,
    /// The most requests per second to one vault.
    pub vault_rate: u32,
    /// The pace of restores into each vault.
    pub restores: Pace,
    /// The most jobs that one caller may have open.
    pub bounds: Bounds,
    /// The locations of vaults.
    pub locations: BTreeMap<SourceName, Location>,
    /// The settings of Managed HSMs.
    pub hsm: HsmConfig,
    /// How long recovery points are kept; `None` where that is not set. Only a keeper then has a policy, the default one.
    /// An error in it is no fault of an app that backs up or restores: its work must not stop for it.
    pub retention: Option<Result<Policies, PoliciesError>>,
    /// For how many days the second place keeps everything.
    pub second_keeps: u32,
    /// Within how many days the keeper reads each backup again.
    pub verify_within: Rotation,
    /// What is drilled, where, and what it is judged against.
    pub drills: Drills,
    /// The schedules of the timers.
    pub schedules: Schedules,
    /// Where to tell what matters.
    pub notify: Notify,
    /// How long a service may be silent before a request times out.
    pub request_timeout: Duration,
    /// Key Vault service version.
    pub api_version: String,
}

/// All faults of the settings, each with its variable.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings are not usable:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for ConfigError {}

/// Reads an environment variable. An empty one counts as unset, because the platform shows unset ones so.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// The same for a command that is about these sources alone: what settings of drills say of others is left out.
pub fn environment_of(name: &str, named: &[&SourceName]) -> Option<String> {
    let value = environment(name)?;
    Some(drills::of_named(name, &value, named).unwrap_or(value))
}

impl Config {
    /// Reads the settings through `lookup`, which is [`environment`], perhaps with flags in front of it.
    ///
    /// # Errors
    /// [`ConfigError`] with all faults at once.
    pub fn read(lookup: impl Fn(&str) -> Option<String>, needs: Needs) -> Result<Self, ConfigError> {
        let mut reader = Reader { lookup, faults: Vec::new() };
        // An app may back up only HSMs.
        let hsms = (reader.lookup)("KEYVAULT_BACKUP_HSMS").is_some();
        let vaults = reader.vaults(!matches!(needs, Needs::Storage | Needs::Jobs) && !hsms);
        let role = reader.role();
        let authentication = reader.authentication();
        reader.guards_the_page(role, needs, authentication);
        let (hsm, pairs) = (reader.hsm(&vaults, needs), reader.pairs());
        let others = drills::Others { vaults: &vaults, hsms: &hsm.hsms, pairs: &pairs };
        let drills = reader.drills(others, needs == Needs::Serve && role != Role::Keeper);
        let config = Self {
            container: reader.container("KEYVAULT_BACKUP_CONTAINER", needs >= Needs::Storage),
            place: Place::First,
            second_container: reader.container("KEYVAULT_BACKUP_SECOND_CONTAINER", false),
            jobs_container: reader.container("KEYVAULT_BACKUP_JOBS_CONTAINER", needs >= Needs::Jobs),
            queue_service: reader.endpoint(
                "KEYVAULT_BACKUP_QUEUE__queueServiceUri",
                |cloud| cloud.queue,
                needs == Needs::Serve,
            ),
            role,
            at_terminal: needs != Needs::Serve,
            identity: reader.identity(),
            full_pass: time::Duration::days(
                reader.number("KEYVAULT_BACKUP_FULL_PASS_DAYS", 7_u16, 1, 90).into(),
            ),
            interval: time::Duration::hours(
                reader.number("KEYVAULT_BACKUP_INTERVAL_HOURS", 26_u16, 1, 744).into(),
            ),
            gone_share: reader.gone_share(),
            platform_auth: reader.platform_auth(),
            authentication,
            pairs,
            approvals: reader.approvals(role, needs, authentication),
            approval_for: reader.approval_for(),
            vault_rate: reader.number("KEYVAULT_BACKUP_VAULT_RATE", DEFAULT_CEILING, 1, 1_000_000),
            restores: reader.restores(),
            bounds: Bounds {
                backups: reader.number("KEYVAULT_BACKUP_MOST_OPEN_BACKUPS", 32, 1, 100_000),
                restores: reader.number("KEYVAULT_BACKUP_MOST_OPEN_RESTORES", 8, 1, 100_000),
            },
            locations: reader.locations(),
            hsm,
            retention: reader.retention(needs == Needs::Serve && role != Role::Keeper),
            second_keeps: reader.number("KEYVAULT_BACKUP_SECOND_KEEP_WITHIN_DAYS", 35_u32, 3, 36_500),
            verify_within: reader.verify_within(),
            drills,
            schedules: reader.schedules(),
            notify: reader.notify(),
            vaults,
            request_timeout: Duration::from_secs(
                reader.number("KEYVAULT_BACKUP_REQUEST_TIMEOUT", 60_u32, 1, 300).into(),
            ),
            api_version: reader.api_version(),
        };
        if reader.faults.is_empty() { Ok(config) } else { Err(ConfigError(reader.faults)) }
    }

    /// The hosts to which tokens may be sent.
    pub fn hosts(&self) -> crate::azure::transport::Hosts {
        let landing = self.hsm.landing.as_ref().map(Landing::container);
        let storage = [&self.container, &self.second_container, &self.jobs_container, &self.queue_service];
        let storage = storage.map(Option::as_ref);
        let storage = storage
            .into_iter()
            .chain([landing])
            .flatten()
            .filter_map(|url| url.host_str().map(str::to_owned));
        let hsms = self.hsm.hsms.iter().map(|hsm| hsm.host().to_owned());
        let drills = self.drill_vaults().into_iter().map(|vault| vault.host().to_owned());
        self.vaults
            .iter()
            .map(|vault| vault.host().to_owned())
            .chain(hsms)
            .chain(storage)
            .chain(drills)
            .collect()
    }

    /// The drill vaults that this process may call: a keeper's, and those of a person at a terminal.
    pub fn drill_vaults(&self) -> Vec<&Source> {
        if self.role.keeps() || self.at_terminal { self.drills.vaults() } else { Vec::new() }
    }
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    fn vaults(&mut self, required: bool) -> Vec<Source> {
        const NAME: &str = "KEYVAULT_BACKUP_VAULTS";
        self.required(NAME, required);
        self.sources(NAME, Source::vault)
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

    fn gone_share(&mut self) -> GoneShare {
        let default = GoneShare::default();
        let percent = self.number("KEYVAULT_BACKUP_GONE_SHARE", default.into(), 0_u8, 100);
        GoneShare::try_from(percent).unwrap_or(default)
    }

    fn retention(&mut self, may_be_wrong: bool) -> Option<Result<Policies, PoliciesError>> {
        const NAME: &str = "KEYVAULT_BACKUP_RETENTION";
        let read = (self.lookup)(NAME)?.parse::<Policies>();
        if let Err(error) = &read
            && !may_be_wrong
        {
            self.fault(NAME, error);
        }
        Some(read)
    }

    fn verify_within(&mut self) -> Rotation {
        Rotation::within(self.number("KEYVAULT_BACKUP_VERIFY_WITHIN_DAYS", Rotation::DEFAULT.days(), 1, 400))
    }

    fn platform_auth(&self) -> bool {
        (self.lookup)("WEBSITE_AUTH_ENABLED").is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    fn restores(&mut self) -> Pace {
        let keys = self.number("KEYVAULT_BACKUP_RESTORE_KEYS", 10, 1, 1_000_000);
        let secrets = self.number("KEYVAULT_BACKUP_RESTORE_SECRETS", 300, 1, 1_000_000);
        Pace { secrets, keys, certificates: keys }
    }

    fn locations(&mut self) -> BTreeMap<SourceName, Location> {
        const NAME: &str = "KEYVAULT_BACKUP_PLACES";
        let mut locations = BTreeMap::new();
        for part in self.parts(NAME) {
            let split =
                part.split_once('=').and_then(|(name, location)| Some((name, location.split_once('/')?)));
            let Some((Ok(vault), (subscription, geography))) =
                split.map(|(name, location)| (name.parse(), location))
            else {
                self.fault(NAME, "expected NAME=SUBSCRIPTION/GEOGRAPHY; either may be empty");
                continue;
            };
            let (subscription, geography) = (Fact::new(subscription), Fact::new(geography));
            let location = Location { tenant: None, subscription, geography };
            locations.insert(vault, location);
        }
        locations
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
        pairs.extend([
            ("KEYVAULT_BACKUP_FULL_PASS_DAYS", "0"),
            ("KEYVAULT_BACKUP_IDENTITY", "root"),
            ("KEYVAULT_BACKUP_GONE_SHARE", "101"),
        ]);
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
                "KEYVAULT_BACKUP_GONE_SHARE",
            ]
        );
    }

    #[test]
    fn an_error_in_the_policy_stops_the_keeper_and_no_backup() {
        for (role, needs, stops) in [
            ("keeper", Needs::Serve, true),
            ("backup", Needs::Jobs, true),
            ("backup", Needs::Serve, false),
            ("restore", Needs::Serve, false),
            ("all", Needs::Serve, false),
        ] {
            let wrong = [("KEYVAULT_BACKUP_ROLE", role), ("KEYVAULT_BACKUP_RETENTION", "within=1")];
            let config = read(&[&GOOD[..], &wrong].concat(), needs);
            assert_eq!(config.is_err(), stops, "{role} {config:?}");
            assert!(config.is_ok_and(|config| matches!(config.retention, Some(Err(_)))) != stops, "{role}");
        }
    }

    #[test]
    fn a_list_of_sources_names_at_least_one() {
        for name in ["KEYVAULT_BACKUP_VAULTS", "KEYVAULT_BACKUP_HSMS"] {
            let mut pairs = GOOD.to_vec();
            pairs[0] = (name, " , ");
            assert!(
                read(&pairs, Needs::Serve).is_err_and(|error| error.to_string().contains(name)),
                "{name}"
            );
        }
    }

    #[test]
    fn what_reads_jobs_needs_no_list_of_vaults() {
        assert!(read(&GOOD[1..3], Needs::Jobs).is_ok());
        assert!(read(&GOOD[1..2], Needs::Jobs).is_err());
    }

    #[test]
    fn a_backup_into_a_file_needs_no_storage() {
        assert!(read(&GOOD[..1], Needs::Vaults).is_ok());
        assert!(read(&[], Needs::Vaults).is_err());
    }
}
