//! `cargo package-app` and `cargo release-files`: build and pack. What is in each file is said in the library beside this.

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use keyvault_backup_package::{Result, build, pack, release, sbom, target::Target};

const USAGE: &str = "\
usage: cargo package-app [--program FILE] [--out FILE]
       cargo release-files [--target TARGET] [--program FILE] [--out FOLDER]
       cargo release-files --sums FOLDER

  --program FILE   packs this program instead of building one
  --target TARGET  the platform; x86_64-unknown-linux-gnu when left out, which also has the package for Azure Functions
  --out            where it goes; dist/keyvault-backup.zip or dist/release when left out
  --sums FOLDER    writes the digests of what lies there, and nothing else";

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

#[expect(clippy::disallowed_methods, reason = "cargo's own variable, not a setting of the program")]
fn run(args: impl Iterator<Item = String>) -> Result<String> {
    // Of the checkout that cargo runs this in: clones that share a folder of builds share this program.
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&package).join("../..");
    let root = root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
    let mut args = args.peekable();
    let releases = args.next_if(|arg| arg == "release").is_some();
    let (mut program, mut out, mut target) = (None, None, Target::of_functions());
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value\n{USAGE}"));
        match arg.as_str() {
            "--program" => program = Some(PathBuf::from(value()?)),
            "--out" => out = Some(PathBuf::from(value()?)),
            "--target" if releases => target = Target::named(&value()?)?,
            "--sums" if releases => return release::sum(Path::new(&value()?)),
            "--help" => return Ok(USAGE.to_owned()),
            other => return Err(format!("{other} is not known\n{USAGE}")),
        }
    }
    let program = match program {
        Some(program) => program,
        None => build::program(&root, target)?,
    };
    if releases {
        release::make(&root, target, &program, &out.unwrap_or_else(|| root.join("dist/release")))
    } else {
        let out = out.unwrap_or_else(|| root.join("dist/keyvault-backup.zip"));
        pack(&root, &program, &sbom::of(&root, target)?, &out)
    }
}
