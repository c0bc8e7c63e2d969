//! A preflight of a healthy installation finds nothing; each thing that is wrong is found, and named with what
//! mends it.

mod fix;
mod groups;
mod hsms;
mod rights;
mod scope;
mod sources;
mod stores;
mod trust;
mod words;

use std::{fs, path::Path, process::Output};

use futures::future::join_all;
use keyvault_backup_emulator::{Access, Forbidden, Operation, Rights, SecretSpec, Service, WriteProtection};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::world::{BACKUPS, PERSON, World};

/// What the backup identity may do in a vault.
pub fn backup_rights() -> Access {
    Access::only(Forbidden::ByRbac, &["list", "backup"])
}

/// A world of one vault that was backed up today, with the rights that the templates give.
pub async fn healthy() -> World {
    let mut world = World::with_each_kind(1).await;
    prepare(&mut world).await;
    world
}

/// Gives a world those rights, and a backup of today.
pub async fn prepare(world: &mut World) {
    install(world);
    let output = back_up(world).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// Gives a world those rights.
pub fn install(world: &mut World) {
    world.set("KEYVAULT_BACKUP_ROLE", "backup");
    world.backups.set_write_protection(BACKUPS, WriteProtection { days: 90, locked: true });
    world.vault.configure(|options| options.access = Some(backup_rights()));
    world.retention_applied(world.today());
}

/// Lets people delete backups.
pub fn allow_deletion(world: &World) {
    world.backups.give(PERSON, Rights::of("person", "backups").with("blobs/delete"));
}

/// Backs the vault up.
pub async fn back_up(world: &World) -> Output {
    world.cli(&["backup", "--vault", &world.vault.url()]).await
}

/// The exit code and the report.
pub async fn preflight(world: &World) -> (Option<i32>, Value) {
    let output = world.cli(&["preflight", "--output", "json"]).await;
    let report = serde_json::from_slice(&output.stdout);
    let report: Value = report.unwrap_or_else(|error| panic!("{error}: {output:?}"));
    leave_remedies(&report);
    (output.status.code(), report)
}

/// Leaves the commands that mend each finding where `infra/tests/azure_cli.py` reads them.
fn leave_remedies(report: &Value) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("remedies");
    fs::create_dir_all(&folder).expect("a folder");
    for command in report["findings"].as_array().into_iter().flatten().flat_map(commands) {
        assert_is_a_command(command);
        let name = data_encoding::HEXLOWER.encode(&Sha256::digest(command)[..8]);
        fs::write(folder.join(name), command).expect("it is written");
    }
}

/// The commands of a finding.
pub fn commands(found: &Value) -> impl Iterator<Item = &str> {
    let commands = found["commands"].as_array().expect("a list");
    commands.iter().map(|command| command.as_str().expect("a text"))
}

/// That a text is one line, begins with a program, and is a whole command to a shell.
fn assert_is_a_command(text: &str) {
    let programs = ["az ", "keyvault-backup ", "infra/scripts/", "timedatectl "];
    assert!(programs.iter().any(|program| text.starts_with(program)) && text.lines().count() == 1, "{text}");
    let read = std::process::Command::new("bash").args(["-n", "-c", text]).output().expect("a shell");
    assert!(read.status.success() && !text.contains(';'), "{text}: {read:?}");
}

/// The names of what is wrong.
pub fn names(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("a list");
    findings.iter().filter_map(|found| found["name"].as_str()).collect()
}

/// The one thing that is wrong.
pub async fn only(world: &World, name: &str) -> Value {
    let (code, report) = preflight(world).await;
    let findings = report["findings"].as_array().expect("a list");
    assert!(findings.len() == 1 && findings[0]["name"] == name, "{name}: {findings:#?}");
    let expected = i32::from(findings[0]["severity"] != "info");
    assert_eq!(code, Some(expected), "{findings:?}");
    findings[0].clone()
}

/// The one thing that is wrong, and that its remedy says all of this.
pub async fn mended_by(world: &World, name: &str, words: &[&str]) {
    let found = only(world, name).await;
    let remedy = found["remedy"].as_str().expect("a text");
    assert!(words.iter().all(|word| remedy.contains(word)), "{remedy}");
}

#[tokio::test]
async fn a_healthy_installation_has_no_findings() {
    let world = healthy().await;
    let (code, report) = preflight(&world).await;
    assert_eq!(
        (code, &report["findings"], &report["unknown"]),
        (Some(0), &Value::from([(); 0]), &Value::from([(); 0]))
    );
    assert!(report["well"].as_array().is_some_and(|well| well.len() > 12), "{report:#}");
}

