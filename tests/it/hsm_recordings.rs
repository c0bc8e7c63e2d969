//! The product's client of Managed HSMs against what the service was recorded to answer.

use std::collections::BTreeMap;

use keyvault_backup::azure::managed_hsm::{
    BackupDestination, Error, ManagedHsmClient, OperationState, OperationStatus, Refusal, RestoreSource,
    SasToken, ServiceVersion, StartError, Started, StorageAuth,
};
use keyvault_backup_emulator::{Fault, FaultKind, Matcher, Operation};
use keyvault_backup_needs::needs;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    hsm_stage::{Stage, client},
    recorded::Exchange,
};

/// A recorded answer, as this HSM gives it.
fn answer(exchange: &Exchange) -> FaultKind {
    let framing = ["content-length", "transfer-encoding", "content-encoding", "connection"];
    let headers = exchange.headers.clone().into_iter().filter(|(name, _)| !framing.contains(&&**name));
    let body = exchange.body.clone().into();
    FaultKind::Raw { status: exchange.status, headers: headers.collect(), body }
}

/// Gives this answer and no other from now on.
fn play(stage: &Stage, exchange: &Exchange) {
    stage.azure.faults().clear();
    stage.azure.faults().add(Fault::on(Matcher::any()).reply(answer(exchange)));
}

/// The operation of an exchange that has to do with backups.
pub fn operation(exchange: &Exchange) -> Option<Operation> {
    let segments = exchange.segments();
    Some(match (exchange.method.as_str(), &segments[..]) {
        ("POST", ["backup"]) => Operation::StartBackup,
        ("PUT", ["restore"]) => Operation::StartRestore,
        ("PUT", ["keys", _, "restore"]) => Operation::StartKeyRestore,
        ("POST", ["prebackup"]) => Operation::CheckBackup,
        ("PUT", ["prerestore"]) => Operation::CheckRestore,
        ("GET", ["backup", _, "pending"]) => Operation::BackupStatus,
        ("GET", ["restore", _, "pending"]) => Operation::RestoreStatus,
        _ => return None,
    })
}

/// The version that a recorded request asked for; of a preview, the version whose requests are like it.
fn version(exchange: &Exchange) -> ServiceVersion {
    let asked = exchange.url.query_pairs().find(|(name, _)| name == "api-version");
    let asked = asked.map(|(_, version)| version.into_owned()).unwrap_or_default();
    let exact = asked.parse().ok();
    // 7.5-preview.1 was recorded with tokens only, without the member that says so.
    let stable = || asked.replace("7.5-preview.1", "7.4").split('-').next()?.parse().ok();
    exact.or_else(stable).unwrap_or_default()
}

/// The client's request for the same, and the result.
async fn send(stage: &Stage, client: &ManagedHsmClient, exchange: &Exchange) -> Result<Started, StartError> {
    let body: Value = serde_json::from_str(&exchange.request).expect("a start has a body");
    let storage = if body["sasTokenParameters"].is_null() { &body } else { &body["sasTokenParameters"] };
    let uri = storage["storageResourceUri"].as_str().unwrap_or_default();
    // Some publishers left the container out of its address.
    let container = uri.parse().ok().filter(|url: &url::Url| url.path().len() > 1);
    let container = container.unwrap_or_else(|| stage.container());
    let token = storage["token"].as_str();
    let auth = token.map_or(StorageAuth::ManagedIdentity, |token| StorageAuth::Sas(SasToken::new(token)));
    let folder = body["folderToRestore"].as_str().or(body["folder"].as_str()).unwrap_or_default();
    let to = BackupDestination::new(container.clone(), auth.clone());
    let from = RestoreSource::new(container, folder, auth);
    match operation(exchange) {
        Some(Operation::StartBackup) => client.begin_backup(&to).await,
        Some(Operation::StartRestore) => client.begin_restore(&from).await,
        Some(Operation::StartKeyRestore) => client.begin_key_restore(exchange.name(), &from).await,
        Some(Operation::CheckBackup) => client.prebackup(&to).await.map_err(refused),
        _ => client.prerestore(&from).await.map_err(refused),
    }
}

fn refused(error: Error) -> StartError {
    match error {
        Error::Refused(refusal) => StartError::Refused(refusal),
        error => StartError::NotSent(error),
    }
}

fn assert_refusal(refusal: &Refusal, exchange: &Exchange) {
    let error = &exchange.json().expect("it is JSON")["error"];
    assert_eq!(refusal.status, exchange.status);
    assert_eq!(Some(refusal.code.as_str()), error["code"].as_str());
    assert_eq!(Some(refusal.message.as_str()), error["message"].as_str());
    assert_eq!(refusal.request_id.as_deref(), exchange.header("x-ms-request-id"));
}

