//! What can go wrong above the services.

use crate::{
    azure::error::ServiceError,
    domain::outcome::{Failure, Fate},
};

/// The result of everything that talks to Azure.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that names what was tried, on what, and what to do where that is known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A service refused or did not answer.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Something stored is not what was written.
    #[error("{blob} is damaged: {text}")]
    Damaged {
        /// The blob's name.
        blob: String,
        /// What is wrong with it.
        text: String,
    },
    /// Something stored or sent by a newer program.
    #[error("{what} has format {found}; this program knows formats up to {known}: install the newer version")]
    TooNew {
        /// The blob or message.
        what: String,
        /// The format found.
        found: u64,
        /// The newest known format.
        known: u32,
    },
    /// Asked for something that is not there, or not possible.
    #[error("{0}")]
    Refused(String),
    /// Somebody else is at it.
    #[error("{0}")]
    Busy(String),
    /// Our own limit, which lies below the host's.
    #[error("{what} took longer than {seconds} s and was stopped; it is safe to run it again")]
    Deadline {
        /// What was stopped.
        what: String,
        /// The limit.
        seconds: u64,
    },
}

impl Error {
    /// Whether the same thing may succeed later.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Service(error) => error.fate(),
            Self::TooNew { .. } | Self::Deadline { .. } | Self::Busy(_) => Fate::Retry,
            Self::Damaged { .. } | Self::Refused(_) => Fate::Fail,
        }
    }

    /// The error as it is recorded.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Service(error) => *error.failure.clone(),
            Self::Damaged { .. } => Failure::ours("Damaged", self.to_string()),
            Self::TooNew { .. } => Failure::ours("TooNew", self.to_string()),
            Self::Refused(_) => Failure::ours("Refused", self.to_string()),
            Self::Busy(_) => Failure::ours("Busy", self.to_string()),
            Self::Deadline { .. } => Failure::ours("Deadline", self.to_string()),
        }
    }
}

/// The error about a stored blob that is not what was written.
pub(crate) fn damaged(name: &str, why: &impl std::fmt::Display) -> Error {
    Error::Damaged { blob: format!("blob {name}"), text: why.to_string() }
}
