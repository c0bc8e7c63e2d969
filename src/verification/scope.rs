//! What a pass looks at, and who hears of its progress.

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{
    domain::{
        source::SourceId,
        verification::{Choice, Finding, ReadSoFar},
    },
    error::Result,
};

/// What a pass looks at, and what is known before.
#[derive(Debug)]
pub struct Scope {
    /// The source.
    pub source: SourceId,
    /// Which backups it reads.
    pub choice: Choice,
    /// When the pass began.
    pub started: OffsetDateTime,
    /// Whether no pass was recorded before. Then every manifest is compared.
    pub first: bool,
    /// The open findings: what they are about is looked at again.
    pub suspects: Vec<Finding>,
    /// Whether the pass may record what had been deleted before the first one.
    pub records: bool,
}

/// What is done with the progress of a pass.
#[async_trait]
pub trait Progress: Send {
    /// Takes what was read so far, and how many backups the pass reads in all. Called every second at most.
    async fn note(&mut self, read: &ReadSoFar, of: usize) -> Result<()>;
}
