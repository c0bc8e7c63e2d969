//! The outcome of a request that a check or a client tried, and why it was refused.

use super::outcome::Failure;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::VariantArray)]
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
    /// This machine does not trust the certificate that it is shown.
    Untrusted,
    /// The identity got no token.
    NoToken,
    /// The token is of another tenant than the service.
    OtherTenant,
    /// The service does not take the token, for another reason.
    TokenRefused,
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
    /// Whether the right is missing.
    pub fn is_missing_right(self) -> bool {
        matches!(self, Self::Rbac | Self::Policy | Self::Denied)
    }
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
}
