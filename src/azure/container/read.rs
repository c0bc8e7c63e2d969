//! Reads of blobs: their bytes, their metadata, and the tag of their state.

use std::num::NonZero;

use azure_core::{
    Bytes,
    http::headers::{ETAG, HeaderName, HeaderValue, Headers},
};
use azure_storage_blob::models::{BlobClientDownloadOptions, BlobClientGetPropertiesResultHeaders as _};

use super::{Container, Metadata, Operation, ServiceError};

impl Container {
    /// A blob's bytes, or `None` when there is no such blob.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn read(&self, name: &str) -> Result<Option<Bytes>, ServiceError> {
        let blob = self.client.blob_client(name);
        let read = async { blob.download(Some(alone())).await?.body.collect().await };
        self.found(Operation::Read, "read blob", name, read.await)
    }

    /// A blob's bytes and the tag of their state, or `None` when there is no such blob.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn read_state(&self, name: &str) -> Result<Option<(Bytes, String)>, ServiceError> {
        let blob = self.client.blob_client(name);
        let read = async {
            let answer = blob.download(Some(alone())).await?;
            let etag = answer.headers.get_optional_string(&ETAG).unwrap_or_default();
            Ok((answer.body.collect().await?, etag))
        };
        self.found(Operation::Read, "read blob", name, read.await)
    }

    /// A blob's bytes and its metadata, or `None` when there is no such blob. One request.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn read_with_metadata(&self, name: &str) -> Result<Option<(Bytes, Metadata)>, ServiceError> {
        let blob = self.client.blob_client(name);
        let read = async {
            let answer = blob.download(Some(alone())).await?;
            let metadata = metadata_in(&answer.headers);
            Ok((answer.body.collect().await?, metadata))
        };
        self.found(Operation::Read, "read blob", name, read.await)
    }

    /// A blob's metadata, or `None` when there is no such blob.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn metadata(&self, name: &str) -> Result<Option<Metadata>, ServiceError> {
        let blob = self.client.blob_client(name);
        let read = async { blob.get_properties(None).await?.metadata() };
        self.found(Operation::Read, "look up blob", name, read.await)
    }

    /// A blob's metadata and the tag of its state, or `None` when there is no such blob.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn state(&self, name: &str) -> Result<Option<(Metadata, String)>, ServiceError> {
        let blob = self.client.blob_client(name);
        let read = async {
            let properties = blob.get_properties(None).await?;
            let etag = properties.etag()?.map(|etag| etag.to_string()).unwrap_or_default();
            Ok((properties.metadata()?, etag))
        };
        self.found(Operation::Read, "look up blob", name, read.await)
    }
}

/// The metadata in the headers of an answer. Their names are in lower case.
pub(super) fn metadata_in(headers: &Headers) -> Metadata {
    let of = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().strip_prefix("x-ms-meta-")?.to_owned(), value.as_str().to_owned()))
    };
    headers.iter().filter_map(of).collect()
}

/// Downloads with one request at a time. By default the client counts the machine's processors for every blob.
pub(super) fn alone() -> BlobClientDownloadOptions<'static> {
    BlobClientDownloadOptions {
        parallel: Some(NonZero::<usize>::MIN),
        ..BlobClientDownloadOptions::default()
    }
}
