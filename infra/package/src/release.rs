//! The files of a release, for one platform.

use std::{fs, path::Path};

use crate::{
    Result,
    archive::{self, Entry},
    digest, pack,
    program::{self, PROGRAM},
    read, sbom,
    target::Target,
    words, write,
};

/// The digests of all other files, as `sha256sum --check` reads them.
pub const SUMS: &str = "SHA256SUMS";

/// The templates and scripts that deploy, which are of no platform.
const INFRASTRUCTURE: &str = "infrastructure.tar.gz";

/// Rooms of `infra` that deploy nothing.
const OF_THE_CHECKOUT: [&str; 4] = ["image", "package", "portal", "tests"];

/// Makes the archive for a platform, and where it is that of Azure Functions also their package and the infrastructure. What each is made of lies beside it
/// and in it. Says what came of it, a line for each file.
///
/// # Errors
/// When the program does not fit the platform, or does not run here: it prints its completions and manual pages itself.
pub fn make(root: &Path, target: Target, program: &Path, out: &Path) -> Result<String> {
    let bytes = read(program)?;
    program::check(&bytes, target)?;
    let made_of = sbom::of(root, target)?;
    let name = format!("{PROGRAM}-{target}");
    let mut said = Vec::new();

    let mut entries = vec![Entry::program(format!("{name}/{}", target.file(PROGRAM)), bytes)];
    for file in ["CHANGELOG.md", "LICENSE", "README.md"] {
        entries.push(Entry::file(format!("{name}/{file}"), read(&root.join(file))?));
    }
    entries.push(Entry::file(format!("{name}/{}", sbom::NAME), made_of.clone()));
    entries.extend(words::of(program)?.into_iter().map(|entry| entry.below(&name)));
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    let (archive, ending) = if target.is_windows() {
        (archive::zip(&entries)?, "zip")
    } else {
        (archive::tar_gz(&entries)?, "tar.gz")
    };
    said.push(write(&out.join(format!("{name}.{ending}")), &archive)?);
    said.push(write(&out.join(format!("{name}.cdx.json")), &made_of)?);

    if target == Target::of_functions() {
        said.push(pack(root, program, &made_of, &out.join(format!("{PROGRAM}.zip")))?);
        said.push(write(&out.join(format!("{PROGRAM}.cdx.json")), &made_of)?);
        said.push(write(&out.join(INFRASTRUCTURE), &archive::tar_gz(&infrastructure(root)?)?)?);
    }
    said.push(sum(out)?);
    Ok(said.join("\n"))
}

fn infrastructure(root: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut folders = vec!["infra".to_owned()];
    while let Some(folder) = folders.pop() {
        let listed = fs::read_dir(root.join(&folder)).map_err(|error| format!("{folder}: {error}"))?;
        for file in listed {
            let file = file.map_err(|error| error.to_string())?;
            let name = file.file_name().into_string().map_err(|_| "the name of a file is not UTF-8")?;
            let path = format!("{folder}/{name}");
            if !file.path().is_dir() {
                let entry = if Path::new(&name).extension().is_some_and(|of| of == "sh") {
                    Entry::program
                } else {
                    Entry::file
                };
                entries.push(entry(path, read(&file.path())?));
            } else if !OF_THE_CHECKOUT.contains(&name.as_str()) {
                folders.push(path);
            }
        }
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

/// Writes the digests of every file of a folder into it.
///
/// # Errors
/// When one cannot be read, or the folder has none.
pub fn sum(folder: &Path) -> Result<String> {
    let listed = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut lines = Vec::new();
    for file in listed {
        let file = file.map_err(|error| error.to_string())?;
        let name = file.file_name().into_string().map_err(|_| "the name of a file is not UTF-8")?;
        if name != SUMS {
            lines.push((name.clone(), format!("{}  {name}\n", digest(&read(&file.path())?))));
        }
    }
    if lines.is_empty() {
        return Err(format!("{} has no file", folder.display()));
    }
    lines.sort();
    let text: String = lines.into_iter().map(|(_, line)| line).collect();
    write(&folder.join(SUMS), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_infrastructure_deploys_and_tests_nothing() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let entries = infrastructure(&root).unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        for name in
            ["infra/deploy.sh", "infra/main.bicep", "infra/modules/alerts.bicep", "infra/scripts/common.sh"]
        {
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("tests/") || name.contains("package/")), "{names:?}");
        assert!(names.is_sorted());
    }

    #[test]
    fn every_file_of_a_release_has_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        assert!(sum(folder.path()).is_err(), "nothing is no release");
        for (name, text) in [("b.zip", "2"), ("a.zip", "1"), (SUMS, "of an earlier time")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        sum(folder.path()).unwrap();
        let expected = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b  a.zip\n\
                        d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35  b.zip\n";
        assert_eq!(fs::read_to_string(folder.path().join(SUMS)).unwrap(), expected);
    }
}
