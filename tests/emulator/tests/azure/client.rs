//! A small client: reqwest through the proxy, with tokens from the identity endpoint.

use keyvault_backup_emulator::Azure;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

pub(crate) const VAULT: &str = "https://vault.azure.net";
pub(crate) const HSM: &str = "https://managedhsm.azure.net";
pub(crate) const STORAGE: &str = "https://storage.azure.com";

pub(crate) struct Http {
    pub(crate) client: Client,
    vault: String,
    hsm: String,
    storage: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of an error, whichever service it is of.
    pub(crate) fn code(&self) -> String {
        match self.header("x-ms-error-code") {
            "" => self.json()["error"]["code"].as_str().unwrap().to_owned(),
            code => code.to_owned(),
        }
    }
}

impl Http {
    pub(crate) async fn new(azure: &Azure) -> Self {
        let ca = std::fs::read(azure.ca_pem_path()).unwrap();
        let client = Client::builder()
            .proxy(reqwest::Proxy::https(azure.proxy_url()).unwrap())
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .build()
            .unwrap();
        let vault = token(&client, azure, VAULT).await;
        let hsm = token(&client, azure, HSM).await;
        let storage = token(&client, azure, STORAGE).await;
        Self { client, vault, hsm, storage }
    }

    pub(crate) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let token = match url {
            url if url.contains(".vault.") => &self.vault,
            url if url.contains(".managedhsm.") => &self.hsm,
            _ => &self.storage,
        };
        let request = self.client.request(method, url).bearer_auth(token);
        // Only storage has versions in a header.
        if token == &self.storage { request.header("x-ms-version", "2026-04-06") } else { request }
    }

    pub(crate) async fn get(&self, url: &str) -> Answer {
        answer(self.request(Method::GET, url)).await
    }

    pub(crate) async fn post(&self, url: &str) -> Answer {
        answer(self.request(Method::POST, url)).await
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response: Response = send(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the product's rules for its transport are not for tests of the other side"
)]
pub(crate) async fn send(request: RequestBuilder) -> reqwest::Result<Response> {
    request.send().await
}

pub(crate) fn env(azure: &Azure, name: &str) -> String {
    azure.env().into_iter().find(|(n, _)| n == name).unwrap().1
}

async fn token(client: &Client, azure: &Azure, resource: &str) -> String {
    let url = format!("{}?api-version=2019-08-01&resource={resource}", env(azure, "IDENTITY_ENDPOINT"));
    let answer = answer(client.get(url).header("x-identity-header", env(azure, "IDENTITY_HEADER"))).await;
    assert_eq!(answer.status, StatusCode::OK);
    let json = answer.json();
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["resource"], resource);
    assert!(json["expires_on"].as_str().unwrap().parse::<i64>().unwrap() > 0);
    json["access_token"].as_str().unwrap().to_owned()
}
