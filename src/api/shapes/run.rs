//! Runs, as lists show them.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    links::run_path,
    location::Moved,
    loss::Loss,
    object::Clear,
    page::Token,
    state::{Scope, State as RunState},
};
use crate::{
    domain::{job::BackupJob, manifest::Summary, run::RunId, source::SourceName},
    query::{
        objects::Mark,
        runs::Run,
        sources::{self, Report},
    },
};

mod detail;
mod hsm;
mod numbers;

pub use self::{
    detail::{LateKind, Progress, RunInSource, RunObject, UnlistedKind},
    hsm::HsmRun,
    numbers::{Numbers, TriedAgain},
};

/// A run in one source, as lists show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunItem {
    /// The run's name.
    #[schema(example = "20261122T020000Z-nightly")]
    pub run: String,
    /// The source.
    #[schema(example = "kv-prod")]
    pub source: String,
    /// The state of the run.
    pub state: RunState,
    /// The scope: known once the run has ended, and for a Managed HSM from the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub started: Option<OffsetDateTime>,
    /// How many seconds after its scheduled time the run began, if it was late: its timer fired during an outage, or
    /// not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_seconds: Option<u32>,
    /// When its last result came in.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub finished: Option<OffsetDateTime>,
    /// The time between start and last result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// Its numbers, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// The transient failures that the run retries, while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried_again: Option<TriedAgain>,
    /// Losses that this run or an earlier one found, which are neither reversed nor acknowledged.
    pub losses: Vec<Loss>,
    /// The vault's change of location that this run or an earlier one found, and that is not acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// The part that is not secret of the run's first backup of an unknown form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_form: Option<Clear>,
    /// With how many of its backups missing it was copied into the second place; absent where none was, and in the first place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copied_without: Option<u32>,
    /// Facts that only the backup of a whole Managed HSM has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hsm: Option<HsmRun>,
    /// The address of the run.
    #[schema(example = "/api/backups/runs/20261122T020000Z-nightly")]
    pub link: String,
}

impl RunItem {
    /// A run with nothing but its name, source, state and start.
    pub fn new(source: &SourceName, run: &RunId, state: RunState, started: Option<OffsetDateTime>) -> Self {
        Self {
            run: run.to_string(),
            source: source.to_string(),
            state,
            scope: None,
            started,
            late_seconds: None,
            finished: None,
            duration_seconds: None,
            numbers: None,
            tried_again: None,
            losses: Vec::new(),
            moved: None,
            unknown_form: None,
            copied_without: None,
            hsm: None,
            link: run_path(run),
        }
    }

    /// An open run.
    pub fn open(job: &BackupJob) -> Self {
        let (late_seconds, tried_again) = (job.run.late(job.opened), job.tried_again().map(Into::into));
        let run = Self::new(&job.vault, &job.run, RunState::Running, Some(job.opened));
        Self { late_seconds, tried_again, ..run }
    }

    /// An ended run.
    pub fn closed(source: &SourceName, of: &Summary) -> Self {
        Self {
            scope: Some(of.scope.into()),
            late_seconds: of.late,
            finished: Some(of.finished),
            duration_seconds: Some((of.finished - of.planned).whole_seconds()),
            numbers: Some((&of.numbers).into()),
            losses: of.losses.iter().map(Into::into).collect(),
            moved: of.moved.as_deref().map(Into::into),
            unknown_form: of.unknown_form.as_deref().map(Into::into),
            ..Self::new(source, &of.run, of.verdict.into(), Some(of.planned))
        }
    }
}

impl From<Run> for RunItem {
    fn from(run: Run) -> Self {
        match run {
            Run::Open(job) => Self::open(&job),
            Run::Closed(source, found) => match &found.summary {
                Some(summary) => Self::closed(&source, summary),
                None => Self::new(&source, &found.run, RunState::Unreadable, found.run.occurrence()),
            },
        }
    }
}

impl From<sources::Run> for RunItem {
    fn from(run: sources::Run) -> Self {
        match run {
            sources::Run::Objects(run) => (*run).into(),
            sources::Run::Hsm(run) => (&run).into(),
        }
    }
}

/// Runs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Runs {
    /// The runs.
    pub runs: Vec<RunItem>,
    /// The token for the next page, if there is one.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A run, in every source that has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunDetail {
    /// The run's name.
    #[schema(example = "20261122T020000Z-nightly")]
    pub run: String,
    /// The run in each source. Their `objects` come in pages, in the order of the sources.
    pub sources: Vec<RunInSource>,
    /// The token for the next objects, if there are more.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl RunDetail {
    /// The run in each of these sources, in their order, with at most `limit` objects after `after`.
    pub fn new(run: &RunId, reports: Vec<Report>, after: Option<&Mark>, limit: usize) -> Self {
        let (mut left, mut last, mut more) = (limit, None, false);
        let mut shown = Vec::new();
        for report in reports {
            let source = report.source().clone();
            let (from, most) = match after {
                Some(mark) if source < mark.vault => (None, None),
                Some(mark) if source == mark.vault => (Some(&mark.id), Some(left)),
                _ => (None, Some(left)),
            };
            let (part, page) = RunInSource::page(report, from, most.unwrap_or_default());
            left -= part.objects.len();
            last = page.last.map(|id| Mark { vault: source, id }).or(last);
            more |= page.more && most.is_some();
            shown.push(part);
        }
        let after = last.filter(|_| more).map(|mark| Token(mark).text());
        Self { run: run.to_string(), sources: shown, after }
    }

    /// The seconds until the run is worth another request. `None` once it has ended in every source.
    pub fn wait(&self, now: OffsetDateTime) -> Option<u32> {
        self.sources.iter().filter_map(|of| of.wait(now)).min()
    }
}
