//! The cause of a refusal, from the service's own codes and texts.

use super::error::{Meaning, ServiceError};
use crate::domain::{
    cause::{Came, Cause},
    wording::says,
};

/// The result of an attempt, in the terms of the preflight.
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
    let (code, text) = (&*error.failure.code, &*error.failure.text);
    match error.meaning {
        Meaning::Denied | Meaning::Forbidden => forbidden(code, text),
        Meaning::Throttled | Meaning::Unavailable | Meaning::Nonsense => Cause::Passing,
        Meaning::Unauthorized => unauthorized(code, text),
        Meaning::NoToken if says(text, &UNTRUSTED) => Cause::Untrusted,
        Meaning::NoToken => Cause::NoToken,
        Meaning::NotFound => Cause::NotFound,
        Meaning::Network => unanswered(text),
        Meaning::Busy | Meaning::Exists if code.contains("Immutable") => Cause::Immutable,
        Meaning::Refused if error.failure.status == Some(400) => Cause::Malformed,
        Meaning::Refused | Meaning::Busy | Meaning::Exists | Meaning::NotSent | Meaning::Stopped => {
            Cause::Other
        }
    }
}

/// Texts of TLS libraries for a certificate that this machine does not trust.
const UNTRUSTED: [&str; 6] = [
    "unknownissuer",
    "invalid peer certificate",
    "certificate verify failed",
    "unable to get local issuer certificate",
    "self-signed certificate",
    "self signed certificate",
];

/// The cause of a 403. Codes are those of Key Vault, then of storage. Older answers of Key Vault, and those of a
/// Managed HSM, have only a text.
fn forbidden(code: &str, text: &str) -> Cause {
    let codes = |known: &[&str]| known.iter().any(|known| code.contains(known));
    if says(text, &["purge protection"]) {
        Cause::PurgeProtected
    } else if codes(&["ForbiddenByRbac"]) || says(text, &["caller is not authorized to perform action"]) {
        Cause::Rbac
    } else if codes(&["ForbiddenByFirewall"])
        || says(text, &["client address is not authorized", "caller is not a trusted service"])
    {
        Cause::Firewall
    } else if codes(&["ForbiddenByConnection", "PublicAccessNotPermitted"])
        || says(
            text,
            &[
                "public network access is disabled",
                "approved private link",
                "connection does not allow access",
            ],
        )
    {
        Cause::PublicOff
    } else if codes(&["ForbiddenByPolicy"])
        || says(
            text,
            &[
                "permission on key vault",
                "does not have secrets",
                "does not have keys",
                "does not have certificates",
            ],
        )
    {
        Cause::Policy
    } else if codes(&["AuthorizationFailure"]) {
        // Storage's code for a blocked address; a missing right is `AuthorizationPermissionMismatch`.
        Cause::Firewall
    } else if codes(&["ManagedByKeyVault", "Hardware"]) {
        Cause::Other
    } else {
        Cause::Denied
    }
}

/// The cause of a 401: there was a token, and the service does not accept it.
fn unauthorized(code: &str, text: &str) -> Cause {
    let issuer = ["akv10032", "invalid issuer", "issuer validation failed", "issuer did not match"];
    let other = code.contains("AKV10032") || says(text, &issuer);
    if other { Cause::OtherTenant } else { Cause::TokenRefused }
}

fn unanswered(text: &str) -> Cause {
    let unknown = ["dns error", "failed to lookup address", "name or service not known", "no such host"];
    if says(text, &UNTRUSTED) {
        Cause::Untrusted
    } else if says(text, &unknown) {
        Cause::HostUnknown
    } else {
        Cause::Unreachable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        azure::error::{Asked, Operation},
        domain::outcome::Failure,
    };

    fn told(meaning: Meaning, code: &str, text: &str) -> Cause {
        let failure = Failure { status: Some(400), ..Failure::ours(code, text) };
        cause(&ServiceError::new(Asked::vault(Operation::Read, ""), meaning, failure))
    }

    #[test]
    fn refusals_are_told_apart_by_the_services_codes() {
        let no = Meaning::Denied;
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

    /// Without a code, each known wording leads to the cause.
    #[test]
    fn refusals_are_told_apart_by_every_wording_that_is_known() {
        let no = Meaning::Denied;
        for (meaning, code, text, expected) in [
            (
                no,
                "Forbidden",
                "Client address is not authorized and caller is not a trusted service.\r\nClient address: 1.2.3.4",
                Cause::Firewall,
            ),
            (
                no,
                "Forbidden",
                "Client address (203.0.113.7) is not authorized and caller is not a trusted service.",
                Cause::Firewall,
            ),
            (
                no,
                "AccessDenied",
                "The caller is not a trusted service (address 203.0.113.7).",
                Cause::Firewall,
            ),
            (
                no,
                "Forbidden",
                "Public network access is disabled and request is not from a trusted service",
                Cause::PublicOff,
            ),
            (
                no,
                "Forbidden",
                "This TCP connection does not allow access to kv-a.vault.azure.net.",
                Cause::PublicOff,
            ),
            (
                no,
                "Forbidden",
                "Caller is not authorized to perform action on resource.\r\nIf role assignments",
                Cause::Rbac,
            ),
            (
                no,
                "Forbidden",
                "The user, group or application 'appid=x' does not have secrets list permission on key vault 'v'",
                Cause::Policy,
            ),
            (no, "Forbidden", "The policy does not have keys backup", Cause::Policy),
            (
                no,
                "AccessDenied",
                "Not authorized to access Microsoft.KeyVault/managedHsm/backup/start/action on / (Activity ID: x)",
                Cause::Denied,
            ),
            (
                Meaning::Unauthorized,
                "Unauthorized",
                "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/x/",
                Cause::OtherTenant,
            ),
            (
                Meaning::Unauthorized,
                "Unauthorized",
                "Invalid issuer (https://sts.windows.net/y/)",
                Cause::OtherTenant,
            ),
            (
                Meaning::Unauthorized,
                "InvalidAuthenticationInfo",
                "Issuer validation failed. Issuer did not match.",
                Cause::OtherTenant,
            ),
            (Meaning::Unauthorized, "Unauthorized", "AKV10022: Invalid audience.", Cause::TokenRefused),
            (
                Meaning::Unauthorized,
                "401",
                "the service answered 401 without an explanation",
                Cause::TokenRefused,
            ),
            (
                Meaning::Network,
                "NoAnswer",
                "client error (Connect): invalid peer certificate: UnknownIssuer",
                Cause::Untrusted,
            ),
            (
                Meaning::Network,
                "NoAnswer",
                "certificate verify failed: unable to get local issuer certificate",
                Cause::Untrusted,
            ),
            (Meaning::NoToken, "NoToken", "self signed certificate in certificate chain", Cause::Untrusted),
            (Meaning::Network, "NoAnswer", "Name or service not known", Cause::HostUnknown),
        ] {
            assert_eq!(told(meaning, code, text), expected, "{code} {text}");
        }
    }
}
