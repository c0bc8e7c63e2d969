//! How something that was tried came out, and why it was refused.

use super::super::outcome::Failure;

/// How something that was tried came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// It was done.
    Done,
    /// It was refused, or there was no answer.
    Refused(Cause, Failure),
    /// It was given up after so many seconds.
    Late(u64),
}

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No role assignment allows it.
    Rbac,
    /// No access policy of the vault allows it.
    Policy,
    /// The caller may not; the service does not say by what.
    Denied,
    /// The firewall keeps the caller's address out.
    Firewall,
    /// The public network is switched off.
    PublicOff,
    /// The host's name does not resolve.
    HostUnknown,
    /// The host does not answer.
    Unreachable,
    /// The identity got no token.
    NoToken,
    /// There is no such thing.
    NotFound,
    /// The request makes no sense.
    Malformed,
    /// Write protection keeps it from being changed.
    Immutable,
    /// Purge protection keeps everybody from it.
    PurgeProtected,
    /// Throttled, or out of order for now.
    Passing,
    /// Anything else.
    Other,
}

impl Cause {
    /// The name of the finding that nothing behind the host could be asked.
    pub(super) fn closed_name(self) -> &'static str {
        match self {
            Self::HostUnknown => "host-unknown",
            Self::Unreachable => "host-unreachable",
            Self::NoToken => "no-token",
            _ => "network-closed",
        }
    }

    /// Whether nothing behind the host could be asked, whatever the request.
    pub fn is_closed(self) -> bool {
        matches!(
            self,
            Self::Firewall | Self::PublicOff | Self::HostUnknown | Self::Unreachable | Self::NoToken
        )
    }

    /// Whether the right is missing.
    pub fn is_missing_right(self) -> bool {
        matches!(self, Self::Rbac | Self::Policy | Self::Denied)
    }
}

/// Whether the caller has a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Yes,
    No(Cause, Failure),
    /// Why it is not known.
    Unknown(String),
}

impl Came {
    /// The cause of a refusal.
    pub fn cause(&self) -> Option<Cause> {
        self.refusal().map(|(cause, _)| cause)
    }

    /// The refusal.
    pub fn refusal(&self) -> Option<(Cause, &Failure)> {
        match self {
            Self::Refused(cause, failure) => Some((*cause, failure)),
            Self::Done | Self::Late(_) => None,
        }
    }

    /// What it says of the right to do it. A refusal for any reason but a missing right comes later than the
    /// look at rights.
    pub(super) fn held(&self) -> Held {
        match self {
            Self::Late(seconds) => Held::Unknown(format!("no answer within {seconds} s")),
            Self::Done | Self::Refused(Cause::NotFound | Cause::Malformed, _) => Held::Yes,
            Self::Refused(cause, failure) if cause.is_missing_right() || *cause == Cause::PurgeProtected => {
                Held::No(*cause, failure.clone())
            }
            Self::Refused(_, failure) => Held::Unknown(words(failure)),
        }
    }
}

/// A service's words on one line.
pub(super) fn words(failure: &Failure) -> String {
    let mut text = failure.text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = text.char_indices().nth(160) {
        text.truncate(cut);
        text.push('…');
    }
    format!("{}: {text}", failure.code)
}
