//! Whether the bytes of a backup are those that were stored.

use super::{Expected, Fault};
use crate::domain::{blob::BackupBlob, entry::Entry, object::ObjectId, run::RunId};

/// A backup as it was read: its bytes, and the entry that lies with them.
#[derive(Debug)]
pub struct Stored<'a> {
    /// The bytes.
    pub blob: &'a BackupBlob,
    /// The entry with them, or why it cannot be read.
    pub entry: Result<&'a Entry, &'a str>,
}

/// What is wrong with the backup of an object by a run, in words; `None` if it is whole. `expected` is what the newest
/// index says of it, if it names it.
///
/// The digest decides. The form of the bytes is judged too, because a digest says nothing about what was wrong with them
/// when they were stored.
pub fn fault_of(
    stored: &Stored<'_>,
    run: &RunId,
    id: &ObjectId,
    expected: Option<&Expected>,
) -> Option<(Fault, String)> {
    let entry = match stored.entry {
        Ok(entry) => entry,
        Err(why) => return Some((Fault::Damaged, format!("the entry with it cannot be read: {why}"))),
    };
    if entry.run != *run || entry.id() != *id {
        let of = format!("the entry with it is of {}, taken by {}", entry.id(), entry.run);
        return Some((Fault::Differs, of));
    }
    let (bytes, sha256) = (stored.blob.len() as u64, stored.blob.digest());
    if bytes != entry.bytes {
        return Some((Fault::Damaged, format!("it has {bytes} bytes, and {} were stored", entry.bytes)));
    }
    if sha256 != entry.sha256 {
        return Some((
            Fault::Damaged,
            format!("its bytes are not those that were stored, whose SHA-256 is {}", entry.sha256),
        ));
    }
    if let Some(expected) = expected.filter(|expected| expected.sha256 != sha256) {
        let text =
            format!("the index names a backup with SHA-256 {}, and this one has {sha256}", expected.sha256);
        return Some((Fault::Differs, text));
    }
    match stored.blob.judge(id.kind) {
        Err(fault) => Some((Fault::Damaged, fault.to_string())),
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        digest::Digest,
        manifest::ObjectStatus,
        samples::{NIGHT, line, secret},
        verification::{Address, Named},
    };

    /// A backup that this program takes for whole: of an unknown form.
    fn whole() -> (BackupBlob, Entry) {
        let blob = BackupBlob::from(b"of another form".to_vec());
        let entry = line(&secret("db"), ObjectStatus::BackedUp, NIGHT).entry.unwrap();
        let entry = Entry { bytes: blob.len() as u64, sha256: blob.digest(), ..entry };
        (blob, entry)
    }

    #[test]
    fn a_backup_is_whole_if_its_bytes_its_entry_and_the_index_agree() {
        let (blob, entry) = whole();
        let id = entry.id();
        let change = |change: fn(&mut Entry)| {
            let mut changed = entry.clone();
            change(&mut changed);
            changed
        };
        let flipped = BackupBlob::from(b"of another fork".to_vec());
        let cut = BackupBlob::from(b"of another".to_vec());
        let broken = BackupBlob::from(b"\x26AzureKeyVaultKeyBackupV1.microsoft.com".to_vec());
        let of_broken = Entry { bytes: broken.len() as u64, sha256: broken.digest(), ..entry.clone() };
        let other = change(|entry| entry.sha256 = Digest::of(b"other"));
        for (blob, with, index, expected) in [
            (&blob, &entry, &entry, None),
            (&flipped, &entry, &entry, Some(Fault::Damaged)),
            (&cut, &entry, &entry, Some(Fault::Damaged)),
            (&blob, &change(|entry| entry.name = "other".parse().unwrap()), &entry, Some(Fault::Differs)),
            (&blob, &change(|entry| entry.run = RunId::manual(NIGHT, 9)), &entry, Some(Fault::Differs)),
            (&blob, &other, &entry, Some(Fault::Damaged)),
            (&blob, &entry, &other, Some(Fault::Differs)),
            (&broken, &of_broken, &of_broken, Some(Fault::Damaged)),
        ] {
            let mut named = Named::default();
            named.add(index);
            let expected_by = named.get(Address::of(&entry.run, &id));
            let found = fault_of(&Stored { blob, entry: Ok(with) }, &entry.run, &id, expected_by.as_ref());
            assert_eq!(found.as_ref().map(|(fault, _)| *fault), expected, "{found:?}");
        }
        let unread = Stored { blob: &blob, entry: Err("no entry") };
        let found = fault_of(&unread, &entry.run, &id, None);
        assert!(found.is_some_and(|(fault, text)| fault == Fault::Damaged && text.contains("no entry")));
        let unnamed = Stored { blob: &blob, entry: Ok(&entry) };
        assert_eq!(
            fault_of(&unnamed, &entry.run, &id, None),
            None,
            "an older backup, which the index does not name"
        );
    }
}
