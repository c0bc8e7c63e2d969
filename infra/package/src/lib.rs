//! Builds what is released. `cargo package-app` makes `dist/keyvault-backup.zip`: the program for the machines of Azure Functions,
//! host.json, and each function's folder beside them. `cargo release-files` makes that and the archive of the command line tool for one
//! platform. The same program gives the same bytes.
//!
//! Programs for Linux are linked for glibc 2.28, because nobody says which one the platform's image has. That takes
//! `cargo-zigbuild` and Zig: `pip install cargo-zigbuild`.

pub mod archive;
pub mod build;
pub mod layout;
pub mod program;
pub mod release;
pub mod sbom;
pub mod target;
mod words;

use std::{fs, path::Path};

use sha2::{Digest as _, Sha256};
use target::Target;

/// What goes wrong, in words for whoever runs this.
pub type Result<T> = std::result::Result<T, String>;

/// The platform unpacks the package at every cold start.
const LARGEST: usize = 8 * 1024 * 1024;

/// Packs a program for Azure Functions, with the list of what it is made of, and says what came of it.
///
/// # Errors
/// When it would not start on the platform, or is too large.
pub fn pack(root: &Path, program: &Path, made_of: &[u8], out: &Path) -> Result<String> {
    let bytes = read(program)?;
    program::check(&bytes, Target::of_functions())?;
    let package = archive::zip(&layout::entries(root, bytes, made_of.to_vec())?)?;
    if package.len() > LARGEST {
        return Err(format!("the package has {} bytes, and may have {LARGEST}", package.len()));
    }
    write(out, &package)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a file and says what it is.
fn write(out: &Path, bytes: &[u8]) -> Result<String> {
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::write(out, bytes).map_err(|error| format!("{}: {error}", out.display()))?;
    Ok(format!("{}: {} bytes, SHA-256 {}", out.display(), bytes.len(), digest(bytes)))
}

fn digest(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}
