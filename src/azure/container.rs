//! A blob container: create-only writes, conditional writes, reads, listings.

mod add;
mod copy;
mod legal_hold;
pub mod probe;
mod read;
mod transfer;
mod versions;

use std::{collections::HashMap, num::NonZero, sync::Arc};

use azure_core::{
    Bytes,
    credentials::TokenCredential,
    http::{Etag, NoFormat, RequestContent, Url},
};
use azure_storage_blob::{
    BlobContainerClient, BlobContainerClientOptions,
    models::{
        BlobClientDeleteOptions, BlobClientUploadOptions, BlobContainerClientListBlobsOptions, BlobItem,
        ListBlobsIncludeItem,
    },
};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use time::OffsetDateTime;

pub use self::{
    copy::{LARGEST_COPY, is_unread_source},
    transfer::Transfer,
    versions::Version,
};
use super::{
    Connection,
    error::{Asked, Meaning, Operation, Service, ServiceError},
};
use crate::domain::{outcome::Failure, stored_version::ContainerMark};

/// The most bytes that the service takes in one request, and the most that this program writes into one blob.
const LARGEST: u64 = 5000 * 1024 * 1024;

/// The status of a request that the service does not understand.
const BAD_REQUEST: u16 = 400;

/// A blob's metadata. Names are in lower case.
pub type Metadata = HashMap<String, String>;

/// A container. Cheap to clone.
#[derive(Clone)]
pub struct Container {
    client: Arc<BlobContainerClient>,
    credential: Arc<dyn TokenCredential>,
    name: String,
}

/// The result of a create-only write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The blob was created, whole.
    Created,
    /// There was a blob by that name, which is unchanged.
    AlreadyThere,
}

/// One blob of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The blob's name.
    pub name: String,
    /// Its metadata, if the listing asked for it.
    pub metadata: Metadata,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last written, by the service's clock.
    pub modified: Option<OffsetDateTime>,
    /// The tag of this state of the blob.
    pub etag: Option<String>,
    /// The MD5 that storage has of it, in hexadecimal.
    pub md5: Option<String>,
    /// The identifier of the version that is current, if the listing shows it.
    pub version: Option<String>,
}

/// The parameters of a listing.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    /// Names start with this.
    pub prefix: &'a str,
    /// Names are not before this one. An older service may ignore it and list from the first name.
    pub from: Option<&'a str>,
    /// Blobs per request, at most 5,000.
    pub page: u16,
    /// Whether to ask for metadata.
    pub metadata: bool,
}

impl Container {
    /// The container at `url`, `https://ACCOUNT.blob…/NAME`.
    ///
    /// # Errors
    /// When the official client refuses the URL.
    pub fn new(url: &Url, connection: &Connection) -> azure_core::Result<Self> {
        let options = BlobContainerClientOptions {
            client_options: connection.client_options(Vec::new()),
            ..BlobContainerClientOptions::default()
        };
        let credential = Arc::clone(&connection.credential);
        let client = BlobContainerClient::new(url.clone(), Some(Arc::clone(&credential)), Some(options))?;
        let name = url.path().trim_matches('/').to_owned();
        Ok(Self { client: Arc::new(client), credential, name })
    }

