//! Writes blobs that are too large for one request.

use azure_core::http::{Etag, RequestContent};
use azure_storage_blob::{
    BlockBlobClient,
    models::{BlockBlobClientCommitBlockListOptions, BlockLookupList},
};

use super::{Container, Metadata, Written, is_there};
use crate::azure::error::{Operation, ServiceError};

/// A writer of a blob in pieces. The blob appears whole, at the end, or not at all.
///
/// Several processes may write one blob at the same time: the pieces of each have names of their own, so the blob that
/// appears is one process's alone.
pub struct Blocks {
    container: Container,
    name: String,
    /// The prefix of the names of its pieces.
    mark: u64,
    staged: u32,
    /// Whether storage answered that the blob exists and cannot change. Then no more pieces are sent.
    there: bool,
}

impl Blocks {
    pub(super) fn new(container: Container, name: &str) -> Self {
        Self { container, name: name.to_owned(), mark: fastrand::u64(..), staged: 0, there: false }
    }

    /// Adds a piece. Storage discards the pieces of a blob that is never finished after a week.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn add(&mut self, piece: Vec<u8>) -> Result<(), ServiceError> {
        if self.there {
            return Ok(());
        }
        let (id, length) = (self.id(self.staged), piece.len() as u64);
        let added = self.client().stage_block(&id, length, RequestContent::from(piece), None).await;
        match added.map_err(|error| self.container.error(Operation::Write, "write blob", &self.name, &error))
        {
            Ok(_) => self.staged += 1,
            Err(error) if is_there(&error) => self.there = true,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Starts over and discards all pieces added so far.
    pub fn restart(&mut self) {
        self.staged = 0;
    }

    /// Adds the last piece and creates the blob, unless there is one by that name.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn finish(mut self, last: Vec<u8>, metadata: Metadata) -> Result<Written, ServiceError> {
        if self.staged == 0 && !self.there {
            return self.container.create(&self.name, last, metadata).await;
        }
        self.add(last).await?;
        if self.there {
            return Ok(Written::AlreadyThere);
        }
        match self.commit(metadata).await {
            Ok(()) => Ok(Written::Created),
            Err(error) if is_there(&error) => Ok(Written::AlreadyThere),
            // The first process to commit the blob discards the pieces of all others.
            Err(error) if error.failure.code == "InvalidBlockList" => {
                let there = self.container.metadata(&self.name).await?.is_some();
                if there { Ok(Written::AlreadyThere) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    }

    async fn commit(&self, metadata: Metadata) -> Result<(), ServiceError> {
        let commit = async {
            let latest = Some((0..self.staged).map(|number| self.id(number)).collect());
            let blocks = BlockLookupList { latest, ..BlockLookupList::default() };
            let options = BlockBlobClientCommitBlockListOptions {
                metadata: Some(metadata),
                if_none_match: Some(Etag::from("*")),
                ..BlockBlobClientCommitBlockListOptions::default()
            };
            self.client().commit_block_list(blocks.try_into()?, Some(options)).await
        };
        let done = commit.await;
        done.map(drop)
            .map_err(|error| self.container.error(Operation::Write, "write blob", &self.name, &error))
    }

    fn client(&self) -> BlockBlobClient {
        self.container.client.blob_client(&self.name).block_blob_client()
    }

    /// The name of a piece. All names of one blob must have the same length.
    fn id(&self, number: u32) -> Vec<u8> {
        format!("{:016x}{number:08}", self.mark).into_bytes()
    }
}
