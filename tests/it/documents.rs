//! The commands in the documentation: each is one that the program understands, and those that only look are run.

use std::{fs, path::PathBuf};

use keyvault_backup_emulator::{CertificateSpec, KeySpec, SecretSpec, host::Firing};
use serde_json::json;
use time::macros::datetime;

use crate::{
    hsm_world::LANDING,
    world::{BACKUPS, JOBS, World},
};

const PROGRAM: &str = "keyvault-backup ";

/// What stands for a reader's own names.
const NAMES: &[(&str, &str)] = &[
    ("https://VAULT.", "https://kv-prod."),
    ("https://OLD.", "https://kv-prod."),
    ("https://NEW.", "https://kv-standby."),
    ("VAULT", "kv-prod"),
    ("URL", "https://kv-prod.vault.azure.net"),
    ("RUN", "20261122T020000Z-nightly"),
    ("RESTORE", "20261122T101112Z-restore-0f3a9c41"),
    ("DRILL", "20261206T061500Z-drill-0f3a9c41"),
    ("NAME", "db-password"),
    ("PATH", "a-file"),
    ("DATE", "2027-01-31"),
    ("DIGEST", "abc"),
    ("SHA256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
];

/// Every page, with its text.
pub fn pages() -> Vec<(String, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.clone(), root.join("docs"), root.join("docs/runbooks")];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("there are pages"));
    let files = files.map(|file| file.expect("a file").path());
    let pages = files.filter(|file| file.extension().is_some_and(|of| of == "md"));
    pages.map(|page| (page.display().to_string(), fs::read_to_string(&page).expect("text"))).collect()
}

/// The commands in fenced blocks and in running text, each with its page.
fn commands() -> Vec<(String, Vec<String>)> {
    pages().iter().flat_map(|(page, text)| of_page(page, text)).collect()
}

fn of_page(page: &str, text: &str) -> Vec<(String, Vec<String>)> {
    let (mut fenced, mut found, mut prose) = (false, Vec::new(), String::new());
    for line in text.replace("\\\n", " ").lines().map(str::trim) {
        match (line.starts_with("```"), fenced) {
            (true, _) => fenced = !fenced,
            (false, true) => found.extend(line.strip_prefix(PROGRAM).map(words)),
            (false, false) => prose.extend([line, " "]),
        }
    }
    let mentioned = prose.split('`').skip(1).step_by(2);
    found.extend(mentioned.filter_map(|code| code.strip_prefix(PROGRAM)).map(words));
    found.into_iter().map(|command| (page.to_owned(), command)).collect()
}

/// A line as a shell reads it, as far as the pages go: single quotes, comments.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted, mut word) = (Vec::new(), false, String::new());
    for character in line.split(" #").next().unwrap_or_default().chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    let own = |word: String| NAMES.iter().fold(word, |word, (name, real)| word.replace(name, real));
    words.into_iter().map(own).collect()
}

fn only_looks(command: &[String]) -> bool {
    let reads = ["list", "show", "diff", "jobs", "audit", "preflight"].contains(&command[0].as_str());
    // The digest and the restore in the pages are no record's.
    let made_up = |word: &String| word == "abandon" || word == "--expect" || word.contains("-restore-");
    let reads = reads && !command.iter().any(made_up);
    reads || command.iter().any(|word| word == "--what-if")
}