    /// Creates the container itself, without public access. One that is there stays as it is.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn make(&self) -> Result<Written, ServiceError> {
        let made = self.client.create(None).await;
        match made.map_err(|error| self.error(Operation::Write, "create container", "", &error)) {
            Ok(_) => Ok(Written::Created),
            Err(error) if error.failure.code == "ContainerAlreadyExists" => Ok(Written::AlreadyThere),
            Err(error) => Err(error),
        }
    }

    /// Writes a blob that must not exist, whole or not at all, with its metadata in the same request.
    ///
    /// Safe to run twice: the second run changes nothing and returns [`Written::AlreadyThere`]. So may a retry after a
    /// lost answer, of the blob that the first try wrote.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn create(
        &self,
        name: &str,
        bytes: Vec<u8>,
        metadata: Metadata,
    ) -> Result<Written, ServiceError> {
        let options =
            BlobClientUploadOptions { metadata: Some(metadata), ..BlobClientUploadOptions::default() };
        match self.upload(name, bytes, options.if_not_exists()).await {
            Ok(()) => Ok(Written::Created),
            Err(error) if is_there(&error) => Ok(Written::AlreadyThere),
            Err(error) => Err(error),
        }
    }

    /// Writes a blob without bytes, whether or not it exists.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn put(&self, name: &str, metadata: Metadata) -> Result<(), ServiceError> {
        let options =
            BlobClientUploadOptions { metadata: Some(metadata), ..BlobClientUploadOptions::default() };
        self.upload(name, Vec::new(), options).await
    }

    /// Replaces a blob without bytes that is still in the state `etag`.
    ///
    /// # Errors
    /// [`Meaning::Exists`] if another process was faster, and errors of the service.
    pub async fn replace(&self, name: &str, etag: &str, metadata: Metadata) -> Result<(), ServiceError> {
        self.rewrite(name, etag, Vec::new(), metadata).await
    }

    /// Replaces a blob that is still in the state `etag`.
    ///
    /// # Errors
    /// As [`Container::replace`].
    pub async fn rewrite(
        &self,
        name: &str,
        etag: &str,
        bytes: Vec<u8>,
        metadata: Metadata,
    ) -> Result<(), ServiceError> {
        let options = BlobClientUploadOptions {
            metadata: Some(metadata),
            if_match: Some(Etag::from(etag)),
            ..BlobClientUploadOptions::default()
        };
        self.upload(name, bytes, options).await
    }

    async fn upload(
        &self,
        name: &str,
        bytes: impl Into<Bytes>,
        options: BlobClientUploadOptions<'_>,
    ) -> Result<(), ServiceError> {
        let bytes = bytes.into();
        if let Some(failure) = too_large(bytes.len()) {
            let what = format!("write blob {}/{name}", self.name);
            let asked = Asked::new(Service::Storage, Operation::Write, what);
            return Err(ServiceError::new(asked, Meaning::NotSent, failure));
        }
        let sent = self.send(name, bytes.into(), options).await;
        sent.map_err(|error| self.error(Operation::Write, "write blob", name, &error))
    }

    /// Sends a whole blob in one request.
    async fn send(
        &self,
        name: &str,
        content: RequestContent<Bytes, NoFormat>,
        options: BlobClientUploadOptions<'_>,
    ) -> azure_core::Result<()> {
        let options = BlobClientUploadOptions {
            // One request, whatever the size: the right to add does not cover blocks, into which the client divides
            // what is larger than this.
            partition_size: Some(NonZero::<u64>::MAX),
            // There is nothing to parallelize. By default the client counts the machine's processors for every blob,
            // which costs more than the rest of its work.
            parallel: Some(NonZero::<usize>::MIN),
            ..options
        };
        self.client.blob_client(name).upload(content, Some(options)).await.map(drop)
    }

    /// Deletes a blob. One that is not there counts as deleted.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn delete(&self, name: &str) -> Result<(), ServiceError> {
        self.remove(name, BlobClientDeleteOptions::default()).await
    }

    /// Deletes a blob that is still in the state `etag`. One that is not there counts as deleted.
    ///
    /// # Errors
    /// [`Meaning::Exists`] if another process wrote it meanwhile, and errors of the service.
    pub async fn delete_state(&self, name: &str, etag: &str) -> Result<(), ServiceError> {
        let if_match = Some(Etag::from(etag));
        self.remove(name, BlobClientDeleteOptions { if_match, ..BlobClientDeleteOptions::default() }).await
    }

    async fn remove(&self, name: &str, options: BlobClientDeleteOptions<'_>) -> Result<(), ServiceError> {
        let deleted = self.client.blob_client(name).delete(Some(options)).await;
        self.found(Operation::Delete, "delete blob", name, deleted).map(drop)
    }

    /// The blobs of a listing in the order of their names, page by page.
    ///
    /// The stream ends after its first error.
    pub fn list(&self, listing: Listing<'_>) -> impl Stream<Item = Result<Vec<Item>, ServiceError>> + use<> {
        self.list_with(listing, false)
    }

    /// As [`Container::list`], with the identifier of the version that is current, in as many requests. Storage that cannot list
    /// versions is asked once more, for the blobs alone.
    pub fn list_with_version(
        &self,
        listing: Listing<'_>,
    ) -> impl Stream<Item = Result<Vec<Item>, ServiceError>> + use<> {
        let pages = self.list_with(listing, true);
        let without = self.list(listing);
        let first = async move {
            let mut pages = Box::pin(pages);
            match pages.next().await {
                Some(Err(error)) if error.failure.status == Some(BAD_REQUEST) => without.boxed(),
                first => stream::iter(first).chain(pages).boxed(),
            }
        };
        stream::once(first).flatten()
    }

    /// What tells this container from others.
    pub fn mark(&self) -> ContainerMark {
        let url = self.client.url();
        let host = url.host_str().unwrap_or_default();
        ContainerMark::of(format!("{host}/{}", url.path().trim_matches('/')).as_bytes())
    }

    fn list_with(
        &self,
        listing: Listing<'_>,
        with_versions: bool,
    ) -> impl Stream<Item = Result<Vec<Item>, ServiceError>> + use<> {
        let metadata = listing.metadata.then_some(ListBlobsIncludeItem::Metadata);
        let versions = with_versions.then_some(ListBlobsIncludeItem::Versions);
        let include: Vec<_> = metadata.into_iter().chain(versions).collect();
        let options = BlobContainerClientListBlobsOptions {
            prefix: Some(listing.prefix.to_owned()),
            start_from: listing.from.map(str::to_owned),
            maxresults: Some(listing.page.into()),
            include: Some(include).filter(|include| !include.is_empty()),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let (this, prefix) = (self.clone(), listing.prefix.to_owned());
        let pages = self.client.list_blobs(Some(options)).map(azure_core::http::Pager::into_pages);
        let pages = futures::stream::once(async { pages }).try_flatten();
        // A listing without versions need not say that a blob is current.
        let is_shown = move |blob: &BlobItem| !with_versions || versions::is_current(blob);
        pages
            .and_then(move |page| async move {
                Ok(page.into_model()?.blob_items.into_iter().filter(is_shown).filter_map(item).collect())
            })
            .map_err(move |error| this.error(Operation::List, "list blobs under", &prefix, &error))
    }

    fn found<T>(
        &self,
        operation: Operation,
        verb: &str,
        name: &str,
        read: azure_core::Result<T>,
    ) -> Result<Option<T>, ServiceError> {
        match read.map_err(|error| self.error(operation, verb, name, &error)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.failure.code == "BlobNotFound" => Ok(None),
            // An answer to HEAD has no body to distinguish a missing blob from a missing container.
            Err(error) if error.meaning == Meaning::NotFound && error.failure.code == "404" => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn error(&self, operation: Operation, verb: &str, name: &str, error: &azure_core::Error) -> ServiceError {
        let what = format!("{verb} {}/{name}", self.name);
        let error = ServiceError::of(Asked::new(Service::Storage, operation, what), error);
        let missing =
            (error.failure.code == "ContainerNotFound").then(|| Box::new(self.client.url().clone()));
        ServiceError { missing, ..error }
    }
}

/// Whether a create-only write was refused because there is a blob by that name. The refusal may come from the
/// container's immutability policy: it refuses only changes to existing blobs.
fn is_there(error: &ServiceError) -> bool {
    error.meaning == Meaning::Exists || error.failure.code.starts_with("BlobImmutable")
}

/// Why so many bytes cannot be written, if they cannot.
fn too_large(bytes: usize) -> Option<Failure> {
    (bytes as u64 > LARGEST).then(|| {
        let text = format!("it has {bytes} bytes, and storage takes at most {LARGEST} in one request");
        Failure::ours("BlobTooLarge", text)
    })
}

/// A listing has an empty element for a blob without an MD5.
fn md5(sum: &[u8]) -> Option<String> {
    (!sum.is_empty()).then(|| data_encoding::HEXLOWER.encode(sum))
}

fn item(blob: BlobItem) -> Option<Item> {
    let properties = blob.properties;
    let metadata = blob.metadata.and_then(|metadata| metadata.values).unwrap_or_default();
    Some(Item {
        name: blob.name?,
        metadata: metadata.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(),
        version: blob.version_id,
        bytes: properties.as_ref().and_then(|properties| properties.content_length).unwrap_or_default(),
        modified: properties.as_ref().and_then(|properties| properties.last_modified),
        md5: properties.as_ref().and_then(|properties| md5(properties.content_md5.as_deref()?)),
        etag: properties.and_then(|properties| properties.etag).map(|etag| etag.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_written_in_one_request_up_to_what_the_service_takes() {
        for (bytes, refused) in [(0, false), (5_242_880_000, false), (5_242_880_001, true)] {
            assert_eq!(too_large(bytes).is_some(), refused, "{bytes}");
        }
    }
}
