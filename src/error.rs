//! The error type of everything above the service clients.

use crate::{
    azure::error::ServiceError,
    domain::{bound::AtBound, fate::Fate, nothing::Nothing, outcome::Failure, restore::Reason},
};

/// The result type of everything that talks to Azure.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that names what was tried, on what, and, where it is known, what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A service refused the request or did not answer.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A stored blob is not what was written.
    #[error("{blob} is damaged: {text}")]
    Damaged {
        /// The blob's name.
        blob: String,
        /// The damage.
        text: String,
    },
    /// A backup that a record names is not in the container.
    #[error("{backup} is not in the container any more: {why}", why = Reason::BackupGone.text())]
    BackupGone {
        /// The backup.
        backup: String,
    },
    /// A blob or message was written by a newer program.
    #[error("{what} has format {found}; this program knows formats up to {known}: install the newer version")]
    TooNew {
        /// The blob or message.
        what: String,
        /// The format found.
        found: u64,
        /// The newest known format.
        known: u32,
    },
    /// The request asks for something that does not exist or is not possible.
    #[error("{0}")]
    Refused(String),
    /// The request matches nothing. The text says what there is instead.
    #[error("{nothing}\n{next}", nothing = .0, next = .0.next())]
    Nothing(Box<Nothing>),
    /// Another process works on the same thing.
    #[error("{0}")]
    Busy(String),
    /// The caller has as many open jobs as are allowed.
    #[error("{0}")]
    TooMany(Box<AtBound>),
    /// A requested job has not begun, as far as is known.
    #[error("{text}: {because}")]
    NotBegun {
        /// What is known of the job.
        text: String,
        /// Whether it is certain that it has not begun.
        surely: bool,
        /// The cause.
        because: Box<Self>,
    },
    /// The work reached our own time limit, which is shorter than the host's.
    #[error("{what} took longer than {seconds} s and was stopped; it is safe to run it again")]
    Deadline {
        /// The work that was stopped.
        what: String,
        /// The limit in seconds.
        seconds: u64,
    },
}

impl Error {
    /// What to do about it: try again, or fail.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Service(error) => error.fate(),
            Self::TooNew { .. }
            | Self::Deadline { .. }
            | Self::Busy(_)
            | Self::TooMany(_)
            | Self::NotBegun { .. } => Fate::Retry,
            Self::Damaged { .. } | Self::BackupGone { .. } | Self::Refused(_) | Self::Nothing(_) => {
                Fate::Fail
            }
        }
    }

    /// Whether a service of this program's own failed, or its time ran out; this says nothing about the object
    /// concerned.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Service(error) => error.asked.service.is_ours(),
            Self::Deadline { .. } => true,
            Self::Damaged { .. }
            | Self::BackupGone { .. }
            | Self::TooNew { .. }
            | Self::Refused(_)
            | Self::Nothing(_)
            | Self::Busy(_)
            | Self::TooMany(_)
            | Self::NotBegun { .. } => false,
        }
    }

    /// The service error at the root of it, if there is one.
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(error) => Some(error),
            Self::NotBegun { because, .. } => because.service(),
            _ => None,
        }
    }

    /// Whether the failed attempt is certain to have changed nothing.
    pub fn leaves_nothing(&self) -> bool {
        match self {
            Self::Service(error) => error.is_refusal(),
            Self::NotBegun { surely, .. } => *surely,
            Self::Deadline { .. } => false,
            Self::Damaged { .. }
            | Self::BackupGone { .. }
            | Self::TooNew { .. }
            | Self::Refused(_)
            | Self::Busy(_)
            | Self::TooMany(_)
            | Self::Nothing(_) => true,
        }
    }

    /// The error in the form that is recorded.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Service(error) => error.recorded(),
            Self::Damaged { .. } => Failure::ours("Damaged", self.to_string()),
            Self::BackupGone { .. } => Failure::ours("BackupGone", self.to_string()),
            Self::TooNew { .. } => Failure::ours("TooNew", self.to_string()),
            Self::Refused(_) => Failure::ours("Refused", self.to_string()),
            Self::Nothing(_) => Failure::ours(Nothing::CODE, self.to_string()),
            Self::Busy(_) => Failure::ours("Busy", self.to_string()),
            Self::TooMany(_) => Failure::ours("TooMany", self.to_string()),
            Self::NotBegun { .. } => Failure::ours("NotBegun", self.to_string()),
            Self::Deadline { .. } => Failure::ours("Deadline", self.to_string()),
        }
    }
}

impl From<Nothing> for Error {
    fn from(nothing: Nothing) -> Self {
        Self::Nothing(Box::new(nothing))
    }
}

/// The error for a stored blob that is not what was written.
pub(crate) fn damaged(name: &str, why: &impl std::fmt::Display) -> Error {
    Error::Damaged { blob: format!("blob {name}"), text: why.to_string() }
}
