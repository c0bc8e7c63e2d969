//! A token is seen by nobody but the HSM.

use std::sync::{Arc, Mutex};

use keyvault_backup::azure::managed_hsm::{
    BackupDestination, RestoreSource, SasToken, StartError, StorageAuth,
};
use keyvault_backup_emulator::{Fault, FaultKind, Operation};

use crate::hsm_stage::{SIGNATURE, Stage};

fn assert_clean(text: &str) {
    assert!(!text.contains("dGhpc21z") && !text.contains("srt=sco"), "{text}");
}

/// An error in every form in which it can be printed.
fn assert_error_is_clean(error: &(dyn std::error::Error + 'static)) {
    assert_clean(&format!("{error:?} {error:#?}"));
    let mut cause = Some(error);
    while let Some(error) = cause {
        assert_clean(&error.to_string());
        cause = error.source();
    }
}

#[tokio::test]
async fn a_token_that_the_service_repeats_is_not_shown() {
    let stage = Stage::new().await;
    let decoded = SIGNATURE.replace("%3D", "=");
    let message = format!("Bad: '?sv=1&sig={SIGNATURE}&se=2', {decoded}, sig%3D{SIGNATURE}");
    let body = serde_json::json!({"error": {"code": decoded, "message": message}}).to_string();
    for status in [400, 403, 409, 500] {
        let reply = FaultKind::Body { status, content_type: "application/json", body: body.clone() };
        stage.azure.faults().clear();
        for operation in [Operation::StartBackup, Operation::StartRestore, Operation::CheckBackup] {
            stage.azure.faults().add(Fault::on(operation).reply(reply.clone()));
        }
        let to = stage.to_with_sas();
        let from = RestoreSource::new(stage.container(), "x", to.auth.clone());
        let error = stage.client.begin_backup(&to).await.expect_err("it is refused");
        assert!(matches!(&error, StartError::Refused(_) | StartError::Conflict(_)));
        assert_error_is_clean(&error);
        assert_error_is_clean(&stage.client.begin_restore(&from).await.expect_err("it is refused"));
        assert_error_is_clean(&stage.client.prebackup(&to).await.expect_err("it is refused"));
        assert_error_is_clean(&stage.adapter().begin_backup(&to).await.expect_err("it is refused"));
    }
}

#[tokio::test]
async fn a_token_is_in_no_error_of_the_network() {
    for fault in [FaultKind::ResetBefore, FaultKind::ResetAfter, FaultKind::TruncatedBody] {
        let stage = Stage::new().await;
        stage.azure.faults().add(Fault::on(Operation::StartBackup).reply(fault));
        let error = stage.client.begin_backup(&stage.to_with_sas()).await.expect_err("it is lost");
        assert_error_is_clean(&error);
    }
}

#[tokio::test]
async fn a_token_is_in_no_status() {
    let stage = Stage::new().await;
    let started = stage.client.begin_backup(&stage.to_with_sas()).await.expect("it starts");
    let body = serde_json::json!({
        "status": "Failed", "statusDetails": format!("at ?sig={SIGNATURE}"),
        "azureStorageBlobContainerUri": format!("https://a.blob.core.windows.net/c/f?srt=sco&sig={SIGNATURE}"),
        "error": {"code": "x", "message": format!("https://a/?SIG={SIGNATURE}&srt=x")},
    });
    let reply = FaultKind::Body { status: 200, content_type: "application/json", body: body.to_string() };
    stage.azure.faults().add(Fault::on(Operation::BackupStatus).reply(reply));
    assert_clean(&format!("{:?}", stage.client.backup_status(&started.job_id).await));
}

#[tokio::test]
async fn a_token_leaves_in_the_body_and_nowhere_else() {
    let stage = Stage::new().await;
    stage.client.begin_backup(&stage.to_with_sas()).await.expect("it starts");
    let sent = stage.log.sent();
    assert!(sent.iter().all(|sent| !sent.path.contains("sig")));
    assert_eq!(sent.iter().filter(|sent| sent.body.contains(SIGNATURE)).count(), 1);
    assert_clean(&format!("{:?} {:?}", stage.to_with_sas(), stage.client));
}

#[tokio::test]
async fn a_token_in_the_address_of_the_container_is_not_sent() {
    let stage = Stage::new().await;
    let mut container = stage.container();
    container.set_query(Some(&format!("sig={SIGNATURE}")));
    let auth = StorageAuth::Sas(SasToken::new("?se=2999-01-01&sp=crdw&sig=another"));
    stage.client.begin_backup(&BackupDestination::new(container, auth)).await.expect("it starts");
    assert!(stage.log.sent().iter().all(|sent| !sent.body.contains(SIGNATURE)));
}

#[tokio::test]
async fn a_malformed_token_is_refused_at_the_start() {
    let stage = Stage::new().await;
    let auth = StorageAuth::Sas(SasToken::new("invalid_sas_token"));
    let to = BackupDestination::new(stage.container(), auth);
    let error = stage.client.begin_backup(&to).await.expect_err("it is refused");
    let StartError::Refused(refusal) = &error else { panic!("{error:?}") };
    assert_eq!((refusal.status, refusal.code.as_str()), (400, "BadRequest"));
    assert!(refusal.message.contains("does not contain the expiry field"));
    let started = stage.client.prebackup(&to).await.expect("a check starts");
    let failure = stage.backup_end(&started.job_id).await.error.expect("it says why");
    assert_eq!(failure.code.as_deref(), Some("BadRequest"));
}

/// Everything that was written to the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panicked with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_token_is_in_no_log_at_any_level() {
    let stage = Stage::new().await;
    let back_up = async || {
        let started = stage.client.begin_backup(&stage.to_with_sas()).await.expect("it starts");
        stage.backup_end(&started.job_id).await;
    };
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // A place in the code stays off if another test's thread passes it while a subscriber is made: until all are on again.
    let mut text = String::new();
    for _ in 0..50 {
        tracing::callsite::rebuild_interest_cache();
        back_up().await;
        let read = String::from_utf8(lines.0.lock().expect("no test panicked with it").clone());
        text = read.expect("it is text");
        if text.contains("/backup") {
            break;
        }
    }
    assert!(text.contains("/backup"), "the log is on: {text}");
    assert_clean(&text);
    assert!(!text.contains("Bearer ey"), "{text}");
}
