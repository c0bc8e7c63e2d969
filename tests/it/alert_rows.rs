//! What the queries of the alerts are tried on: the lines that the program wrote in scenes, the calls that it made, and what
//! invoked it. `.ci/kql/outcomes.py` reads them; each scene is a file.

use std::{fs, path::Path};

use keyvault_backup_emulator::{
    BackupForm, FaultKind, Forbidden, Kind, Operation,
    host::{Host, LogLine},
};
use serde_json::{Value, json};

use crate::{
    drills::Drilling,
    faults::backup_of,
    hsm_copies::Copying,
    hsm_world::{HsmWorld, LANDING},
    retention::Kept,
    second::Second,
    world::{BACKUPS, NIGHT, World},
};

const DAY: time::Duration = time::Duration::DAY;

/// Leaves a scene where the queries are tried.
fn leave(scene: &str, lines: &[LogLine], hosts: &[&Host], world: &World) {
    let lines: Vec<_> = lines.iter().map(|line| &line.text).collect();
    let invoked = |host: &&Host| host.invocations().iter().map(|of| of.function.clone()).collect::<Vec<_>>();
    let requests: Vec<_> = world.azure.requests().entries().iter().map(|of| {
        json!({
            "service": format!("{:?}", of.service), "host": &*of.host, "method": of.method, "path": of.path,
            "operation": format!("{:?}", of.operation), "caller": &*of.caller, "status": of.status,
        })
    }).collect();
    let invocations: Vec<_> = hosts.iter().flat_map(invoked).collect();
    write(scene, &json!({ "lines": lines, "requests": requests, "invocations": invocations }));
}

fn write(scene: &str, rows: &Value) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alert-rows");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(format!("{scene}.json")), rows.to_string()).expect("it is written");
}

async fn leave_all(scene: &str, world: &mut World) {
    let host = world.host().await;
    leave(scene, &world.handler_lines().await, &[&host], world);
}

/// Leaves what the keeper wrote.
fn leave_keeper(scene: &str, kept: &Kept) {
    let lines: Vec<_> = kept.keeper.logs().into_iter().filter(|line| line.function_console).collect();
    leave(scene, &lines, &[&kept.keeper], &kept.world);
}

#[tokio::test]
async fn a_quiet_night() {
    let mut world = World::with_secrets(2).await;
    assert_eq!(world.night(NIGHT).await["verdict"], "Succeeded");
    leave_all("quiet", &mut world).await;
}

#[tokio::test]
async fn a_night_with_a_failed_object() {
    let mut world = World::with_secrets(2).await;
    world.fault(backup_of("secret-1"), FaultKind::Forbidden(Forbidden::ByRbac));
    assert_eq!(world.night(NIGHT).await["verdict"], "PartiallyFailed");
    leave_all("failed-object", &mut world).await;
}

/// A kind is left out: the run does not cover the vault.
#[tokio::test]
async fn a_night_in_which_a_kind_cannot_be_listed() {
    let mut world = World::with_secrets(1).await;
    world.fault(Operation::ListKeys, FaultKind::Forbidden(Forbidden::ByRbac));
    assert!(!world.fire(NIGHT).await.succeeded(), "planning is tried again");
    world.settle().await;
    assert_eq!(world.newest("kv-a").summary["verdict"], "PartiallyFailed");
    leave_all("unlisted", &mut world).await;
}

#[tokio::test]
async fn a_night_after_a_loss() {
    let mut world = World::with_secrets(6).await;
    world.night(NIGHT).await;
    for number in 0..6 {
        world.vault.remove(Kind::Secret, &format!("secret-{number}"));
    }
    world.night(NIGHT + DAY).await;
    leave_all("loss", &mut world).await;
}

#[tokio::test]
async fn a_night_with_another_form() {
    let mut world = World::with_secrets(1).await;
    world.vault.configure(|options| options.backup_form = BackupForm::NextMagic);
    world.night(NIGHT).await;
    leave_all("form", &mut world).await;
}

/// Two restores, through the app: one brings its object back, the other cannot.
#[tokio::test]
async fn a_restore_that_succeeds_and_one_that_fails() {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    let mut told = Vec::new();
    for (name, fails) in [("secret-0", false), ("secret-1", true)] {
        world.vault.remove(Kind::Secret, name);
        if fails {
            world.fault(Operation::Restore, FaultKind::Forbidden(Forbidden::ByRbac));
        }
        let wanted = json!({ "source": "kv-a", "objects": [{ "kind": "secret", "name": name }] });
        told.push(world.restored(wanted).await["state"].take());
    }
    assert_eq!(told, ["Succeeded", "Failed"]);
    leave_all("restores", &mut world).await;
}

#[tokio::test]
async fn a_backup_of_an_hsm_that_is_overdue_and_succeeds() {
    let mut of = HsmWorld::new().await;
    of.hsm.set_operation_polls(usize::MAX);
    of.fire().await;
    of.world.azure.clock().advance(std::time::Duration::from_secs(7 * 3600));
    of.minutes(3).await;
    of.hsm.finish_operations();
    of.settle().await;
    leave_all("hsm", &mut of.world).await;
}

