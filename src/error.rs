//! The error type of everything above the service clients.

use crate::{
    azure::error::ServiceError,
    domain::{
        bound::AtBound,
        fate::Fate,
        nothing::Nothing,
        outcome::Failure,
        restore::{Barred, Reason},
    },
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
    /// A guard of the settings bars the restore.
    #[error(transparent)]
    Barred(#[from] Barred),
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
            Self::Damaged { .. }
            | Self::BackupGone { .. }
            | Self::Refused(_)
            | Self::Nothing(_)
            | Self::Barred(_) => Fate::Fail,
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
            | Self::Barred(_)
            | Self::Busy(_)
            | Self::TooMany(_)
            | Self::NotBegun { .. } => false,
        }
    }

    /// Whether what is stored cannot be read by this program, however often it tries: so it is not known what it says.
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::TooNew { .. })
    }

    /// The name of the stored blob that is damaged, and what is wrong with it, if that is the error.
    pub fn damaged_blob(&self) -> Option<(&str, &str)> {
        match self {
            Self::Damaged { blob, text } => Some((blob.strip_prefix(BLOB)?, text)),
            _ => None,
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
            | Self::Barred(_)
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
            Self::Barred(barred) => barred.failure(),
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

/// How the text about a stored blob begins.
const BLOB: &str = "blob ";

/// The error for a stored blob that is not what was written.
pub(crate) fn damaged(name: &str, why: &impl std::fmt::Display) -> Error {
    Error::Damaged { blob: format!("{BLOB}{name}"), text: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        azure::error::{Asked, Meaning, Operation, Service},
        domain::{
            actor::Actor,
            nothing::{Known, There},
            right::Right,
        },
    };

    fn service(service: Service, meaning: Meaning, status: Option<u16>) -> Error {
        let failure = Failure { status, ..Failure::ours("Code", "text") };
        ServiceError::new(Asked::new(service, Operation::Read, "read it"), meaning, failure).into()
    }

    fn not_begun(surely: bool, because: Error) -> Error {
        Error::NotBegun { text: "run x has not begun".into(), surely, because: Box::new(because) }
    }

    fn too_many() -> Error {
        Error::TooMany(Box::new(AtBound { by: Actor::TERMINAL, right: Right::Backup, open: 5, most: 5 }))
    }

    fn nothing() -> Error {
        let (source, there) = ("vault kv-prod".into(), There::default());
        Nothing { source, wanted: String::new(), at: None, known: Known::NoPoint, there }.into()
    }

    fn of_blob() -> Error {
        damaged("vaults/x", &"it is empty")
    }

    fn gone() -> Error {
        Error::BackupGone { backup: "the backup of secret/db".into() }
    }

    fn too_new() -> Error {
        Error::TooNew { what: "blob x".into(), found: 3, known: 2 }
    }

    fn barred() -> Error {
        Barred::Pair { from: "kv-a".parse().unwrap(), into: "kv-b".parse().unwrap() }.into()
    }

    fn deadline() -> Error {
        Error::Deadline { what: "the pass".into(), seconds: 60 }
    }

    /// For each error of our own: its fate, whether a service of ours failed, whether nothing was changed, its code.
    #[test]
    fn each_error_has_its_fate_and_its_code() {
        for (error, fate, ours, leaves_nothing, code) in [
            (of_blob(), Fate::Fail, false, true, "Damaged"),
            (gone(), Fate::Fail, false, true, "BackupGone"),
            (too_new(), Fate::Retry, false, true, "TooNew"),
            (Error::Refused("it has no name".into()), Fate::Fail, false, true, "Refused"),
            (nothing(), Fate::Fail, false, true, "NothingSelected"),
            (barred(), Fate::Fail, false, true, "PairNotAllowed"),
            (Error::Busy("a restore is open".into()), Fate::Retry, false, true, "Busy"),
            (too_many(), Fate::Retry, false, true, "TooMany"),
            (not_begun(true, deadline()), Fate::Retry, false, true, "NotBegun"),
            (not_begun(false, deadline()), Fate::Retry, false, false, "NotBegun"),
            (deadline(), Fate::Retry, true, false, "Deadline"),
        ] {
            assert_eq!(error.fate(), fate, "{error}");
            assert_eq!((error.is_ours(), error.leaves_nothing()), (ours, leaves_nothing), "{error}");
            let failure = error.failure();
            assert_eq!((failure.code.as_str(), failure.status), (code, None), "{error}");
            assert_eq!(failure.text, error.to_string());
            assert!(error.service().is_none(), "{error}");
        }
    }

    #[test]
    fn what_is_damaged_or_of_a_newer_program_cannot_be_read_and_what_is_gone_or_not_answered_may_be() {
        for (error, expected) in [
            (of_blob(), true),
            (too_new(), true),
            (gone(), false),
            (deadline(), false),
            (not_begun(true, of_blob()), false),
            (service(Service::Storage, Meaning::NotFound, Some(404)), false),
            (service(Service::Storage, Meaning::Unavailable, Some(503)), false),
        ] {
            assert_eq!(error.is_unreadable(), expected, "{error}");
        }
    }

    #[test]
    fn a_refusal_is_certain_to_have_changed_nothing_and_a_lost_answer_is_not() {
        for (status, certain) in [
            (Some(400), true),
            (Some(403), true),
            (Some(409), true),
            (Some(429), true),
            (Some(499), true),
            // The service gave up on a request that may have been half read.
            (Some(408), false),
            (Some(500), false),
            (Some(503), false),
            (Some(399), false),
            (None, false),
        ] {
            let error = service(Service::Storage, Meaning::Refused, status);
            assert_eq!(error.leaves_nothing(), certain, "{status:?}");
        }
    }

    #[test]
    fn only_means_of_our_own_say_nothing_about_the_object() {
        for (of, ours) in [
            (Service::Vault, false),
            (Service::Hsm, false),
            (Service::Storage, true),
            (Service::Queue, true),
            (Service::Identity, true),
        ] {
            let error = service(of, Meaning::Unavailable, Some(503));
            assert_eq!(error.is_ours(), ours, "{of:?}");
            assert_eq!(error.failure().code.contains('/'), ours, "{of:?}: {error:?}");
        }
        // Without a token only the identity was called, whatever was to be called with it.
        assert!(service(Service::Vault, Meaning::NoToken, None).is_ours());
    }

    #[test]
    fn the_service_at_the_root_is_found_however_deep_it_is() {
        let root = || service(Service::Storage, Meaning::Denied, Some(403));
        assert!(root().service().is_some());
        let deep = not_begun(true, not_begun(false, root()));
        assert_eq!(deep.service().map(|of| of.meaning), Some(Meaning::Denied));
        assert_eq!(deep.fate(), Fate::Retry);
    }

    #[test]
    fn each_text_names_what_was_tried_and_what_to_do() {
        for (error, expected) in [
            (of_blob(), "blob vaults/x is damaged: it is empty"),
            (too_new(), "blob x has format 3; this program knows formats up to 2: install the newer version"),
            (deadline(), "the pass took longer than 60 s and was stopped; it is safe to run it again"),
            (
                not_begun(true, deadline()),
                "run x has not begun: the pass took longer than 60 s and was stopped; it is safe to run it again",
            ),
            (service(Service::Vault, Meaning::Denied, Some(403)), "Failed to read it: Code: text"),
        ] {
            assert_eq!(error.to_string(), expected);
        }
        assert!(gone().to_string().starts_with("the backup of secret/db is not in the container any more: "));
        assert_eq!(nothing().to_string().lines().count(), 2, "{}", nothing());
    }
}
