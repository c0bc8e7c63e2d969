//! Ending what is under way: Ctrl-C, terminals that die, restores that are abandoned, and the lease on a vault.

use std::{process::Output, sync::Arc, time::Duration};

use keyvault_backup_emulator::{Fault, FaultKind, Matcher, Operation, SecretSpec};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    hsm_world::HsmWorld,
    world::{JOBS, NIGHT, World},
};

const SECRETS: usize = 30;

/// Two vaults, one with secrets that were backed up one night; it is today, and restores are slow.
async fn backed_up() -> World {
    let mut world = World::with_vaults(&["kv-a", "kv-b"]).await;
    for number in 0..SECRETS {
        world.vault.put_secret(&format!("secret-{number}"), SecretSpec::new("value"));
    }
    world.night(NIGHT).await;
    world.today();
    world.set("KEYVAULT_BACKUP_RESTORE_SECRETS", "20");
    world
}

impl World {
    /// Says when so many requests of a kind have come in, and lets them through.
    fn seen(&self, operation: Operation, after: usize) -> Arc<Notify> {
        let met = Arc::new(Notify::new());
        let (notify, mut count) = (Arc::clone(&met), 0);
        let count = parking_lot::Mutex::new(move || {
            count += 1;
            count == after
        });
        let matcher = Matcher::from(operation).custom(move |_| {
            if (*count.lock())() {
                notify.notify_one();
            }
            false
        });
        self.azure.faults().add(Fault::on(matcher).reply(FaultKind::Hang));
        met
    }

    /// Runs a command and sends it a signal when `met` is met.
    async fn signalled(&self, args: &[&str], signal: &str, met: Arc<Notify>) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_keyvault-backup"));
        command.args(args).env_clear().envs(self.terminal_env()).kill_on_drop(true);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let child = command.spawn().expect("the command starts");
        let id = child.id().expect("it runs").to_string();
        let send = async {
            met.notified().await;
            let sent =
                std::process::Command::new("kill").args([signal, &id]).status().expect("kill is there");
            assert!(sent.success());
        };
        let ended = tokio::time::timeout(Duration::from_secs(60), async {
            tokio::join!(child.wait_with_output(), send).0
        });
        ended.await.expect("it ends").expect("it was there")
    }

    fn restore_into_b(&self, more: &[&str]) -> Vec<String> {
        let (from, into) = (self.vault.url(), self.azure.vault("kv-b").url());
        let args = ["restore", "--vault", &from, "--into", &into, "--all", "--yes"];
        [&args[..], more].concat().iter().map(ToString::to_string).collect()
    }

    async fn jobs(&self) -> Value {
        let jobs = self.cli(&["jobs", "--output", "json"]).await;
        serde_json::from_slice(&jobs.stdout).expect("it is JSON")
    }

    /// Why a restore ended before all of its steps did, as its record has it.
    fn cut(&self, restore: &Value) -> Value {
        let id = restore["id"].as_str().expect("a name");
        let is_its = |name: &String| name.starts_with("restores/") && name.contains(id);
        let name = self.work.blobs(JOBS).into_iter().find(is_its).expect("a record");
        let record = self.work.blob(JOBS, &name).expect("it is stored").metadata.remove(0).1;
        serde_json::from_str::<Value>(&record).expect("it is JSON")["ended"]["cut"].take()
    }

    fn secrets_in_b(&self) -> usize {
        self.azure.vault("kv-b").snapshot().objects.len()
    }
}

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn ctrl_c_ends_a_restore_in_order_and_the_same_command_goes_on() {
    let mut world = backed_up().await;
    let args = world.restore_into_b(&[]);
    let met = world.seen(Operation::Restore, 3);
    let output = world.signalled(&words(&args), "-INT", met).await;
    let there = world.secrets_in_b();
    assert!(output.status.code() == Some(130) && there < SECRETS, "{there} {output:?}");
    let said = stderr(&output);
    assert!(said.contains(&format!("interrupted: {there} of {SECRETS} steps")), "{said}");
    let jobs = world.jobs().await;
    let newest = &jobs["restores"][0];
    assert_eq!((&newest["state"], world.cut(newest)), (&json!("PartiallyFailed"), json!("interrupted")));
    assert_eq!(world.open_restores(), Vec::<String>::new(), "the vault is free");
    world.set("KEYVAULT_BACKUP_RESTORE_SECRETS", "300");
    let again = world.cli(&words(&args)).await;
    assert_eq!((again.status.code(), world.secrets_in_b()), (Some(0), SECRETS), "{again:?}");
}

#[tokio::test]
async fn a_message_has_an_app_carry_out_nothing_of_a_terminals_restore() {
    let mut world = backed_up().await;
    let args = world.restore_into_b(&[]);
    let met = world.seen(Operation::Restore, 3);
    world.signalled(&words(&args), "-KILL", met).await;
    let there = world.secrets_in_b();
    assert!(!world.open_restores().is_empty(), "it holds the vault");
    let id = world.jobs().await["restores"][0]["id"].take();
    for number in 0..SECRETS {
        let message =
            json!({ "version": 1, "restore": id, "kind": "secret", "object": format!("secret-{number}") });
        let done = world.host().await.deliver("RestoreObject", &message.to_string(), 1).await;
        assert!(done.succeeded(), "{done:?}");
    }
    assert_eq!(world.secrets_in_b(), there, "it would have the rights of the app");
}

