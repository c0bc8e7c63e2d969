//! `cargo package-app`: builds and packs. What is in the package is said in the library beside this.

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use keyvault_backup_package::{Result, build, pack};

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
