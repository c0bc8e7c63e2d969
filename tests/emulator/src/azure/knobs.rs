//! How the emulated services behave when nothing is broken: how fast, how strict, in what portions.

use std::{collections::HashMap, time::Duration};

use parking_lot::RwLock;

use super::operation::Service;

/// The limit of one vault, over a sliding second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests a second are served. The others are answered 429 and do not count.
    pub requests_per_second: usize,
    /// Seconds to put into `Retry-After`. The service was seen without that header.
    pub retry_after: Option<u32>,
}

#[derive(Debug)]
struct Values {
    latency: HashMap<Service, Duration>,
    rate_limit: Option<RateLimit>,
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
