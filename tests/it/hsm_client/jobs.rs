//! What jobs do and say.

use keyvault_backup::azure::{
    error::Meaning,
    managed_hsm::{
        BackupDestination, Error, FolderName, KeyRestoreCounts, OperationState, ServiceVersion, StartError,
    },
};
use keyvault_backup_emulator::{Fault, FaultKind, KeySpec, Operation};

use crate::hsm_stage::{Stage, restore_end, sas};

#[tokio::test]
async fn a_backup_and_a_restore_bring_everything_back() {
    let stage = Stage::new().await;
    let (keys, folder) = (stage.hsm.keys(), stage.back_up().await);
    assert_eq!(FolderName::parse(&folder).expect("it is one").hsm(), "prod");
    stage.hsm.put_key("later", KeySpec::ec("P-256"));
    stage.hsm.put_key("root", KeySpec::rsa(4096));
    stage.hsm.add_role_assignment("intruder");
    let started = stage.client.begin_restore(&stage.from(&folder)).await.expect("it starts");
    assert_eq!(started.retry_after, Some(std::time::Duration::from_secs(10)));
    assert_eq!(stage.restore_end(&started.job_id).await.status, OperationState::Succeeded);
    assert_eq!(keys.differences(&stage.hsm.keys()), [""; 0]);
    assert_eq!(stage.hsm.role_assignments(), ["officer"]);
}

#[tokio::test]
async fn a_token_does_for_an_identity() {
    let stage = Stage::with_version(ServiceVersion::V7_2).await;
    stage.hsm.attach_identity(false);
    let started = stage.client.begin_backup(&stage.to_with_sas()).await.expect("it starts");
    let status = started.status.expect("it is shown");
    assert_eq!((status.status, status.error), (OperationState::InProgress, None));
    assert!(stage.backup_end(&started.job_id).await.folder_uri.is_some());
    let refused = stage.client.begin_backup(&stage.to()).await.expect_err("7.2 has no identities");
    assert!(matches!(refused, StartError::NotSent(Error::NotSent(_))), "{refused:?}");
    assert!(stage.client.prebackup(&stage.to_with_sas()).await.is_err());
}

#[tokio::test]
async fn obstacles_at_the_storage_fail_the_job_and_not_the_start() {
    let stage = Stage::new().await;
    let mut nowhere = stage.to();
    nowhere.container.set_path("/nowhere");
    stage.hsm.grant(nowhere.container.as_str());
    let expired = BackupDestination::new(stage.container(), sas("crdw", "2020-01-01T00:00:00Z"));
    let read_only = BackupDestination::new(stage.container(), sas("r", "2999-01-01"));
    for (to, details) in [
        (nowhere, "ResourceNotFound"),
        (expired, "AuthenticationFailed"),
        (read_only, "AuthorizationPermissionMismatch"),
    ] {
        let started = stage.client.begin_backup(&to).await.expect("it starts");
        let ended = stage.backup_end(&started.job_id).await;
        assert_eq!(ended.status, OperationState::Failed);
        assert_eq!(ended.status_details.as_deref(), Some(details));
        // A refusal of the storage comes with its code and its words; a container that is not there comes alone.
        let code = ended.error.and_then(|error| error.code);
        assert_eq!(code.as_deref(), Some(details).filter(|details| *details != "ResourceNotFound"));
    }
    assert!(stage.folders().is_empty());
}

#[tokio::test]
async fn a_check_finds_the_obstacles_before() {
    let stage = Stage::new().await;
    let check = async || {
        let started = stage.client.prebackup(&stage.to()).await.expect("it starts");
        stage.backup_end(&started.job_id).await
    };
    assert_eq!(check().await.status, OperationState::Succeeded);
    stage.storage.set_append_only("hsm", true);
    assert_eq!(check().await.status_details.as_deref(), Some("BlobImmutableDueToPolicy"));
    stage.hsm.attach_identity(false);
    assert_eq!(check().await.status_details.as_deref(), Some("ManagedIdentityNotFound"));
    let restore = stage.client.prerestore(&stage.from("x")).await.expect("it starts");
    assert_eq!(stage.restore_end(&restore.job_id).await.status, OperationState::Failed);
}

#[tokio::test]
async fn a_folder_that_is_none_fails_the_restore() {
    let stage = Stage::new().await;
    let folder = stage.back_up().await;
    stage.storage.flip_bit("hsm", &format!("{folder}/keys/00000"));
    for folder in ["nowhere", &folder] {
        let started = stage.client.begin_restore(&stage.from(folder)).await.expect("it starts");
        let ended = stage.restore_end(&started.job_id).await;
        assert_eq!(ended.status, OperationState::Failed);
        assert_eq!(ended.status_details.as_deref(), Some("Invalid backup provided"));
    }
    assert!(stage.hsm.keys().get(keyvault_backup_emulator::Kind::Key, "root").is_some());
}

