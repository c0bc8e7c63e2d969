//! Blob and Queue storage: as much as a backup needs.
//!
//! | what | state |
//! |---|---|
//! | blobs whole and in blocks, lists and their pages, metadata | as documented, and the same on Azurite |
//! | conditions of entity tags and dates, MD5 | as documented, and the same on Azurite |
//! | versions, soft delete, CRC64, structured bodies | as documented; the official JavaScript clients try them |
//! | queues | as documented |
//! | snapshots, leases, tags, tiers, copies, writes from a URL, legal holds and immutability by request | 501 |
//!
//! What [an account keeps](Keeping) and how a container is [protected](WriteProtection) is set by its
//! [handle](StorageHandle).

mod account;
mod blob;
mod blob_write;
mod block;
mod condition;
mod container;
mod crc64;
mod error;
mod handle;
mod list;
mod metadata;
mod queue;
mod queue_handle;
mod queue_rest;
mod structured;
mod upload;
mod versions;

pub use account::{StoredBlob, WriteProtection};
pub use handle::StorageHandle;
pub use queue::QueueMessage;
pub use queue_handle::QueueHandle;
pub use versions::Keeping;

pub(crate) use account::Account;
pub(crate) use container::answer as answer_blob;
pub(crate) use error::{PROLOGUE, busy, challenge, decorate, not_found, refused, status_reply, unknown};
pub(crate) use queue_rest::answer as answer_queue;