#[tokio::test]
async fn an_app_ends_the_restore_of_a_terminal_that_died_and_does_not_go_on_with_it() {
    let mut world = backed_up().await;
    let args = world.restore_into_b(&[]);
    let met = world.seen(Operation::Restore, 3);
    world.signalled(&words(&args), "-KILL", met).await;
    let there = world.secrets_in_b();
    for minute in 0..30 {
        world.host().await.pump("RestoreObject").await;
        world.advance().await;
        let held = !world.open_restores().is_empty();
        assert_eq!(held, minute < 9, "minute {minute}: the lease lasts ten minutes");
    }
    assert_eq!(world.secrets_in_b(), there);
    let jobs = world.jobs().await;
    assert_eq!(world.cut(&jobs["restores"][0]), "terminal-gone", "{jobs}");
    let id = jobs["restores"][0]["id"].as_str().expect("a name").to_owned();
    let report = world.ok(&format!("/api/restores/{id}?limit=1000")).await;
    let codes = report["objects"].as_array().expect("a list").iter().map(|of| &of["failure"]["code"]);
    // What was restored when the terminal died may have no record of it.
    assert!(codes.filter(|code| **code == "TerminalGone").count() >= SECRETS - there, "{report}");
    world.assert_trail_is_whole().await;
}

#[tokio::test]
async fn a_lease_that_ran_out_holds_up_no_command_where_there_is_no_app() {
    let mut world = backed_up().await;
    let args = world.restore_into_b(&[]);
    let met = world.seen(Operation::Restore, 3);
    world.signalled(&words(&args), "-KILL", met).await;
    world.set("KEYVAULT_BACKUP_RESTORE_SECRETS", "300");
    let refused = world.cli(&words(&args)).await;
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("jobs abandon"), "{refused:?}");
    world.lease_runs_out("kv-b");
    let output = world.cli(&words(&args)).await;
    assert_eq!((output.status.code(), world.secrets_in_b()), (Some(0), SECRETS), "{output:?}");
    let jobs = world.jobs().await;
    assert_eq!(world.cut(&jobs["restores"][1]), "displaced", "{jobs}");
    assert_eq!(world.open_restores(), Vec::<String>::new());
}

impl World {
    /// Lets the lease on a vault end now, as its record has it.
    fn lease_runs_out(&self, vault: &str) {
        let name = format!("restore-targets/{vault}");
        let until = json!("2026-01-01T00:00:00Z").to_string();
        let changed = self.work.damage_blob(JOBS, &name, |blob| {
            blob.metadata
                .iter_mut()
                .filter(|(key, _)| key == "until")
                .for_each(|(_, value)| value.clone_from(&until));
        });
        assert!(changed);
    }
}

#[tokio::test]
async fn an_abandoned_restore_begins_no_further_step_and_frees_its_vault() {
    for way in ["http", "terminal"] {
        let mut world = backed_up().await;
        let plan = world.plan(json!({ "source": "kv-a", "target": "kv-b", "everything": true })).await;
        let started = world.begin(&plan).await;
        let id = started.json()["id"].as_str().expect("a name").to_owned();
        let path = format!("/api/restores/{id}");
        if way == "http" {
            let answer = world.call("DELETE", &path, &[], "").await;
            assert_eq!(
                (answer.status, &answer.json()["state"]),
                (202, &json!("Running")),
                "{}",
                answer.text()
            );
        } else {
            let output = world.cli(&["jobs", "abandon", &id]).await;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && said.contains("begins no further step"), "{output:?}");
        }
        world.pass(6);
        for _ in 0..3 {
            world.host().await.pump("RestoreObject").await;
            world.advance().await;
        }
        let report = world.ok(&path).await;
        assert_eq!((&report["state"], world.secrets_in_b()), (&json!("Failed"), 0), "{report}");
        assert_eq!(report["objects"][0]["failure"]["code"], "Abandoned", "{report}");
        assert_eq!(world.open_restores(), Vec::<String>::new());
        assert_eq!(world.call("DELETE", &path, &[], "").await.status, 200, "it has ended");
        let told = world.told().await;
        assert!(told.contains(&("restore-abandoned".into(), id)), "{told:?}");
        world.assert_trail_is_whole().await;
    }
}

#[tokio::test]
async fn a_restore_of_many_hours_keeps_its_vault() {
    let mut world = backed_up().await;
    let plan = world.plan(json!({ "source": "kv-a", "target": "kv-b", "everything": true })).await;
    let started = world.begin(&plan).await;
    assert_eq!(started.status, 202);
    for _ in 0..60 {
        world.advance().await;
    }
    let other = world.cli(&words(&world.restore_into_b(&[]))).await;
    assert!(stderr(&other).contains("is running on vault kv-b"), "{other:?}");
    assert_eq!(world.ended(&started).await["state"], "Succeeded");
}

