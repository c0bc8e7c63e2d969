//! The command line tool.

use std::{path::Path, process::Stdio, sync::Arc};

use keyvault_backup_emulator::{
    Fault, FaultKind, Forbidden, KeySpec, Kind, Matcher, Operation, SecretSpec, VaultHandle,
};
use serde_json::{Value, json};

use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
};

use crate::{
    faults::backup_of,
    world::{JOBS, Manifest, NIGHT, World},
};

async fn json(world: &World, args: &[&str]) -> (i32, Value) {
    let output = world.cli(&[args, &["--output", "json"]].concat()).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{output:?}"));
    (output.status.code().unwrap_or(-1), value)
}

#[tokio::test]
async fn a_whole_vault_from_the_terminal() {
    let world = World::with_secrets(30).await;
    let (code, run) = json(&world, &["backup", "--vault", &world.vault.url()]).await;
    assert_eq!((code, &run["state"], &run["numbers"]["backedUp"]), (0, &json!("Succeeded"), &json!(30)));
    assert!(world.work.blobs(JOBS).is_empty(), "no run is left open");
    let (_, again) = json(&world, &["backup", "--vault", &world.vault.url()]).await;
    assert_eq!(again["numbers"]["unchanged"], 30);
}

#[tokio::test]
async fn the_exit_code_tells_all_from_part_from_none() {
    let world = World::with_secrets(3).await;
    let forbidden = || FaultKind::Forbidden(Forbidden::ByPolicy);
    world
        .azure
        .faults()
        .add(Fault::on(Matcher::from(Operation::Backup).object("secret-1")).reply(forbidden()));
    let (code, run) = json(&world, &["backup", "--vault", &world.vault.url()]).await;
    assert_eq!((code, &run["state"]), (1, &json!("PartiallyFailed")));
    let failure = &run["objects"][0];
    assert_eq!(
        (&failure["name"], &failure["failure"]["code"]),
        (&json!("secret-1"), &json!("Forbidden/ForbiddenByPolicy"))
    );

    let world = World::with_secrets(3).await;
    world.azure.faults().add(Fault::on(Operation::Backup).reply(forbidden()));
    let (code, run) = json(&world, &["backup", "--vault", &world.vault.url()]).await;
    assert_eq!((code, &run["state"]), (2, &json!("Failed")));
}

