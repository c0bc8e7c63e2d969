//! Moving blobs between the container into which HSMs are backed up and that of the catalogue.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    app::App,
    azure::container::{Container, Item, Metadata, Transfer as Moving},
    error::{Error, Result},
};

/// Blobs that are copied at a time.
const AT_ONCE: usize = 4;

/// Two containers, and how blobs get from the one into the other.
pub(super) struct Transfer(Moving);

impl Transfer {
    /// From the container into which HSMs are backed up, into that of the catalogue. Sends nothing.
    ///
    /// # Errors
    /// When one of them is not configured.
    pub(super) fn out(app: &App) -> Result<Self> {
        let [landing, backups] = Self::containers(app)?;
        Ok(Self(Moving::new(landing, backups)))
    }

    /// From the container of the catalogue into that from which HSMs restore. Sends nothing.
    ///
    /// # Errors
    /// As [`Transfer::out`].
    pub(super) fn back(app: &App) -> Result<Self> {
        let [landing, backups] = Self::containers(app)?;
        Ok(Self(Moving::new(backups, landing)))
    }

    /// The container into which HSMs are backed up, and that of the catalogue, for requests that take long.
    fn containers(app: &App) -> Result<[Container; 2]> {
        let landing = app.hsms().landing()?.container().clone();
        let backups = app.config().container.as_ref();
        let backups = backups.ok_or_else(|| Error::Refused("KEYVAULT_BACKUP_CONTAINER is not set".into()))?;
        app.patient([&landing, backups])
    }

    /// Copies blobs, as a listing showed them, each under a name in the other container.
    ///
    /// # Errors
    /// The first one: what was copied before it stays.
    pub(super) async fn blobs<'i>(&self, named: impl IntoIterator<Item = (&'i Item, String)>) -> Result<()> {
        let copies = named.into_iter().map(|(item, name)| async move {
            Ok::<_, Error>(self.0.blob(item, &name, Metadata::new()).await?)
        });
        let copies: Vec<_> = copies.collect();
        stream::iter(copies).buffer_unordered(AT_ONCE).try_for_each(|_| async { Ok(()) }).await
    }
}
