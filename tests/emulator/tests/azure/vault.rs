//! Key Vault.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keyvault_backup_emulator::{
    Azure, BackupError, CertificateSpec, KeySpec, Kind, Material, Operation, RateLimit, SecretSpec,
    VaultHandle,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, Http, answer, send};

const V: &str = "api-version=2025-07-01";

async fn start() -> (Azure, VaultHandle, Http) {
    let azure = Azure::start().await.unwrap();
    let vault = azure.vault("v1");
    let http = Http::new(&azure).await;
    (azure, vault, http)
}

/// Follows a list to its end and checks the form of each link on the way.
async fn pages(http: &Http, url: String) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut next = Some(url);
    while let Some(url) = next {
        let json = http.get(&url).await.json();
        pages.push(json["value"].as_array().unwrap().clone());
        assert!(json.as_object().unwrap().contains_key("nextLink"));
        next = json["nextLink"].as_str().map(str::to_owned);
        assert!(next.as_ref().is_none_or(
            |link| link.starts_with("https://v1.vault.azure.net:443/") && link.contains("&$skiptoken=ey")
        ));
    }
    pages
}

fn blob(answer: &Answer) -> Vec<u8> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    BASE64_URL_SAFE_NO_PAD.decode(answer.json()["value"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_request_without_a_token_is_challenged() {
    let (azure, vault, http) = start().await;
    let url = format!("{}/secrets?{V}", vault.url());
    let challenge = answer(http.client.get(&url)).await;
    assert_eq!(challenge.status, StatusCode::UNAUTHORIZED);
    let header = challenge.header("www-authenticate");
    assert!(header.starts_with("Bearer authorization=\"https://login.microsoftonline.com/"), "{header}");
    assert!(header.ends_with(", resource=\"https://vault.azure.net\""), "{header}");
    assert_eq!(challenge.json()["error"]["message"], "AKV10000: Request is missing a Bearer or PoP token.");

    let wrong = azure.identity().issue("https://storage.azure.com", None);
    assert_eq!(answer(http.client.get(&url).bearer_auth(wrong)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(http.get(&url).await.text, r#"{"value":[],"nextLink":null}"#);
    azure.identity().revoke_all();
    assert_eq!(http.get(&url).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(azure.requests().total_with_status(Operation::ListSecrets, 401), 3);
}

#[tokio::test]
async fn lists_come_in_pages_of_25() {
    let (_azure, vault, http) = start().await;
    for n in 0..60 {
        vault.put_secret(&format!("Secret-{n:02}"), SecretSpec::new("x"));
        vault.put_key("many", KeySpec::rsa(2048));
    }
    let url = vault.url();
    let listed = pages(&http, format!("{url}/secrets?{V}&maxresults=100")).await;
    assert_eq!(listed.iter().map(Vec::len).collect::<Vec<_>>(), [25, 25, 10]);
    let ids: Vec<_> = listed.concat().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids[0], format!("{url}/secrets/Secret-00"));
    let names: Vec<_> = ids.iter().filter_map(|id| id.rsplit('/').next()).collect();
    assert_eq!(names, vault.objects(Kind::Secret));

    let listed = pages(&http, format!("{url}/keys/many/versions?{V}&maxresults=7")).await;
    assert_eq!(listed.len(), 9);
    let mut ids: Vec<_> = listed
        .concat()
        .iter()
        .map(|item| item["kid"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
        .collect();
    let mut versions = vault.versions(Kind::Key, "many");
    ids.sort();
    versions.sort();
    assert_eq!(ids, versions);
    assert_eq!(pages(&http, format!("{url}/keys/none/versions?{V}")).await, [Vec::<Value>::new()]);
}

#[tokio::test]
async fn items_and_bundles_look_as_recorded() {
    let (_azure, vault, http) = start().await;
    vault.configure(|options| options.recoverable_days = 7);
    let url = vault.url();
    let set = json!({"value": "DEF456", "tags": {"test": "foo"}, "contentType": "test type"});
    let request = http.request(Method::PUT, &format!("{url}/secrets/secret1?{V}")).body(set.to_string());
    let set = answer(request).await;
    assert_eq!(set.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(set.header("x-ms-keyvault-region"), "westeurope");
    let set = set.json();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&set), ["attributes", "contentType", "id", "tags", "value"]);
    assert_eq!(
        keys(&set["attributes"]),
        ["created", "enabled", "recoverableDays", "recoveryLevel", "updated"]
    );
    assert_eq!(set["attributes"]["recoveryLevel"], "CustomizedRecoverable+Purgeable");

    vault.put_certificate("cert1", CertificateSpec::new("CN=a"));
    let secrets = http.get(&format!("{url}/secrets?{V}")).await.json();
    assert_eq!(secrets["value"][0]["managed"], true);
    assert_eq!(secrets["value"][0]["contentType"], "application/x-pkcs12");
    assert_eq!(secrets["value"][1]["managed"], Value::Null);
    let keys_listed = http.get(&format!("{url}/keys?{V}")).await.json();
    assert_eq!(keys(&keys_listed["value"][0]), ["attributes", "kid", "managed"]);
    let certificate = http.get(&format!("{url}/certificates/cert1?{V}")).await.json();
    assert_eq!(keys(&certificate), ["attributes", "cer", "id", "kid", "policy", "sid", "x5t"]);

    vault.update(Kind::Secret, "secret1", |attributes| attributes.enabled = false);
    let disabled = http.get(&format!("{url}/secrets/secret1?{V}")).await;
    assert_eq!(
        (disabled.status, disabled.json()["error"]["innererror"]["code"].clone()),
        (StatusCode::FORBIDDEN, json!("SecretDisabled"))
    );
    assert_eq!(http.post(&format!("{url}/secrets/secret1/backup?{V}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_backup_holds_the_object() {
    let (_azure, vault, http) = start().await;
    let url = vault.url();
    let first = vault.put_secret("s", SecretSpec::new("one").tag("a", "b"));
    let second = vault.put_secret("s", SecretSpec::new("two").disabled());
    vault.put_key("k", KeySpec::ec("P-384"));
    vault.put_certificate("c", CertificateSpec::default());

    let secret = blob(&http.post(&format!("{url}/secrets/s/backup?{V}")).await);
    assert!(secret.starts_with(b"\x29AzureKeyVaultSecretBackupV1.microsoft.comeyJ"));
    let state = VaultHandle::open_backup(&secret).unwrap();
    assert_eq!(
        (state.kind, state.name.as_str(), state.vault.as_str()),
        (Kind::Secret, "s", "v1.vault.azure.net")
    );
    assert_eq!(state.versions.iter().map(|v| &v.id).collect::<Vec<_>>(), [&first, &second]);
    assert_eq!(state.versions[0].material, Material::Secret { value: "one".into(), content_type: None });
    assert_eq!(state.versions[0].attributes.tags["a"], "b");
    assert!(!state.versions[1].attributes.enabled);

    let again = blob(&http.post(&format!("{url}/secrets/s/backup?{V}")).await);
    assert_ne!(secret, again);
    let key = blob(&http.post(&format!("{url}/keys/k/backup?{V}")).await);
    assert!(key.starts_with(b"\x26AzureKeyVaultKeyBackupV1.microsoft.comeyJ"));
    let certificate = blob(&http.post(&format!("{url}/certificates/c/backup?{V}")).await);
    assert!(certificate.starts_with(b"\x26AzureKeyVaultKeyBackupV1.microsoft.comeyJ"));
    assert!(
        (4_000..6_000).contains(&secret.len())
            && (8_000..10_000).contains(&key.len())
            && (30_000..34_000).contains(&certificate.len())
    );
    let lengths: Vec<_> = key[39..]
        .split(|b| *b == b'.')
        .map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap().len())
        .collect();
    assert_eq!((lengths[1], lengths[2], lengths[3] % 16, lengths[4]), (256, 16, 0, 32));

    let mut damaged = key.clone();
    damaged[4_000] ^= 1;
    assert_eq!(VaultHandle::open_backup(&damaged), Err(BackupError::Corrupt));
    assert_eq!(VaultHandle::open_backup(b"\x03abc"), Err(BackupError::Version));
}

#[tokio::test]
async fn refusals_are_in_the_words_of_the_service() {
    let (azure, vault, http) = start().await;
    let url = vault.url();
    let missing = http.post(&format!("{url}/secrets/nope/backup?{V}")).await;
    assert_eq!((missing.status, missing.code().as_str()), (StatusCode::NOT_FOUND, "SecretNotFound"));
    assert!(
        missing.json()["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("A secret with (name/id) nope was not found in this key vault. If")
    );

    vault.put_certificate("c", CertificateSpec::default());
    let managed = http.post(&format!("{url}/keys/c/backup?{V}")).await;
    assert_eq!(managed.status, StatusCode::FORBIDDEN);
    assert!(managed.text.contains("is not allowed on this Key, since it is associated with a certificate."));

    let html = http.post(&format!("{url}/keys/key%21@%23$%25/backup?{V}")).await;
    assert_eq!(
        (html.status, html.header("content-type")),
        (StatusCode::BAD_REQUEST, "text/html; charset=utf-8")
    );
    let verb = answer(http.request(Method::PUT, &format!("{url}/secrets/?{V}"))).await;
    assert_eq!(
        (verb.status, verb.json()["error"]["message"].clone()),
        (StatusCode::METHOD_NOT_ALLOWED, json!("HTTP PUT not allowed"))
    );
    assert_eq!(http.get(&format!("{url}/secrets")).await.status, StatusCode::BAD_REQUEST);

    azure.knobs().set_max_versions_for_backup(2);
    for _ in 0..3 {
        vault.put_key("k", KeySpec::default());
    }
    assert_eq!(http.post(&format!("{url}/keys/k/backup?{V}")).await.status, StatusCode::BAD_REQUEST);
    assert!(vault.remove(Kind::Key, "k"));
    assert_eq!(http.post(&format!("{url}/keys/k/backup?{V}")).await.code(), "KeyNotFound");
}

#[tokio::test]
async fn a_vault_is_throttled_by_the_second() {
    let (azure, vault, http) = start().await;
    azure.knobs().set_rate_limit(RateLimit { requests_per_second: 3, retry_after: Some(2) });
    let url = format!("{}/secrets?{V}", vault.url());
    for _ in 0..3 {
        assert_eq!(http.get(&url).await.status, StatusCode::OK);
    }
    let throttled = http.get(&url).await;
    assert_eq!(
        (throttled.status, throttled.code().as_str(), throttled.header("retry-after")),
        (StatusCode::TOO_MANY_REQUESTS, "Throttled", "2")
    );
    azure.clock().advance(std::time::Duration::from_secs(1));
    assert_eq!(http.get(&url).await.status, StatusCode::OK);
}

#[tokio::test]
async fn only_emulated_hosts_are_reachable() {
    let (azure, _vault, http) = start().await;
    for url in ["https://example.com/", "https://unknown.vault.azure.net/secrets"] {
        assert!(send(http.client.get(url)).await.is_err());
    }
    assert_eq!(azure.vault("gov.vault.usgovcloudapi.net").url(), "https://gov.vault.usgovcloudapi.net");
}

#[tokio::test]
async fn a_certificate_and_its_twins_change_together() {
    let (azure, vault, http) = start().await;
    let id = vault.put_certificate("c", CertificateSpec::default().tag("a", "b"));
    assert_eq!(vault.versions(Kind::Key, "c"), [id.as_str()]);
    azure.clock().advance(std::time::Duration::from_secs(60));
    let patch = json!({"attributes": {"enabled": false, "exp": 2_000_000_000}, "tags": {}});
    let url = format!("{}/certificates/c?{V}", vault.url());
    let patched = answer(http.request(Method::PATCH, &url).body(patch.to_string())).await;
    assert_eq!(patched.json()["attributes"]["enabled"], false);
    for kind in Kind::ALL {
        let attributes = vault.attributes(kind, "c").unwrap();
        assert!(!attributes.enabled && attributes.updated > attributes.created);
        assert_eq!(attributes.expires.unwrap().unix_timestamp(), 2_000_000_000);
        assert_eq!(attributes.tags.len(), usize::from(kind != Kind::Certificate));
    }
    assert!(vault.remove(Kind::Certificate, "c") && vault.is_empty());
}

#[tokio::test]
async fn a_key_is_created_over_rest() {
    let (_azure, vault, http) = start().await;
    let url = format!("{}/keys/k/create?{V}", vault.url());
    let created = answer(http.request(Method::POST, &url).body(r#"{"kty":"EC","crv":"P-521"}"#)).await.json();
    assert_eq!(created["key"]["crv"], "P-521");
    let version = created["key"]["kid"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let read = http.get(&format!("{}/keys/K/{}?{V}", vault.url(), version.to_uppercase())).await.json();
    assert_eq!(read["key"], created["key"]);
    let missing = http.get(&format!("{}/keys/k/0123?{V}", vault.url())).await;
    assert!(missing.text.contains("A key with (name/id) k/0123 was not found"));
}
