//! The calls in the pages, of the HTTP API and of the runbooks: each block that makes one is run by bash, against the
//! real binary behind the host's front door.

use std::{fs, path::Path};

use keyvault_backup_emulator::Kind;
use keyvault_backup_needs::needs;

use crate::{
    documents::{pages, world},
    runbooks::stage::clean,
};

/// What a line of a call begins with, or one that says where the app is.
const CALLS: [&str; 4] = ["curl ", "call ", "docs/runbooks/", "export KEYVAULT_BACKUP_URL="];

/// An answer that is an error ends the script. The Azure CLI is asked for keys.
const BEFORE: &str = r#"
set -euo pipefail
curl() { command curl --fail-with-body --silent --show-error "$@"; }
az() {
    case $* in
    *'--function-name Status '*) echo "$STATUS_KEY" ;;
    *'--function-name Backups '*) echo "$BACKUPS_KEY" ;;
    *'--function-name Restores '*) echo "$RESTORES_KEY" ;;
    esac
}
"#;

fn calls(script: &str) -> usize {
    script.lines().filter(|line| CALLS.iter().any(|call| line.starts_with(call))).count()
}

/// A page's blocks that make a call, one after the other.
fn script(text: &str) -> Option<String> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    // `.ci/installed` downloads what a release has.
    let blocks = blocks.filter(|block| !block.contains("ADDRESS/releases/"));
    let calling: Vec<_> = blocks.filter(|block| calls(block) > 0).collect();
    let ours = calling
        .join("\n")
        .replace("https://APP.azurewebsites.net", "$APP")
        .replace("https://my-restore.azurewebsites.net", "$APP")
        // There is no terminal to ask on, and nobody waits.
        .replace("docs/runbooks/restore.sh", "docs/runbooks/restore.sh --yes --poll 0.1")
        .replace("docs/runbooks/backup.sh", "docs/runbooks/backup.sh --poll 0.1");
    (!calling.is_empty()).then(|| format!("{BEFORE}{ours}"))
}

/// Runs what a page says, in a world that has lost something. Returns how often it calls.
async fn follow(page: &str, text: &str) -> usize {
    let Some(script) = script(text) else { return 0 };
    let mut world = world().await;
    world.today();
    let (prod, demo) = (world.vault.clone(), world.azure.vault("kv-demo"));
    let host = world.host().await;
    let app = format!("http://{}", host.listen(0).await.expect("a port"));
    assert!(prod.remove(Kind::Secret, "db-password") && demo.remove(Kind::Secret, "payroll-password"));
    let folder = tempfile::tempdir().expect("a folder");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    std::os::unix::fs::symlink(docs, folder.path().join("docs")).expect("a link");
    fs::write(folder.path().join("script"), &script).expect("it is written");
    let mut bash = clean("bash");
    bash.arg("script").current_dir(&folder).env("APP", &app).env("BUILD_ID", "17");
    for name in ["Status", "Backups", "Restores"] {
        bash.env(format!("{}_KEY", name.to_uppercase()), host.key(name));
    }
    let output = world.beside(bash).await;
    assert!(output.status.success(), "{page}: {script}\n{output:?}");
    let back = (prod.len(Kind::Secret), demo.len(Kind::Secret));
    let restores = script.contains("restore") && script.contains("source");
    assert!(!restores || back.0 + back.1 > 0, "{page}: nothing came back");
    calls(&script)
}

#[needs(runbook_tools)]
#[needs(python)]
#[tokio::test]
async fn every_call_in_the_pages_is_made() {
    let mut made = 0;
    // `.ci/newcomer` follows the first steps, in a clone.
    for (page, text) in pages().into_iter().filter(|(page, _)| !page.ends_with("first-steps.md")) {
        made += follow(&page, &text).await;
    }
    assert_eq!(made, 29, "the pages have other calls than before");
}