#[tokio::test]
async fn that_no_keeper_deletes_is_told_and_that_it_stopped_is_a_warning() {
    let mut world = World::with_each_kind(1).await;
    prepare(&mut world).await;
    let found = |report: &Value| {
        let mut of = report["findings"].as_array().expect("a list").iter();
        of.find(|of| of["name"] == "retention-not-applied").cloned()
    };
    let since = world.backups.blobs(BACKUPS).into_iter().find(|name| name.starts_with("retention/passes/"));
    assert!(found(&preflight(&world).await.1).is_none());
    world.backups.delete_blob(BACKUPS, &since.expect("a pass"));
    let never = found(&preflight(&world).await.1).expect("it is told");
    assert_eq!(never["severity"], "info", "{never}");
    world.retention_applied(world.today() - time::Duration::days(3));
    let stopped = found(&preflight(&world).await.1).expect("it is told");
    assert_eq!(stopped["severity"], "warning", "{stopped}");
    let status = world.cli(&["status"]).await;
    assert!(
        String::from_utf8_lossy(&status.stdout).contains("Nothing is deleted: the keeper last"),
        "{status:?}"
    );
}

#[tokio::test]
async fn looking_twice_writes_one_probe_a_day_and_changes_nothing_else() {
    let world = healthy().await;
    let before = (world.backups.blobs(BACKUPS), world.vault.snapshot());
    preflight(&world).await;
    preflight(&world).await;
    let mut after = world.backups.blobs(BACKUPS);
    after.retain(|name| !before.0.contains(name));
    assert!(after.len() == 1 && after[0].starts_with("preflight/20"), "{after:?}");
    assert!(world.vault.snapshot() == before.1 && world.work.blobs(crate::world::JOBS).is_empty());
}

#[tokio::test]
async fn a_keeper_leaves_the_probe_of_the_backups_alone() {
    let mut world = healthy().await;
    world.set("KEYVAULT_BACKUP_ROLE", "keeper");
    allow_deletion(&world);
    world.backups.set_write_protection(BACKUPS, None);
    let before = world.backups.blobs(BACKUPS);
    let (_, report) = preflight(&world).await;
    assert_eq!(world.backups.blobs(BACKUPS), before, "{report:#}");
    assert!(!names(&report).contains(&"backups-deletable"), "a keeper deletes: {report:#}");
}

#[tokio::test]
async fn the_table_says_what_is_wrong_and_what_mends_it() {
    let world = healthy().await;
    allow_deletion(&world);
    world.backups.set_write_protection(BACKUPS, None);
    let output = world.cli(&["preflight"]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for words in
        ["backups-deletable", "no-write-protection", "az role assignment list", "2 findings, 0 not known"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[tokio::test]
async fn over_http_it_is_the_same_report() {
    let mut world = healthy().await;
    world.vault.configure(|options| options.access = Some(backup_rights().with("get")));
    let report = world.ok("/api/status/preflight").await;
    assert_eq!(
        (names(&report), &report["ok"]),
        (vec!["reads-values", "platform-auth-off"], &Value::from(false))
    );
    assert!(report["now"].is_string() && report["unknown"].as_array().is_some_and(Vec::is_empty), "{report}");
}

/// The key of `Status` is a low right: it takes no requests of the vaults away from others.
#[tokio::test]
async fn however_often_it_is_asked_for_over_http_a_vault_is_tried_once() {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    world.vault.put_secret("a", SecretSpec::new("value"));
    install(&mut world);
    let host = world.host().await;
    let key = host.key("Status");
    let ask = async |path: &str| host.http("GET", path, &[("x-functions-key", key.as_str())], "").await;
    let mark = world.azure.requests().mark();
    let tried = || {
        let since = world.azure.requests().since(mark);
        let of_vaults = since.into_iter().filter(|of| of.service == Service::Vault);
        let of_vaults: Vec<_> = of_vaults.map(|of| (of.operation, of.host)).collect();
        (of_vaults.iter().filter(|(of, _)| *of == Operation::Backup).count(), of_vaults.len())
    };
    let first = ask("/api/status/preflight").await;
    let once = tried();
    assert!(first.status == 200 && once.0 >= 1 && once.1 > 6, "{once:?}: {}", first.text());
    let again = join_all((0..16).map(|_| ask("/api/status/preflight?severity=error"))).await;
    assert!(again.iter().all(|of| of.status == 200 && of.json()["now"] == first.json()["now"]));
    assert_eq!(tried(), once, "what was made is given out again");
    join_all((0..16).map(|_| ask("/api/status/preflight?source=kv-a"))).await;
    let (_, both) = tried();
    assert!(
        both > once.1 && both < 2 * once.1,
        "one check of one vault of two is shared as well: {once:?} {both}"
    );
}

#[tokio::test]
async fn nothing_that_is_guarded_is_printed() {
    let mut world = healthy().await;
    world.set("KEYVAULT_BACKUP_HSMS", "https://hsm-a.managedhsm.azure.net");
    world.set("KEYVAULT_BACKUP_HSM_CONTAINER", "https://landing.blob.core.windows.net/hsm-backups");
    world.set("KEYVAULT_BACKUP_HSM_BACKUP_SAS", "?sv=1&se=2030-01-01&sig=hunter2hunter2");
    let (json, table) =
        (world.cli(&["preflight", "--output", "json"]).await, world.cli(&["preflight"]).await);
    let printed = [json.stdout, json.stderr, table.stdout, table.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(printed.contains("sas-in-use"), "{printed}");
    for guarded in ["hunter2", "value-0", "eyJ", "AzureKeyVault"] {
        assert!(!printed.contains(guarded), "{guarded}");
    }
}
