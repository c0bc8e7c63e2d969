//! Versions of blobs: listings that show all of them, and deletions of exactly one.

use azure_core::Bytes;
use azure_storage_blob::models::{
    BlobClientDeleteOptions, BlobClientDownloadOptions, BlobContainerClientListBlobsOptions, BlobItem,
    ListBlobsIncludeItem,
};
use futures::{Stream, TryStreamExt as _};
use time::OffsetDateTime;

use super::{
    Container, Metadata, Operation, ServiceError,
    read::{alone, metadata_in},
};

/// Versions per listing request. A page takes about ten times its size in memory while it is read, and the service allows
/// five times as many.
const PAGE: u16 = 1000;

/// One version of a blob. On an account without versioning a blob is its only version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The blob's name.
    pub name: String,
    /// The version's identifier; `None` on an account without versioning.
    pub id: Option<String>,
    /// Whether it is what the blob's name stands for now.
    pub is_current: bool,
    /// Its size in bytes.
    pub bytes: u64,
    /// The tag of this state.
    pub etag: String,
    /// When it was written, by the service's clock.
    pub written: Option<OffsetDateTime>,
    /// Until when the storage refuses to delete it.
    pub immutable_until: Option<OffsetDateTime>,
    /// Whether a legal hold of the storage is on it.
    pub legal_hold: bool,
}

impl Container {
    /// Every version of the blobs under a prefix, in the order of their names, page by page.
    ///
    /// The stream ends after its first error.
    pub fn versions(&self, prefix: &str) -> impl Stream<Item = Result<Vec<Version>, ServiceError>> + use<> {
        let options = BlobContainerClientListBlobsOptions {
            prefix: Some(prefix.to_owned()),
            maxresults: Some(PAGE.into()),
            include: Some(vec![
                ListBlobsIncludeItem::Versions,
                ListBlobsIncludeItem::ImmutabilityPolicy,
                ListBlobsIncludeItem::LegalHold,
            ]),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let (this, prefix) = (self.clone(), prefix.to_owned());
        let pages = self.client.list_blobs(Some(options)).map(azure_core::http::Pager::into_pages);
        let pages = futures::stream::once(async { pages }).try_flatten();
        pages
            .and_then(|page| async {
                Ok(page.into_model()?.blob_items.into_iter().filter_map(version).collect())
            })
            .map_err(move |error| this.error(Operation::List, "list versions under", &prefix, &error))
    }

    /// The versions of one blob.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn versions_of(&self, name: &str) -> Result<Vec<Version>, ServiceError> {
        let mut all: Vec<Version> = self.versions(name).try_concat().await?;
        all.retain(|version| version.name == name);
        Ok(all)
    }

    /// The bytes of one version of a blob and its metadata, or `None` when there is no such version. One request.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn read_version(&self, version: &Version) -> Result<Option<(Bytes, Metadata)>, ServiceError> {
        let blob = self.client.blob_client(&version.name);
        let options = BlobClientDownloadOptions { version_id: version.id.clone(), ..alone() };
        let read = async {
            let answer = blob.download(Some(options)).await?;
            let metadata = metadata_in(&answer.headers);
            Ok((answer.body.collect().await?, metadata))
        };
        self.found(Operation::Read, "read a version of blob", &version.name, read.await)
    }

    /// Deletes one version, and no other. One that is not there counts as deleted.
    ///
    /// The service refuses to delete what a name stands for by its version, so a current one is first made a former
    /// one, if it is still in the state that was seen. Safe to run twice, also after a kill between the two steps.
    ///
    /// # Errors
    /// [`Meaning::Exists`](super::Meaning::Exists) if another process wrote the blob meanwhile, and errors of the
    /// service.
    pub async fn delete_version(&self, version: &Version) -> Result<(), ServiceError> {
        if version.is_current {
            self.delete_state(&version.name, &version.etag).await?;
        }
        let Some(id) = &version.id else { return self.delete_unnamed(version).await };
        let options =
            BlobClientDeleteOptions { version_id: Some(id.clone()), ..BlobClientDeleteOptions::default() };
        self.remove(&version.name, options).await
    }

    /// Deletes what is left of a blob that was written before the account kept versions, and so had no identifier until
    /// it became a former version.
    async fn delete_unnamed(&self, version: &Version) -> Result<(), ServiceError> {
        for left in self.versions_of(&version.name).await? {
            if left.id.is_some() && !left.is_current && left.etag == version.etag {
                let version_id = left.id;
                let options = BlobClientDeleteOptions { version_id, ..BlobClientDeleteOptions::default() };
                self.remove(&version.name, options).await?;
            }
        }
        Ok(())
    }
}

/// Whether a listed blob is what its name stands for now. A listing without versions says nothing of that.
pub(super) fn is_current(blob: &BlobItem) -> bool {
    blob.is_current_version.unwrap_or(blob.version_id.is_none())
}

fn version(blob: BlobItem) -> Option<Version> {
    let is_current = is_current(&blob);
    let properties = blob.properties.unwrap_or_default();
    Some(Version {
        name: blob.name?,
        is_current,
        id: blob.version_id,
        bytes: properties.content_length.unwrap_or_default(),
        etag: properties.etag.map(|etag| etag.to_string()).unwrap_or_default(),
        written: properties.last_modified,
        immutable_until: properties.immutability_policy_expires_on,
        legal_hold: properties.legal_hold.unwrap_or_default(),
    })
}
