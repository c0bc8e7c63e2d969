//! A backup of an HSM that begins because the folder of the newest one was found wrong.

use keyvault_backup_emulator::{FaultKind, Forbidden, Matcher, Operation, host::Firing};
use serde_json::{Value, json};

use crate::{
    hsm_world::{HsmWorld, LANDING},
    retention_folders::Kept,
};

impl Kept {
    /// An HSM with two backups, of which verification has found the folder of the newest one not to be as it was left.
    async fn suspect() -> Self {
        let kept = Self::after(2).await;
        kept.lose_a_blob().await;
        kept
    }

    /// The newest folder loses its last blob, which a pass finds.
    async fn lose_a_blob(&self) {
        self.of.landing.delete_blob(LANDING, &self.blobs().pop().expect("a blob"));
        assert_eq!(self.verified().await["findings"][0]["newest"], true);
    }
}

impl HsmWorld {
    /// The verdicts of the backups that verification began, newest first.
    fn begun_again(&self) -> Vec<Value> {
        let of_verification =
            |of: &Value| of["run"].as_str().is_some_and(|run| run.ends_with("-verification"));
        let records = self.records("hsm-a").into_iter().filter(of_verification);
        records.map(|mut of| of["verdict"].take()).collect()
    }
}

#[tokio::test]
async fn the_same_night_an_hsm_whose_newest_folder_is_damaged_is_backed_up_again_and_once() {
    let mut kept = Kept::suspect().await;
    kept.of.minutes(1).await;
    assert_eq!(kept.of.open().len(), 1, "at the first look");
    kept.of.settle().await;
    assert_eq!((kept.of.begun_again(), kept.of.backups_started()), (vec![json!("Succeeded")], 3));
    let found = kept.verified().await["findings"].take();
    assert_eq!((found.as_array().map(Vec::len), &found[0]["newest"]), (Some(1), &Value::Null), "{found}");
    kept.of.world.restart_with_settings().await;
    kept.of.minutes(12).await;
    assert_eq!(kept.of.backups_started(), 3, "a new process finds nothing more to do");
    kept.lose_a_blob().await;
    kept.of.minutes(12).await;
    kept.of.settle().await;
    assert_eq!((kept.of.begun_again().len(), kept.of.backups_started()), (2, 4), "another finding");
}

#[tokio::test]
async fn one_finding_begins_one_backup_though_it_fails_and_the_finding_stays() {
    let mut kept = Kept::suspect().await;
    kept.of.hsm.attach_identity(false);
    for _ in 0..2 {
        kept.of.minutes(12).await;
        kept.of.settle().await;
        assert_eq!(kept.of.begun_again(), ["Failed"]);
        assert_eq!(kept.verified().await["findings"][0]["newest"], true);
    }
}

#[tokio::test]
async fn nothing_is_begun_while_a_backup_is_under_way_or_has_replaced_what_was_damaged() {
    let mut kept = Kept::after(2).await;
    let now = kept.of.world.azure.clock().now() + time::Duration::days(2);
    kept.of.world.at(now);
    kept.of.hsm.set_operation_seconds(3600);
    kept.of.fire_now().await;
    kept.of.landing.delete_blob(LANDING, &kept.blobs().pop().expect("a blob"));
    let found = kept.keeper.fire("VerifyBackups", Firing::at(now)).await;
    assert!(found.succeeded(), "{found:?}");
    kept.of.minutes(12).await;
    assert_eq!(kept.of.open().len(), 1, "the nightly one");
    kept.of.settle().await;
    kept.of.minutes(12).await;
    assert_eq!((kept.of.begun_again(), kept.of.backups_started()), (vec![], 3));
}

#[tokio::test]
async fn what_could_not_be_begun_is_begun_at_the_next_look() {
    let mut kept = Kept::suspect().await;
    let record = Matcher::from(Operation::PutBlob).custom(|of| of.object.contains("hsm-jobs/"));
    kept.of.world.fault(record, FaultKind::Forbidden(Forbidden::ByRbac));
    assert!(!kept.of.world.advance().await.succeeded());
    kept.of.world.azure.faults().clear();
    kept.of.minutes(12).await;
    kept.of.settle().await;
    assert_eq!(kept.of.begun_again(), ["Succeeded"]);
}
