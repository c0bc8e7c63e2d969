//! A storage account and what it holds.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::Bytes;
use md5::{Digest, Md5};
use parking_lot::{Mutex, RwLock};
use time::OffsetDateTime;

use super::{
    immutable::Policy,
    metadata::Metadata,
    queue::Queue,
    rights::Guard,
    versions::{Deleted, Keeping},
};
use crate::azure::hosts::Cloud;

/// A stored blob, as tests see it.
#[derive(Debug, Clone)]
pub struct StoredBlob {
    /// The content.
    pub bytes: Bytes,
    /// The metadata, in the order sent.
    pub metadata: Vec<(String, String)>,
    /// The content type.
    pub content_type: String,
    /// The content encoding, if one was given.
    pub content_encoding: Option<String>,
    /// The MD5 of the content, which the service computes for blobs put in one piece.
    pub content_md5: Option<[u8; 16]>,
    /// The entity tag, in quotes.
    pub etag: String,
    /// When it was first put under this name.
    pub created: OffsetDateTime,
    /// When it was last changed.
    pub last_modified: OffsetDateTime,
    /// The id of its version, where the account keeps versions.
    pub version: Option<String>,
    /// Its own immutability policy.
    pub policy: Option<Policy>,
    /// Whether there is a legal hold on it.
    pub legal_hold: bool,
    /// When it was deleted, if it can be brought back.
    pub(crate) deleted: Option<Deleted>,
    /// What it was made of, if of blocks.
    pub(crate) blocks: Vec<Block>,
}

/// A block of a blob.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) id: String,
    pub(crate) length: usize,
}

impl StoredBlob {
    /// A blob put in one piece, with nothing but its content.
    pub(crate) fn plain(bytes: Bytes, etag: String, now: OffsetDateTime) -> Self {
        Self {
            content_md5: Some(md5(&bytes)),
            bytes,
            metadata: Vec::new(),
            content_type: "application/octet-stream".into(),
            content_encoding: None,
            etag,
            created: now,
            last_modified: now,
            version: None,
            policy: None,
            legal_hold: false,
            deleted: None,
            blocks: Vec::new(),
        }
    }

    /// The content of a block that it was made of.
    pub(crate) fn block(&self, id: &str) -> Option<Bytes> {
        let at = self.blocks.iter().position(|block| block.id == id)?;
        let start: usize = self.blocks[..at].iter().map(|block| block.length).sum();
        let end = start + self.blocks[at].length;
        (end <= self.bytes.len()).then(|| self.bytes.slice(start..end))
    }

    /// The value of a metadata name.
    pub fn meta(&self, name: &str) -> Option<&str> {
        self.metadata.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The write protection that every version in a container gets when it is made.
///
/// The headers that show it are those of the API's description. That deleting what is protected is answered as
/// overwriting is inferred.
#[derive(Debug, Clone, Copy)]
pub struct WriteProtection {
    /// For how many days.
    pub days: u16,
    /// Whether nobody can shorten it.
    pub locked: bool,
}

/// A container.
#[derive(Debug)]
pub(crate) struct Container {
    /// The current ones.
    pub(crate) blobs: BTreeMap<String, StoredBlob>,
    /// Older versions by name and id, and under an empty id what was deleted and is no version.
    pub(crate) older: BTreeMap<(String, String), StoredBlob>,
    /// Blocks that were put and not yet committed, by blob and block id.
    pub(crate) blocks: HashMap<String, BTreeMap<String, Bytes>>,
    /// Neither overwriting nor deleting is allowed.
    pub(crate) append_only: bool,
    /// Whether that is looked at before the conditions of a request.
    pub(crate) policy_first: bool,
    /// How versions are protected.
    pub(crate) protection: Option<WriteProtection>,
    pub(crate) metadata: Metadata,
    pub(crate) etag: String,
    pub(crate) last_modified: OffsetDateTime,
}

/// A storage account.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) cloud: Cloud,
    pub(crate) containers: RwLock<BTreeMap<String, Container>>,
    pub(crate) queues: Mutex<BTreeMap<String, Queue>>,
    pub(crate) keeping: RwLock<Keeping>,
    /// Whether its firewall keeps out the service itself, when it copies for another account.
    closed_to_copies: AtomicBool,
    /// Who may do what.
    pub(crate) guard: Guard,
    /// The moment that names the last version.
    pub(crate) last_version: Mutex<Option<OffsetDateTime>>,
    etags: AtomicU64,
}

impl Account {
    pub(crate) fn new(name: &str, cloud: Cloud) -> Self {
        Self {
            name: name.to_owned(),
            cloud,
            containers: RwLock::default(),
            queues: Mutex::default(),
            keeping: RwLock::default(),
            closed_to_copies: AtomicBool::new(false),
            guard: Guard::default(),
            last_version: Mutex::default(),
            etags: AtomicU64::new(0x8DE_0000_0000_0001),
        }
    }

    /// Sets whether its firewall keeps out the service itself.
    pub(crate) fn close_to_copies(&self, closed: bool) {
        self.closed_to_copies.store(closed, Ordering::Relaxed);
    }

    pub(crate) fn is_closed_to_copies(&self) -> bool {
        self.closed_to_copies.load(Ordering::Relaxed)
    }

    /// A new entity tag, in quotes as on the wire.
    pub(crate) fn etag(&self) -> String {
        format!("\"0x{:X}\"", self.etags.fetch_add(1, Ordering::Relaxed))
    }

    /// What it keeps of what was overwritten or deleted.
    pub(crate) fn keeping(&self) -> Keeping {
        *self.keeping.read()
    }

    /// Makes a container unless it is there. Says whether it was made.
    pub(crate) fn create_container(&self, name: &str, metadata: Metadata, now: OffsetDateTime) -> bool {
        let mut containers = self.containers.write();
        if containers.contains_key(name) {
            return false;
        }
        let container = Container {
            blobs: BTreeMap::new(),
            older: BTreeMap::new(),
            blocks: HashMap::new(),
            append_only: false,
            policy_first: false,
            protection: None,
            metadata,
            etag: self.etag(),
            last_modified: now,
        };
        containers.insert(name.to_owned(), container);
        true
    }
}

pub(crate) fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}
