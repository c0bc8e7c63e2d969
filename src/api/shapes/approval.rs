//! Plans as an approver reads them, and approvals.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{actor::By, plan::AnyPlan};
use crate::{
    domain::{digest::Digest, object::ObjectId, restore},
    restore::approve::Kept,
};

/// The approval of a plan.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// The digest of the plan.
    plan: String,
    /// The person who approved it.
    by: By,
    /// When it was approved.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: OffsetDateTime,
    /// Until when a restore may begin by it.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    until: OffsetDateTime,
    /// The restore that began by it; no other one may.
    #[serde(skip_serializing_if = "Option::is_none")]
    restore: Option<String>,
}

impl From<&restore::Approval> for Approval {
    fn from(of: &restore::Approval) -> Self {
        let restore = of.used.as_ref().map(ToString::to_string);
        Self { plan: of.plan.to_string(), by: (&of.by).into(), at: of.at, until: of.until, restore }
    }
}

/// A plan as it was made, and what is known of its approval.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptPlan {
    plan: AnyPlan,
    /// Whether it needs an approval, by the settings of the app.
    needs_approval: bool,
    /// Everyone who planned it, as far as that is recorded: it is where plans need approvals.
    planned_by: Vec<By>,
    /// Its last approval, which may have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<Approval>,
}

impl KeptPlan {
    /// The plan with a page of its objects: at most so many, after that one.
    pub fn page(
        digest: Digest,
        kept: Kept,
        takes: Duration,
        page: (Option<ObjectId>, usize),
        now: OffsetDateTime,
    ) -> Self {
        let Kept { plan, needs_approval, planners, approval } = kept;
        let plan = AnyPlan::page(digest, plan, takes, page, now);
        let planned_by = planners.iter().map(Into::into).collect();
        Self { plan, needs_approval, planned_by, approval: approval.as_ref().map(Into::into) }
    }
}
