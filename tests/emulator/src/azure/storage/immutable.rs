//! Immutability policies and legal holds of single versions.
//!
//! As documented: while a policy runs or a hold is on, a version can neither be deleted nor be given other metadata; to
//! overwrite it makes a new version. A locked policy can only be extended. The code for a hold is known from reports.
//! Not looked at: whether the container was made for it.

use hyper::StatusCode;
use time::{Duration, OffsetDateTime};

use super::{
    account::{Container, StoredBlob},
    error::{blob_not_found, error, immutable, invalid_header},
};
use crate::azure::{
    call::Call,
    reply::Reply,
    timestamp::{http_date, read_http_date},
};

const UNTIL: &str = "x-ms-immutability-policy-until-date";
const MODE: &str = "x-ms-immutability-policy-mode";
const HOLD: &str = "x-ms-legal-hold";

/// An immutability policy of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Until when it runs.
    pub until: OffsetDateTime,
    /// Whether nobody can shorten it.
    pub locked: bool,
}

impl Policy {
    fn mode(self) -> &'static str {
        if self.locked { "locked" } else { "unlocked" }
    }
}

/// The policy of a version: its own, or else that of the container, from the version's creation.
pub(crate) fn policy_of(container: &Container, blob: &StoredBlob) -> Option<Policy> {
    let of_container = || {
        let of = container.protection?;
        Some(Policy { until: blob.created + Duration::days(of.days.into()), locked: of.locked })
    };
    blob.policy.or_else(of_container)
}

/// Refuses to delete or change a version that may not be.
pub(crate) fn refuse(container: &Container, call: &Call, blob: &StoredBlob) -> Result<(), Reply> {
    if blob.legal_hold {
        let message =
            "This operation is not permitted as the blob is immutable due to one or more legal holds.";
        return Err(error(call, StatusCode::CONFLICT, "BlobImmutableDueToLegalHold", message));
    }
    match policy_of(container, blob) {
        Some(policy) if policy.until > call.now => Err(immutable(call)),
        _ => Ok(()),
    }
}

/// What the headers of a request that puts a blob say of its policy and its hold.
pub(crate) fn of_upload(call: &Call) -> Result<(Option<Policy>, bool), Reply> {
    let policy = call.header(UNTIL).map(|_| asked_policy(call)).transpose()?;
    let hold = call.header(HOLD).map(|_| asked_hold(call)).transpose()?;
    Ok((policy, hold.unwrap_or_default()))
}

/// Whether a request is to set a policy or a hold, whatever else it does.
pub(crate) fn is_asked(call: &Call) -> bool {
    [UNTIL, MODE, HOLD].iter().any(|name| call.header(name).is_some())
}

/// Set Immutability Policy.
pub(crate) fn set(container: &mut Container, call: &Call, name: &str) -> Result<Reply, Reply> {
    let asked = asked_policy(call)?;
    let found = find(container, call, name)?.clone();
    let now = policy_of(container, &found);
    let shortens = now.is_some_and(|now| now.locked && (asked.until < now.until || !asked.locked));
    if shortens {
        return Err(immutable(call));
    }
    find(container, call, name)?.policy = Some(asked);
    Ok(Reply::new(StatusCode::OK).header(UNTIL, &http_date(asked.until)).header(MODE, asked.mode()))
}

/// Delete Immutability Policy. A policy of the container stays.
pub(crate) fn delete(container: &mut Container, call: &Call, name: &str) -> Result<Reply, Reply> {
    let found = find(container, call, name)?.clone();
    if policy_of(container, &found).is_some_and(|policy| policy.locked) {
        return Err(immutable(call));
    }
    find(container, call, name)?.policy = None;
    Ok(Reply::new(StatusCode::OK))
}

/// Set Blob Legal Hold.
pub(crate) fn hold(container: &mut Container, call: &Call, name: &str) -> Result<Reply, Reply> {
    let hold = asked_hold(call)?;
    find(container, call, name)?.legal_hold = hold;
    Ok(Reply::new(StatusCode::OK).header(HOLD, if hold { "true" } else { "false" }))
}

/// Says in an answer how a version is protected.
pub(crate) fn show(container: &Container, blob: &StoredBlob, reply: &mut Reply) {
    if let Some(policy) = policy_of(container, blob) {
        reply.set(UNTIL, &http_date(policy.until));
        reply.set_static(MODE, policy.mode());
    }
    if blob.legal_hold {
        reply.set_static(HOLD, "true");
    }
}

/// The elements of a listing that say it.
pub(crate) fn elements(
    container: &Container,
    blob: &StoredBlob,
    policies: bool,
    holds: bool,
) -> Vec<(&'static str, String)> {
    let mut elements = Vec::new();
    if let Some(policy) = policy_of(container, blob).filter(|_| policies) {
        elements.push(("ImmutabilityPolicyUntilDate", http_date(policy.until)));
        elements.push(("ImmutabilityPolicyMode", policy.mode().to_owned()));
    }
    if holds && blob.legal_hold {
        elements.push(("LegalHold", "true".to_owned()));
    }
    elements
}

fn asked_policy(call: &Call) -> Result<Policy, Reply> {
    let text = call.header(UNTIL).unwrap_or_default();
    let until = read_http_date(text).filter(|until| *until > call.now);
    let until = until.ok_or_else(|| invalid_header(call, UNTIL, text))?;
    let mode = call.header(MODE).unwrap_or("unlocked");
    match mode.to_ascii_lowercase().as_str() {
        "locked" => Ok(Policy { until, locked: true }),
        "unlocked" => Ok(Policy { until, locked: false }),
        _ => Err(invalid_header(call, MODE, mode)),
    }
}

fn asked_hold(call: &Call) -> Result<bool, Reply> {
    let text = call.header(HOLD).unwrap_or_default();
    text.parse().map_err(|_| invalid_header(call, HOLD, text))
}

/// The version that a request names, or else the current one.
fn find<'a>(container: &'a mut Container, call: &Call, name: &str) -> Result<&'a mut StoredBlob, Reply> {
    let found = match call.query.get("versionid") {
        Some(id) => container.version_mut(name, id),
        None => container.blobs.get_mut(name),
    };
    found.ok_or_else(|| blob_not_found(call))
}
