//! Names of what people recorded about security domains.

use time::OffsetDateTime;

use crate::domain::{run::countdown, source::SourceName};

/// The prefix of the attestations of an HSM, the newest first.
pub(in crate::catalogue) fn attestations(hsm: &SourceName) -> String {
    format!("attestations/security-domain/{hsm}/")
}

/// An attestation.
pub(in crate::catalogue) fn attestation(hsm: &SourceName, at: OffsetDateTime) -> String {
    format!("{}{}", attestations(hsm), countdown(at))
}