#[tokio::test]
async fn a_backup_of_an_hsm_that_fails() {
    let mut of = HsmWorld::new().await;
    of.hsm.attach_identity(false);
    of.fire().await;
    of.settle().await;
    assert_eq!(of.records("hsm-a")[0]["verdict"], "Failed");
    leave_all("hsm-failed", &mut of.world).await;
}

#[tokio::test]
async fn a_pass_of_retention() {
    let mut kept = Kept::with(1, "within=30").await;
    kept.nights(8).await;
    leave_keeper("retention", &kept);
}

/// A pass that finds a sound vault, and one that finds a damaged backup.
#[tokio::test]
async fn a_pass_of_verification_over_a_damaged_backup() {
    let kept = Kept::verified(2).await;
    assert!(kept.world.backups.flip_bit(BACKUPS, &kept.newest_backup_of("secret-0")));
    assert_eq!(kept.verify().await.len(), 1);
    leave_keeper("verification", &kept);
}

#[tokio::test]
async fn a_pass_of_verification_over_a_vault_without_a_backup() {
    let mut kept = Kept::with(0, "within=30").await;
    kept.night().await;
    kept.verify().await;
    leave_keeper("nothing-verified", &kept);
}

/// A pass that copies the backup of an HSM, and one that finds the folder cut.
#[tokio::test]
async fn a_pass_of_copies() {
    let mut copying = Copying::new().await;
    assert!(copying.pass().await.succeeded());
    copying.leave("copies");
    copying = Copying::new().await;
    let name = copying.of.landing.blobs(LANDING).pop().expect("a blob");
    copying.of.landing.put_blob(LANDING, &name, "x", &[]);
    assert!(!copying.pass().await.succeeded());
    copying.leave("copies-missing");
}

impl Copying {
    fn leave(&self, scene: &str) {
        let lines: Vec<_> = self.keeper.logs().into_iter().filter(|line| line.function_console).collect();
        leave(scene, &lines, &[&self.keeper], &self.of.world);
    }
}

/// The program at a terminal: its own lines go to the person, and its calls are seen.
#[tokio::test]
async fn a_person_who_backs_up_and_restores() {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    world.today();
    let mark = world.azure.requests().mark();
    assert!(world.cli(&["backup", "--vault", "kv-a", "--secret", "secret-0"]).await.status.success());
    world.vault.remove(Kind::Secret, "secret-1");
    let done = world.cli(&["restore", "--vault", "kv-a", "--secret", "secret-1", "--yes"]).await;
    assert!(done.status.success(), "{done:?}");
    assert!(!world.azure.requests().since(mark).is_empty());
    leave_all("person", &mut world).await;
}

/// A program that refuses its settings says so, and ends.
#[tokio::test]
async fn a_start_without_settings() {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_keyvault-backup"));
    command.arg("serve").env_clear().env("FUNCTIONS_CUSTOMHANDLER_PORT", "0").kill_on_drop(true);
    let output = command.output().await.expect("it runs");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.iter().any(|line| line.contains("start.failed")), "{text}");
    write("start", &json!({ "lines": lines, "requests": [], "invocations": [] }));
}

#[tokio::test]
async fn copies_reach_the_second_place() {
    let mut second = Second::with(2).await;
    second.night().await;
    second.good_pass().await;
    leave_keeper("second", &second.kept);
}

/// Something else has the name of a backup there, so that its night is never complete.
#[tokio::test]
async fn copies_do_not_reach_the_second_place() {
    let mut second = Second::with(2).await;
    second.night().await;
    let name = second.kept.world.backups.blobs(BACKUPS).into_iter().find(|name| name.ends_with("/backup"));
    second.second.put_blob(BACKUPS, &name.expect("it is stored"), "something else", &[]);
    second.kept.world.at(second.kept.now() + DAY * 2);
    assert!(!second.pass().await.succeeded());
    leave_keeper("second-late", &second.kept);
}

/// A drill, and the pass of the day after, which finds it recent.
#[tokio::test]
async fn a_drill_that_succeeds() {
    let drilling = Drilling::new().await;
    drilling.drilled().await;
    drilling.verify().await;
    drilling.leave("drill");
}

/// A drill that fails, of which the pass of two weeks later finds no newer one.
#[tokio::test]
async fn a_drill_that_fails() {
    let drilling = Drilling::with(&[("KEYVAULT_BACKUP_DRILL_TARGETS", "kv-a=/30")]).await;
    drilling.drilled().await;
    drilling.world.at(drilling.world.azure.clock().now() + DAY * 14);
    drilling.verify().await;
    drilling.leave("drill-failed");
}

impl Drilling {
    async fn verify(&self) {
        let now = self.world.azure.clock().now();
        assert!(
            self.keeper
                .fire("VerifyBackups", keyvault_backup_emulator::host::Firing::at(now))
                .await
                .succeeded()
        );
    }

    fn leave(&self, scene: &str) {
        let lines: Vec<_> = self.keeper.logs().into_iter().filter(|line| line.function_console).collect();
        leave(scene, &lines, &[&self.keeper], &self.world);
    }
}
