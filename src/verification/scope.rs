//! What a pass looks at, and who hears of its progress.

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{
    catalogue::Catalogue,
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
}

impl Scope {
    /// What a pass that begins or goes on looks at. What the newest record says that cannot be read is not known.
    ///
    /// # Errors
    /// Those of storage.
    pub async fn of(
        catalogue: &Catalogue,
        source: SourceId,
        choice: Choice,
        started: OffsetDateTime,
    ) -> Result<Self> {
        let (first, suspects) = match catalogue.newest_verification(source.kind, &source.name).await {
            Err(error) if error.is_unreadable() => (false, Vec::new()),
            earlier => earlier?.map_or((true, Vec::new()), |of| (false, of.findings)),
        };
        Ok(Self { source, choice, started, first, suspects })
    }
}

/// What is done with the progress of a pass.
#[async_trait]
pub trait Progress: Send {
    /// Takes what was read so far, and how many backups the pass reads in all. Called every second at most.
    async fn note(&mut self, read: &ReadSoFar, of: usize) -> Result<()>;
}
