//! `cargo demo`: builds the program and the demo, and becomes the demo.
//!
//! One build makes both, so that libraries are built once and no core waits. This program needs no library: it is there
//! within a second, and says what the wait is for.

use std::{
    convert::Infallible,
    env,
    ffi::OsString,
    io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitCode},
};

const PROGRAM: &str = "keyvault-backup";
const DEMO: &str = "demo";

fn main() -> ExitCode {
    // `cargo demo -- --json` hands over the `--`, since the alias has one of its own.
    let arguments = env::args_os().enumerate().skip(1).filter(|(at, argument)| *at != 1 || argument != "--");
    match play(arguments.map(|(_, argument)| argument)) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("cargo demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(arguments: impl Iterator<Item = OsString>) -> io::Result<Infallible> {
    // Of the same profile, they lie beside this one.
    let here = env::current_exe()?;
    let (program, demo) = (here.with_file_name(PROGRAM), here.with_file_name(DEMO));
    if !program.exists() || !demo.exists() {
        eprintln!(
            "Building {PROGRAM}, and an emulated Azure for it. The first time, with every library, takes minutes."
        );
    }
    build(&here)?;
    Err(Command::new(demo).args(arguments).arg("--program").arg(program).exec())
}

/// Cargo says how far it is.
#[expect(clippy::disallowed_methods, reason = "cargo says in the environment which one it is")]
fn build(here: &Path) -> io::Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--package", PROGRAM, "--bin", PROGRAM]);
    cargo.args(["--package", "keyvault-backup-emulator", "--bin", DEMO]);
    cargo.args(["--profile", profile(here)]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if cargo.status()?.success() { Ok(()) } else { Err(io::Error::other("the build failed")) }
}

/// The profile of this program is the name of its folder, except for `dev`.
fn profile(here: &Path) -> &str {
    let folder = here.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    folder.filter(|folder| *folder != "debug").unwrap_or("dev")
}
