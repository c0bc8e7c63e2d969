//! Files that a reader may open at any moment.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use super::Failed;

/// Replaces a file as a whole: a reader sees the earlier bytes or these, and a failure leaves the earlier ones. `argument`
/// named the file.
pub(super) fn replace(path: &Path, bytes: &[u8], argument: &str) -> Result<(), Failed> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = Path::new(&beside);
    let written = write(beside, bytes).and_then(|()| fs::rename(beside, path));
    written.inspect_err(|_| drop(fs::remove_file(beside))).map_err(|error| {
        Failed::new(
            format!("{} cannot be written: {error}", path.display()),
            format!("name a file with {argument} in a directory in which you may write"),
        )
    })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_or_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.prom");
        replace(&path, b"one", "--output").unwrap();
        replace(&path, b"two", "--output").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let inside = path.join("b.prom");
        assert!(replace(&inside, b"three", "--output").is_err());
        assert!(replace(folder.path(), b"three", "--output").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
