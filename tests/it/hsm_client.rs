//! The product's client of Managed HSMs: a start is sent once, nothing of a token is seen, and what jobs say
//! is understood.

mod jobs;
mod leaks;

use keyvault_backup::azure::{
    error::Meaning,
    hsm::{HsmClient, Standing},
    managed_hsm::{Error, OperationState, StartError},
};
use keyvault_backup_emulator::{Fault, FaultKind, Matcher, Operation};

use crate::hsm_stage::Stage;

/// Lets every start of a backup go wrong.
fn fail_starts(stage: &Stage, kind: FaultKind) {
    stage.azure.faults().add(Fault::on(Operation::StartBackup).reply(kind));
}

#[tokio::test]
async fn a_start_leaves_with_its_token_after_a_challenge_without_body_and_effect() {
    let stage = Stage::new().await;
    stage.back_up().await;
    let sent = stage.log.sent();
    assert!(sent[0].path.starts_with("/restore/0000") && !sent[0].has_token && sent[0].body.is_empty());
    assert!(sent[1].path.starts_with("/backup?") && sent[1].has_token && !sent[1].body.is_empty());
    assert_eq!(stage.wire.scopes()[0], "https://managedhsm.azure.net/.default");
    assert_eq!((stage.log.starts(), stage.hsm.starts_sent().backups, stage.folders().len()), (1, 1, 1));
}

#[tokio::test]
async fn a_poll_that_is_challenged_gets_a_new_token_and_the_start_is_left_alone() {
    let stage = Stage::new().await;
    stage.hsm.set_operation_polls(3);
    let started = stage.client.begin_backup(&stage.to()).await.expect("it starts");
    stage.azure.identity().revoke_all();
    stage.azure.faults().add(Fault::on(Operation::BackupStatus).times(1).reply(FaultKind::Unauthorized));
    let ended = stage.backup_end(&started.job_id).await;
    assert_eq!(ended.status, OperationState::Succeeded);
    assert!(stage.azure.requests().total_with_status(Operation::BackupStatus, 401) >= 1);
    assert_eq!((stage.log.starts(), stage.hsm.starts_sent().backups), (1, 1));
}

#[tokio::test]
async fn a_start_that_is_challenged_is_sent_once_more_with_a_new_token() {
    let stage = Stage::new().await;
    stage.wire.hand_out_once("worthless");
    stage.client.begin_backup(&stage.to()).await.expect("it starts");
    assert_eq!((stage.log.starts(), stage.hsm.starts_sent().backups), (2, 1));
}

#[tokio::test]
async fn a_start_that_is_challenged_is_not_sent_again_with_the_token_that_was_refused() {
    let stage = Stage::new().await;
    fail_starts(&stage, FaultKind::Unauthorized);
    let error = stage.client.begin_backup(&stage.to()).await.expect_err("it is refused");
    assert!(matches!(&error, StartError::Refused(refusal) if refusal.status == 401), "{error:?}");
    assert!(!error.may_have_begun());
    assert_eq!((stage.log.starts(), stage.hsm.starts_sent().backups), (1, 0));
}

#[tokio::test]
async fn a_start_or_a_check_that_is_refused_says_how_long_the_hsm_wants_to_be_left_alone() {
    let stage = Stage::new().await;
    for operation in [Operation::StartBackup, Operation::CheckBackup] {
        let reply = FaultKind::Throttled { retry_after: Some(600) };
        stage.azure.faults().add(Fault::on(operation).reply(reply));
    }
    let asked = Some(std::time::Duration::from_secs(600));
    let failure = stage.adapter().begin_backup(&stage.to()).await.expect_err("it is refused");
    assert_eq!((failure.standing, failure.error.retry_after), (Standing::NotBegun, asked));
    let once = HsmClient::new(
        &stage.hsm.url().parse().expect("it is a URL"),
        &stage.wire.connection.without_retries(),
        Vec::new(),
    );
    let refused = once.expect("it is built").prebackup(&stage.to()).await.expect_err("it is refused");
    assert_eq!(refused.retry_after, asked);
}