#[tokio::test]
async fn ctrl_c_leaves_a_backup_that_the_same_command_goes_on_with() {
    let mut world = World::with_secrets(SECRETS).await;
    world.today();
    world.set("KEYVAULT_BACKUP_VAULT_RATE", "10");
    let url = world.vault.url();
    let args = ["backup", "--vault", &url, "--at-once", "2"];
    let met = world.seen(Operation::Backup, 5);
    let output = world.signalled(&args, "-INT", met).await;
    let said = stderr(&output);
    assert!(output.status.code() == Some(130) && said.contains("--resume"), "{output:?}");
    let stored = world.azure.requests().total(Operation::Backup);
    assert!(stored < SECRETS as u64, "{stored}");
    world.set("KEYVAULT_BACKUP_VAULT_RATE", "390");
    let again = world.cli(&args).await;
    assert!(again.status.success() && stderr(&again).contains("continuing run"), "{again:?}");
    assert_eq!(world.azure.requests().total(Operation::Backup), SECRETS as u64, "nothing is stored twice");
    assert_eq!(world.newest("kv-a").summary["numbers"]["backed_up"], SECRETS);
    assert_eq!((world.manifests("kv-a").len(), world.open_records().len()), (1, 0));
    let none = world.cli(&["backup", "--vault", &url, "--resume"]).await;
    assert!(none.status.code() == Some(2) && stderr(&none).contains("without --resume"), "{none:?}");
}

#[tokio::test]
async fn a_timer_that_stays_away_shows_in_status_health_and_answers() {
    let mut world = World::with_secrets(2).await;
    let order = json!({ "vault": "kv-a" });
    assert_eq!(world.post("/api/backups", order.clone()).await.json()["warning"], Value::Null);
    world.advance().await;
    assert_eq!(world.get("/api/status/health").await.status, 200);
    assert_eq!(world.ok("/api/status").await["jobs"]["standStill"], false);
    let long_ago = json!({ "v": 1, "at": "2026-01-10T02:00:00Z" }).to_string();
    world.work.put_blob(JOBS, "passes/all", Vec::new(), &[("pass", &long_ago)]);
    let health = world.get("/api/status/health").await;
    assert!(
        health.status == 503 && health.text().contains("AdvanceJobs has not come since 02:00Z"),
        "{}",
        health.text()
    );
    let status = world.ok("/api/status").await;
    assert_eq!((&status["ok"], &status["jobs"]["standStill"]), (&json!(false), &json!(true)), "{status}");
    let started = world.post("/api/backups", order).await;
    let warning = started.json()["warning"].take();
    assert!(
        started.status == 202 && warning.as_str().is_some_and(|text| text.contains("nothing moves jobs on"))
    );
}

#[tokio::test]
async fn an_asked_run_that_nothing_ever_moved_on_shows_too() {
    let mut world = World::with_secrets(2).await;
    world.post("/api/backups", json!({ "vault": "kv-a" })).await;
    let name = world.open_records().remove(0);
    let changed = world.work.damage_blob(JOBS, &name, |blob| {
        blob.metadata
            .iter_mut()
            .for_each(|(_, value)| *value = value.replace("\"opened\":\"2026", "\"opened\":\"2025"));
    });
    assert!(changed);
    assert_eq!(world.get("/api/status/health").await.status, 503);
}

#[tokio::test]
async fn ctrl_c_ends_a_command_that_only_reads_and_it_says_that_nothing_has_changed() {
    let world = backed_up().await;
    let met = world.seen(Operation::ListSecrets, 1);
    world.azure.faults().add(Fault::on(Operation::ListSecrets).reply(FaultKind::Hang));
    let output = world.signalled(&["diff", "--vault", "kv-a", "-o", "json"], "-INT", met).await;
    assert_eq!((output.status.code(), output.stdout.len()), (Some(130), 0), "{output:?}");
    let error: Value = serde_json::from_slice(&output.stderr).expect("it is JSON and nothing else");
    assert!(error["next"].as_str().is_some_and(|next| next.contains("nothing has changed")), "{error}");
}

#[tokio::test]
async fn ctrl_c_ends_the_wait_for_an_hsm_and_not_its_backup() {
    let of = HsmWorld::with(&["hsm-a"]).await;
    of.world.today();
    of.hsm.set_operation_polls(1000);
    let met = of.world.seen(Operation::StartBackup, 1);
    let output = of.world.signalled(&["hsm", "backup", "--hsm", "hsm-a", "--wait"], "-INT", met).await;
    let said = stderr(&output);
    assert!(output.status.code() == Some(130) && said.contains("of HSM hsm-a stays open"), "{output:?}");
    let [job] = &of.open()[..] else { panic!("{:?}", of.open()) };
    let id = job.rsplit(['/', '_']).next().unwrap_or_default().trim_end_matches(".json");
    assert!(said.contains(&format!("`keyvault-backup show {id} --hsm hsm-a`")), "{id}: {said}");
}
