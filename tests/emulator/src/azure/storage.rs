//! Blob and Queue storage: as much as a backup needs.

mod account;
mod blob;
mod blob_write;
mod condition;
mod container;
mod error;
mod handle;
mod list;
mod metadata;
mod queue;
mod queue_handle;
mod queue_rest;

pub use account::{StoredBlob, WriteProtection};
pub use handle::StorageHandle;
pub use queue::QueueMessage;
pub use queue_handle::QueueHandle;

pub(crate) use account::Account;
pub(crate) use container::answer as answer_blob;
pub(crate) use error::{busy, challenge, decorate, not_found, refused, status_reply};
pub(crate) use queue_rest::answer as answer_queue;
