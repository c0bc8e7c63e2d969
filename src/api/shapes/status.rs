//! How everything is.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    actor::By,
    source::{HsmStatus, SourceStatus},
};
use crate::{
    domain::bound::AtBound,
    query::{passes::Passes, status},
};

/// How everything is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether every vault and HSM is well, and there is one.
    ok: bool,
    /// When this was looked up.
    #[serde(with = "time::serde::rfc3339")]
    now: OffsetDateTime,
    /// How old the newest run that covers a source may be.
    #[schema(example = 93600)]
    expected_interval_seconds: i64,
    /// Whether open jobs are moved on.
    jobs: JobsStatus,
    /// Every configured vault.
    sources: Vec<SourceStatus>,
    /// Every configured Managed HSM.
    hsms: Vec<HsmStatus>,
    /// Callers that have as many open jobs as they may have, and are refused until some have ended. Others are not.
    at_bound: Vec<Caller>,
}

impl From<status::Status> for Status {
    fn from(of: status::Status) -> Self {
        let (ok, now, interval) = (of.is_ok(), of.now, of.interval);
        Self {
            ok,
            now,
            expected_interval_seconds: interval.whole_seconds(),
            jobs: of.passes.into(),
            sources: of.vaults.into_iter().map(|doing| SourceStatus::new(doing, interval, now)).collect(),
            hsms: of.hsms.into_iter().map(|doing| HsmStatus::new(doing, interval, now)).collect(),
            at_bound: of.at_bound.into_iter().map(Into::into).collect(),
        }
    }
}

/// A caller with as many open jobs as it may have.
#[derive(Debug, Serialize, ToSchema)]
pub struct Caller {
    /// Who it is.
    by: By,
    /// What it has open: `backups` or `restores`.
    #[schema(example = "backups", pattern = "^(backups|restores)$")]
    what: &'static str,
    /// How many are open.
    open: u32,
    /// How many may be.
    most: u32,
}

impl From<AtBound> for Caller {
    fn from(of: AtBound) -> Self {
        Self { by: (&of.by).into(), what: of.what(), open: of.open, most: of.most }
    }
}

/// Whether open jobs are moved on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobsStatus {
    /// When `AdvanceJobs` last came, give or take five minutes. Nothing else moves a run on.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    last_pass: Option<OffsetDateTime>,
    /// Whether it has stayed away for a quarter of an hour or longer: what runs stays as it is, and nothing new begins.
    stand_still: bool,
}

impl From<Passes> for JobsStatus {
    fn from(of: Passes) -> Self {
        Self { last_pass: of.last, stand_still: of.stands_still }
    }
}

/// That the program runs and reaches what it needs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Always `Healthy`; anything else is a problem.
    #[schema(example = "Healthy", pattern = "^Healthy$")]
    pub status: &'static str,
    /// The program's version.
    #[schema(example = "0.1.0")]
    pub version: &'static str,
}
