//! The status of the whole installation, and its health.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    actor::By,
    notices::NoticesStatus,
    restore::AnyRestore,
    source::{HsmStatus, SourceStatus},
};
use crate::{
    domain::{bound::AtBound, night::Timer, retention::LastPass, second::SecondPass},
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
    /// Whether retention is applied.
    retention: RetentionStatus,
    /// How the newest pass over the second place ended. Absent without a second place.
    #[serde(skip_serializing_if = "Option::is_none")]
    second_place: Option<SecondPlaceStatus>,
    /// Every configured vault.
    sources: Vec<SourceStatus>,
    /// Every configured Managed HSM.
    hsms: Vec<HsmStatus>,
    /// The newest restores, open or ended; at most 20.
    restores: Vec<AnyRestore>,
    /// The approximate number of messages that the host gave up, in the poison queues of this app. Absent if that cannot
    /// be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    poison_messages: Option<u64>,
    /// Messages to webhooks that are still to be delivered, as far as this app keeps them. Absent if that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    notices: Option<NoticesStatus>,
    /// When each timer is due next, of those whose schedule is known to this app.
    next_runs: Vec<NextRun>,
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
            retention: of.retention.into(),
            second_place: of.second.as_ref().map(Into::into),
            sources: of.vaults.into_iter().map(|vault| SourceStatus::new(vault, now)).collect(),
            hsms: of.hsms.into_iter().map(|hsm| HsmStatus::new(hsm, now)).collect(),
            restores: of.restores.into_iter().map(Into::into).collect(),
            poison_messages: of.poison_messages,
            notices: of.notices.map(Into::into),
            next_runs: of.next_runs.into_iter().map(Into::into).collect(),
            at_bound: of.at_bound.into_iter().map(Into::into).collect(),
        }
    }
}

/// When a timer is due next.
#[derive(Debug, Serialize, ToSchema)]
pub struct NextRun {
    /// The function with the timer.
    #[schema(example = "NightlyVaultBackup", pattern = "^(NightlyVaultBackup|NightlyHsmBackup)$")]
    function: &'static str,
    /// When it is due.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl From<(Timer, OffsetDateTime)> for NextRun {
    fn from((timer, at): (Timer, OffsetDateTime)) -> Self {
        Self { function: timer.function(), at }
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

/// Whether retention is applied. It is part of no `ok`: while it is not, nothing is deleted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetentionStatus {
    /// When the keeper last applied retention to every source. Absent if it never did: then there may be no keeper.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    last_pass: Option<OffsetDateTime>,
    /// Whether that was in the last two days.
    applied: bool,
}

impl From<LastPass> for RetentionStatus {
    fn from(of: LastPass) -> Self {
        Self { last_pass: of.last(), applied: of.is_applied() }
    }
}

/// How the newest pass over the second place ended. It is part of no `ok`: the sources say how far behind it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecondPlaceStatus {
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    last_pass: Option<OffsetDateTime>,
    /// How many parts it could not copy: points, rooms of records, and names under which the second place has something else. The
    /// keeper's log names them.
    failed_parts: u32,
}

impl From<&SecondPass> for SecondPlaceStatus {
    fn from(of: &SecondPass) -> Self {
        Self { last_pass: of.ended, failed_parts: of.failed }
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
