//! The status of the whole installation, and its health.

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

/// The status of every source.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether every vault and HSM is well, and there is one.
    ok: bool,
    /// When the status was read.
    #[serde(with = "time::serde::rfc3339")]
    now: OffsetDateTime,
    /// How old the newest run that covers a source may be.
    #[schema(example = 93600)]
    expected_interval_seconds: i64,
    /// Whether open jobs progress.
    jobs: JobsStatus,
    /// Every configured vault.
    sources: Vec<SourceStatus>,
    /// Every configured Managed HSM.
    hsms: Vec<HsmStatus>,
    /// Callers with as many open jobs as allowed. Each is refused until one of its jobs ends; others are not affected.
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

/// A caller with as many open jobs as allowed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Caller {
    /// The caller.
    by: By,
    /// The kind of open job: `backups` or `restores`.
    #[schema(example = "backups", pattern = "^(backups|restores)$")]
    what: &'static str,
    /// How many are open.
    open: u32,
    /// How many are allowed.
    most: u32,
}

impl From<AtBound> for Caller {
    fn from(of: AtBound) -> Self {
        Self { by: (&of.by).into(), what: of.what(), open: of.open, most: of.most }
    }
}

/// Whether open jobs progress.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobsStatus {
    /// When `AdvanceJobs` last ran, to within five minutes. Without it no job progresses.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    last_pass: Option<OffsetDateTime>,
    /// Whether it has not run for a quarter of an hour or longer: open jobs do not progress, and new ones do not begin.
    stand_still: bool,
}

impl From<Passes> for JobsStatus {
    fn from(of: Passes) -> Self {
        Self { last_pass: of.last, stand_still: of.stands_still }
    }
}

/// The answer of a healthy program.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Always `Healthy`; every other state is answered as a problem.
    #[schema(example = "Healthy", pattern = "^Healthy$")]
    pub status: &'static str,
    /// The program's version.
    #[schema(example = "0.1.0")]
    pub version: &'static str,
}