#[tokio::test]
async fn objects_by_name_make_a_run_of_their_own_that_the_next_night_folds_in() {
    let mut world = World::with_secrets(3).await;
    world.vault.put_key("signing", KeySpec::rsa(2048));
    let today = world.today();
    world.night(today - time::Duration::DAY).await;
    world.vault.put_secret("secret-1", SecretSpec::new("rotated"));
    world.today();
    let vault = world.vault.url();
    let (code, run) =
        json(&world, &["backup", "--vault", &vault, "--secret", "secret-1", "--key", "signing"]).await;
    assert_eq!((code, &run["numbers"]["backedUp"]), (0, &json!(2)));
    let next = world.night(today + time::Duration::DAY).await;
    assert_eq!((&next["numbers"]["backed_up"], &next["numbers"]["unchanged"]), (&json!(0), &json!(4)));
    let (_, history) = json(&world, &["list", "history", "--vault", &vault, "--secret", "secret-1"]).await;
    assert_eq!(history["backups"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn an_object_that_was_asked_for_and_is_not_there_is_a_failure() {
    let world = World::with_secrets(1).await;
    let (code, run) = json(&world, &["backup", "--vault", &world.vault.url(), "--secret", "typo"]).await;
    assert_eq!((code, &run["objects"][0]["name"]), (2, &json!("typo")));
}

#[tokio::test]
async fn a_file_is_what_az_writes() {
    let world = World::with_secrets(1).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret.backup");
    let path = path.to_str().expect("a path");
    let args = ["backup", "--vault", &world.vault.url(), "--secret", "secret-0", "--file", path];
    let (code, written) = json(&world, &args).await;
    let bytes = std::fs::read(path).expect("the file is there");
    assert_eq!((code, &written["bytes"]), (0, &json!(bytes.len())));
    assert_eq!(VaultHandle::open_backup(&bytes).expect("it is a backup").name, "secret-0");

    let refused = world.cli(&args).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"), "{refused:?}");
    let (code, _) = json(&world, &[&args[..], &["--force"]].concat()).await;
    assert_eq!(code, 0);
}

#[tokio::test]
async fn a_file_of_each_kind_is_restored() {
    let world = World::with_each_kind(1).await;
    let (copy, folder) = (world.azure.vault("kv-b"), tempfile::tempdir().expect("a folder"));
    for (kind, name) in [("secret", "secret-0"), ("key", "key-0"), ("certificate", "tls-0")] {
        let path = folder.path().join(kind).display().to_string();
        let written = ["backup", "--vault", &world.vault.url(), &format!("--{kind}"), name, "--file", &path];
        assert_eq!(json(&world, &written).await.0, 0);
        let (code, said) = json(&world, &["restore", "--vault", &copy.url(), "--file", &path, "--yes"]).await;
        assert_eq!((code, &said["kind"], &said["name"]), (0, &json!(kind), &json!(name)));
    }
    assert_eq!(copy.snapshot().differences(&world.vault.snapshot()), Vec::<String>::new());
}

/// The service marks keys and certificates alike. An identity may have the right for one of them alone.
#[tokio::test]
async fn a_right_that_is_missing_for_one_kind_does_not_keep_a_file_from_being_restored_as_the_other() {
    let world = World::with_each_kind(1).await;
    let (copy, folder) = (world.azure.vault("kv-b"), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("key").display().to_string();
    let written = ["backup", "--vault", &world.vault.url(), "--key", "key-0", "--file", &path];
    assert_eq!(json(&world, &written).await.0, 0);
    let forbid = |kind| {
        let restore = Matcher::from(Operation::Restore).kind(kind);
        world.azure.faults().add(Fault::on(restore).reply(FaultKind::Forbidden(Forbidden::ByRbac)));
    };
    forbid(Kind::Certificate);
    let url = copy.url();
    let args = ["restore", "--vault", &url, "--file", &path, "--yes"];
    let (code, said) = json(&world, &args).await;
    assert_eq!((code, &said["kind"], &said["name"]), (0, &json!("key"), &json!("key-0")), "{said}");
    forbid(Kind::Key);
    world.azure.requests().clear();
    let fresh = world.azure.vault("kv-c").url();
    let failed = |kind: &'static [&'static str]| {
        let args = [&["restore", "--vault", &fresh, "--file", &path, "--yes"], kind].concat();
        let world = &world;
        async move {
            let output = world.cli(&args).await;
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        }
    };
    let (code, said) = failed(&[]).await;
    assert!(
        code == Some(2) && said.contains("restore a certificate into") && said.contains("restore a key into"),
        "{said}"
    );
    world.azure.requests().clear();
    let (code, said) = failed(&["--kind", "key"]).await;
    assert!(code == Some(2) && !said.contains("certificate into"), "{said}");
    assert!(
        world.azure.requests().entries().iter().all(|of| !of.path.starts_with("/certificates")),
        "it was not tried"
    );
    let (code, said) = failed(&["--kind", "secret"]).await;
    assert!(code == Some(2) && said.contains("is not a whole backup of a secret"), "{said}");
}

#[tokio::test]
async fn what_if_writes_nothing() {
    let world = World::with_secrets(3).await;
    let (code, plan) = json(&world, &["backup", "--vault", &world.vault.url(), "--what-if"]).await;
    assert_eq!((code, plan["objects"].as_array().map(Vec::len)), (0, Some(3)));
    assert_eq!(world.azure.requests().total(Operation::PutBlob), 0);
    assert_eq!(world.azure.requests().total(Operation::Backup), 0);
}

#[tokio::test]
async fn confirm_without_a_terminal_does_nothing() {
    let world = World::with_secrets(1).await;
    let output = world.cli(&["backup", "--vault", &world.vault.url(), "--confirm"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(world.azure.requests().total(Operation::PutBlob), 0);
}

#[tokio::test]
async fn confirm_asks_on_the_terminal_and_goes_by_the_answer() {
    let world = World::with_secrets(3).await;
    let command = format!(
        "{} backup --confirm --output json --vault {}",
        env!("CARGO_BIN_EXE_keyvault-backup"),
        world.vault.url()
    );
    for (answer, code, stored) in [("n\n", 2, 0), ("\n", 2, 0), ("y\n", 0, 3)] {
        // It gives the command a terminal of its own.
        let mut script = tokio::process::Command::new("script");
        script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).kill_on_drop(true);
        script.env_clear().envs(world.env.iter().cloned()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().expect("script is there");
        let mut keyboard = child.stdin.take().expect("a pipe");
        keyboard.write_all(answer.as_bytes()).await.expect("it is typed");
        let output = child.wait_with_output().await.expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("Back up 3 of 3 objects of https://kv-a.vault.azure.net? [y/N]"), "{said}");
        let backups = world.backups.blobs("backups").into_iter().filter(|name| name.ends_with("/backup"));
        assert_eq!((output.status.code(), backups.count()), (Some(code), stored), "{said}");
    }
}

impl World {
    /// Runs the command line tool and kills it when it makes such a request.
    async fn cli_killed_at(&self, operation: Operation, args: &[&str]) {
        let met = Arc::new(Notify::new());
        let notify = Arc::clone(&met);
        let matcher = Matcher::from(operation).custom(move |_| {
            notify.notify_one();
            true
        });
        self.azure.faults().add(Fault::on(matcher).reply(FaultKind::Hang));
        tokio::select! {
            output = self.cli(args) => panic!("it was not killed: {output:?}"),
            () = met.notified() => self.azure.faults().clear(),
        }
    }

    /// Makes the only open run so much older, as its record has it.
    fn open_for(&self, age: Duration, now: OffsetDateTime) {
        let name = self.open_records().remove(0);
        let record = self.work.blob(JOBS, &name).expect("it is stored").metadata.remove(0);
        let mut job: Value = serde_json::from_str(&record.1).expect("it is JSON");
        let opened = (now - age).replace_nanosecond(0).expect("a time");
        job["opened"] = opened.format(&Rfc3339).expect("a time").into();
        self.work.put_blob(JOBS, &name, Vec::new(), &[("job", &job.to_string())]);
    }
}

#[tokio::test]
async fn a_run_of_a_dead_terminal_ends_where_no_app_looks_after_it() {
    let world = World::with_secrets(3).await;
    let (today, vault) = (world.today(), world.vault.url());
    for (args, backed_up) in [(["rebuild", "--vault", &vault], 0), (["backup", "--vault", &vault], 3)] {
        world.cli_killed_at(Operation::Backup, &["backup", "--vault", &vault]).await;
        world.cli(&["rebuild", "--vault", &vault]).await;
        assert_eq!(world.open_records().len(), 1, "it may yet go on");
        world.open_for(Duration::hours(20), today);
        let output = world.cli(&args).await;
        assert!(world.open_records().is_empty(), "{output:?}");
        let of = |name: &String| Manifest::read(&world, name).summary["numbers"]["backed_up"].clone();
        let manifests = world.manifests("kv-a");
        assert!(manifests.iter().any(|name| of(name) == backed_up), "{output:?}");
    }
}

#[tokio::test]
async fn a_run_that_saw_nothing_is_ended_before_the_next_one_and_not_over_it() {
    let world = World::with_secrets(3).await;
    let (today, vault) = (world.today(), world.vault.url());
    world.cli_killed_at(Operation::ListKeys, &["backup", "--vault", &vault]).await;
    world.open_for(Duration::hours(20), today);
    let output = world.cli(&["backup", "--vault", &vault]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        (world.manifests("kv-a").len(), &world.newest("kv-a").summary["verdict"]),
        (2, &json!("Succeeded"))
    );
}

#[tokio::test]
async fn a_run_of_everything_stays_one_when_its_terminal_dies_before_the_plan() {
    let mut world = World::with_secrets(3).await;
    let today = world.today();
    world.night(today).await;
    world.today();
    world
        .cli_killed_at(Operation::ListKeys, &["backup", "--vault", &world.vault.url(), "--everything"])
        .await;
    world.azure.clock().advance(std::time::Duration::from_secs(40 * 60));
    world.advance().await;
    world.settle().await;
    let numbers = world.newest("kv-a").summary["numbers"].take();
    assert_eq!((&numbers["backed_up"], &numbers["unchanged"]), (&json!(3), &json!(0)));
}

#[tokio::test]
async fn an_open_run_is_shown_as_open_before_and_after_it_is_planned() {
    let mut world = World::with_secrets(2).await;
    world.today();
    let vault = world.vault.url();
    let run = world.post("/api/backups", json!({ "vault": "kv-a" })).await.json()["run"].take();
    for text in ["not planned yet", "it backs up 2 objects"] {
        let shown = world.cli(&["show", run.as_str().expect("a run"), "--vault", &vault]).await;
        let said = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.status.success() && said.contains(text), "{said}");
        world.advance().await;
    }
}

#[tokio::test]
async fn an_object_without_a_backup_has_no_history_in_either_form() {
    let mut world = World::with_secrets(2).await;
    world.fault(backup_of("secret-0"), FaultKind::Forbidden(Forbidden::ByPolicy));
    world.night(NIGHT).await;
    let args = ["list", "history", "--vault", &world.vault.url(), "--secret", "secret-0"];
    for form in ["table", "json"] {
        let output = world.cli(&[&args[..], &["--output", form]].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{output:?}");
        assert!(said.contains("no backup of secret secret-0 of"), "{said}");
    }
}

#[tokio::test]
async fn what_a_file_has_no_use_for_is_refused_beside_it() {
    let world = World::with_secrets(1).await;
    for flag in [&["--everything"][..], &["--at-once", "4"]] {
        let args = ["backup", "--vault", &world.vault.url(), "--secret", "secret-0", "--file", "x"];
        let output = world.cli(&[&args, flag].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("cannot be used with"), "{said}");
    }
}

#[tokio::test]
async fn rebuild_writes_the_manifest_that_was_lost() {
    let mut world = World::with_secrets(3).await;
    world.night(NIGHT).await;
    let name = world.manifests("kv-a").remove(0);
    let before = world.backups.blob("backups", &name).expect("it is stored").bytes;
    world.backups.delete_blob("backups", &name);
    let (code, runs) = json(&world, &["rebuild", "--vault", &world.vault.url()]).await;
    assert_eq!((code, &runs["runs"][0]["manifest"]), (0, &json!("written again")));
    assert_eq!(world.backups.blob("backups", &name).expect("it is stored again").bytes, before);
}

#[tokio::test]
async fn listings_say_what_there_is() {
    let mut world = World::with_secrets(3).await;
    world.night(NIGHT).await;
    let vault = world.vault.url();
    let (_, vaults) = json(&world, &["list", "vaults"]).await;
    assert_eq!(vaults["vaults"][0]["protected"], 3);
    world.fault(Operation::ListKeys, FaultKind::Forbidden(Forbidden::ByPolicy));
    let partial = world.troubled_night(NIGHT + Duration::DAY).await["run"].take();
    let (_, vaults) = json(&world, &["list", "vaults"]).await;
    assert_eq!(
        (&vaults["vaults"][0]["lastRun"]["run"], &vaults["vaults"][0]["newestSuccess"]["run"]),
        (&partial, &json!("20260110T020000Z-nightly"))
    );
    let (_, runs) = json(&world, &["list", "runs", "--vault", &vault]).await;
    assert_eq!(runs["runs"][1]["run"], "20260110T020000Z-nightly");
    let (_, objects) = json(&world, &["list", "objects", "--vault", &vault, "--name", "*RET-2"]).await;
    assert_eq!(objects["objects"].as_array().map(Vec::len), Some(1));
    let (code, shown) = json(&world, &["show", "20260110T020000Z-nightly", "--vault", &vault, "--all"]).await;
    assert_eq!((code, shown["objects"].as_array().map(Vec::len)), (0, Some(3)));
}

#[tokio::test]
async fn settings_that_cannot_work_are_all_named() {
    let mut world = World::new().await;
    world.set("KEYVAULT_BACKUP_CONTAINER", "http://backups.blob.core.windows.net/x");
    world.set("KEYVAULT_BACKUP_VAULT_RATE", "many");
    let output = world.cli(&["list", "vaults"]).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("KEYVAULT_BACKUP_CONTAINER") && text.contains("KEYVAULT_BACKUP_VAULT_RATE"),
        "{text}"
    );
}

/// The command line tool's output, into a reader that takes one line and goes away.
async fn headed(world: &World, args: &[&str]) -> std::process::Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_keyvault-backup"));
    command.args(args).env_clear().envs(world.env.iter().cloned()).kill_on_drop(true);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut line = [0; 64];
    child.stdout.take().expect("a pipe").read_exact(&mut line).await.expect("a line");
    child.wait_with_output().await.expect("it ends")
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
    let mut world = World::new().await;
    for number in 0..1500 {
        world.vault.put_secret(&format!("{:x<120}{number}", "secret-"), SecretSpec::new("value"));
    }
    world.night(NIGHT).await;
    for form in ["table", "wide", "tsv", "json"] {
        let args = ["list", "objects", "--vault", &world.vault.url(), "-o", form];
        let output = headed(&world, &args).await;
        assert!(output.status.code() == Some(0) && output.stderr.is_empty(), "{form}: {output:?}");
    }
}

#[tokio::test]
async fn a_name_of_127_letters_is_whole_in_every_format_and_at_every_width() {
    let mut world = World::new().await;
    let name = format!("{:x<127}", "payments-");
    world.vault.put_secret(&name, SecretSpec::new("value"));
    let run = world.night(NIGHT).await["run"].as_str().expect("a run").to_owned();
    let vault = world.vault.url();
    for width in ["", "40", "80", "120"] {
        world.set("COLUMNS", width);
        for form in ["table", "wide", "tsv", "json"] {
            for command in [&["list", "objects"][..], &["show", &run, "--all"]] {
                let output = world.cli(&[command, &["--vault", &vault, "-o", form]].concat()).await;
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(text.lines().any(|line| line.contains(&name)), "{width} {form}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn lines_with_tabs_have_every_value_in_full() {
    let mut world = World::with_secrets(2).await;
    world.night(NIGHT).await;
    let output = world
        .cli(&["-o", "tsv", "list", "history", "--vault", &world.vault.url(), "--secret", "secret-0"])
        .await;
    let text = String::from_utf8_lossy(&output.stdout);
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(
        rows[0],
        [
            "taken",
            "run",
            "verified",
            "versions",
            "newest_version",
            "size",
            "sha-256",
            "form",
            "not_restorable_here",
            "older_ones"
        ]
    );
    assert_eq!((rows.len(), rows[1][1], rows[1][6].len()), (2, "20260110T020000Z-nightly", 64), "{text}");
    assert!(rows[1][5].parse::<u64>().is_ok() && output.stderr.is_empty(), "{output:?}");
}

/// What the tool prints of an error with JSON: one object, and nothing else anywhere.
async fn problem_of(world: &World, args: &[&str]) -> (Option<i32>, Value) {
    let output = world.cli(&[args, &["-o", "json"]].concat()).await;
    assert!(output.stdout.is_empty(), "{output:?}");
    let problem: Value =
        serde_json::from_slice(&output.stderr).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    for field in ["type", "title", "detail", "next"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{args:?}: {problem}");
    }
    (output.status.code(), problem)
}

#[tokio::test]
async fn with_json_every_error_is_one_problem_that_says_what_to_do() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    world.set("RUST_LOG", "debug");
    let missing = "20260101T020000Z-nightly";
    for (args, kind, next) in [
        (&["show", "nosuchrun", "--vault", "kv-a"][..], "invalid-parameter", "keyvault-backup show --help"),
        (
            &["list", "runs", "--vault", "kv-a", "--nonsense"],
            "invalid-parameter",
            "keyvault-backup list runs --help",
        ),
        (&["list"], "invalid-parameter", "keyvault-backup list --help"),
        (&["list", "objects", "--vault", "https://kv-a.example"], "invalid-parameter", "list objects --help"),
        (&["show", missing, "--vault", "kv-a"], "not-found", "keyvault-backup list runs --vault kv-a"),
        (&["restore", "--vault", "kv-a"], "not-possible", "--secret"),
        (&["backup", "--vault", "kv-a", "--confirm"], "confirmation-needed", "Leave it out"),
        (&["jobs", "abandon", "20260101T020000Z-restore-00000000"], "not-found", "keyvault-backup jobs"),
        (&["list", "objects", "--vault", "kv-aa"], "nothing-selected", "name"),
    ] {
        let (code, problem) = problem_of(&world, args).await;
        assert_eq!(
            (code, &problem["type"]),
            (Some(2), &json!(format!("urn:keyvault-backup:problem:{kind}"))),
            "{problem}"
        );
        assert!(problem["next"].as_str().is_some_and(|text| text.contains(next)), "{args:?}: {problem}");
        let output = world.cli(args).await;
        let told = String::from_utf8_lossy(&output.stderr);
        let last = told.lines().last().unwrap_or_default();
        assert!(last.contains(next) || last.contains("--help"), "{args:?}: {told}");
    }
    world.set("KEYVAULT_BACKUP_CONTAINER", "");
    let (_, problem) = problem_of(&world, &["list", "runs", "--vault", "kv-a"]).await;
    assert_eq!(problem["type"], "urn:keyvault-backup:problem:invalid-settings");
}

#[tokio::test]
async fn a_vault_is_named_by_its_name_as_well_as_by_its_address() {
    let mut world = World::with_secrets(1).await;
    world.night(NIGHT).await;
    world.set("KEYVAULT_BACKUP_VAULTS", "");
    for vault in [["--vault", "kv-a"], ["--vault-name", "KV-A"], ["--vault", "https://kv-a.vault.azure.net/"]]
    {
        let output = world.cli(&[&["list", "runs", "-o", "tsv"], &vault[..]].concat()).await;
        assert!(String::from_utf8_lossy(&output.stdout).contains("-nightly\t"), "{vault:?}: {output:?}");
    }
    assert_eq!(world.cli(&["jobs"]).await.status.code(), Some(0), "it needs no list of vaults");
}

#[tokio::test]
async fn a_container_that_is_missing_is_named_with_the_command_that_makes_it() {
    let mut world = World::with_secrets(1).await;
    world.set("KEYVAULT_BACKUP_CONTAINER", &format!("{}/nowhere", world.backups.blob_url()));
    let output = world.cli(&["list", "runs", "--vault", "kv-a"]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    let make = "az storage container create --account-name backups --name nowhere --auth-mode login";
    assert!(output.status.code() == Some(2) && told.trim_end().ends_with(make), "{told}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the switch that writes the file")]
fn the_schema_in_the_repository_is_that_of_the_shapes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/terminal.schema.json");
    let schema = keyvault_backup::api::shapes::terminal::schema().expect("it is JSON");
    let made = serde_json::to_string_pretty(&schema).expect("it is JSON") + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &made).expect("it is written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(made == kept, "docs/terminal.schema.json is not up to date; run the tests with BLESS=1");
}

#[tokio::test]
async fn objects_are_listed_by_what_became_of_them() {
    let mut world = World::with_secrets(4).await;
    world.fault(backup_of("secret-0"), FaultKind::Forbidden(Forbidden::ByPolicy));
    world.night(NIGHT).await;
    world.vault.remove(Kind::Secret, "secret-1");
    world.vault.put_secret("secret-2", SecretSpec::new("another"));
    world.night(NIGHT + Duration::DAY).await;
    for (args, expected) in [
        (&["--failing"][..], &["secret-0"][..]),
        (&["--gone"], &["secret-1"]),
        (&["--failing", "--gone"], &["secret-0", "secret-1"]),
        (&["--failing", "--name", "secret-1"], &[]),
        (&["--since", "2026-01-11T00:00:00Z"], &["secret-1", "secret-2"]),
        (&["--since", "2026-01-11T00:00:00Z", "--gone", "--kind", "secret"], &["secret-1"]),
    ] {
        let (code, listed) = json(&world, &[&["list", "objects", "--vault", "kv-a"], args].concat()).await;
        let names = listed["objects"].as_array().expect("a list").iter().map(|of| &of["name"]);
        assert_eq!((code, json!(names.collect::<Vec<_>>())), (0, json!(expected)), "{args:?}");
    }
}
