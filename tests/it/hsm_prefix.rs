//! Backups of Managed HSMs under folders of a container.

use keyvault_backup_emulator::{FaultKind, Operation};
use serde_json::{Value, json};

use crate::{
    hsm_restores::keys,
    hsm_world::{HsmWorld, LANDING},
};

const SETTING: &str = "KEYVAULT_BACKUP_HSM_CONTAINER";
const PREFIX: &str = "prod/team-a";

impl HsmWorld {
    /// What the setting names when it names folders.
    pub fn prefixed(&self, prefix: &str) -> String {
        format!("{}/{LANDING}/{prefix}", self.landing.blob_url())
    }

    /// One HSM that is backed up under folders.
    async fn under_folders() -> Self {
        let mut of = Self::new().await;
        of.world.set(SETTING, &of.prefixed(PREFIX));
        of
    }

    /// The folder of the newest record.
    fn newest_folder(&self) -> Value {
        self.records("hsm-a")[0]["folder"].clone()
    }
}

fn path(folder: &Value) -> &str {
    folder["path"].as_str().expect("a path")
}

#[tokio::test]
async fn a_backup_under_folders_is_followed_to_its_end_and_restored() {
    let mut of = HsmWorld::under_folders().await;
    of.fire().await;
    of.settle().await;
    of.world.today();
    let (before, folder) = (of.state(), of.newest_folder());
    assert!(path(&folder).starts_with(&format!("{PREFIX}/mhsm-hsm-a-")), "{folder}");
    assert!(
        folder["time"].is_string() && folder["blobs"] == json!(of.landing.blobs(LANDING).len()),
        "{folder}"
    );
    of.lose("signing");
    let (plan, report) = of.restored(keys(&["signing"])).await;
    assert_eq!((&plan["contents"]["state"], &report["state"]), (&json!("asRecorded"), &json!("Succeeded")));
    of.wreck();
    let (_, report) = of.restored(json!({ "hsm": "hsm-a", "everything": true, "run": of.records("hsm-a").last().expect("one")["run"] })).await;
    assert_eq!(report["state"], "Succeeded", "{report}");
    of.assert_restored(&before);
}

#[tokio::test]
async fn a_lost_answer_to_the_start_is_made_up_for_by_the_folder_under_folders() {
    let mut of = HsmWorld::under_folders().await;
    of.world.fault(Operation::StartBackup, FaultKind::ResetAfter);
    of.fire().await;
    of.settle().await;
    let record = of.records("hsm-a").remove(0);
    assert_eq!(
        (of.backups_started(), &record["verdict"], &record["found"]),
        (1, &json!("Succeeded"), &json!(true))
    );
    assert!(path(&record["folder"]).starts_with(&format!("{PREFIX}/mhsm-hsm-a-")), "{record}");
}

#[tokio::test]
async fn what_was_backed_up_before_the_setting_changed_can_still_be_restored() {
    let mut of = HsmWorld::backed_up().await;
    let (before, old) = (of.state(), of.newest_folder());
    of.world.set(SETTING, &of.prefixed(PREFIX));
    of.world.restart_with_settings().await;
    of.lose("signing");
    let (plan, report) = of.restored(keys(&["signing"])).await;
    assert_eq!((&plan["contents"]["state"], &report["state"]), (&json!("asRecorded"), &json!("Succeeded")));
    of.assert_restored(&before);
    of.fire_now().await;
    of.settle().await;
    assert!(path(&of.newest_folder()).starts_with(PREFIX) && path(&old).starts_with("mhsm-"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_one_is_refused_at_the_start() {
    let mut of = HsmWorld::new().await;
    for prefix in ["mhsm-hsm-a-2026112202000000", "a//b", "a/../b", "a?sig=hidden", "a b"] {
        of.world.set(SETTING, &of.prefixed(prefix));
        let said = of.world.cli(&["hsm", "status"]).await;
        let words = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.code() == Some(2) && words.contains(SETTING), "{prefix}: {said:?}");
        assert!(!words.contains("hidden"), "{words}");
    }
}
