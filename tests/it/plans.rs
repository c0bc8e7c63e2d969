//! Plans as they are read before something is destroyed: at a small terminal, in a job's log, beside JSON.

use std::process::Stdio;

use keyvault_backup_emulator::{Kind, SecretSpec};
use tokio::io::AsyncWriteExt as _;

use crate::world::{NIGHT, World};

/// A name of 127 letters; the last of them tells it from others.
pub fn long(last: char) -> String {
    format!("{:x<126}{last}", "payments-production-westeurope-")
}

/// The line that names an object that is purged.
pub fn purge(name: &str) -> String {
    format!("PURGE for good, then restore: secret {name}")
}

/// A vault with two secrets of one long prefix, both backed up and then deleted, and one that is there.
pub async fn two_deleted() -> World {
    let mut world = World::new().await;
    for last in ['1', '2', '3'] {
        world.vault.put_secret(&long(last), SecretSpec::new("a sample"));
    }
    world.night(NIGHT).await;
    world.today();
    for last in ['1', '2'] {
        world.vault.delete(Kind::Secret, &long(last)).expect("it is deleted");
    }
    world
}

/// What purges two, and finds the third there already.
fn arguments(world: &World) -> Vec<String> {
    let (url, [one, two, three]) = (world.vault.url(), ['1', '2', '3'].map(long));
    let words = ["restore", "--vault", &url, "--on-conflict", "purge-deleted"];
    let names = [one, two, three].map(|name| ["--secret".to_owned(), name]);
    words.map(str::to_owned).into_iter().chain(names.into_iter().flatten()).collect()
}

/// What the tool shows on a terminal of 80 columns, and its exit code, when the answer is no.
async fn at_a_terminal(world: &World, more: &str) -> (Option<i32>, String) {
    let arguments = arguments(world).join(" ");
    let command = format!("stty cols 80; {} {arguments} {more}", env!("CARGO_BIN_EXE_keyvault-backup"));
    let mut script = tokio::process::Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).kill_on_drop(true);
    script.env_clear().env("PATH", "/usr/bin:/bin").envs(world.terminal_env());
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script is there");
    child.stdin.take().expect("a pipe").write_all(b"n\n").await.expect("it is typed");
    let output = child.wait_with_output().await.expect("it ends");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).replace('\r', ""))
}

#[tokio::test]
async fn a_small_terminal_shows_what_is_purged_by_its_whole_name_before_it_asks() {
    let world = two_deleted().await;
    let (code, shown) = at_a_terminal(&world, "").await;
    for name in ['1', '2'].map(long) {
        assert!(shown.lines().any(|line| line == purge(&name)), "{shown}");
    }
    assert!(
        shown.contains("Restore 2 objects into https://kv-a.vault.azure.net, after purging 2 of them"),
        "{shown}"
    );
    assert_eq!((code, world.vault.deleted(Kind::Secret).len()), (Some(2), 2));
}

#[tokio::test]
async fn the_plan_is_shown_also_to_a_person_who_wants_json() {
    let world = two_deleted().await;
    let (_, shown) = at_a_terminal(&world, "--output json").await;
    assert!(shown.lines().any(|line| line == purge(&long('1'))), "{shown}");
}

#[tokio::test]
async fn a_log_and_narrow_columns_have_every_name_on_one_line() {
    let mut world = two_deleted().await;
    for columns in ["", "80", "20"] {
        world.set("COLUMNS", columns);
        let arguments = arguments(&world);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(["--what-if"]).collect();
        let output = world.cli(&arguments).await;
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.lines().any(|line| line == purge(&long('2'))), "{columns}: {shown}");
        let there = shown.lines().find(|line| line.contains(&long('3'))).expect("it is named");
        assert!(there.trim_start().starts_with("skip"), "{columns}: {shown}");
    }
}
