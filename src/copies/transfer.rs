//! Moving blobs from one container into another one.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    app::App,
    azure::container::{Container, Item, Written, is_unread_source},
    error::{Error, Result},
};

/// Blobs that are copied at a time.
const AT_ONCE: usize = 4;

/// Two containers, and how blobs get from the one into the other.
pub(super) struct Transfer {
    from: Container,
    to: Container,
    /// Whether storage cannot read the source itself, so that the bytes go through this process.
    through: AtomicBool,
}

impl Transfer {
    /// From the container into which HSMs are backed up, into that of the catalogue. Sends nothing.
    ///
    /// # Errors
    /// When one of them is not configured.
    pub(super) fn out(app: &App) -> Result<Self> {
        let [landing, backups] = Self::containers(app)?;
        Ok(Self { from: landing, to: backups, through: AtomicBool::new(false) })
    }

    /// From the container of the catalogue into that from which HSMs restore. Sends nothing.
    ///
    /// # Errors
    /// As [`Transfer::out`].
    pub(super) fn back(app: &App) -> Result<Self> {
        let [landing, backups] = Self::containers(app)?;
        Ok(Self { from: backups, to: landing, through: AtomicBool::new(false) })
    }

    /// The container into which HSMs are backed up, and that of the catalogue, for requests that take long.
    fn containers(app: &App) -> Result<[Container; 2]> {
        let connection = app.connection().patient().map_err(|error| Error::Refused(error.to_string()))?;
        let backups = app.config().container.as_ref();
        let backups = backups.ok_or_else(|| Error::Refused("KEYVAULT_BACKUP_CONTAINER is not set".into()))?;
        let container =
            |url| Container::new(url, &connection).map_err(|error| Error::Refused(error.to_string()));
        Ok([container(app.hsms().landing()?.container())?, container(backups)?])
    }

    /// Copies blobs, as a listing showed them, each under a name in the other container.
    ///
    /// # Errors
    /// The first one: what was copied before it stays.
    pub(super) async fn blobs<'i>(&self, named: impl IntoIterator<Item = (&'i Item, String)>) -> Result<()> {
        let copies = named.into_iter().map(|(item, name)| async move { self.blob(item, &name).await });
        let copies: Vec<_> = copies.collect();
        stream::iter(copies).buffer_unordered(AT_ONCE).try_for_each(|_| async { Ok(()) }).await
    }

    /// Copies a blob, as a listing showed it. Whether storage copies it or this process decides the storage: where the firewall of
    /// the source keeps the other account out, it lets this process in.
    ///
    /// Safe to run twice; see [`Container::copy`].
    async fn blob(&self, item: &Item, name: &str) -> Result<Written> {
        if !self.through.load(Ordering::Relaxed) {
            match self.to.copy(&self.from, item, name).await {
                Err(error) if is_unread_source(&error) => {
                    tracing::info!(
                        event = "copy.through", blob.name = %item.name,
                        "Storage cannot read {} to copy it, so its bytes go through this process: {error}", item.name
                    );
                    self.through.store(true, Ordering::Relaxed);
                }
                copied => return Ok(copied?),
            }
        }
        Ok(self.to.copy_through(&self.from, item, name).await?)
    }
}
