//! A blob as a stream of its bytes, read piece by piece.

use std::{
    fmt, io,
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use azure_core::{
    Bytes,
    http::{Body, Etag},
    stream::SeekableStream,
};
use azure_storage_blob::{
    BlobContainerClient,
    models::{BlobClientDownloadOptions, HttpRange},
};
use futures::{AsyncRead, future::BoxFuture};

use super::super::{Container, Item, read::alone};

/// The bytes of one piece, which is what a copy takes of memory, twice at most.
const PIECE: usize = 4 * 1024 * 1024;

type Piece = BoxFuture<'static, azure_core::Result<Bytes>>;

/// A blob that stays in the state of a listing while it is read: if it changes, reading fails.
pub(super) struct BlobStream {
    client: Arc<BlobContainerClient>,
    name: String,
    etag: Option<String>,
    bytes: usize,
    at: usize,
    piece: Bytes,
    /// The request for the next piece. Never locked: it makes the stream one that threads may share.
    coming: Mutex<Option<Piece>>,
}

impl BlobStream {
    /// A blob from its beginning. Sends nothing.
    pub(super) fn new(container: &Container, item: &Item) -> Self {
        Self {
            client: Arc::clone(&container.client),
            name: item.name.clone(),
            etag: item.etag.clone(),
            bytes: usize::try_from(item.bytes).unwrap_or(usize::MAX),
            at: 0,
            piece: Bytes::new(),
            coming: Mutex::default(),
        }
    }

    /// The body of a request with these bytes. One without bytes is no stream: the client would not end it.
    pub(super) fn into_body(self) -> Body {
        if self.bytes == 0 { Body::from(Bytes::new()) } else { Body::SeekableStream(Box::new(self)) }
    }

    fn next(&self) -> Piece {
        let (client, name) = (Arc::clone(&self.client), self.name.clone());
        let range = Range { start: self.at, end: self.bytes.min(self.at + PIECE) };
        let options = BlobClientDownloadOptions {
            range: Some(HttpRange::from(range)),
            if_match: self.etag.clone().map(Etag::from),
            ..alone()
        };
        Box::pin(async move { client.blob_client(&name).download(Some(options)).await?.body.collect().await })
    }
}

impl AsyncRead for BlobStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.piece.is_empty() && self.at < self.bytes {
            let next = self.next();
            let coming = self.coming.get_mut().unwrap_or_else(PoisonError::into_inner);
            let came = ready!(coming.get_or_insert(next).as_mut().poll(context));
            *coming = None;
            let piece = came.map_err(io::Error::other)?;
            if piece.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.at += piece.len();
            self.piece = piece;
        }
        let most = buffer.len().min(self.piece.len());
        let taken = self.piece.split_to(most);
        buffer[..taken.len()].copy_from_slice(&taken);
        Poll::Ready(Ok(taken.len()))
    }
}

#[async_trait]
impl SeekableStream for BlobStream {
    async fn reset(&mut self) -> azure_core::Result<()> {
        (self.at, self.piece, self.coming) = (0, Bytes::new(), Mutex::default());
        Ok(())
    }

    fn len(&self) -> Option<u64> {
        Some(self.bytes as u64)
    }
}

impl Clone for BlobStream {
    /// The blob from its beginning.
    fn clone(&self) -> Self {
        Self {
            client: Arc::clone(&self.client),
            name: self.name.clone(),
            etag: self.etag.clone(),
            bytes: self.bytes,
            at: 0,
            piece: Bytes::new(),
            coming: Mutex::default(),
        }
    }
}

impl fmt::Debug for BlobStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobStream").field("name", &self.name).field("at", &self.at).finish_non_exhaustive()
    }
}
