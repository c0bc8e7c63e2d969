//! Blob and Queue storage: as much as a backup needs.
//!
//! | what | state |
//! |---|---|
//! | blobs whole and in blocks, lists and their pages, metadata | as documented, and the same on Azurite |
//! | conditions of entity tags and dates, MD5 | as documented, and the same on Azurite |
//! | versions, soft delete, CRC64, structured bodies | as documented; the official JavaScript clients try them |
//! | rights of each identity, by container and prefix | as documented; what is not is said [there](Rights) |
//! | queues | as documented |
//! | Put Blob From URL, with a token for the source | as documented; what is not is said in its file |
//! | immutability policies and legal holds of versions | as documented; nobody has tried them |
//! | snapshots, leases, tags, tiers, the older copies, blocks from a URL | 501 |
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
mod immutable;
mod list;
mod metadata;
mod put_from_url;
mod queue;
mod queue_handle;
mod queue_rest;
mod rights;
mod structured;
mod upload;
mod versions;

pub use account::{StoredBlob, WriteProtection};
pub use handle::StorageHandle;
pub use immutable::Policy;
pub use queue::QueueMessage;
pub use queue_handle::QueueHandle;
pub use rights::{Rights, Taken};
pub use versions::Keeping;

pub(crate) use account::Account;
pub(crate) use container::answer as answer_blob;
pub(crate) use error::{PROLOGUE, busy, challenge, decorate, not_found, refused, status_reply, unknown};
pub(crate) use queue_rest::answer as answer_queue;
