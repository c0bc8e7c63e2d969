//! Moving blobs from one container into another one, by storage itself where it can.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Container, Item, Meaning, Metadata, ServiceError, Written, is_unread_source};

/// Two containers, and how blobs get from the one into the other.
pub struct Transfer {
    from: Container,
    to: Container,
    /// Whether storage cannot read the source itself, so that the bytes go through this process.
    through: AtomicBool,
}

impl Transfer {
    /// From one container into another. Sends nothing.
    pub const fn new(from: Container, to: Container) -> Self {
        Self { from, to, through: AtomicBool::new(false) }
    }

    /// Copies a blob, as a listing showed it, under a name, with this metadata. Whether storage copies it or this process decides
    /// the storage: where the firewall of the source keeps the other account out, it lets this process in.
    ///
    /// Safe to run twice; see [`Container::copy`].
    ///
    /// # Errors
    /// As the services answer.
    pub async fn blob(&self, item: &Item, name: &str, metadata: Metadata) -> Result<Written, ServiceError> {
        if !self.through.load(Ordering::Relaxed) {
            match self.to.copy(&self.from, item, name, metadata.clone()).await {
                Err(error) if is_unread_source(&error) => {
                    let through = self.to.copy_through(&self.from, item, name, metadata).await;
                    // Storage says the same of a blob that is gone, which tells nothing of the next one.
                    if !through.as_ref().is_err_and(|error| error.meaning == Meaning::NotFound) {
                        tracing::info!(
                            event = "copy.through", blob.name = %item.name,
                            "Storage cannot read {} to copy it, so its bytes go through this process: {error}", item.name
                        );
                        self.through.store(true, Ordering::Relaxed);
                    }
                    return through;
                }
                copied => return copied,
            }
        }
        self.to.copy_through(&self.from, item, name, metadata).await
    }
}
