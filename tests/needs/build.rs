//! Looks for what some tests need, when the tests are built. It looks again when a variable or a watched path changes, or
//! after `cargo clean --package keyvault-backup-needs`.

#![expect(clippy::disallowed_methods, reason = "the environment says where data and programs for tests lie")]

use std::{
    env,
    path::{Path, PathBuf},
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if !named("KEYVAULT_RECORDINGS") && !recordings_beside_the_project() {
        missing("RECORDINGS", "../shared/recordings, and KEYVAULT_RECORDINGS names no other folder");
    }
    if !named("AZURITE_BIN") {
        missing("AZURITE", "AZURITE_BIN with the path of Azurite, which .ci/azurite installs and prints");
    }
    let absent: Vec<_> = ["bash", "curl", "jq"].into_iter().filter(|tool| !installed(tool)).collect();
    if !absent.is_empty() {
        missing("RUNBOOK_TOOLS", &absent.join(", "));
    }
    for (what, program) in [("POWERSHELL", "pwsh"), ("PYTHON", "python3")] {
        if !installed(program) {
            missing(what, program);
        }
    }
}

/// What a variable names and is not there is a failure, and no reason to leave a test out.
fn named(variable: &str) -> bool {
    println!("cargo::rerun-if-env-changed={variable}");
    env::var_os(variable).is_some()
}

fn recordings_beside_the_project() -> bool {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let recordings = shared.join("recordings");
    let there = recordings.is_dir();
    watch(if there { &recordings } else { &shared });
    there
}

fn installed(tool: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    let found: Option<PathBuf> =
        env::split_paths(&folders).map(|folder| folder.join(tool)).find(|path| path.is_file());
    found.inspect(|path| watch(path)).is_some()
}

/// A path that is missing is not watched: everything would be built anew each time.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn missing(what: &str, text: &str) {
    println!("cargo::rustc-env=MISSING_{what}=missing: {text}");
}
