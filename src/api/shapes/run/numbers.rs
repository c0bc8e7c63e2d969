//! The numbers of a run, and the failures that it retries.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    api::shapes::{failure::Failure, object::Kind},
    domain::{job::rounds, run},
};

/// The transient failures that an open run retries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriedAgain {
    /// How many objects fail. Absent when the source, or a kind, cannot be listed and no object fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<u32>,
    /// The kinds that cannot be listed. The run continues without them and lists them again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<Kind>,
    /// The newest failure.
    failure: Failure,
    /// When it occurred.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The round that the run is in, from 1; 0 before its objects are known.
    round: u32,
    /// The next retry. Absent when the run ends without one.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    next: Option<OffsetDateTime>,
}

impl From<rounds::TriedAgain<'_>> for TriedAgain {
    fn from(of: rounds::TriedAgain<'_>) -> Self {
        let rounds::TriedAgain { objects, kinds, failure, at, round, last: _, next } = of;
        let kinds = kinds.iter().copied().map(Into::into).collect();
        Self { objects, kinds, failure: failure.into(), at, round, next }
    }
}

/// A run's numbers: listed = backedUp + unchanged + managed + vaultManaged + disappeared + failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Numbers {
    /// Objects that the source listed, or that were requested by name.
    listed: u32,
    /// Objects with a new, checked backup.
    backed_up: u32,
    /// Skipped: nothing changed since the last backup.
    unchanged: u32,
    /// Skipped: the key or secret of a certificate, which the certificate's backup contains.
    managed: u32,
    /// Skipped: managed by the vault, and by none of its certificates. Key Vault does not back it up.
    vault_managed: u32,
    /// Skipped: deleted between listing and backup.
    disappeared: u32,
    /// Not backed up.
    failed: u32,
    /// How many of those a person accepted as of the run.
    accepted: u32,
    /// Objects that the previous run had and that the source no longer lists. Not in `listed`.
    gone: u32,
    /// Objects that were gone and are listed again.
    returned: u32,
    /// Size of the new backups.
    bytes: u64,
    /// Objects close to the number of versions at which the service refuses to back them up.
    near_version_limit: u32,
    /// Objects whose newest backup has an unknown form.
    unknown_form: u32,
}

impl From<&run::Numbers> for Numbers {
    fn from(numbers: &run::Numbers) -> Self {
        Self {
            listed: numbers.listed,
            backed_up: numbers.backed_up,
            unchanged: numbers.unchanged,
            managed: numbers.managed,
            vault_managed: numbers.vault_managed,
            disappeared: numbers.disappeared,
            failed: numbers.failed,
            accepted: numbers.accepted,
            gone: numbers.gone,
            returned: numbers.returned,
            bytes: numbers.bytes,
            near_version_limit: numbers.near_version_limit,
            unknown_form: numbers.unknown_form,
        }
    }
}
