//! `backup --file`: one object's blob as a file, byte for byte as `az` writes and reads it.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use time::macros::format_description;

use super::{
    Done, Exit, Failed,
    output::{self, Cell, Column, Format, Table},
    report::form_unknown,
};
use crate::{
    api::shapes::terminal::FileBackup,
    app::App,
    clock::Clock,
    domain::{
        blob::BackupBlob,
        digest::Digest,
        object::ObjectId,
        source::{Source, SourceName},
    },
};

/// Reads the file of a backup that `--file` names.
pub(super) fn read(path: &Path) -> Result<BackupBlob, Failed> {
    let failed = |error| {
        Failed::new(
            format!("{} cannot be read: {error}", path.display()),
            "name the file of a backup with --file",
        )
    };
    fs::read(path).map(BackupBlob::from).map_err(failed)
}

/// The destination of the blob, and whether it may replace a file.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    force: bool,
}

impl Target {
    /// The file at `path`, or one named after vault, object and time.
    pub fn new(path: Option<&Path>, vault: &SourceName, id: &ObjectId, force: bool, clock: &Clock) -> Self {
        if let Some(path) = path {
            return Self { path: path.to_owned(), force };
        }
        let format = format_description!("[year][month][day]T[hour][minute][second]Z");
        let now = clock.now().format(format).unwrap_or_default();
        Self { path: format!("{vault}-{}-{now}", id.name).into(), force }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses an existing file before the vault is called; [`Target::write`] would refuse it afterwards.
    fn check(&self) -> Result<(), Failed> {
        if self.force || !self.path.exists() {
            return Ok(());
        }
        Err(Failed::new(
            format!("{} exists", self.path.display()),
            "name another file, or replace it with --force",
        ))
    }

    /// Writes the bytes whole or not at all, readable only by their owner. They go to a file beside the target first,
    /// because a process that is killed must not leave half a backup under its name. On a file system without links, a
    /// file that may not be replaced is written directly.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        create(&beside, bytes)?;
        if self.force {
            return fs::rename(&beside, &self.path).inspect_err(|_| drop(fs::remove_file(&beside)));
        }
        // A link, unlike a rename, does not replace a file that was created meanwhile.
        let linked = fs::hard_link(&beside, &self.path);
        drop(fs::remove_file(&beside));
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => create(&self.path, bytes),
            linked => linked,
        }
    }
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.inspect_err(|_| drop(fs::remove_file(path)))
}

/// Prints what would be written, and writes nothing.
///
/// # Errors
/// When the file exists.
pub fn print_plan(vault: &Source, id: &ObjectId, target: &Target, format: Format) -> Done {
    target.check()?;
    if format.is_json() {
        output::json(&FileBackup::planned(vault.name(), id, target.path()))?;
        return Ok(Exit::All);
    }
    let sentence = format!("Would back up {id} of {vault} to {}", target.path().display());
    output::one(format, sentence, &table(vault, id, target, None))?;
    Ok(Exit::All)
}

/// Backs up one object into a file.
///
/// # Errors
/// When the file exists, the vault refuses, or its answer is not a backup.
pub async fn back_up(app: &App, vault: &Source, id: &ObjectId, target: &Target, format: Format) -> Done {
    target.check()?;
    let handed = app.vault(vault.name())?.backup(id).await.map_err(crate::error::Error::from)?;
    let form = handed.blob.judge(id.kind).map_err(|fault| {
        Failed::new(
            format!("{id} of {vault}: {fault}; nothing was written"),
            "run the command again; if it lasts, ask Azure's support",
        )
    })?;
    let (digest, bytes) = (handed.blob.digest(), handed.blob.len() as u64);
    write(target, handed.blob)?;
    if format.is_json() {
        let planned = FileBackup::planned(vault.name(), id, target.path());
        output::json(&planned.written(bytes, &digest, form.unknown()))?;
        return Ok(Exit::All);
    }
    let (file, size) = (target.path().display(), output::bytes(bytes));
    let sentence = format!("{id} of {vault} is in {file} ({size}, SHA-256 {digest})");
    output::one(format, sentence, &table(vault, id, target, Some((bytes, &digest))))?;
    if let Some(clear) = form.unknown() {
        output::aside(format, form_unknown(clear))?;
    }
    Ok(Exit::All)
}

fn table(vault: &Source, id: &ObjectId, target: &Target, written: Option<(u64, &Digest)>) -> Table {
    let subject = [Column::name("source"), Column::name("kind"), Column::name("name")];
    let mut table =
        Table::new(&subject, &[Column::name("file"), Column::number("size"), Column::name("SHA-256")]);
    let (kind, name) = (id.kind.as_str().into(), id.name.as_str().into());
    let (size, digest) =
        written.map_or((Cell::Nothing, Cell::Nothing), |(size, of)| (Cell::Bytes(size), of.into()));
    table.push([vault.into(), kind, name, target.path().display().to_string().into(), size, digest]);
    table
}

fn write(target: &Target, blob: BackupBlob) -> Result<(), Failed> {
    let text = |error| {
        Failed::new(
            format!("{} cannot be written: {error}", target.path().display()),
            "name another file with --file",
        )
    };
    target.write(&blob.into_bytes()).map_err(text)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn target(path: Option<&Path>, force: bool) -> Target {
        let id = ObjectId::new("secret".parse().unwrap(), "db-password".parse().unwrap());
        let clock = Clock::set(datetime!(2026-11-22 10:11:12 UTC));
        Target::new(path, &"kv-prod".parse().unwrap(), &id, force, &clock)
    }

    #[test]
    fn a_name_is_made_of_vault_object_and_time() {
        assert_eq!(target(None, false).path(), Path::new("kv-prod-db-password-20261122T101112Z"));
    }

    #[test]
    fn an_existing_file_is_replaced_only_by_force_and_then_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blob");
        target(Some(&path), false).write(b"one").unwrap();
        assert!(target(Some(&path), false).check().is_err());
        assert!(target(Some(&path), false).write(b"two").is_err());
        target(Some(&path), true).write(b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
