//! The folder of a backup: what is in it, and how it is written and read.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::{access::Place, device::Hsm};
use crate::azure::{
    keyvault::{BackedUp, Kind, Store, object_of, sealed, state},
    storage::StoredBlob,
};

/// Keys in one blob.
const CHUNK: usize = 100;

/// Recorded names have two digits more than documented ones.
const STAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day][hour][minute][second][subsecond digits:2]");

/// All that a backup keeps.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    keys: Vec<BackedUp>,
    roles: Vec<String>,
}

/// The blob by which the others are found. It says how many there are, so that a missing one is noticed.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    hsm: String,
    chunks: usize,
    roles: Vec<String>,
}

impl Image {
    pub(crate) fn of(hsm: &Hsm, roles: &[String]) -> Self {
        let store = hsm.keys.store.read();
        let keys = store.all(Kind::Key).map(|object| state(&hsm.keys, &store, Kind::Key, object)).collect();
        Self { keys, roles: roles.to_vec() }
    }

    pub(crate) fn key(&self, name: &str) -> Option<&BackedUp> {
        self.keys.iter().find(|key| key.name.eq_ignore_ascii_case(name))
    }

    /// Puts it in place of everything that an HSM holds. What was deleted is gone with the rest.
    pub(crate) fn replace(self, hsm: &Hsm) -> Vec<String> {
        let mut store = Store::default();
        for key in self.keys {
            if let Some(object) = object_of(&key.name, false, key.versions) {
                store.insert(Kind::Key, object);
            }
        }
        *hsm.keys.store.write() = store;
        self.roles
    }

    /// Writes it into a new folder, under the folders of the request if it has some. Gives the new folder's name.
    pub(crate) fn write(&self, hsm: &Hsm, place: &Place, now: OffsetDateTime) -> Option<String> {
        let domain = hsm.security_domain();
        let chunks: Vec<_> = self.keys.chunks(CHUNK).collect();
        let head = Head { hsm: hsm.keys.name.clone(), chunks: chunks.len(), roles: self.roles.clone() };
        let mut containers = place.account.containers.write();
        let (container, above) = (containers.get_mut(&place.container)?, &place.above);
        let is_taken = |folder: &str| container.blobs.contains_key(&format!("{above}{folder}/backup"));
        let folder = free_name(hsm, now, is_taken)?;
        let mut put = |name: String, bytes: Vec<u8>| {
            let blob = StoredBlob::plain(Bytes::from(bytes), place.account.etag(), now);
            container.put(&place.account, &format!("{above}{folder}/{name}"), blob, now);
        };
        for (number, chunk) in chunks.iter().enumerate() {
            put(chunk_name(number), sealed::seal_value(chunk, &domain, 0).ok()?);
        }
        put("backup".to_owned(), sealed::seal_value(&head, &domain, 0).ok()?);
        Some(folder)
    }

    /// Reads it back. `None` when the folder is not there, not whole, or of another security domain.
    pub(crate) fn read(hsm: &Hsm, place: &Place, folder: &str) -> Option<Self> {
        let domain = hsm.security_domain();
        let containers = place.account.containers.read();
        let blobs = &containers.get(&place.container)?.blobs;
        let folder = folder.trim_matches('/');
        let blob = |name: &str| blobs.get(&format!("{folder}/{name}")).map(|blob| &blob.bytes);
        let head: Head = sealed::open_value(blob("backup")?, &domain).ok()?;
        let mut keys = Vec::new();
        for number in 0..head.chunks {
            let chunk: Vec<BackedUp> = sealed::open_value(blob(&chunk_name(number))?, &domain).ok()?;
            keys.extend(chunk);
        }
        Some(Self { keys, roles: head.roles })
    }
}

/// The name of a folder of this moment, or of the first one after it whose name is free.
fn free_name(hsm: &Hsm, mut at: OffsetDateTime, is_taken: impl Fn(&str) -> bool) -> Option<String> {
    loop {
        let stamp = at.to_offset(time::UtcOffset::UTC).format(STAMP).ok()?;
        let folder = format!("mhsm-{}-{stamp}", hsm.keys.name);
        if !is_taken(&folder) {
            return Some(folder);
        }
        at += time::Duration::milliseconds(10);
    }
}

fn chunk_name(number: usize) -> String {
    format!("keys/{number:05}")
}
