//! What can go wrong above the services.

use crate::{
    azure::error::ServiceError,
    domain::{bound::AtBound, fate::Fate, nothing::Nothing, outcome::Failure, restore::Reason},
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
    /// A backup that a record names is not in the container.
    #[error("{backup} is not in the container any more: {why}", why = Reason::BackupGone.text())]
    BackupGone {
        /// Which one.
        backup: String,
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
    /// Asked for something that matches nothing. The text says what there is instead.
    #[error("{nothing}\n{next}", nothing = .0, next = .0.next())]
    Nothing(Box<Nothing>),
    /// Somebody else is at it.
    #[error("{0}")]
    Busy(String),
    /// The caller has as many open jobs as it may have.
    #[error("{0}")]
    TooMany(Box<AtBound>),
    /// Something that was asked for has not begun, as far as is known.
    #[error("{text}: {because}")]
    NotBegun {
        /// What is known of it.
        text: String,
        /// Whether it has surely not begun.
        surely: bool,
        /// What went wrong.
        because: Box<Self>,
    },
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
    /// What happens next.
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

    /// Whether it is one of this program's own means that failed, or its time that ran out, which says nothing of the object
    /// it was about.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Service(error) => error.asked.service.is_ours(),
            Self::Deadline { .. } => true,
            _ => false,
        }
    }

    /// What a service said or left unsaid, where that is at the bottom of it.
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(error) => Some(error),
            Self::NotBegun { because, .. } => because.service(),
            _ => None,
        }
    }

    /// Whether what was tried has surely changed nothing.
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

    /// The error as it is recorded.
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

/// The error about a stored blob that is not what was written.
pub(crate) fn damaged(name: &str, why: &impl std::fmt::Display) -> Error {
    Error::Damaged { blob: format!("blob {name}"), text: why.to_string() }
}
