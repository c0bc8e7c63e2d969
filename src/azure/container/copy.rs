//! Copies of blobs from one container into another one.

mod stream;

use azure_core::http::Etag;
use azure_storage_blob::models::{
    BlobClientUploadOptions, BlockBlobClientUploadBlobFromUrlOptions as FromUrlOptions,
};
use data_encoding::HEXLOWER;

use self::stream::BlobStream;
use super::{
    Asked, Container, Item, LARGEST, Meaning, Metadata, Operation, Service, ServiceError, Written, is_there,
};
use crate::domain::outcome::Failure;

/// The scope of tokens for storage.
const SCOPE: &str = "https://storage.azure.com/.default";

/// What storage answers when it may not, or cannot, read the blob that it is to copy. Its status and its words are those of
/// the source: 403 "This request is not authorized to perform this operation." where the source's firewall keeps out the
/// other account, 401 and 404 for what the source says of the token and of the blob.
const SOURCE_UNREAD: &str = "CannotVerifyCopySource";

/// The most bytes of a blob that can be copied: Put Blob From URL and Put Blob have the same limit, 5,000 MiB
/// (documentation, "Put Blob From URL" and "Scalability targets for Blob storage").
pub const LARGEST_COPY: u64 = LARGEST;

impl Container {
    /// Adds a copy of a blob of another container, as a listing showed it, whole or not at all. An existing blob stays as it is.
    ///
    /// The storage service reads the blob itself (Put Blob From URL) with this program's token for the source, which must
    /// still be in the state of the listing and have the MD5 of the listing. It needs the right to add, as Put Blob does;
    /// Put Block and Put Block List need the right to change blobs, which no app has (documentation, "Authorize with
    /// Microsoft Entra ID", permissions for Blob service operations).
    ///
    /// The copy has this metadata; none leaves it to storage.
    ///
    /// Safe to run twice. [`Written::AlreadyThere`] says nothing of what the existing blob holds: whoever calls this has to
    /// look.
    ///
    /// # Errors
    /// As the service answers. [`is_unread_source`] tells the one after which [`Container::copy_through`] may help.
    pub async fn copy(
        &self,
        from: &Self,
        item: &Item,
        name: &str,
        metadata: Metadata,
    ) -> Result<Written, ServiceError> {
        let token = self.credential.get_token(&[SCOPE], None).await;
        let token = token.map_err(|error| self.error(Operation::Write, "copy to blob", name, &error))?;
        let options = FromUrlOptions {
            copy_source_authorization: Some(format!("Bearer {}", token.token.secret())),
            if_none_match: Some(Etag::from("*")),
            metadata: Some(metadata).filter(|metadata| !metadata.is_empty()),
            source_if_match: item.etag.clone().map(Etag::from),
            source_content_md5: item.md5.as_ref().and_then(|sum| HEXLOWER.decode(sum.as_bytes()).ok()),
            ..FromUrlOptions::default()
        };
        let source = from.client.blob_client(&item.name).url().to_string();
        let blob = self.client.blob_client(name).block_blob_client();
        let sent = blob.upload_blob_from_url(source, Some(options)).await.map(drop);
        self.added(name, sent).await
    }

    /// As [`Container::copy`], with the bytes through this process: read in pieces and written in one request, so that memory
    /// does not grow with the blob.
    ///
    /// # Errors
    /// As the services answer.
    pub async fn copy_through(
        &self,
        from: &Self,
        item: &Item,
        name: &str,
        metadata: Metadata,
    ) -> Result<Written, ServiceError> {
        if item.bytes > LARGEST_COPY {
            let asked = Asked::new(Service::Storage, Operation::Write, format!("copy {}", item.name));
            let text = format!(
                "it has {} bytes, and storage takes at most {LARGEST_COPY} in one request",
                item.bytes
            );
            return Err(ServiceError::new(asked, Meaning::NotSent, Failure::ours("BlobTooLarge", text)));
        }
        // The source's own words, if it is the source that refuses.
        if from.metadata(&item.name).await?.is_none() {
            let asked = Asked::new(
                Service::Storage,
                Operation::Read,
                format!("read blob {}/{}", from.name, item.name),
            );
            let failure = Failure::ours("BlobNotFound", "the blob is no longer there".to_owned());
            return Err(ServiceError::new(asked, Meaning::NotFound, failure));
        }
        let content = BlobStream::new(from, item);
        let metadata = Some(metadata).filter(|metadata| !metadata.is_empty());
        let options =
            BlobClientUploadOptions { metadata, ..BlobClientUploadOptions::default() }.if_not_exists();
        let sent = self.send(name, content.into_body().into(), options).await;
        self.added(name, sent).await
    }

    /// The result of adding a blob. To an identity that may add and not change, storage may answer a name that is taken as a
    /// conflict or as a missing right.
    async fn added(&self, name: &str, sent: azure_core::Result<()>) -> Result<Written, ServiceError> {
        let sent = sent.map_err(|error| self.error(Operation::Write, "copy to blob", name, &error));
        let Err(refusal) = sent else { return Ok(Written::Created) };
        if is_unread_source(&refusal) || (!is_there(&refusal) && refusal.meaning != Meaning::Denied) {
            return Err(refusal);
        }
        match self.metadata(name).await {
            Ok(Some(_)) => Ok(Written::AlreadyThere),
            _ => Err(refusal),
        }
    }
}

/// Whether storage could not read the blob that it was to copy. Its firewall may let this process in nevertheless.
pub fn is_unread_source(error: &ServiceError) -> bool {
    error.failure.code == SOURCE_UNREAD
}
