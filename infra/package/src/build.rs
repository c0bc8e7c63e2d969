//! The release build.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Result,
    program::{GLIBC, PROGRAM},
    target::Target,
};

/// Builds the program and says where it is.
///
/// # Errors
/// When it does not build.
#[expect(clippy::disallowed_methods, reason = "cargo's own variables, not settings of the program")]
pub fn program(root: &Path, target: Target) -> Result<PathBuf> {
    let target_dir = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(env::home_dir()?.join(".cargo"))).unwrap_or_default();
    // Paths of this machine would make the bytes differ elsewhere. Those of this project are relative as they are, and options that
    // name its folder would build every crate again in a second clone.
    let places = [(cargo_home.as_path(), "/cargo"), (target_dir.as_path(), "/target")];
    let mut cargo = cargo();
    // An old C library is enough for what Zig links.
    if target.is_linux() {
        cargo.args(["zigbuild", "--target", &format!("{target}.{}.{}", GLIBC.0, GLIBC.1)]);
    } else {
        cargo.args(["build", "--target", target.name()]);
    }
    // The compiler of Windows takes no such option; what is C there has its paths.
    if !target.is_windows() {
        cargo.env("CFLAGS", flags("-ffile-prefix-map=", &places).join(" "));
    }
    let status = cargo
        .current_dir(root)
        .args(["--release", "--locked", "--package", "keyvault-backup", "--bin", PROGRAM])
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_ENCODED_RUSTFLAGS", flags("--remap-path-prefix=", &places).join("\u{1f}"))
        .env_remove("RUSTFLAGS")
        // Read by C compilers and build scripts for dates that they would put in.
        .env("SOURCE_DATE_EPOCH", "315532800")
        // The checkout's builds go without the crypto library's own source of randomness, for speed; what is installed has both.
        .env("AWS_LC_SYS_NO_JITTER_ENTROPY", "0")
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !status.success() {
        return Err(
            "the build failed; where cargo has no command `zigbuild`: pip install cargo-zigbuild".to_owned()
        );
    }
    Ok(target_dir.join(target.name()).join("release").join(target.file(PROGRAM)))
}

/// The cargo that runs this.
#[expect(clippy::disallowed_methods, reason = "cargo's own variables, not settings of the program")]
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn flags(option: &str, places: &[(&Path, &str)]) -> Vec<String> {
    places.iter().map(|(from, to)| format!("{option}{}={to}", from.display())).collect()
}
