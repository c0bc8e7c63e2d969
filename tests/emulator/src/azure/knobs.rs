//! How the emulated services behave when nothing is broken: how fast, how strict, in what portions.

use std::{collections::HashMap, time::Duration};

use parking_lot::RwLock;

use super::{keyvault::Kind, operation::Service};

/// The limit of one vault, over a sliding second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests a second are served. The others are answered 429 and do not count.
    pub requests_per_second: usize,
    /// Seconds to put into `Retry-After`. The service was seen without that header.
    pub retry_after: Option<u32>,
}

/// How many restores every vault takes in ten seconds, by kind. The others are answered 429 and do not count.
///
/// That restores count as the making of objects does is inferred; the limits of that are documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreLimits {
    /// Restores of secrets.
    pub secrets: usize,
    /// Restores of keys.
    pub keys: usize,
    /// Restores of certificates.
    pub certificates: usize,
    /// Seconds to put into `Retry-After`. The service was seen without that header.
    pub retry_after: Option<u32>,
}

impl RestoreLimits {
    /// The documented limits for making secrets and keys in software. A certificate counts as the key that it
    /// brings.
    pub fn documented() -> Self {
        Self { secrets: 300, keys: 20, certificates: 20, retry_after: None }
    }

    pub(crate) fn of(self, kind: Kind) -> usize {
        match kind {
            Kind::Secret => self.secrets,
            Kind::Key => self.keys,
            Kind::Certificate => self.certificates,
        }
    }
}

/// How long a vault needs for what it does not do at once, by the emulator's clock. No time at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delays {
    /// From the deletion of an object until it shows as deleted.
    pub deletion: Duration,
    /// From its recovery until it is live.
    pub recovery: Duration,
    /// From its purge until something of that name can be restored.
    pub purge: Duration,
    /// From the request to make a certificate until it is there.
    pub creation: Duration,
}

impl Delays {
    /// The recorded medians.
    pub fn realistic() -> Self {
        Self::seconds([17, 20, 20, 8])
    }

    /// The longest that were recorded.
    pub fn longest() -> Self {
        Self::seconds([149, 90, 419, 20])
    }

    fn seconds(of: [u64; 4]) -> Self {
        let [deletion, recovery, purge, creation] = of.map(Duration::from_secs);
        Self { deletion, recovery, purge, creation }
    }
}

#[derive(Debug)]
struct Values {
    latency: HashMap<Service, Duration>,
    rate_limit: Option<RateLimit>,
    restore_limits: Option<RestoreLimits>,
    delays: Delays,
    max_versions: usize,
    page_size: usize,
    blob_page_size: usize,
}

/// Settings which may change while the emulator runs.
#[derive(Debug)]
pub struct Knobs {
    values: RwLock<Values>,
}

impl Default for Knobs {
    fn default() -> Self {
        let values = Values {
            latency: HashMap::new(),
            rate_limit: None,
            restore_limits: None,
            delays: Delays::default(),
            max_versions: 500,
            page_size: 25,
            blob_page_size: 5000,
        };
        Self { values: RwLock::new(values) }
    }
}

impl Knobs {
    /// How long each answer of a service takes at least. Zero at first.
    pub fn set_latency(&self, service: Service, latency: Duration) {
        self.values.write().latency.insert(service, latency);
    }

    /// The latency of a service.
    pub fn latency(&self, service: Service) -> Duration {
        self.values.read().latency.get(&service).copied().unwrap_or_default()
    }

    /// Limits every vault, or lifts the limit. There is none at first.
    pub fn set_rate_limit(&self, limit: impl Into<Option<RateLimit>>) {
        self.values.write().rate_limit = limit.into();
    }

    /// The limit of each vault.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.values.read().rate_limit
    }

    /// Limits the restores of every vault, or lifts the limits. There are none at first.
    pub fn set_restore_limits(&self, limits: impl Into<Option<RestoreLimits>>) {
        self.values.write().restore_limits = limits.into();
    }

    /// The limits for the restores of each vault.
    pub fn restore_limits(&self) -> Option<RestoreLimits> {
        self.values.read().restore_limits
    }

    /// How long vaults need to delete, recover and purge from now on. What is under way stays as it is.
    pub fn set_delays(&self, delays: Delays) {
        self.values.write().delays = delays;
    }

    /// How long vaults need to delete, recover and purge.
    pub fn delays(&self) -> Delays {
        self.values.read().delays
    }

    /// How many versions an object may have and still be backed up. 500 at first.
    pub fn set_max_versions_for_backup(&self, versions: usize) {
        self.values.write().max_versions = versions;
    }

    /// How many versions an object may have and still be backed up.
    pub fn max_versions_for_backup(&self) -> usize {
        self.values.read().max_versions
    }

    /// The largest page of a vault's lists. 25 at first.
    pub fn set_page_size(&self, items: usize) {
        self.values.write().page_size = items.max(1);
    }

    /// The largest page of a vault's lists.
    pub fn page_size(&self) -> usize {
        self.values.read().page_size
    }

    /// The largest page of a blob listing. 5000 at first.
    pub fn set_blob_page_size(&self, items: usize) {
        self.values.write().blob_page_size = items.max(1);
    }

    /// The largest page of a blob listing.
    pub fn blob_page_size(&self) -> usize {
        self.values.read().blob_page_size
    }
}