#[tokio::test]
async fn a_start_whose_token_was_revoked_can_be_tried_anew() {
    let stage = Stage::new().await;
    stage.back_up().await;
    stage.azure.identity().revoke_all();
    stage.back_up().await;
    assert_eq!((stage.log.starts(), stage.hsm.starts_sent().backups), (2, 2));
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_says_so() {
    for (fault, taken) in
        [(FaultKind::ResetAfter, 1), (FaultKind::TruncatedBody, 1), (FaultKind::ResetBefore, 0)]
    {
        let stage = Stage::new().await;
        fail_starts(&stage, fault);
        let error = stage.client.begin_backup(&stage.to()).await.expect_err("the answer is lost");
        assert!(matches!(error, StartError::AnswerLost(Error::NoAnswer(_))), "{error:?}");
        assert_eq!((stage.log.starts(), stage.hsm.starts_sent().backups), (1, taken));
        let failure = stage.adapter().begin_backup(&stage.to()).await.expect_err("and again");
        // The job of the first start runs where it was taken, but this answer is lost, too.
        assert_eq!((failure.standing, failure.error.meaning), (Standing::Unknown, Meaning::Network));
    }
}

#[tokio::test]
async fn a_start_over_a_connection_that_was_used_before_is_not_sent_again() {
    let stage = Stage::new().await;
    stage.back_up().await;
    fail_starts(&stage, FaultKind::ResetBefore);
    let error = stage.client.begin_backup(&stage.to()).await.expect_err("the answer is lost");
    assert!(matches!(error, StartError::AnswerLost(_)), "{error:?}");
    assert_eq!(stage.azure.requests().total(Operation::StartBackup), 2);
}

#[tokio::test]
async fn a_start_that_meets_a_server_error_is_not_sent_again() {
    for status in [500, 502, 503, 504, 408, 429] {
        let stage = Stage::new().await;
        fail_starts(&stage, FaultKind::Status(status));
        let error = stage.client.begin_backup(&stage.to()).await.expect_err("it is refused");
        assert!(matches!(&error, StartError::Refused(refusal) if refusal.status == status), "{error:?}");
        assert_eq!(error.may_have_begun(), status != 429);
        assert_eq!(stage.log.starts(), 1);
    }
}

#[tokio::test]
async fn a_busy_hsm_is_a_conflict() {
    let stage = Stage::new().await;
    stage.client.begin_backup(&stage.to()).await.expect("it starts");
    let error = stage.client.begin_backup(&stage.to()).await.expect_err("one is enough");
    let StartError::Conflict(refusal) = &error else { panic!("{error:?}") };
    assert_eq!(refusal.message, "Another backup operation is in progress");
    assert!(refusal.request_id.is_some() && !error.may_have_begun());
    assert_eq!((stage.log.starts(), stage.hsm.starts_sent().backups), (2, 1));
    let failure = stage.adapter().begin_backup(&stage.to()).await.expect_err("still");
    assert_eq!((failure.standing, failure.error.meaning), (Standing::Occupied, Meaning::Busy));
}

#[tokio::test]
async fn restores_are_sent_once_too() {
    let stage = Stage::new().await;
    let folder = stage.back_up().await;
    for operation in [Operation::StartRestore, Operation::StartKeyRestore] {
        stage.azure.faults().add(Fault::on(operation).reply(FaultKind::Status(503)));
    }
    let before = stage.log.starts();
    assert!(stage.client.begin_restore(&stage.from(&folder)).await.is_err());
    assert!(stage.client.begin_key_restore("root", &stage.from(&folder)).await.is_err());
    assert_eq!(stage.log.starts(), before + 2);
}

#[tokio::test]
async fn polls_and_checks_are_tried_again() {
    let stage = Stage::new().await;
    let blips = || [FaultKind::Status(503), FaultKind::ResetBefore, FaultKind::TruncatedBody];
    for operation in [Operation::CheckBackup, Operation::BackupStatus] {
        let fault = blips().into_iter().fold(Fault::on(operation).times(3), Fault::reply);
        stage.azure.faults().add(fault);
    }
    let check = stage.client.prebackup(&stage.to()).await.expect("it starts in the end");
    assert_eq!(stage.backup_end(&check.job_id).await.status, OperationState::Succeeded);
    assert_eq!(stage.azure.requests().total(Operation::CheckBackup), 4);
}

#[tokio::test]
async fn an_hsm_that_asks_for_a_token_for_somebody_else_gets_none() {
    let stage = Stage::new().await;
    let challenge =
        "Bearer authorization=\"https://login.microsoftonline.com/t\", resource=\"https://vault.azure.net\"";
    let headers = vec![("www-authenticate".to_owned(), challenge.to_owned())];
    let reply = FaultKind::Raw { status: 401, headers, body: Vec::new().into() };
    stage.azure.faults().add(Fault::on_challenge(Matcher::any()).reply(reply));
    let error = stage.client.begin_backup(&stage.to()).await.expect_err("it is a theft");
    assert!(matches!(error, StartError::NotSent(Error::ForeignChallenge(_))), "{error:?}");
    assert!(stage.wire.scopes().is_empty() && stage.log.starts() == 0);
}

#[tokio::test]
async fn an_hsm_of_another_cloud_gets_a_token_for_that_cloud() {
    let stage = Stage::new().await;
    for (host, scope) in [
        ("eu.managedhsm.usgovcloudapi.net", "https://managedhsm.usgovcloudapi.net/.default"),
        ("eu.managedhsm.azure.cn", "https://managedhsm.azure.cn/.default"),
    ] {
        let (_, client) = stage.other(host);
        client.begin_backup(&stage.to()).await.expect("it starts");
        assert_eq!(stage.wire.scopes().last().map(String::as_str), Some(scope));
    }
}

#[tokio::test]
async fn a_start_without_a_connection_was_not_sent() {
    let stage = Stage::new().await;
    let gone = stage.azure.hsm("prod").url().replace("prod", "gone").parse().expect("it is a URL");
    let client = keyvault_backup::azure::hsm::HsmClient::new(&gone, &stage.wire.connection, Vec::new());
    let failure = client.expect("it is built").begin_backup(&stage.to()).await.expect_err("it is not there");
    assert_eq!((failure.standing, failure.error.meaning), (Standing::NotBegun, Meaning::NotSent));
}

/// So that it can be published: nothing of the program is used in it.
#[test]
fn the_client_depends_on_nothing_of_the_program() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/azure");
    let folder = std::fs::read_dir(root.join("managed_hsm")).expect("it is there");
    let inner = folder.map(|entry| entry.expect("it can be read").path());
    for file in inner.chain([root.join("managed_hsm.rs")]) {
        let source = std::fs::read_to_string(&file).expect("it can be read");
        let is_outer = file.ends_with("azure/managed_hsm.rs");
        for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let foreign = line.contains("crate::") || (is_outer && line.contains("super::"));
            assert!(!foreign && !line.contains("super::super::super"), "{}: {line}", file.display());
        }
    }
}
