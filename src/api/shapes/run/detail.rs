//! A run in one source in full: kinds that could not be listed, and every object without a new backup.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::RunItem;
use crate::{
    api::shapes::{
        actor::By,
        failure::{Failed, Failure},
        object::Kind,
        state::State,
        wait::wait,
    },
    domain::{
        manifest::{Line, ObjectStatus},
        outcome,
        plan::{ListedLate, PlanHeader, Unlisted},
    },
    query::{runs::Report, sources},
};

/// A run in one source, in full.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunInSource {
    /// The run, as lists show it.
    #[serde(flatten)]
    item: RunItem,
    /// The actor that requested it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    /// The progress, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    /// Objects that have a backup as of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    protected: Option<u32>,
    /// Kinds that could not be listed.
    unlisted: Vec<UnlistedKind>,
    /// Kinds that could be listed only while the run was under way: their objects were planned later.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listed_late: Vec<LateKind>,
    /// Why objects failed, the most common reasons first. Kinds that could not be listed are in `unlisted`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failed>,
    /// Every object that failed or disappeared.
    objects: Vec<RunObject>,
}

/// The progress of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct Progress {
    /// The number of objects to back up, once the run is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<usize>,
    /// How many of them had a result at the last pass.
    pub done: u32,
}

impl Progress {
    fn left(&self) -> Option<usize> {
        Some(self.planned?.saturating_sub(usize::try_from(self.done).ok()?))
    }
}

/// A kind that could not be listed.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnlistedKind {
    /// The kind.
    kind: Kind,
    /// Why.
    failure: Failure,
}

/// A kind that could be listed only while the run was under way.
#[derive(Debug, Serialize, ToSchema)]
pub struct LateKind {
    /// The kind.
    kind: Kind,
    /// The round of the run that could list it.
    round: u32,
    /// When that was.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl From<&ListedLate> for LateKind {
    fn from(late: &ListedLate) -> Self {
        Self { kind: late.kind.into(), round: late.round, at: late.at }
    }
}

impl From<&Unlisted> for UnlistedKind {
    fn from(unlisted: &Unlisted) -> Self {
        Self { kind: unlisted.kind.into(), failure: (&unlisted.failure).into() }
    }
}

/// An object without a new backup, and why.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunObject {
    /// The object's kind.
    kind: Kind,
    /// The object's name.
    #[schema(example = "db-password")]
    name: String,
    /// `failed`, or `disappeared`: deleted between listing and backup.
    #[schema(example = "failed", pattern = "^(failed|disappeared)$")]
    #[serde(rename = "fared")]
    status: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    /// When its newest backup was taken, if it has one.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    last_backup: Option<OffsetDateTime>,
}

impl From<&Line> for RunObject {
    fn from(line: &Line) -> Self {
        Self {
            kind: line.kind.into(),
            name: line.name.to_string(),
            status: if line.status == ObjectStatus::Disappeared { "disappeared" } else { "failed" },
            failure: line.failure.as_ref().map(Into::into),
            last_backup: line.entry.as_ref().map(|entry| entry.taken),
        }
    }
}

/// Why an object failed, if it did.
fn failure(line: &Line) -> Option<outcome::Failure> {
    line.failure.clone().filter(|_| line.status == ObjectStatus::Failed)
}

impl RunInSource {
    /// The backup of a whole Managed HSM.
    pub fn of_hsm(item: RunItem, by: By) -> Self {
        Self {
            item,
            by: Some(by),
            progress: None,
            protected: None,
            unlisted: Vec::new(),
            listed_late: Vec::new(),
            failures: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// The seconds until the run is worth another request. `None` once it has ended.
    pub fn wait(&self, now: OffsetDateTime) -> Option<u32> {
        let left = self.progress.as_ref().and_then(Progress::left);
        (self.item.state == State::Running).then(|| wait(left, self.item.started, now))
    }
}

impl From<sources::Report> for RunInSource {
    fn from(report: sources::Report) -> Self {
        match report {
            sources::Report::Objects(report) => (*report).into(),
            sources::Report::Hsm(run) => (&run).into(),
        }
    }
}

impl From<Report> for RunInSource {
    fn from(report: Report) -> Self {
        match report {
            Report::Open { job, planned, listed_late } => Self {
                item: RunItem::open(&job),
                by: job.by.as_ref().map(Into::into),
                progress: Some(Progress { planned, done: job.answered }),
                protected: None,
                unlisted: Vec::new(),
                listed_late: listed_late.iter().map(Into::into).collect(),
                failures: Vec::new(),
                objects: Vec::new(),
            },
            Report::Closed {
                header: PlanHeader { vault, by, unlisted, listed_late, .. },
                summary,
                lines,
            } => Self {
                item: RunItem::closed(&vault, &summary),
                by: by.as_ref().map(Into::into),
                progress: None,
                protected: Some(summary.protected),
                unlisted: unlisted.iter().map(Into::into).collect(),
                listed_late: listed_late.iter().map(Into::into).collect(),
                failures: Failed::alike(lines.iter().filter_map(failure)),
                objects: lines.iter().map(Into::into).collect(),
            },
        }
    }
}
