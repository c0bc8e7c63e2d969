//! The product's own clients, in this process, talking to an emulator through its proxy.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use keyvault_backup::{
    azure::{
        Connection,
        transport::GuardedTransport,
        vault::{VaultClient, restore::RestorePace},
    },
    domain::restore::Pace,
};
use keyvault_backup_emulator::{Azure, VaultHandle};
use time::OffsetDateTime;

/// What clients are made of.
pub struct Wire {
    pub connection: Connection,
    /// The plain HTTP client underneath, for requests that the product does not make.
    pub http: reqwest::Client,
    tokens: Arc<Tokens>,
}

impl Wire {
    /// May call these hosts. Waits between retries are as good as none.
    pub fn new(azure: &Azure, hosts: impl IntoIterator<Item = String>) -> Self {
        let ca = std::fs::read(azure.ca_pem_path()).expect("the emulator has a CA");
        let http = reqwest::Client::builder()
            .proxy(reqwest::Proxy::https(azure.proxy_url()).expect("the proxy has an address"))
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).expect("the CA is a certificate")])
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("the client is built");
        let tokens =
            Arc::new(Tokens { azure: azure.clone(), scopes: Mutex::default(), first: Mutex::default() });
        let hosts: BTreeSet<_> = hosts.into_iter().collect();
        let connection = Connection::new(
            GuardedTransport::new(http.clone(), hosts),
            Arc::clone(&tokens) as _,
            Duration::from_millis(1),
            "2025-07-01".to_owned(),
        );
        Self { connection, http, tokens }
    }

    /// A client of a vault and nothing else.
    pub fn to_vault(azure: &Azure, vault: &VaultHandle) -> (Self, VaultClient) {
        let url = vault.url().parse().expect("it is the URL of a vault");
        let host = vault.url().replace("https://", "");
        let wire = Self::new(azure, [host]);
        let client = VaultClient::new(&url, &wire.connection, 100_000, RestorePace::new(Pace::of_all(300)))
            .expect("the client is built");
        (wire, client)
    }

    /// An identity whose tokens the emulator knows.
    pub fn credential(&self) -> Arc<dyn TokenCredential> {
        Arc::clone(&self.tokens) as _
    }

    /// Hands this out as the next token.
    pub fn hand_out_once(&self, token: &str) {
        *self.tokens.first.lock().expect("no test panicked with it") = Some(token.to_owned());
    }

    /// What tokens were asked for, in order.
    pub fn scopes(&self) -> Vec<String> {
        self.tokens.scopes.lock().expect("no test panicked with it").clone()
    }
}

/// An identity whose tokens the emulator knows, for whatever they are asked for.
struct Tokens {
    azure: Azure,
    scopes: Mutex<Vec<String>>,
    /// A token that is handed out once, as by a credential that does not know it to be worthless.
    first: Mutex<Option<String>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

#[async_trait::async_trait]
impl TokenCredential for Tokens {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let scope = scopes.concat();
        let first = self.first.lock().expect("no test panicked with it").take();
        let issue = || self.azure.identity().issue(scope.trim_end_matches("/.default"), None);
        let token = first.unwrap_or_else(issue);
        self.scopes.lock().expect("no test panicked with it").push(scope);
        Ok(AccessToken::new(token, in_an_hour()))
    }
}

#[expect(clippy::disallowed_methods, reason = "the official client goes by the real time")]
fn in_an_hour() -> OffsetDateTime {
    OffsetDateTime::now_utc() + time::Duration::HOUR
}