/// A world in which the names of the pages mean something.
pub async fn world() -> World {
    let mut world = World::with_vaults(&["kv-prod", "kv-standby", "kv-demo"]).await;
    world.vault.put_secret("db-password", SecretSpec::new("value"));
    world.azure.vault("kv-demo").put_secret("payroll-password", SecretSpec::new("value"));
    world.vault.put_key("signing", KeySpec::ec("P-256"));
    world.vault.put_certificate("tls", CertificateSpec::default());
    let landing = world.azure.storage("landing");
    landing.create_container(LANDING);
    let container = format!("{}/{LANDING}", landing.blob_url());
    let hsm = world.azure.hsm("hsm-prod");
    hsm.put_key("signing", KeySpec::ec("P-256"));
    hsm.attach_identity(true);
    hsm.grant(&container);
    world.set("KEYVAULT_BACKUP_HSMS", &hsm.url());
    world.set("KEYVAULT_BACKUP_HSM_KEYS", "hsm-prod/signing");
    world.set("KEYVAULT_BACKUP_HSM_CONTAINER", &container);
    for night in [datetime!(2026-11-19 02:00 UTC), datetime!(2026-11-22 02:00 UTC)] {
        world.fire(night).await;
        world.host().await.fire("NightlyHsmBackup", Firing::at(night)).await;
        world.settle().await;
        while world.work.blobs(JOBS).iter().any(|name| name.starts_with("hsm-jobs/")) {
            world.advance().await;
        }
    }
    // What is asked for is on the audit trail.
    let order = json!({ "vault": "kv-prod", "objects": [{ "kind": "secret", "name": "db-password" }] });
    assert_eq!(world.post("/api/backups", order).await.status, 200);
    world
}

#[tokio::test]
async fn every_command_in_the_pages_is_understood() {
    let mut world = World::new().await;
    // Nothing is reached: only the command line is looked at.
    world.env.retain(|(name, _)| name.to_ascii_uppercase().ends_with("PROXY") || name == "SSL_CERT_FILE");
    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    for (page, command) in commands {
        let args: Vec<_> = command.iter().map(String::as_str).collect();
        let output = world.cli(&args).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("Usage:") && !said.contains("--help"), "{page}: {command:?}: {said}");
    }
}

#[tokio::test]
async fn every_command_in_the_pages_that_only_looks_does_what_it_says() {
    let mut world = world().await;
    // The container stands for its own copy.
    let container = format!("{}/{BACKUPS}", world.backups.blob_url());
    world.set("KEYVAULT_BACKUP_SECOND_CONTAINER", &container);
    // So that the trail has a record.
    assert_eq!(world.post("/api/backups", json!({ "vault": "kv-prod" })).await.status, 202);
    for (page, command) in commands().into_iter().filter(|(_, command)| only_looks(command)) {
        let args: Vec<_> = command.iter().map(String::as_str).collect();
        let output = world.cli(&args).await;
        // A preflight of a world that was made for something else has findings.
        let well = matches!((output.status.code(), args[0]), (Some(0), _) | (Some(1), "preflight" | "diff"));
        assert!(well, "{page}: {command:?}: {output:?}");
    }
}

/// What stands between quotes after a mark.
fn quoted<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(mark).skip(1).filter_map(|rest| rest.split('"').next())
}

#[test]
fn every_finding_is_explained_and_no_other() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(root.join("src/preflight/findings")).expect("there is code");
    let read = |file: PathBuf| fs::read_to_string(file).expect("text");
    let is_program = |path: &PathBuf| path.is_file() && !path.ends_with("samples.rs");
    let files = files.map(|file| file.expect("a file").path()).filter(is_program).map(read);
    let is_code = |text: String| text.split("#[cfg(test)]").next().map(str::to_owned).unwrap_or_default();
    // A source's troubles are findings of their names.
    let troubles = is_code(read(root.join("src/domain/state/trouble.rs")));
    let code: String = files.map(is_code).chain([troubles.clone()]).collect();
    let page = fs::read_to_string(root.join("docs/preflight.md")).expect("text");
    let names =
        quoted(&code, "name: \"").chain(quoted(&code, "finding(\"")).chain(quoted(&troubles, "=> \""));
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "{name} is not explained");
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let explained: Vec<_> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(explained.len() > 30, "{explained:?}");
    for name in explained {
        assert!(code.contains(&format!("\"{name}\"")), "{name} is explained and not there");
    }
}
