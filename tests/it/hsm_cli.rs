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
    assert_eq!((code, &backup["state"]), (0, &json!("Succeeded")), "{backup}");
    let before = of.state();
    of.wreck();
    let (code, restored) = of.tool(&["restore", "--confirm", "hsm-a", "--yes", "--wait"]).await;
    assert_eq!((code, &restored["state"]), (0, &json!("Succeeded")), "{restored}");
    assert_eq!((of.state() == before, of.backups_started()), (true, 1), "the backup is young enough");
    let (code, status) = of.tool(&["status"]).await;
    assert_eq!(
        (code, &status["hsms"][0]["ok"], &status["hsms"][0]["running"]),
        (0, &json!(true), &json!([]))
    );
    assert_eq!(status["runs"][0]["run"], backup["run"]);
}

#[tokio::test]
async fn the_status_of_an_hsm_that_is_not_known_is_refused_in_words_or_as_json() {
    let of = HsmWorld::at_a_terminal().await;
    assert_eq!(of.tool(&["backup", "--wait"]).await.0, 0);
    let other = of.world.azure.hsm("hsm-aa").url();
    let ask = async |args: &[&str]| {
        let output = of.world.cli(&[&["hsm", "status"], args].concat()).await;
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = ask(&["--hsm", &other]).await;
    assert!(code == Some(2) && said.contains("knows nothing of HSM hsm-aa"), "{said}");
    assert!(said.contains("nearest in name: hsm-a."), "{said}");
    let (code, said) = ask(&["--hsm", &other, "--output", "json"]).await;
    let error: Value = serde_json::from_str(&said).expect("it is JSON");
    assert_eq!((code, &error["type"]), (Some(2), &json!("urn:keyvault-backup:problem:nothing-selected")));
    assert_eq!(ask(&["--hsm", &of.hsm.url(), "--limit", "0"]).await.0, Some(0), "it is known");
    assert_eq!(ask(&[]).await.0, Some(0));
}

#[tokio::test]
async fn keys_come_back_and_the_exit_code_tells_all_from_part_from_none() {
    let of = HsmWorld::at_a_terminal().await;
    of.hsm.put_key("live", keyvault_backup_emulator::KeySpec::rsa(2048));
    of.tool(&["backup", "--wait"]).await;
    of.lose("signing");
    let (code, plan) = of.tool(&["restore-key", "--key", "signing", "--key", "live", "--what-if"]).await;
    assert_eq!((code, &plan["keys"][0]["held"]), (1, &json!("live")), "{plan}");
    assert_eq!(plan["foreseen"], "PartiallyFailed");
    let (code, done) =
        of.tool(&["restore-key", "--key", "signing", "--key", "live", "--yes", "--wait"]).await;
    assert_eq!((code, &done["state"]), (1, &json!("PartiallyFailed")), "{done}");
    let (code, plan) = of.tool(&["restore-key", "--key", "signing", "--yes"]).await;
    assert_eq!((code, &plan["obstacle"]["name"]), (2, &json!("no-key-is-free")), "{plan}");
}

#[tokio::test]
async fn without_a_backup_there_is_no_plan_at_a_terminal_either() {
    let of = HsmWorld::at_a_terminal().await;
    for args in [&["restore", "--what-if"][..], &["restore-key", "--key", "signing", "--yes"]] {
        let (code, said) = of.tool(args).await;
        assert!(
            code == 2 && said.as_str().is_some_and(|said| said.contains("knows nothing of HSM hsm-a")),
            "{said}"
        );
        assert!(said.as_str().is_some_and(|said| said.contains("problem:nothing-selected")), "{said}");
    }
    let other = of.world.azure.hsm("hsm-b");
    other.set_operation_polls(0);
    of.world.cli(&["hsm", "backup", "--hsm", &other.url(), "--wait"]).await;
    let (code, said) = of.tool(&["restore", "--what-if"]).await;
    assert!(code == 2 && said.as_str().is_some_and(|said| said.contains("nearest in name: hsm-b")), "{said}");
}

#[tokio::test]
async fn what_the_terminal_began_the_app_ends() {
    let mut of = HsmWorld::at_a_terminal().await;
    let (code, begun) = of.tool(&["backup"]).await;
    assert_eq!((code, &begun["state"]), (0, &json!("Running")));
    let (_, status) = of.tool(&["status"]).await;
    let running = &status["hsms"][0]["running"][0];
    assert_eq!((&running["run"], &running["hsm"]["phase"]), (&begun["run"], &json!("running")));
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

impl HsmWorld {
    /// A world whose key `signing` is backed up by itself, and what a terminal says of it.
    async fn with_a_single_key() -> Self {
        let mut of = Self::with(&["hsm-a", "hsm-b"]).await;
        of.world.set("KEYVAULT_BACKUP_HSM_KEYS", "hsm-a/signing hsm-b/signing");
        of.fire().await;
        of.world.settle().await;
        of.settle().await;
        of.world.today();
        of
    }

    async fn at(&self, args: &[&str]) -> (i32, Value) {
        let output =
            self.world.cli(&[args, &["--vault", &self.hsm.url(), "--output", "json"]].concat()).await;
        let text = String::from_utf8_lossy(&output.stdout);
        let said = || json!(String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap_or(-1), serde_json::from_str(&text).unwrap_or_else(|_| said()))
    }
}

#[tokio::test]
async fn single_keys_are_listed_and_restored_at_a_terminal() {
    let of = HsmWorld::with_a_single_key().await;
    let before = of.state();
    let (code, listed) = of.at(&["list", "objects"]).await;
    assert_eq!(
        (code, &listed["objects"][0]["name"], listed["objects"].as_array().map(Vec::len)),
        (0, &json!("signing"), Some(1))
    );
    let (code, runs) = of.at(&["list", "runs"]).await;
    assert_eq!((code, runs["runs"].as_array().map(Vec::len)), (0, Some(1)), "{runs}");
    let (code, history) = of.at(&["list", "history", "--key", "signing"]).await;
    assert_eq!((code, history["backups"].as_array().map(Vec::len)), (0, Some(1)), "{history}");
    let run = runs["runs"][0]["run"].as_str().expect("a run").to_owned();
    assert_eq!(of.at(&["show", &run]).await.0, 0);
    let (code, plan) = of.at(&["restore", "--all", "--what-if"]).await;
    assert_eq!(code, 0, "what is there as its backup has it is good: {plan}");
    let now =
        of.world.azure.clock().now().format(&time::format_description::well_known::Rfc3339).expect("a time");
    for selection in [&["--key", "signing"][..], &["--name", "sign*"], &["--all"], &["--all", "--at", &now]] {
        of.lose("signing");
        let (code, plan) = of.at(&[&["restore", "--what-if"], selection].concat()).await;
        assert_eq!(code, 0, "{plan}");
        let (code, done) = of.at(&[&["restore", "--yes"], selection].concat()).await;
        assert_eq!(code, 0, "{selection:?} {done}");
        of.assert_restored(&before);
    }
    of.hsm.put_key("other", keyvault_backup_emulator::KeySpec::rsa(2048));
    of.lose("signing");
    of.hsm.put_key("signing", keyvault_backup_emulator::KeySpec::rsa(2048));
    let (code, plan) = of.at(&["restore", "--key", "signing", "--what-if"]).await;
    assert!(code == 2 && plan.to_string().contains("live"), "{plan}");
}

#[tokio::test]
async fn what_an_hsm_cannot_do_is_said_in_words() {
    let of = HsmWorld::with_a_single_key().await;
    let (vault, other) = (of.world.vault.url(), of.world.azure.hsm("hsm-b").url());
    for (args, words) in [
        (&["restore", "--secret", "secret-0", "--what-if"][..], "holds keys and no secrets"),
        (&["restore", "--kind", "certificate", "--what-if"], "holds keys and no certificates"),
        (&["list", "objects", "--kind", "secret"], "holds keys and no secrets"),
        (&["list", "history", "--certificate", "tls"], "holds keys and no certificates"),
        (&["restore", "--all", "--what-if", "--into", &vault], "does not restore into a vault"),
        (&["restore", "--all", "--what-if", "--into", &other], "KEYVAULT_BACKUP_HSM_DOMAINS"),
        (&["restore", "--key", "never", "--what-if"], "KEYVAULT_BACKUP_HSM_KEYS"),
    ] {
        let (code, said) = of.at(args).await;
        assert!(code == 2 && said.as_str().is_some_and(|said| said.contains(words)), "{args:?} {said}");
    }
    let into = of.hsm.url();
    let args = ["restore", "--vault", &vault, "--all", "--what-if", "--into", &into];
    let said = of.world.cli(&args).await;
    assert!(String::from_utf8_lossy(&said.stderr).contains("does not restore into an HSM"), "{said:?}");
}

#[tokio::test]
async fn a_key_comes_back_into_another_hsm_of_its_security_domain() {
    let mut of = HsmWorld::with_a_single_key().await;
    let other = of.world.azure.hsm("hsm-b");
    other.set_security_domain(&of.hsm.security_domain());
    of.world.set("KEYVAULT_BACKUP_HSM_DOMAINS", "hsm-a=hsm-b");
    other.delete_key("signing").expect("it is deleted");
    other.purge_key("signing").expect("it is purged");
    let (code, done) = of.at(&["restore", "--all", "--yes", "--into", &other.url()]).await;
    assert_eq!((code, of.hsm.keys().differences(&other.keys())), (0, vec![]), "{done}");
}

#[tokio::test]
async fn a_file_with_a_key_of_an_hsm_is_restored() {
    let of = HsmWorld::with_a_single_key().await;
    let before = of.state();
    let prefix = "vaults/hsm-a/runs/";
    let blobs = of.world.backups.blobs(crate::world::BACKUPS);
    let name = blobs
        .iter()
        .find(|name| name.starts_with(prefix) && name.ends_with("/backup"))
        .expect("it is backed up");
    let blob = of.world.backups.blob(crate::world::BACKUPS, name).expect("it is stored");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("signing").to_string_lossy().into_owned();
    std::fs::write(&path, &blob.bytes).expect("it is written");
    of.lose("signing");
    let (code, done) = of.at(&["restore", "--file", &path, "--yes"]).await;
    assert_eq!((code, &done["kind"]), (0, &json!("key")), "{done}");
    of.assert_restored(&before);
}
