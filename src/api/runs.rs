//! `/api/backups/runs`: how runs went, and starting one.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::{
    hsms::HsmRun,
    input::{Limit, Nothing, Parameters, Segments, configured, optional},
    openapi::Problems,
    problem::{Problem, ProblemKind},
    shapes::{By, Failure, Kind, Numbers, Scope, State as RunState, job_path, run_path},
};
use crate::{
    app::SharedApp,
    domain::{
        hsm::HsmName,
        job::BackupJob,
        manifest::{Fared, Line, Summary},
        object::VaultName,
        plan::{PlanHeader, Unlisted},
        run::RunId,
    },
    look::{
        hsms,
        runs::{self, Report, Run},
    },
};

/// Which runs, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RunsQuery {
    /// Only this source's.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<String>, nullable = false, pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$", example = "kv-prod")]
    source: Option<VaultName>,
    /// How many at most.
    #[serde(default, deserialize_with = "optional")]
    #[param(value_type = Option<u32>, nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<Limit>,
}

/// A run in one source, in short.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunItem {
    /// The run's name.
    #[schema(example = "20261122T020000Z-nightly")]
    pub run: String,
    /// The source.
    #[schema(example = "kv-prod")]
    pub source: String,
    /// How far it is, or how it ended.
    pub state: RunState,
    /// The whole source or some objects, once it has ended; that it is a Managed HSM, from the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub started: Option<OffsetDateTime>,
    /// When its last result came in.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub finished: Option<OffsetDateTime>,
    /// The time between the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// Its numbers, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// What there is to know of the backup of a whole Managed HSM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hsm: Option<HsmRun>,
    /// The address of the run.
    #[schema(example = "/api/backups/runs/20261122T020000Z-nightly")]
    pub link: String,
}

impl RunItem {
    /// A run of which nothing else is known.
    pub fn new(source: &VaultName, run: &RunId, state: RunState, started: Option<OffsetDateTime>) -> Self {
        Self {
            run: run.to_string(),
            source: source.to_string(),
            state,
            scope: None,
            started,
            finished: None,
            duration_seconds: None,
            numbers: None,
            hsm: None,
            link: run_path(run),
        }
    }

    /// A run that is open.
    pub fn open(job: &BackupJob) -> Self {
        Self::new(&job.vault, &job.run, RunState::Running, Some(job.opened))
    }

    /// A run that has ended.
    pub fn closed(source: &VaultName, of: &Summary) -> Self {
        Self {
            scope: Some(of.scope.into()),
            finished: Some(of.finished),
            duration_seconds: Some((of.finished - of.planned).whole_seconds()),
            numbers: Some((&of.numbers).into()),
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

/// Runs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Runs {
    /// The runs.
    runs: Vec<RunItem>,
}

/// A run in every source that has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunDetail {
    /// The run's name.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// The run in each source.
    sources: Vec<RunInSource>,
}

/// A run in one source, in full.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunInSource {
    /// The run in short.
    #[serde(flatten)]
    item: RunItem,
    /// Who asked for it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    /// How far it has come, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    /// Objects that have a backup as of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    protected: Option<u32>,
    /// Kinds that could not be listed.
    unlisted: Vec<UnlistedKind>,
    /// Every object that failed or disappeared.
    objects: Vec<RunObject>,
}

/// How far a run has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct Progress {
    /// Objects it backs up, once it has a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<usize>,
    /// How many of them had a result when it was last looked at.
    pub done: u32,
}

/// A kind that could not be listed.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnlistedKind {
    /// The kind.
    kind: Kind,
    /// Why.
    failure: Failure,
}

impl From<&Unlisted> for UnlistedKind {
    fn from(unlisted: &Unlisted) -> Self {
        Self { kind: unlisted.kind.into(), failure: (&unlisted.failure).into() }
    }
}

/// An object that has no new backup, and why.
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
    fared: &'static str,
    /// What was said.
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
            fared: if line.fared == Fared::Disappeared { "disappeared" } else { "failed" },
            failure: line.failure.as_ref().map(Into::into),
            last_backup: line.entry.as_ref().map(|entry| entry.taken),
        }
    }
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
            objects: Vec::new(),
        }
    }
}

impl From<Report> for RunInSource {
    fn from(report: Report) -> Self {
        match report {
            Report::Open { job, planned } => Self {
                item: RunItem::open(&job),
                by: job.by.as_ref().map(Into::into),
                progress: Some(Progress { planned, done: job.answered }),
                protected: None,
                unlisted: Vec::new(),
                objects: Vec::new(),
            },
            Report::Closed { header: PlanHeader { vault, by, unlisted, .. }, summary, lines } => Self {
                item: RunItem::closed(&vault, &summary),
                by: by.as_ref().map(Into::into),
                progress: None,
                protected: Some(summary.protected),
                unlisted: unlisted.iter().map(Into::into).collect(),
                objects: lines.iter().map(Into::into).collect(),
            },
        }
    }
}

/// Runs, open and ended, newest first.
#[utoipa::path(
    get,
    path = "/api/backups/runs",
    tag = "backups",
    operation_id = "listRuns",
    params(RunsQuery),
    responses((status = 200, description = "The newest of them", body = Runs), Problems)
)]
pub async fn list(
    State(app): State<SharedApp>,
    Parameters(query): Parameters<RunsQuery>,
) -> Result<Json<Runs>, Problem> {
    if let Some(name) = &query.source {
        configured(&app, name)?;
    }
    let Limit(limit) = query.limit.unwrap_or(Limit::DEFAULT);
    let only = query.source.as_ref();
    let of_objects = runs::newest(&app, only, limit).await?.into_iter().map(RunItem::from);
    let hsm = only.cloned().map(HsmName::from);
    let of_hsms = hsms::newest(&app, hsm.as_ref(), limit).await?;
    let mut runs: Vec<_> = of_objects.chain(of_hsms.iter().map(RunItem::from)).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.started));
    runs.truncate(limit);
    Ok(Json(Runs { runs }))
}

/// A run: its numbers, how it ended, and what failed, in the service's words.
#[utoipa::path(
    get,
    path = "/api/backups/runs/{id}",
    tag = "backups",
    operation_id = "getRun",
    params(("id" = String, Path, description = "The run's name", example = "20261122T020000Z-nightly")),
    responses((status = 200, description = "The run in every source that has it", body = RunDetail), Problems)
)]
pub async fn one(
    State(app): State<SharedApp>,
    Segments(id): Segments<String>,
    _: Parameters<Nothing>,
) -> Result<Json<RunDetail>, Problem> {
    let unknown = || Problem::new(ProblemKind::NotFound, "No configured source has a run of that name.");
    let run: RunId = id.parse().map_err(|_| unknown())?;
    let mut sources: Vec<RunInSource> =
        runs::reports(&app, &run).await?.into_iter().map(Into::into).collect();
    sources.extend(hsms::runs(&app, &run).await?.iter().map(RunInSource::from));
    if sources.is_empty() {
        return Err(unknown());
    }
    Ok(Json(RunDetail { run: run.to_string(), sources }))
}

/// The addresses of a job and its run.
#[derive(Debug, Serialize, ToSchema)]
pub struct Links {
    /// The run.
    #[schema(example = "/api/backups/runs/20261122T101500Z-manual-1a2b")]
    run: String,
    /// The job.
    #[schema(example = "/api/status/jobs/kv-prod_20261122T101500Z-manual-1a2b")]
    job: String,
}

impl Links {
    /// The addresses of a run in one source.
    pub fn new(source: &VaultName, run: &RunId) -> Self {
        Self { run: run_path(run), job: job_path(source, run) }
    }
}
