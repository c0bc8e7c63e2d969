//! Decisions of people about losses and failures.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    api::shapes::{actor::By, location::Moved, loss::Loss, object::Kind},
    domain::{
        acknowledged::{Acceptance, AcceptanceRecord, Acknowledgement, Standing},
        loss, observed_location,
    },
};

/// The acknowledgement of what a run found.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcknowledgedRun {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// The run.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// Why.
    reason: String,
    /// The actor.
    by: By,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Whether it was acknowledged before.
    already: bool,
    /// The losses that it covers.
    losses: Vec<Loss>,
    /// The change of location that it covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<Moved>,
}

impl AcknowledgedRun {
    /// The acknowledgement of a run, with what the run found.
    pub fn new(
        of: &Acknowledgement,
        already: bool,
        losses: &[loss::Loss],
        moved: Option<&observed_location::Moved>,
    ) -> Self {
        Self {
            source: of.source.to_string(),
            run: of.run.to_string(),
            reason: of.reason.to_string(),
            by: (&of.by).into(),
            at: of.at,
            already,
            losses: losses.iter().map(Into::into).collect(),
            moved: moved.map(Into::into),
        }
    }
}

/// Decisions about failing objects.
#[derive(Debug, Serialize, ToSchema)]
pub struct Acceptances {
    /// The newest decision about each object.
    pub acceptances: Vec<AcceptanceItem>,
}

/// A decision about a failing object.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptanceItem {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
    /// `accepted` or `withdrawn`.
    #[schema(example = "accepted", pattern = "^(accepted|withdrawn)$")]
    decision: &'static str,
    /// The code of the failure that is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// Why it is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When the acceptance expires.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    until: Option<OffsetDateTime>,
    /// The actor.
    by: By,
    /// When it was decided.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// How the decision stands, in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    standing: Option<AcceptanceStanding>,
    /// The code with which the object fails now, if it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<String>,
}

/// How a decision stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AcceptanceStanding {
    /// The object fails as accepted.
    InForce,
    /// A person withdrew it.
    Withdrawn,
    /// It has expired.
    Expired,
    /// The object fails for another reason, which counts.
    OtherReason,
    /// The object does not fail.
    NotFailing,
}

impl From<&AcceptanceRecord> for AcceptanceItem {
    fn from(record: &AcceptanceRecord) -> Self {
        let (decision, code, reason, until) = match &record.acceptance {
            Acceptance::Accepted { code, reason, until } => {
                ("accepted", Some(code.clone()), Some(reason.to_string()), Some(*until))
            }
            Acceptance::Withdrawn => ("withdrawn", None, None, None),
        };
        Self {
            source: record.source.to_string(),
            kind: record.kind.into(),
            name: record.name.to_string(),
            decision,
            code,
            reason,
            until,
            by: (&record.by).into(),
            since: record.at,
            standing: None,
            now: None,
        }
    }
}

impl From<&(AcceptanceRecord, Standing)> for AcceptanceItem {
    fn from((record, standing): &(AcceptanceRecord, Standing)) -> Self {
        let (standing, now) = match standing {
            Standing::InForce => (AcceptanceStanding::InForce, None),
            Standing::Withdrawn => (AcceptanceStanding::Withdrawn, None),
            Standing::Expired => (AcceptanceStanding::Expired, None),
            Standing::OtherReason { now } => (AcceptanceStanding::OtherReason, Some(now.clone())),
            Standing::NotFailing => (AcceptanceStanding::NotFailing, None),
        };
        Self { standing: Some(standing), now, ..record.into() }
    }
}
