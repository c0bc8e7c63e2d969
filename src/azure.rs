//! The Azure services that the product calls: Key Vault, Blob and Queue storage, the identity endpoint.
//!
//! Everything goes through the official clients; this module adds the parts that they leave to their user:
//!
//! - [`transport`]: one shared HTTP client with time-outs and without redirects, which refuses to send
//!   anything to a host that is not configured;
//! - [`credential`]: the program's identity;
//! - [`retry`]: short, capped retries, because the queue does the long ones;
//! - [`limiter`]: the pace at which a vault is called;
//! - [`dates`]: the offset of the services' clocks from ours;
//! - [`error`]: errors in the domain's terms, with the service's own code, text and request id; and [`cause`], the
//!   cause of a refusal;
//! - [`managed_hsm`]: a client for the administration of Managed HSMs, which the official clients lack, and [`hsm`],
//!   its adapter to the domain's terms.

pub mod cause;
pub mod container;
pub mod credential;
pub mod dates;
pub mod error;
pub mod hsm;
pub mod limiter;
pub mod managed_hsm;
pub mod queue;
pub mod retry;
pub mod transport;
pub mod vault;

use std::{sync::Arc, time::Duration};

use azure_core::{
    credentials::TokenCredential,
    http::{ClientOptions, RetryOptions, Transport, policies::Policy},
};

use self::{
    dates::Dates,
    retry::ShortRetry,
    transport::{GuardedTransport, http_client},
};

/// How long storage may work on a copy without a word; a whole copy may take four times as long, which is less than a function
/// may run.
const COPY: Duration = Duration::from_secs(300);

/// The longest wait before the second try of a preflight's request.
const PREFLIGHT_WAIT: Duration = Duration::from_secs(2);

/// The parts that all clients share.
#[derive(Clone, Debug)]
pub struct Connection {
    transport: Arc<GuardedTransport>,
    credential: Arc<dyn TokenCredential>,
    retry: Arc<ShortRetry>,
    dates: Option<Arc<Dates>>,
    api_version: String,
}

impl Connection {
    /// Puts the parts together. `api_version` is the Key Vault service version to ask for.
    pub fn new(
        transport: Arc<GuardedTransport>,
        credential: Arc<dyn TokenCredential>,
        longest_wait: Duration,
        api_version: String,
    ) -> Self {
        let retry = Arc::new(ShortRetry::new(longest_wait));
        Self { transport, credential, retry, dates: None, api_version }
    }

    /// The connection for a preflight, which meets broken services: a request is tried twice, and clocks are compared.
    #[must_use]
    pub fn for_preflight(&self, dates: Arc<Dates>) -> Self {
        Self { retry: Arc::new(ShortRetry::once(PREFLIGHT_WAIT)), dates: Some(dates), ..self.clone() }
    }

    /// The connection for requests that are repeated soon anyway: each is tried once.
    #[must_use]
    pub fn without_retries(&self) -> Self {
        Self { retry: Arc::new(ShortRetry::none()), ..self.clone() }
    }

    /// The connection for copies: one request may move gigabytes.
    ///
    /// # Errors
    /// When the system's certificate authorities cannot be read.
    pub fn patient(&self) -> reqwest::Result<Self> {
        let client = http_client(COPY)?;
        Ok(Self { transport: self.transport.with_client(client), ..self.clone() })
    }

    fn client_options(&self, mut per_try: Vec<Arc<dyn Policy>>) -> ClientOptions {
        per_try.extend(self.dates.clone().map(|dates| dates as Arc<dyn Policy>));
        ClientOptions {
            per_try_policies: per_try,
            retry: RetryOptions::custom(Arc::clone(&self.retry)),
            transport: Some(Transport::new(Arc::clone(&self.transport) as _)),
            ..ClientOptions::default()
        }
    }
}
