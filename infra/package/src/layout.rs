//! What lies in the package for Azure Functions.

use std::{fs, path::Path};

use crate::{Result, archive::Entry, program::PROGRAM, read, sbom};

/// The files of the package, sorted by name. The host looks for functions beside `host.json` and nowhere else.
pub fn entries(root: &Path, program: Vec<u8>, made_of: Vec<u8>) -> Result<Vec<Entry>> {
    let host = read(&root.join("host.json"))?;
    starts_the_program(&host)?;
    let mut entries = vec![
        Entry::file("host.json", host),
        // The platform does not set the bit, and a program without it does not start.
        Entry::program(PROGRAM, program),
        Entry::file(sbom::NAME, made_of),
    ];
    let folder = root.join("functions");
    let listed = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for function in listed {
        let function = function.map_err(|error| error.to_string())?;
        let name = function.file_name();
        let name = name.to_str().ok_or("a function's name is not UTF-8")?;
        let bytes = read(&function.path().join("function.json"))?;
        entries.push(Entry::file(format!("{name}/function.json"), bytes));
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

fn starts_the_program(host: &[u8]) -> Result<()> {
    let host: serde_json::Value =
        serde_json::from_slice(host).map_err(|error| format!("host.json: {error}"))?;
    let path = &host["customHandler"]["description"]["defaultExecutablePath"];
    if path == PROGRAM { Ok(()) } else { Err(format!("host.json starts {path}, not {PROGRAM}")) }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use zip::{DateTime, ZipArchive};

    use super::*;
    use crate::{archive::zip, pack, program::tests::program};

    fn root() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("binary");
        fs::write(&binary, program(&["GLIBC_2.28"])).unwrap();
        let [one, other] = ["one.zip", "other.zip"].map(|name| {
            let out = folder.path().join(name);
            pack(&root(), &binary, b"{}", &out).unwrap();
            fs::read(out).unwrap()
        });
        assert!(one == other);
    }

    #[test]
    fn it_holds_the_program_what_it_is_made_of_the_functions_and_nothing_else() {
        let entries = entries(&root(), program(&[]), b"{}".to_vec()).unwrap();
        let package = zip(&entries).unwrap();
        // Modes count only where a Unix says that it made them.
        let made_by =
            package.windows(6).filter(|window| window.starts_with(b"PK\x01\x02")).map(|window| window[5]);
        assert!(made_by.eq(entries.iter().map(|_| 3)));
        let mut archive = ZipArchive::new(Cursor::new(package)).unwrap();
        let mut functions = Vec::new();
        let mut names = Vec::new();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            let mode = file.unix_mode().unwrap() & 0o777;
            assert_eq!(mode, if file.name() == PROGRAM { 0o755 } else { 0o644 }, "{}", file.name());
            assert_eq!(file.last_modified(), Some(DateTime::default()));
            names.push(file.name().to_owned());
            if let Some(function) = file.name().strip_suffix("/function.json") {
                functions.push(function.to_owned());
                assert_eq!(
                    bytes,
                    read(&root().join("functions").join(function).join("function.json")).unwrap()
                );
            }
        }
        assert!(names.is_sorted());
        let other: Vec<_> = names.iter().filter(|name| !name.ends_with("/function.json")).collect();
        assert_eq!(other, ["host.json", PROGRAM, sbom::NAME]);
        let folders = fs::read_dir(root().join("functions")).unwrap().count();
        assert!(folders > 0 && functions.len() == folders, "{functions:?}");
    }

    #[test]
    fn the_host_has_to_start_the_program() {
        let other = br#"{"customHandler":{"description":{"defaultExecutablePath":"./keyvault-backup"}}}"#;
        assert!(starts_the_program(other).is_err());
    }
}