/// Everything that a recorded job shows, and nothing else.
fn assert_status(status: &OperationStatus, recorded: &Value) {
    let text = |name: &str| recorded[name].as_str();
    let moment = |name: &str| {
        recorded[name].as_i64().map(|at| OffsetDateTime::from_unix_timestamp(at).expect("it is a time"))
    };
    let state = match text("status").expect("a job has a status") {
        "InProgress" => OperationState::InProgress,
        "Succeeded" => OperationState::Succeeded,
        "Failed" => OperationState::Failed,
        other => panic!("{other} was never recorded"),
    };
    assert_eq!(status.status, state);
    assert_eq!(Some(status.job_id.as_str()), text("jobId"));
    assert_eq!((status.start, status.end), (moment("startTime"), moment("endTime")));
    assert_eq!(status.status_details.as_deref(), text("statusDetails"));
    assert_eq!(status.folder_uri.as_ref().map(url::Url::as_str), text("azureStorageBlobContainerUri"));
    let error = status.error.as_ref();
    assert_eq!(error.and_then(|error| error.code.as_deref()), recorded["error"]["code"].as_str());
    assert_eq!(error.and_then(|error| error.message.as_deref()), recorded["error"]["message"].as_str());
    let counts = text("statusDetails").is_some_and(|details| details.starts_with("Number of"));
    assert_eq!(status.key_restore_counts().is_some(), counts);
}

#[needs(recordings)]
#[tokio::test]
async fn starts_are_sent_and_read_as_recorded() {
    let all = Exchange::of_hsms();
    let stage = Stage::new().await;
    let mut seen = BTreeMap::new();
    for exchange in &all {
        let Some(start) = operation(exchange).filter(|_| exchange.method != "GET") else { continue };
        if exchange.is_challenge() {
            continue;
        }
        let client = client(&stage.wire, &stage.log, &stage.hsm, version(exchange));
        play(&stage, exchange);
        match send(&stage, &client, exchange).await {
            Ok(started) => {
                assert_status(&started.status.expect("it is shown"), &exchange.json().expect("it is JSON"));
                let wait = exchange.header("retry-after").and_then(|wait| wait.parse().ok());
                assert_eq!(started.retry_after.map(|wait| wait.as_secs()), wait);
                let address = exchange.header("azure-asyncoperation").unwrap_or_default();
                assert!(address.ends_with(&format!("/{}/pending", started.job_id)), "{address}");
            }
            Err(StartError::Refused(refusal)) => assert_refusal(&refusal, exchange),
            Err(error) => panic!("{}: {error:?}", exchange.file.display()),
        }
        let sent = stage.log.sent().pop().expect("it was sent");
        let sent: Value = serde_json::from_str(&sent.body).expect("it is JSON");
        let mut recorded: Value = serde_json::from_str(&exchange.request).expect("it is JSON");
        let uri = ["", "/sasTokenParameters"].map(|at| format!("{at}/storageResourceUri"));
        for uri in uri {
            let (Some(of), Some(recorded)) = (sent.pointer(&uri), recorded.pointer_mut(&uri)) else {
                continue;
            };
            if recorded.as_str().is_some_and(|uri| uri.matches('/').count() < 3) {
                *recorded = of.clone();
            }
        }
        assert_eq!(sent, recorded, "{}", exchange.file.display());
        *seen.entry(format!("{start:?} {}", exchange.status)).or_insert(0) += 1;
    }
    eprintln!("replayed: starts {seen:?}");
    assert_eq!(seen.len(), 7, "{seen:?}");
}

#[needs(recordings)]
#[tokio::test]
async fn polls_are_read_as_recorded() {
    let all = Exchange::of_hsms();
    let stage = Stage::new().await;
    let mut seen = BTreeMap::new();
    for exchange in &all {
        let Some(poll) = operation(exchange).filter(|_| exchange.method == "GET") else { continue };
        play(&stage, exchange);
        let job = exchange.name();
        let read = match poll {
            Operation::BackupStatus => stage.client.backup_status(job).await,
            _ => stage.client.restore_status(job).await,
        };
        let recorded = exchange.json().expect("it is JSON");
        let shown = match read {
            Ok(status) => {
                assert_status(&status, &recorded);
                recorded["status"].to_string()
            }
            Err(Error::Refused(refusal)) => {
                assert_refusal(&refusal, exchange);
                exchange.status.to_string()
            }
            Err(error) => panic!("{}: {error:?}", exchange.file.display()),
        };
        *seen.entry(format!("{poll:?} {shown}")).or_insert(0) += 1;
    }
    eprintln!("replayed: polls {seen:?}");
    assert_eq!(seen.len(), 8, "{seen:?}");
}

#[needs(recordings)]
#[tokio::test]
async fn every_recorded_challenge_is_answered_with_a_token_for_hsms() {
    let all = Exchange::of_hsms();
    let mut challenges = BTreeMap::new();
    for challenge in all.iter().filter(|exchange| exchange.is_challenge()) {
        let header = challenge.header("www-authenticate").unwrap_or_default();
        challenges.entry((header, &challenge.body)).or_insert(challenge);
    }
    let (mut answered, mut refused) = (0, 0);
    for ((header, _), challenge) in challenges {
        let stage = Stage::new().await;
        stage.azure.faults().add(Fault::on_challenge(Matcher::any()).reply(answer(challenge)));
        let started = stage.client.begin_backup(&stage.to()).await;
        if header.contains("\"https://managedhsm.azure.net\"") {
            assert!(started.is_ok(), "{started:?}");
            assert_eq!(stage.wire.scopes(), ["https://managedhsm.azure.net/.default"]);
            answered += 1;
        } else {
            // Recorded in a cloud that is not public.
            let foreign = matches!(started, Err(StartError::NotSent(Error::ForeignChallenge(_))));
            assert!(foreign && stage.wire.scopes().is_empty(), "{started:?}");
            refused += 1;
        }
    }
    assert!(answered > 3 && refused > 0, "{answered} {refused}");
    eprintln!("replayed: {answered} different challenges, and {refused} of another cloud");
}
