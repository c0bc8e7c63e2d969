//! Blobs that are added once and never changed.

use azure_core::Bytes;
use azure_storage_blob::models::BlobClientUploadOptions;

use super::{Container, Metadata, Written, is_there, read::alone};
use crate::azure::error::{Meaning, Operation, ServiceError};

impl Container {
    /// Adds a blob, whole or not at all, with its metadata in the same request. An existing blob stays as it is.
    ///
    /// To an identity that may add blobs and not change them, storage may answer a name that is taken as a conflict or
    /// as a missing right. So a refusal of either kind is followed by a look at the blob:
    ///
    /// - The same bytes and metadata: [`Written::Created`]. An earlier try wrote them and its answer was lost, or another
    ///   process wrote the same.
    /// - Others: [`Written::AlreadyThere`].
    /// - No blob: the refusal stands.
    ///
    /// Safe to run twice.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn add(&self, name: &str, bytes: Vec<u8>, metadata: Metadata) -> Result<Written, ServiceError> {
        let bytes = Bytes::from(bytes);
        let options = BlobClientUploadOptions {
            metadata: Some(metadata.clone()),
            ..BlobClientUploadOptions::default()
        };
        let sent = self.upload(name, bytes.clone(), options.if_not_exists()).await;
        let Err(refusal) = sent else { return Ok(Written::Created) };
        if !is_there(&refusal) && refusal.meaning != Meaning::Denied {
            return Err(refusal);
        }
        match self.whole(name).await {
            Ok(Some(stored)) if stored == (bytes, metadata) => Ok(Written::Created),
            Ok(Some(_)) => Ok(Written::AlreadyThere),
            Ok(None) => Err(refusal),
            // Whatever refuses to write may refuse to read: a firewall, for one.
            Err(error) if error.meaning == Meaning::Denied => Err(refusal),
            Err(error) => Err(error),
        }
    }

    /// A blob's bytes and metadata, or `None` when there is no such blob.
    async fn whole(&self, name: &str) -> Result<Option<(Bytes, Metadata)>, ServiceError> {
        let blob = self.client.blob_client(name);
        let read = async {
            let answer = blob.download(Some(alone())).await?;
            let metadata = answer.properties.metadata;
            Ok((answer.body.collect().await?, metadata))
        };
        self.found(Operation::Read, "read blob", name, read.await)
    }
}