#[tokio::test]
async fn a_backup_restores_only_into_its_security_domain() {
    let stage = Stage::new().await;
    let folder = stage.back_up().await;
    let (other, client) = stage.other("spare");
    other.require_recent_backup(None);
    let started = client.begin_restore(&stage.from(&folder)).await.expect("it starts");
    assert_eq!(restore_end(&client, &started.job_id).await.status, OperationState::Failed);
    other.set_security_domain(&stage.hsm.security_domain());
    let started = client.begin_restore(&stage.from(&folder)).await.expect("it starts");
    assert_eq!(restore_end(&client, &started.job_id).await.status, OperationState::Succeeded);
    assert_eq!(stage.hsm.keys().differences(&other.keys()), [""; 0]);
}

#[tokio::test]
async fn a_key_that_was_not_purged_is_not_restored_and_the_counts_say_so() {
    let stage = Stage::new().await;
    let (keys, folder) = (stage.hsm.keys(), stage.back_up().await);
    let restore = async || {
        let started = stage.client.begin_key_restore("root", &stage.from(&folder)).await.expect("it starts");
        let ended = stage.restore_end(&started.job_id).await;
        assert_eq!(ended.status, OperationState::Succeeded);
        ended.key_restore_counts().expect("they are there")
    };
    assert_eq!(restore().await, KeyRestoreCounts { restored: 0, not_overwritten: 2 });
    stage.hsm.delete_key("root").expect("it is there");
    assert!(!restore().await.is_complete());
    stage.hsm.purge_key("root").expect("it is deleted");
    assert_eq!(restore().await, KeyRestoreCounts { restored: 2, not_overwritten: 0 });
    assert_eq!(keys.differences(&stage.hsm.keys()), [""; 0]);
}

#[tokio::test]
async fn a_restore_without_a_recent_backup_of_its_target_is_refused() {
    let stage = Stage::new().await;
    let folder = stage.back_up().await;
    stage.azure.clock().advance(std::time::Duration::from_secs(31 * 60));
    let failure = stage.adapter().begin_restore(&stage.from(&folder)).await.expect_err("it is refused");
    assert_eq!(failure.error.meaning, Meaning::Refused);
    assert!(failure.error.failure.text.contains("30 minutes"), "{failure}");
    stage.back_up().await;
    assert!(stage.client.begin_restore(&stage.from(&folder)).await.is_ok());
}

#[tokio::test]
async fn a_poll_may_be_refused() {
    let stage = Stage::new().await;
    let started = stage.client.begin_backup(&stage.to()).await.expect("it starts");
    // Recorded in 2021: the poll, not the job, reported what was wrong with the token.
    let body = r#"{"error":{"code":"BadRequest","innererror":null,"message":"The token is malformed"}}"#;
    let reply = FaultKind::Body { status: 400, content_type: "application/json", body: body.to_owned() };
    stage.azure.faults().add(Fault::on(Operation::BackupStatus).times(1).reply(reply));
    let error = stage.client.backup_status(&started.job_id).await.expect_err("it is refused");
    let refusal = error.refusal().expect("it is a refusal");
    assert_eq!((refusal.status, refusal.code.as_str()), (400, "BadRequest"));
    let error = stage.adapter().backup_status("0").await.expect_err("there is no such job");
    assert_eq!((error.meaning, error.failure.status), (Meaning::NotFound, Some(404)));
}

#[tokio::test]
async fn a_started_job_is_found_by_its_body_or_its_address() {
    let stage = Stage::new().await;
    let start = async |headers: &[(&str, &str)], body: &str| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let reply = FaultKind::Raw { status: 202, headers, body: body.to_owned().into() };
        stage.azure.faults().clear();
        stage.azure.faults().add(Fault::on(Operation::StartBackup).reply(reply));
        stage.client.begin_backup(&stage.to()).await.map(|started| started.job_id)
    };
    let address = ("azure-asyncoperation", "https://elsewhere.example/backup/0123abcd/pending?x=y");
    let plain = ("azure-asyncoperation", "https://elsewhere.example/backup/0123abcd/pending");
    assert_eq!(start(&[plain], "").await.expect("it is named"), "0123abcd");
    assert_eq!(start(&[address], "").await.expect("it is named"), "0123abcd");
    assert_eq!(start(&[plain], r#"{"jobId":"ffff"}"#).await.expect("it is named"), "ffff");
    let bad = ("azure-asyncoperation", "https://elsewhere.example/backup/%2e%2e/pending");
    let error = start(&[bad], "{}").await.expect_err("it is not named");
    assert!(matches!(error, StartError::AnswerLost(Error::BadAnswer { .. })), "{error:?}");
}
