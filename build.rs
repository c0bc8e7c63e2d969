//! The program's version, for `--version`: `0.1.0 (abc1234)`, with the commit in builds for release.
//!
//! Without git, or outside this repository, it is the version alone. So it is in builds for development, which a commit
//! does not have to make new.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is_release = variable("PROFILE") == "release";
    let commit = is_release.then(|| commit(Path::new(&variable("CARGO_MANIFEST_DIR")))).flatten();
    let commit = commit.map_or_else(String::new, |commit| format!(" ({commit})"));
    println!("cargo::rustc-env=PROGRAM_VERSION={}{commit}", variable("CARGO_PKG_VERSION"));
}

#[expect(clippy::disallowed_methods, reason = "cargo's own variables, not settings of the program")]
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// The commit of the sources in this folder, marked if they were changed since.
fn commit(root: &Path) -> Option<String> {
    let top = git(root, &["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    // Cargo runs this again after each commit and each change.
    let log = git(root, &["rev-parse", "--git-path", "logs/HEAD"])?;
    for path in [&log, "src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    git(root, &["describe", "--always", "--dirty=, changed", "--exclude=*", "--abbrev=7"])
}

fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(root).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
