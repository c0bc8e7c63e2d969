//! What is not known is refused, and by its name.

use keyvault_backup_emulator::{Azure, KeySpec, SecretSpec};
use reqwest::{Method, StatusCode};

use crate::client::{Http, STORAGE, answer, env};

struct Stage {
    azure: Azure,
    http: Http,
}

impl Stage {
    async fn new() -> Self {
        let azure = Azure::start().await.unwrap();
        let (vault, storage) = (azure.vault("v1"), azure.storage("acct"));
        vault.put_secret("s", SecretSpec::new("x"));
        vault.put_key("k", KeySpec::rsa(2048));
        azure.hsm("h1").put_key("k", KeySpec::rsa(2048));
        storage.create_queue("q");
        storage.put_blob("c", "b", "content", &[]);
        let http = Http::new(&azure).await;
        Self { azure, http }
    }

    /// Sends a request with a header or none. Its refusal names what it is about.
    async fn refused(&self, request: &str, header: &str, named: &str) {
        let (method, url) = request.split_once(' ').unwrap();
        let mut request = self.http.request(method.parse::<Method>().unwrap(), url).body("");
        if let Some((name, value)) = header.split_once(": ") {
            request = request.header(name, value);
        }
        let answer = answer(request).await;
        assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED, "{method} {url} {header}: {}", answer.text);
        assert_eq!(answer.code(), "NotImplemented");
        assert!(answer.text.contains(named), "{method} {url} {header}: {}", answer.text);
    }
}

#[tokio::test]
async fn headers_and_parameters_of_storage() {
    let stage = Stage::new().await;
    let blob = format!("{}/c/b", stage.azure.storage("acct").blob_url());
    for (method, query, header) in [
        ("DELETE", "?snapshot=2026-01-01T00:00:00.0000000Z", "query parameter snapshot"),
        ("DELETE", "", "x-ms-delete-snapshots: only"),
        ("DELETE", "?deletetype=permanent", "query parameter deletetype"),
        ("GET", "?snapshot=2026-01-01T00:00:00.0000000Z", "query parameter snapshot"),
        ("GET", "", "x-ms-lease-id: 1"),
        ("GET", "", "x-ms-if-tags: a = b"),
        ("GET", "", "x-ms-structured-body: XSM/2.0"),
        ("PUT", "?comp=block&blockid=MQ==", "x-ms-copy-source: https://acct.blob.core.windows.net/c/b"),
        ("PUT", "", "x-ms-copy-source-tag-option: COPY"),
        ("PUT", "", "x-ms-tags: a=b"),
        ("PUT", "", "x-ms-access-tier: Cool"),
        ("PUT", "", "x-ms-lease-id: 1"),
        ("PUT", "", "x-ms-blob-type: AppendBlob"),
        ("PUT", "", "x-ms-never-heard-of: 1"),
        ("PUT", "", "cache-control: no-cache"),
        ("PUT", "?comp=block&blockid=MQ==", "x-ms-lease-id: 1"),
        ("PUT", "?comp=blocklist", "x-ms-tags: a=b"),
        ("PUT", "?comp=metadata", "x-ms-if-tags: a = b"),
        ("PUT", "?comp=tier", "the route PUT /c/b?comp=tier"),
        ("PUT", "?comp=snapshot", "comp=snapshot"),
        ("PUT", "?comp=lease", "comp=lease"),
        ("POST", "", "the route POST /c/b"),
    ] {
        let named = header.split(": ").next().unwrap();
        stage.refused(&format!("{method} {blob}{query}"), header, named).await;
    }
    let list = format!("GET {}/c?restype=container&comp=list", stage.azure.storage("acct").blob_url());
    stage.refused(&format!("{list}&include=metadata,Tags"), "", "include=Tags").await;
    stage.refused(&format!("{list}&showonly=deleted"), "", "query parameter showonly").await;
    let queue = format!("{}/q", stage.azure.storage("acct").queue_url());
    stage.refused(&format!("GET {queue}/messages?visible=1"), "", "query parameter visible").await;
    stage.refused(&format!("GET {queue}?comp=acl"), "", "the route GET /q?comp=acl").await;
    stage.refused(&format!("GET {queue}/messages"), "x-ms-lease-id: 1", "x-ms-lease-id").await;
    let stored = stage.azure.storage("acct").blob("c", "b").unwrap();
    assert_eq!(
        (stored.bytes.as_ref(), stored.metadata.len()),
        (&b"content"[..], 0),
        "nothing of it was done"
    );
}

#[tokio::test]
async fn routes_of_vaults_and_hsms() {
    let stage = Stage::new().await;
    let (vault, hsm) = (stage.azure.vault("v1").url(), stage.azure.hsm("h1").url());
    for request in [
        "GET /keys/k/rotationpolicy",
        "PUT /keys/k/rotationpolicy",
        "GET /certificates/c/policy",
        "PATCH /certificates/c/policy",
        "GET /certificates/issuers",
        "PUT /certificates/issuers/i",
        "GET /certificates/contacts",
        "GET /keys/k/attestation",
        "POST /keys/k/rotate",
        "POST /keys/k/0123456789abcdef0123456789abcdef/sign",
        "PUT /keys/k",
        "POST /certificates/c/import",
        "GET /storage",
        "GET /",
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        let named = format!("the route {request}");
        stage.refused(&format!("{method} {vault}{path}?api-version=7.4"), "", &named).await;
    }
    for path in ["/keys/k/rotationpolicy", "/settings", "/providers/Microsoft.Authorization/roleAssignments"]
    {
        let named = format!("the route GET {path}");
        stage.refused(&format!("GET {hsm}{path}?api-version=7.4"), "", &named).await;
    }
    let secrets = format!("GET {vault}/secrets?api-version=7.4");
    stage.refused(&format!("{secrets}&outContentType=PEM"), "", "query parameter outContentType").await;
    stage.refused(&secrets, "x-ms-never-heard-of: 1", "x-ms-never-heard-of").await;
    stage.refused(&secrets, "if-match: *", "if-match").await;
    stage.refused(&format!("POST {hsm}/backup?api-version=7.6&dry=1"), "", "query parameter dry").await;
    // A method that a known resource does not have is refused as the service refuses it.
    let verb = answer(stage.http.request(Method::DELETE, &format!("{vault}/secrets?api-version=7.4"))).await;
    assert_eq!((verb.status, verb.code().as_str()), (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"));
}

#[tokio::test]
async fn parameters_of_the_identity_endpoint() {
    let stage = Stage::new().await;
    let endpoint = env(&stage.azure, "IDENTITY_ENDPOINT");
    let url = format!("{endpoint}?api-version=2019-08-01&resource={STORAGE}&mi_res_id=x");
    let header = env(&stage.azure, "IDENTITY_HEADER");
    let refused = answer(stage.http.client.get(&url).header("x-identity-header", header)).await;
    assert_eq!(refused.status, StatusCode::NOT_IMPLEMENTED);
    assert!(refused.text.contains("query parameter mi_res_id"), "{}", refused.text);
}
