//! Builds `dist/keyvault-backup.zip`: the program for the machines of Azure Functions, host.json, and each function's folder
//! beside them. The same sources give the same bytes.
//!
//! The program is linked for glibc 2.28, because nobody says which one the platform's image has. That takes
//! `cargo-zigbuild` and Zig: `pip install cargo-zigbuild`.

mod build;
mod layout;
mod program;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use sha2::{Digest as _, Sha256};

/// What goes wrong, in words for whoever runs this.
type Result<T> = std::result::Result<T, String>;

/// The platform unpacks the package at every cold start.
const LARGEST: usize = 6 * 1024 * 1024;

const USAGE: &str = "\
usage: cargo package-app [--program FILE] [--out FILE]

  --program FILE   packs this program instead of building one
  --out FILE       where the package goes; dist/keyvault-backup.zip when left out";

fn main() -> ExitCode {
    match run(env::args().skip(1)) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: impl Iterator<Item = String>) -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
    let (mut program, mut out) = (None, root.join("dist/keyvault-backup.zip"));
    while let Some(arg) = args.next() {
        let mut path =
            || args.next().map(PathBuf::from).ok_or_else(|| format!("{arg} wants a file\n{USAGE}"));
        match arg.as_str() {
            "--program" => program = Some(path()?),
            "--out" => out = path()?,
            "--help" => return Ok(USAGE.to_owned()),
            other => return Err(format!("{other} is not known\n{USAGE}")),
        }
    }
    let program = match program {
        Some(program) => program,
        None => build::program(&root)?,
    };
    pack(&root, &program, &out)
}

fn pack(root: &Path, program: &Path, out: &Path) -> Result<String> {
    let bytes = read(program)?;
    program::check(&bytes)?;
    let package = layout::zip(&layout::entries(root, bytes)?)?;
    if package.len() > LARGEST {
        return Err(format!("the package has {} bytes, and may have {LARGEST}", package.len()));
    }
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::write(out, &package).map_err(|error| format!("{}: {error}", out.display()))?;
    let digest = hex::encode(Sha256::digest(&package));
    Ok(format!("{}: {} bytes, SHA-256 {digest}", out.display(), package.len()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
