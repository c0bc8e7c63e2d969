//! Builds `dist/keyvault-backup.zip`: the program for the machines of Azure Functions, host.json, and each function's folder
//! beside them. The same program gives the same bytes.
//!
//! The program is linked for glibc 2.28, because nobody says which one the platform's image has. That takes
//! `cargo-zigbuild` and Zig: `pip install cargo-zigbuild`.

pub mod build;
pub mod layout;
mod program;

use std::{fs, path::Path};

use sha2::{Digest as _, Sha256};

/// What goes wrong, in words for whoever runs this.
pub type Result<T> = std::result::Result<T, String>;

/// The platform unpacks the package at every cold start.
const LARGEST: usize = 8 * 1024 * 1024;

/// Packs a program and says what came of it.
///
/// # Errors
/// When it would not start on the platform, or is too large.
pub fn pack(root: &Path, program: &Path, out: &Path) -> Result<String> {
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
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&package));
    Ok(format!("{}: {} bytes, SHA-256 {digest}", out.display(), package.len()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
