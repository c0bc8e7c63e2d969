//! Why a service refused, from its own codes and words.

use super::error::{Meaning, ServiceError};
use crate::domain::preflight::{Came, Cause};

/// How something that was tried came out.
pub fn came<T>(tried: Result<T, ServiceError>) -> Came {
    match tried {
        Ok(_) => Came::Done,
        Err(error) => refused(error),
    }
}

/// A refusal with its cause.
pub fn refused(error: ServiceError) -> Came {
    Came::Refused(cause(&error), *error.failure)
}

fn cause(error: &ServiceError) -> Cause {
    match error.meaning {
        Meaning::Forbidden => forbidden(&error.failure.code, &error.failure.text),
        Meaning::Throttled | Meaning::Unavailable | Meaning::Nonsense => Cause::Passing,
        Meaning::Unauthorized | Meaning::NoToken => Cause::NoToken,
        Meaning::NotFound => Cause::NotFound,
        Meaning::Network => unanswered(&error.failure.text),
        Meaning::Busy | Meaning::Exists if error.failure.code.contains("Immutable") => Cause::Immutable,
        Meaning::Refused if error.failure.status == Some(400) => Cause::Malformed,
        Meaning::Refused | Meaning::Busy | Meaning::Exists | Meaning::NotSent => Cause::Other,
    }
}

/// Codes are those of Key Vault, then of storage. Older answers of Key Vault have the text alone.
fn forbidden(code: &str, text: &str) -> Cause {
    let says = |word: &str| code.contains(word);
    if text.contains("purge protection") {
        Cause::PurgeProtected
    } else if says("ForbiddenByRbac") || text.contains("Caller is not authorized to perform action") {
        Cause::Rbac
    } else if says("ForbiddenByFirewall") || text.contains("Client address is not authorized") {
        Cause::Firewall
    } else if says("ForbiddenByConnection") || text.contains("Public network access is disabled") {
        Cause::PublicOff
    } else if says("ForbiddenByPolicy") {
        Cause::Policy
    } else if says("AuthorizationFailure") {
        // Storage says so of an address that is kept out; of a missing right it says Mismatch.
        Cause::Firewall
    } else if says("PublicAccessNotPermitted") {
        Cause::PublicOff
    } else if says("ManagedByKeyVault") || says("Hardware") {
        Cause::Other
    } else {
        Cause::Denied
    }
}

fn unanswered(text: &str) -> Cause {
    let unknown = ["dns error", "failed to lookup address"].iter().any(|words| text.contains(words));
    if unknown { Cause::HostUnknown } else { Cause::Unreachable }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outcome::Failure;

    fn told(meaning: Meaning, code: &str, text: &str) -> Cause {
        let failure = Failure { status: Some(400), ..Failure::ours(code, text) };
        cause(&ServiceError { what: String::new(), meaning, failure: Box::new(failure) })
    }

    #[test]
    fn refusals_are_told_apart_by_the_services_codes() {
        let no = Meaning::Forbidden;
        for (meaning, code, text, expected) in [
            (no, "Forbidden/ForbiddenByRbac", "", Cause::Rbac),
            (no, "Forbidden/ForbiddenByPolicy", "no list permission", Cause::Policy),
            (no, "Forbidden/ForbiddenByFirewall", "", Cause::Firewall),
            (no, "Forbidden/ForbiddenByConnection", "", Cause::PublicOff),
            (no, "Forbidden", "because purge protection is enabled", Cause::PurgeProtected),
            (no, "Forbidden/KeyManagedByKeyVault", "", Cause::Other),
            (no, "AuthorizationPermissionMismatch", "", Cause::Denied),
            (no, "AuthorizationFailure", "", Cause::Firewall),
            (no, "AccessDenied", "Not authorized to access", Cause::Denied),
            (Meaning::Busy, "BlobImmutableDueToPolicy", "", Cause::Immutable),
            (Meaning::Unavailable, "ServerBusy", "", Cause::Passing),
            (Meaning::Refused, "Malformed backup blob", "", Cause::Malformed),
            (Meaning::Network, "NoAnswer", "dns error: Name or service not known", Cause::HostUnknown),
            (Meaning::Network, "NoAnswer", "tunnel error: unsuccessful", Cause::Unreachable),
            (Meaning::NoToken, "NoToken", "no identity", Cause::NoToken),
        ] {
            assert_eq!(told(meaning, code, text), expected, "{code} {text}");
        }
    }
}
