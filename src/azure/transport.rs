//! The shared HTTP client, and the guard in front of it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    Bytes,
    error::{Error, ErrorKind},
    http::{AsyncRawResponse, HttpClient, Request, headers::AUTHORIZATION},
};
use futures::{Stream, TryStreamExt as _};

/// Time-out for connecting, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest answer that is read. The longest expected is the index of a large vault, with a few megabytes.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// Hosts to which tokens may be sent.
pub type Hosts = BTreeSet<String>;

/// A transport that calls only configured hosts, and only over TLS.
///
/// Every client of the program ends here, so the rule also covers a `nextLink` in a list page, a
/// redirect (never followed) and a vault name in a queue message. The body is read to its end before the
/// answer is passed on, so that a connection that breaks halfway is a failed try, which the retry policy
/// sees, and not a short answer.
#[derive(Debug)]
pub struct GuardedTransport {
    client: reqwest::Client,
    hosts: Hosts,
}

impl GuardedTransport {
    /// The transport for services: only `hosts` are ever called.
    pub fn new(client: reqwest::Client, hosts: Hosts) -> Arc<Self> {
        Arc::new(Self { client, hosts })
    }

    /// The same guard in front of another client.
    pub(super) fn with_client(&self, client: reqwest::Client) -> Arc<Self> {
        Self::new(client, self.hosts.clone())
    }

    fn check(&self, request: &Request) -> azure_core::Result<()> {
        let url = request.url();
        let host = url.host_str().unwrap_or_default();
        let allowed =
            url.scheme() == "https" && url.port().is_none_or(|port| port == 443) && self.hosts.contains(host);
        if allowed {
            return Ok(());
        }
        let text =
            format!("refused to call {}://{host}: it is not one of the configured hosts", url.scheme());
        Err(Error::with_message(ErrorKind::Other, text))
    }
}

#[async_trait]
impl HttpClient for GuardedTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.check(request)?;
        execute(&self.client, request).await
    }
}

/// The transport for getting tokens: it calls the identity provider, and never carries a token itself.
#[derive(Debug)]
pub struct TokenTransport(reqwest::Client);

impl TokenTransport {
    /// Uses the shared client.
    pub fn new(client: reqwest::Client) -> Arc<Self> {
        Arc::new(Self(client))
    }
}

#[async_trait]
impl HttpClient for TokenTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        if request.headers().get_optional_str(&AUTHORIZATION).is_some() {
            return Err(Error::with_message(
                ErrorKind::Other,
                "refused to send a token to an identity provider",
            ));
        }
        execute(&self.0, request).await
    }
}

async fn execute(client: &reqwest::Client, request: &Request) -> azure_core::Result<AsyncRawResponse> {
    let answer = client.execute_request(request).await?;
    let (status, headers, body) = answer.deconstruct();
    Ok(AsyncRawResponse::from_bytes(status, headers, collect(body, ANSWER_LIMIT).await?))
}

/// Reads a body to its end, or to where it is longer than `limit`.
async fn collect(
    mut body: impl Stream<Item = azure_core::Result<Bytes>> + Unpin,
    limit: usize,
) -> azure_core::Result<Bytes> {
    let (mut pieces, mut length) = (Vec::new(), 0);
    while let Some(piece) = body.try_next().await? {
        length += piece.len();
        if length > limit {
            let text = format!("the answer is longer than {limit} bytes");
            return Err(Error::with_message(ErrorKind::DataConversion, text));
        }
        pieces.push(piece);
    }
    // Most answers come in one piece, which is passed on without a copy.
    Ok(if pieces.len() == 1 { pieces.remove(0) } else { pieces.concat().into() })
}

/// The shared HTTP client. `answer` bounds the wait for a server's next bytes, and four times `answer` the whole
/// exchange.
///
/// # Errors
/// When the system's certificate authorities cannot be read.
pub fn http_client(answer: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(answer)
        .timeout(answer * 4)
        .redirect(reqwest::redirect::Policy::none())
        // Retries are left to the policy in front of this.
        .retry(reqwest::retry::never())
        // A ranged download must arrive as stored: the storage client checks lengths.
        .no_gzip()
        .no_deflate()
        .build()
}

#[cfg(test)]
mod tests {
    use azure_core::http::{Method, Url};
    use futures::{StreamExt as _, stream};

    use super::*;

    fn check(url: &str) -> bool {
        let client = http_client(Duration::from_secs(1)).unwrap();
        let guard = GuardedTransport::new(client, ["kv.vault.azure.net".to_owned()].into());
        guard.check(&Request::new(url.parse::<Url>().unwrap(), Method::Get)).is_ok()
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read_to_it() {
        let piece = || Ok(Bytes::from_static(&[7; 10]));
        let long = stream::repeat_with(piece);
        assert!(collect(long, 100).await.is_err());
        let whole = stream::repeat_with(piece).take(10);
        assert_eq!(collect(whole, 100).await.unwrap(), vec![7; 100]);
    }

    #[test]
    fn only_configured_hosts_are_called() {
        assert!(check("https://kv.vault.azure.net/secrets"));
        assert!(check("https://kv.vault.azure.net:443/secrets"));
        for bad in [
            "http://kv.vault.azure.net/secrets",
            "https://kv.vault.azure.net:8443/secrets",
            "https://other.vault.azure.net/secrets",
            "https://kv.vault.azure.net.evil.example/",
            "https://kv.vault.azure.net@evil.example/",
        ] {
            assert!(!check(bad), "{bad}");
        }
    }
}
