//! The README's commands of "Use it at a terminal", with the settings of that block, as `cargo emulator` prints them.

use std::{path::Path, process::Output};

use clap::Parser as _;
use keyvault_backup_emulator::SecretSpec;
use keyvault_backup_emulator::terminal::{self, Arguments};
use keyvault_backup_needs::needs;
use time::{format_description::well_known::Rfc3339, macros::datetime};

use crate::{
    runbooks::stage::clean,
    world::{JOBS, World},
};

/// What the README's commands are about.
const VAULT: &str = "kv-prod";

/// What a person has who pasted what the emulator prints.
struct Terminal {
    variables: Vec<(String, String)>,
    commands: Vec<Vec<String>>,
}

impl Terminal {
    fn new(printed: &str) -> Self {
        let readme = include_str!("../../README.md");
        let use_it = readme.split("## Use it").nth(1).and_then(|rest| rest.split("```").nth(1));
        let lines = || use_it.expect("a block").lines();
        let export = |line: &str| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        let commands = lines().filter_map(|line| line.strip_prefix("keyvault-backup "));
        let words = |line: &str| {
            line.split(" #").next().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        };
        let set: Vec<_> = lines().filter_map(export).collect();
        let printed: Vec<_> = printed.lines().filter_map(export).collect();
        for variable in &set {
            assert!(printed.contains(variable), "the emulator prints {variable:?} as well");
        }
        // Of the program's own settings, those that the README sets and no others.
        let is_set = |(name, _): &(String, String)| {
            !name.starts_with("KEYVAULT_BACKUP_") || set.iter().any(|(known, _)| known == name)
        };
        Self {
            variables: printed.into_iter().filter(is_set).collect(),
            commands: commands.map(words).collect(),
        }
    }

    /// Runs the command that begins so, with another word in place of one where the README's is a sample of the reader's.
    async fn run(&self, begins: &[&str], own: Option<(&str, &str)>) -> Output {
        let of = |command: &&Vec<String>| command.iter().zip(begins).all(|(word, other)| word == other);
        let command = self.commands.iter().find(of).unwrap_or_else(|| panic!("the README has {begins:?}"));
        let word = |word: &String| match own {
            Some((sample, own)) if word == sample => own.to_owned(),
            _ => word.clone(),
        };
        let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_keyvault-backup"));
        process.args(command.iter().map(word)).env_clear().envs(self.variables.iter().cloned());
        process.kill_on_drop(true).output().await.expect("the command starts")
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn the_commands_of_the_readme_work_on_the_emulator_with_the_variables_that_it_prints() {
    let arguments = Arguments::parse_from(["emulator", "--port", "0", "--identity-port", "0"]);
    let azure = terminal::start(&arguments).await.expect("it starts");
    let terminal = Terminal::new(&terminal::explain(&azure, &arguments));
    assert_eq!(terminal.commands.len(), 5, "{:?}", terminal.commands);

    let preflight = terminal.run(&["preflight"], None).await;
    let reached = preflight.status.code() == Some(1) && said(&preflight).contains(", 0 not known, ");
    assert!(reached, "everything can be reached, and the emulator's identity may do too much: {preflight:?}");

    let backup = terminal.run(&["backup", "--vault", VAULT], None).await;
    assert_eq!(backup.status.code(), Some(0), "{backup:?}");
    assert!(said(&backup).contains("Succeeded"), "{backup:?}");

    let runs = terminal.run(&["list", "runs"], None).await;
    let run = said(&runs)
        .lines()
        .flat_map(str::split_whitespace)
        .find(|word| word.starts_with("20"))
        .expect("a run")
        .to_owned();
    let shown = terminal.run(&["show"], Some(("20261122T020000Z-nightly", &run))).await;
    assert_eq!((runs.status.code(), shown.status.code()), (Some(0), Some(0)), "{runs:?} {shown:?}");

    let now = azure.clock().now().format(&Rfc3339).expect("it is a time");
    let restore = terminal.run(&["restore"], Some(("2026-11-20T12:00:00Z", &now))).await;
    let told = said(&restore);
    assert!(restore.status.code() == Some(0) && told.contains("secret  db-password"), "{restore:?}");
    assert!(told.contains("1 skipped (1 there already)"), "the vault has what was backed up: {told}");
}

/// The nights that the pages speak of, with backups in the places of the README's settings.
async fn as_in_the_pages() -> World {
    let mut world = World::with_vaults(&[VAULT]).await;
    let [backups, work] = ["mybackups", "mywork"].map(|account| world.azure.storage(account));
    backups.create_container("vaults");
    work.create_container(JOBS);
    for queue in ["backup-objects", "restore-objects"] {
        work.create_queue(queue);
    }
    world.set("KEYVAULT_BACKUP_CONTAINER", &format!("{}/vaults", backups.blob_url()));
    world.set("KEYVAULT_BACKUP_JOBS_CONTAINER", &format!("{}/{JOBS}", work.blob_url()));
    world.set("KEYVAULT_BACKUP_QUEUE__queueServiceUri", &work.queue_url());
    (world.backups, world.work) = (backups, work);
    world.vault.put_secret("db-password", SecretSpec::new("value"));
    for night in [datetime!(2026-11-19 02:00 UTC), datetime!(2026-11-22 02:00 UTC)] {
        world.fire(night).await;
        world.settle().await;
    }
    world.today();
    world
}

/// A bash script of a block, which says how each command of the program ended.
fn script(block: &str) -> String {
    let line = |line: &str| {
        let ended = if line.starts_with("keyvault-backup ") { "printf 'exit code %s\\n' $?\n" } else { "" };
        format!("{line}\n{ended}")
    };
    block.lines().map(line).collect()
}

/// Types blocks into a fresh bash that has the program, a sign-in and the way to Azure, and no setting. Returns what it
/// shows.
async fn typed(world: &World, blocks: &[&str]) -> String {
    let mut bash = clean("bash");
    let program = Path::new(env!("CARGO_BIN_EXE_keyvault-backup")).parent().expect("a folder");
    let path = std::env::join_paths([program, Path::new("/usr/bin"), Path::new("/bin")]).expect("a path");
    bash.envs(world.azure.env())
        .env("PATH", path)
        .arg("-c")
        .arg(blocks.iter().map(|of| script(of)).collect::<String>());
    said(&bash.kill_on_drop(true).output().await.expect("bash starts"))
}

#[needs(runbook_tools)]
#[tokio::test]
async fn use_it_and_the_page_of_the_terminal_are_typed_as_they_are_printed() {
    let world = as_in_the_pages().await;
    let readme = include_str!("../../README.md").split("## Use it").nth(1).expect("a section");
    let page = include_str!("../../docs/terminal.md");
    let blocks =
        |text: &'static str| text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks: Vec<_> = blocks(readme).chain(blocks(page)).collect();
    assert_eq!(blocks.len(), 3, "{blocks:?}");
    let shown = typed(&world, &blocks).await;
    let codes: Vec<_> = shown.lines().filter_map(|line| line.strip_prefix("exit code ")).collect();
    // A preflight of a world that was made for tests has findings. The vault is as its newest backup.
    assert_eq!(codes, ["1", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0"], "{shown}");
    for text in [
        "20261122T020000Z-nightly",
        "Succeeded: 1 listed = ",
        "1 skipped (1 there already)",
        "1 same",
        "vault kv-prod is sound",
    ] {
        assert!(shown.contains(text), "{text:?} is missing: {shown}");
    }
}
