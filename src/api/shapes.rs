//! Parts of answers that several have.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::domain::{
    actor::{Actor, Via},
    job::rounds,
    loss,
    object::{ObjectKind, VaultName},
    outcome,
    run::{self, RunId},
};

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A certificate, with its key and secret.
    Certificate,
    /// A key.
    Key,
    /// A secret.
    Secret,
}

impl From<ObjectKind> for Kind {
    fn from(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::Certificate => Self::Certificate,
            ObjectKind::Key => Self::Key,
            ObjectKind::Secret => Self::Secret,
        }
    }
}

impl From<Kind> for ObjectKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Certificate => Self::Certificate,
            Kind::Key => Self::Key,
            Kind::Secret => Self::Secret,
        }
    }
}

/// What a run covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The whole source.
    Vault,
    /// Some objects, by name.
    Objects,
    /// A whole Managed HSM.
    Hsm,
}

impl From<run::Scope> for Scope {
    fn from(scope: run::Scope) -> Self {
        match scope {
            run::Scope::Vault => Self::Vault,
            run::Scope::Objects => Self::Objects,
        }
    }
}

/// How far a job is, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum State {
    /// It has not ended.
    Running,
    /// Every object is backed up or rightly skipped.
    Succeeded,
    /// Some objects failed, or some could not be listed.
    PartiallyFailed,
    /// Nothing is protected by it.
    Failed,
    /// It ended, but its record has lost its summary.
    Unreadable,
}

impl From<run::Verdict> for State {
    fn from(verdict: run::Verdict) -> Self {
        match verdict {
            run::Verdict::Succeeded => Self::Succeeded,
            run::Verdict::PartiallyFailed => Self::PartiallyFailed,
            run::Verdict::Failed => Self::Failed,
        }
    }
}

/// What an open run has met that may pass, and tries again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriedAgain {
    /// How many objects fail. Not there when the source, or a kind, cannot be listed and no object fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<u32>,
    /// The kinds that cannot be listed, where the run goes on without them and lists them again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<Kind>,
    /// The newest failure.
    failure: Failure,
    /// When it was met.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The round that the run is in, from 1; 0 before its objects are known.
    round: u32,
    /// When it is tried again. Not there when the run ends without that.
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
    /// Objects that the source listed, or that were asked for by name.
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
    /// Objects that the run before still had and that the source no longer lists. Not in `listed`.
    gone: u32,
    /// Objects that were gone and are listed again.
    returned: u32,
    /// Size of the new backups.
    bytes: u64,
    /// Objects with so many versions that the service will soon refuse to back them up.
    near_version_limit: u32,
    /// Objects whose newest backup has a form that was not known.
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

/// What is known of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Everything is gone, and nothing is there.
    Emptied,
    /// Nothing is left of what was there, and other objects are there: the vault was made anew under its name.
    Replaced,
    /// A large part of the source or of a kind is gone.
    Part,
}

/// Many objects that were gone at once. It stays until they are back or somebody has acknowledged the run that saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// The run that saw it.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// When that run was planned.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// The kind of object; the whole source where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    /// What is known of it.
    how: How,
    /// How many objects the run before had.
    of: u32,
    /// How many of them were gone.
    gone: u32,
    /// How many of those are gone as of this run.
    still_gone: u32,
    /// How many have another object under their name.
    replaced: u32,
}

impl From<&loss::Loss> for Loss {
    fn from(loss: &loss::Loss) -> Self {
        Self {
            run: loss.run.to_string(),
            since: loss.since,
            kind: loss.kind.map(Into::into),
            how: match loss.how {
                loss::How::Emptied => How::Emptied,
                loss::How::Replaced => How::Replaced,
                loss::How::Part => How::Part,
            },
            of: loss.of,
            gone: loss.gone,
            still_gone: loss.still_gone,
            replaced: loss.replaced,
        }
    }
}

/// Why something failed, in the words of whoever refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The service's error code, or ours where the service said nothing.
    #[schema(example = "Forbidden/ForbiddenByRbac")]
    code: String,
    /// The service's text.
    text: String,
    /// The service's HTTP status, where it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// The service's request id, for a support case.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl From<&outcome::Failure> for Failure {
    fn from(failure: &outcome::Failure) -> Self {
        let outcome::Failure { code, text, status, request_id } = failure.clone();
        Self { code, text, status, request_id }
    }
}

/// Who asked for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct By {
    /// `schedule`, `http` or `terminal`.
    #[schema(example = "http")]
    via: &'static str,
    /// The start of the SHA-256 of the function key that was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The object id in Microsoft Entra ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The name, for a reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl From<&Actor> for By {
    fn from(actor: &Actor) -> Self {
        let via = match actor.via {
            Via::Timer => "schedule",
            Via::Http => "http",
            Via::Terminal => "terminal",
        };
        let principal = actor.principal.clone();
        let name = principal.as_ref().and_then(|principal| principal.name.clone());
        Self { via, key: actor.key.map(|key| key.to_string()), id: principal.map(|of| of.id), name }
    }
}

/// The address of a run.
pub fn run_path(run: &RunId) -> String {
    format!("/api/backups/runs/{run}")
}

/// The name of the job that a run is in one source. A vault's name has no underscore.
pub fn job_id(source: &VaultName, run: &RunId) -> String {
    format!("{source}_{run}")
}

/// The address of a job.
pub fn job_path(source: &VaultName, run: &RunId) -> String {
    format!("/api/status/jobs/{}", job_id(source, run))
}
