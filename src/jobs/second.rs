//! The record of the newest pass over the second place, in the blob itself.

use super::{Jobs, damaged};
use crate::{
    azure::{container::Metadata, error::Meaning},
    domain::second::{SECOND_FORMAT, SecondPass},
    error::{Error, Result},
    stored,
};

const NAME: &str = "second/pass";

impl Jobs {
    /// The newest pass over the second place; none where its record cannot be read, for the next pass replaces it. One request.
    pub async fn second_pass(&self) -> Result<Option<SecondPass>> {
        let Some(bytes) = self.container.read(NAME).await? else { return Ok(None) };
        match stored::read(NAME, &bytes, SECOND_FORMAT) {
            Err(Error::Damaged { .. }) => Ok(None),
            read => read.map(Some),
        }
    }

    /// Records a pass over the second place, in the place of the one before. Of two processes at the same moment one wins: each
    /// tells what it saw.
    pub async fn note_second_pass(&self, pass: &SecondPass) -> Result<()> {
        let bytes = serde_json::to_vec(pass).map_err(|error| damaged(NAME, &error))?;
        let Some((_, etag)) = self.container.read_state(NAME).await? else {
            return Ok(self.container.create(NAME, bytes, Metadata::new()).await.map(drop)?);
        };
        match self.container.rewrite(NAME, &etag, bytes, Metadata::new()).await {
            Err(error) if matches!(error.meaning, Meaning::Exists | Meaning::NotFound) => Ok(()),
            written => Ok(written?),
        }
    }
}
