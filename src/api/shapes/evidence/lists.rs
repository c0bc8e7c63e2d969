//! What failed, was decided, held and let go in the period of a report of evidence.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::rows::{EvidenceOf, EvidenceSpan};
use crate::{
    api::shapes::{actor::By, object::Kind},
    domain::{
        evidence::{AcceptedRow, DropRow, EventRow, FailureRow, HeadRow, HoldRow, PolicyRow},
        object::ObjectId,
    },
};

/// An object that failed with one code.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceFailure {
    #[serde(flatten)]
    of: EvidenceOf,
    /// The object; absent for a whole HSM.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<EvidenceObject>,
    /// The code.
    #[schema(example = "Forbidden")]
    code: String,
    #[serde(flatten)]
    span: EvidenceSpan,
    /// On how many days.
    days: u32,
    /// What had become of it on the last day.
    #[schema(example = "open", pattern = "^(accepted|backed-up|gone|open)$")]
    became: String,
    /// When the last backup of the object was taken.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    last_backup: Option<OffsetDateTime>,
}

/// An object.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceObject {
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
}

impl From<&ObjectId> for EvidenceObject {
    fn from(id: &ObjectId) -> Self {
        Self { kind: id.kind.into(), name: id.name.to_string() }
    }
}

impl From<&FailureRow> for EvidenceFailure {
    fn from(of: &FailureRow) -> Self {
        Self {
            of: (&of.source).into(),
            object: of.object.as_ref().map(Into::into),
            code: of.code.clone(),
            span: EvidenceSpan::of(of.first, of.last),
            days: of.days,
            became: of.became.to_string(),
            last_backup: of.last_backup,
        }
    }
}

/// A failure that a person accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceAcceptance {
    #[serde(flatten)]
    of: EvidenceOf,
    /// The object.
    object: EvidenceObject,
    /// The code of the failure.
    code: String,
    /// Why it is accepted.
    reason: String,
    /// The actor.
    by: By,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// When the acceptance ends.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    #[serde(flatten)]
    span: EvidenceSpan,
}

impl From<&AcceptedRow> for EvidenceAcceptance {
    fn from(row: &AcceptedRow) -> Self {
        let of = &row.accepted;
        Self {
            of: (&row.source).into(),
            object: (&of.object).into(),
            code: of.code.clone(),
            reason: of.reason.to_string(),
            by: (&of.by).into(),
            at: of.at,
            until: of.until,
            span: EvidenceSpan::of(row.first, row.last),
        }
    }
}

/// An event on the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceEvent {
    /// When it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// `decision`, `approval` or `restore`.
    #[schema(example = "decision", pattern = "^(decision|approval|restore)$")]
    sort: String,
    /// The event.
    #[schema(example = "failure-accepted")]
    event: String,
    /// The actor.
    by: By,
    /// In words.
    what: String,
}

impl From<&EventRow> for EvidenceEvent {
    fn from(of: &EventRow) -> Self {
        Self {
            at: of.at,
            sort: of.sort.to_string(),
            event: of.event.clone(),
            by: (&of.by).into(),
            what: of.text.clone(),
        }
    }
}

/// A policy of retention.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidencePolicy {
    #[serde(flatten)]
    of: EvidenceOf,
    /// The policy. Absent if there was none that could be applied: then everything is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "within=35 days=0 weeks=0 months=12 years=0 gone=400")]
    policy: Option<String>,
    #[serde(flatten)]
    span: EvidenceSpan,
    /// On how many days.
    days: u32,
}

impl From<&PolicyRow> for EvidencePolicy {
    fn from(of: &PolicyRow) -> Self {
        Self {
            of: (&of.source).into(),
            policy: of.policy.clone(),
            span: EvidenceSpan::of(of.first, of.last),
            days: of.days,
        }
    }
}

/// A hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceHold {
    #[serde(flatten)]
    of: EvidenceOf,
    /// The ticket.
    ticket: String,
    /// What is held.
    on: String,
    /// Why.
    reason: String,
    /// Who set it, in words.
    by: String,
    /// When it was set.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    #[serde(flatten)]
    span: EvidenceSpan,
}

impl From<&HoldRow> for EvidenceHold {
    fn from(of: &HoldRow) -> Self {
        let hold = of.hold.clone();
        Self {
            of: (&of.source).into(),
            ticket: hold.ticket,
            on: hold.scope,
            reason: hold.reason,
            by: hold.by,
            at: hold.at,
            span: EvidenceSpan::of(of.first, of.last),
        }
    }
}

/// Points that retention let go for one reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceDrop {
    #[serde(flatten)]
    of: EvidenceOf,
    /// The stable name of the reason.
    code: String,
    /// The reason in words.
    why: String,
    #[serde(flatten)]
    span: EvidenceSpan,
    /// The runs that left the points.
    runs: Vec<String>,
}

impl From<&DropRow> for EvidenceDrop {
    fn from(of: &DropRow) -> Self {
        Self {
            of: (&of.source).into(),
            code: of.code.clone(),
            why: of.why.clone(),
            span: EvidenceSpan::of(of.first, of.last),
            runs: of.runs.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The newest record of a section of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceHead {
    /// The day.
    #[schema(example = "2026-11-22", format = Date)]
    day: String,
    /// `SECTION:NUMBER:SHA256`, as `audit verify --expect` takes it.
    head: String,
}

impl From<&HeadRow> for EvidenceHead {
    fn from(of: &HeadRow) -> Self {
        Self { day: of.day.to_string(), head: of.head.to_string() }
    }
}
