//! `hsm`, at a terminal.

use keyvault_backup_emulator::{Fault, FaultKind, Operation};
use serde_json::{Value, json};

use crate::hsm_world::HsmWorld;

impl HsmWorld {
    /// A world at the real time, which the tool goes by, whose HSM needs no time.
    async fn at_a_terminal() -> Self {
        let of = Self::with(&["hsm-a", "hsm-b"]).await;
        of.world.today();
        of.hsm.set_operation_polls(0);
        // Saves the tests a look.
        of.world.azure.faults().add(Fault::on(Operation::CheckBackup).reply(FaultKind::Status(400)));
        of
    }

    async fn tool(&self, args: &[&str]) -> (i32, Value) {
        let url = self.hsm.url();
        let output = self.world.cli(&[&["hsm"], args, &["--hsm", &url, "--output", "json"]].concat()).await;
        let text = String::from_utf8_lossy(&output.stdout);
        let value =
            serde_json::from_str(&text).unwrap_or_else(|_| json!(String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap_or(-1), value)
    }
}

#[tokio::test]
async fn a_backup_and_a_full_restore_from_the_terminal() {
    let of = HsmWorld::at_a_terminal().await;
    let (code, backup) = of.tool(&["backup", "--wait"]).await;
    assert_eq!((code, &backup["verdict"]), (0, &json!("Succeeded")), "{backup}");
    let before = of.state();
    of.wreck();
    let (code, restored) = of.tool(&["restore", "--confirm", "hsm-a", "--yes", "--wait"]).await;
    assert_eq!((code, &restored["verdict"]), (0, &json!("Succeeded")), "{restored}");
    assert_eq!((of.state() == before, of.backups_started()), (true, 1), "the backup is young enough");
    let (code, status) = of.tool(&["status"]).await;
    assert_eq!((code, &status["hsms"][0]["ok"], &status["jobs"]), (0, &json!(true), &json!([])));
    assert_eq!(status["backups"][0]["run"], backup["run"]);
}

#[tokio::test]
async fn keys_come_back_and_the_exit_code_tells_all_from_part_from_none() {
    let of = HsmWorld::at_a_terminal().await;
    of.hsm.put_key("live", keyvault_backup_emulator::KeySpec::rsa(2048));
    of.tool(&["backup", "--wait"]).await;
    of.lose("signing");
    let (code, plan) = of.tool(&["restore-key", "--key", "signing", "--key", "live", "--what-if"]).await;
    assert_eq!((code, &plan["plan"]["keys"][0]["held"]), (1, &json!("live")), "{plan}");
    let (code, done) =
        of.tool(&["restore-key", "--key", "signing", "--key", "live", "--yes", "--wait"]).await;
    assert_eq!((code, &done["verdict"]), (1, &json!("PartiallyFailed")), "{done}");
    let (code, plan) = of.tool(&["restore-key", "--key", "signing", "--yes"]).await;
    assert_eq!((code, &plan["obstacle"]["name"]), (2, &json!("no-key-is-free")), "{plan}");
}

#[tokio::test]
async fn what_the_terminal_began_the_app_ends() {
    let mut of = HsmWorld::at_a_terminal().await;
    let (code, begun) = of.tool(&["backup"]).await;
    assert_eq!((code, &begun["state"]), (0, &json!("Running")));
    let (_, status) = of.tool(&["status"]).await;
    assert_eq!((&status["jobs"][0]["id"], &status["jobs"][0]["phase"]), (&begun["run"], &json!("running")));
    of.settle().await;
    assert_eq!(of.records("hsm-a")[0]["run"], begun["run"]);
}

#[tokio::test]
async fn nothing_is_replaced_without_a_terminal_or_its_name() {
    let of = HsmWorld::at_a_terminal().await;
    of.tool(&["backup", "--wait"]).await;
    for (args, word) in [
        (&["restore"][..], "no terminal"),
        (&["restore", "--yes"], "no terminal"),
        (&["restore", "--confirm", "hsm-a"], "no terminal"),
        (&["restore", "--confirm", "hsm-b", "--yes"], "does not say"),
        (&["restore-key", "--key", "gone"], "no terminal"),
    ] {
        let (code, said) = of.tool(args).await;
        assert!(code == 2 && said.as_str().is_some_and(|said| said.contains(word)), "{args:?}: {said}");
    }
    let (code, plan) = of.tool(&["restore", "--what-if"]).await;
    assert!(code == 0 && plan["warning"].as_str().is_some_and(|text| text.contains("replaced")), "{plan}");
    let (code, plan) = of.tool(&["restore", "--from", "hsm-b", "--what-if"]).await;
    assert_eq!((code, &plan["obstacle"]["name"]), (2, &json!("other-security-domain")));
    assert_eq!(of.hsm.starts_sent().restores, 0);
}

#[tokio::test]
async fn the_services_checks_are_asked_where_there_are_any() {
    let mut of = HsmWorld::at_a_terminal().await;
    of.tool(&["backup", "--wait"]).await;
    of.world.azure.faults().clear();
    let run = of.records("hsm-a")[0]["run"].as_str().expect("a run").to_owned();
    for args in [&["check"][..], &["check", "--restore", &run]] {
        assert_eq!(of.tool(args).await.1["possible"], json!(true), "{args:?}");
    }
    of.hsm.attach_identity(false);
    let (code, found) = of.tool(&["check"]).await;
    assert_eq!((code, &found["possible"]), (2, &json!(false)), "{found}");
    of.world.set("KEYVAULT_BACKUP_API_VERSION", "7.5");
    let (code, found) = of.tool(&["check"]).await;
    assert_eq!((code, &found["possible"]), (1, &Value::Null), "{found}");
    assert!(found["failure"]["text"].as_str().is_some_and(|text| text.contains("7.5")), "{found}");
}
