//! What keeps a restore from being carried out although it is possible: a guard of the settings.

use crate::domain::{outcome::Failure, source::SourceName};

/// The guard that bars a restore, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// The settings do not allow this pair.
    #[error(
        "a restore from {from} into {into} is not one that KEYVAULT_BACKUP_RESTORE_PAIRS allows; restore into a \
         target that it allows, or have the pair {from}={into} added to it"
    )]
    Pair {
        /// The source.
        from: SourceName,
        /// The target.
        into: SourceName,
    },
}

impl Barred {
    /// The stable name of the guard, as records and logs have it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Pair { .. } => "PairNotAllowed",
        }
    }

    /// The failure of a step that is barred.
    pub fn failure(&self) -> Failure {
        Failure::ours(self.code(), self.to_string())
    }
}
