//! The fault script.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use keyvault_backup_emulator::{
    Azure, BackupError, Fault, FaultKind, Forbidden, Matcher, Operation, SecretSpec, Service, VaultHandle,
};
use reqwest::StatusCode;

use crate::client::{Http, answer, send};

async fn start() -> (Azure, Http, String) {
    let azure = Azure::start().await.unwrap();
    azure.vault("v1").put_secret("s", SecretSpec::new("x"));
    let http = Http::new(&azure).await;
    let url = format!("{}/secrets/s/backup?api-version=2025-07-01", azure.vault("v1").url());
    (azure, http, url)
}

fn backup(kind: FaultKind) -> Fault {
    Fault::on(Matcher::any().operation(Operation::Backup).host("v1").object("s")).times(1).reply(kind)
}

#[tokio::test]
async fn answers_are_replaced_by_errors_of_the_service() {
    let (azure, http, url) = start().await;
    let cases = [
        (FaultKind::Throttled { retry_after: Some(3) }, 429, "VaultRequestTypeLimitReached"),
        (FaultKind::Unauthorized, 401, "Unauthorized"),
        (
            FaultKind::Forbidden(Forbidden::ByPolicy),
            403,
            "does not have secrets backup permission on key vault 'v1;location=westeurope'",
        ),
        (
            FaultKind::Forbidden(Forbidden::ByRbac),
            403,
            "Action: 'Microsoft.KeyVault/vaults/secrets/backup/action'",
        ),
        (FaultKind::Forbidden(Forbidden::ByFirewall), 403, "Client address is not authorized"),
        (FaultKind::NotFound, 404, "A secret with (name/id) s was not found"),
        (FaultKind::Conflict, 409, "Conflict"),
        (FaultKind::Status(500), 500, "ServerError"),
        (FaultKind::Body { status: 200, content_type: "text/plain", body: "hi".into() }, 200, "hi"),
    ];
    for (kind, status, text) in cases {
        azure.faults().add(backup(kind));
        let answer = http.post(&url).await;
        assert_eq!(answer.status.as_u16(), status);
        assert!(answer.text.contains(text), "{}", answer.text);
        assert_eq!(http.post(&url).await.status, StatusCode::OK);
    }
    assert_eq!(azure.faults().fired().len(), 9);
    assert_eq!(azure.requests().count(|entry| entry.fault == Some("forbidden")), 3);
}

#[tokio::test]
async fn connections_break_before_and_after() {
    let (azure, http, _) = start().await;
    let storage = azure.storage("acct");
    storage.create_container("c");
    for (name, kind, stored) in
        [("before", FaultKind::ResetBefore, false), ("after", FaultKind::ResetAfter, true)]
    {
        azure.faults().add(Fault::on(Operation::PutBlob).times(1).reply(kind));
        let url = format!("{}/c/{name}", storage.blob_url());
        let request =
            http.request(reqwest::Method::PUT, &url).header("x-ms-blob-type", "BlockBlob").body("x");
        assert!(send(request).await.is_err());
        assert_eq!(storage.blob("c", name).is_some(), stored);
    }
    assert_eq!(azure.requests().total_with_status(Operation::PutBlob, 0), 2);
}

#[tokio::test]
async fn answers_are_cut_slow_or_never_come() {
    let (azure, http, url) = start().await;
    azure.faults().add(backup(FaultKind::TruncatedBody));
    let response = send(http.request(reqwest::Method::POST, &url)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.bytes().await.is_err());

    azure.faults().add(backup(FaultKind::Slow(Duration::from_millis(80))));
    let started = std::time::Instant::now();
    assert_eq!(http.post(&url).await.status, StatusCode::OK);
    assert!(started.elapsed() >= Duration::from_millis(80));

    azure.faults().add(backup(FaultKind::Hang));
    let request = http.request(reqwest::Method::POST, &url).timeout(Duration::from_millis(80));
    assert!(send(request).await.unwrap_err().is_timeout());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(azure.outstanding(), 0);
}

#[tokio::test]
async fn a_backup_is_damaged_but_well_formed() {
    let (azure, http, url) = start().await;
    azure.faults().add(backup(FaultKind::CorruptBackup));
    let answer = http.post(&url).await;
    let blob = BASE64_URL_SAFE_NO_PAD.decode(answer.json()["value"].as_str().unwrap()).unwrap();
    assert_eq!(VaultHandle::open_backup(&blob), Err(BackupError::Corrupt));
}

#[tokio::test]
async fn rules_have_their_turn() {
    let (azure, http, url) = start().await;
    let busy = FaultKind::Status(503);
    azure
        .faults()
        .add(Fault::on(Operation::Backup).after(1).times(2).reply(busy.clone()).reply(FaultKind::NotFound));
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(http.post(&url).await.status.as_u16());
    }
    assert_eq!(seen, [200, 503, 404, 200]);

    // A challenge is not a call: the rule waits for the one with a token.
    azure.faults().clear();
    azure.faults().add(Fault::on(Service::Vault).times(1).reply(busy.clone()));
    assert_eq!(answer(http.client.post(&url)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(http.post(&url).await.status.as_u16(), 503);

    azure.faults().clear();
    azure.faults().random(0.5, 7, [busy]);
    let mut failed = 0;
    for _ in 0..60 {
        failed += usize::from(http.post(&url).await.status.as_u16() == 503);
    }
    assert!((15..45).contains(&failed), "{failed}");
}

#[tokio::test]
async fn a_raw_answer_is_given_as_it_is() {
    let (azure, http, url) = start().await;
    let raw = |status, name: &str| {
        let headers = vec![("x-recorded".to_owned(), name.to_owned())];
        FaultKind::Raw { status, headers, body: name.to_owned().into() }
    };
    azure.faults().add(Fault::on_challenge(Operation::Backup).reply(raw(401, "challenge")));
    azure.faults().add(Fault::on(Operation::Backup).reply(raw(200, "call")));
    for (expected, given) in
        [((401, "challenge"), answer(http.client.post(&url)).await), ((200, "call"), http.post(&url).await)]
    {
        assert_eq!((given.status.as_u16(), given.text.as_str()), expected);
        assert_eq!(given.header("x-recorded"), expected.1);
        let mut names: Vec<_> = given.headers.keys().map(reqwest::header::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "date", "x-recorded"]);
    }
}
