//! The Azure services that the product calls: Key Vault, Blob and Queue storage, the identity endpoint.
//!
//! Everything goes through the official clients; this module adds what they leave to their user:
//!
//! - [`transport`]: one shared HTTP client with time-outs and without redirects, which refuses to send
//!   anything to a host that is not configured;
//! - [`credential`]: which identity to use;
//! - [`retry`]: short, capped retries, because the queue does the long ones;
//! - [`limiter`]: the pace at which a vault is called;
//! - [`dates`]: how far the services' clocks are from ours;
//! - [`error`]: errors in the domain's words, with the service's own code, text and request id; and [`cause`], why
//!   something was refused;
//! - [`managed_hsm`]: a client for the administration of Managed HSMs, which the official ones lack, and
//!   [`hsm`], the same in the program's words.

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

use self::{dates::Dates, retry::ShortRetry, transport::GuardedTransport};

/// The longest wait for the second try of a look.
const LOOK_WAIT: Duration = Duration::from_secs(2);

/// What every client is made of.
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

    /// The same for a look at what may well be broken: a request is tried twice, and clocks are compared.
    #[must_use]
    pub fn for_preflight(&self, dates: Arc<Dates>) -> Self {
        Self { retry: Arc::new(ShortRetry::once(LOOK_WAIT)), dates: Some(dates), ..self.clone() }
    }

    /// The same for what is asked again soon anyway: a request is tried once.
    #[must_use]
    pub fn without_retries(&self) -> Self {
        Self { retry: Arc::new(ShortRetry::none()), ..self.clone() }
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
