//! `/api/backups/runs`: how runs went, and starting one.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::{
    forms::Clear,
    hsms::HsmRun,
    input::{Limit, Nothing, Parameters, Segments, configured, optional},
    locations::Moved,
    openapi::Problems,
    problem::{Problem, ProblemKind},
    shapes::{Loss, Numbers, Scope, State as RunState, TriedAgain, job_path, run_path},
};
use crate::{
    app::SharedApp,
    domain::{hsm::HsmName, job::BackupJob, manifest::Summary, object::VaultName, run::RunId},
    query::{
        hsms,
        runs::{self, Run},
    },
};

mod detail;

pub use self::detail::{LateKind, Progress, RunInSource, RunObject, UnlistedKind};

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
    /// How many seconds after its schedule asked for it the run was begun, if that was late: its timer fired into an
    /// outage, or not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_seconds: Option<u32>,
    /// When its last result came in.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub finished: Option<OffsetDateTime>,
    /// The time between the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// Its numbers, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// What it has met that may pass and tries again, while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried_again: Option<TriedAgain>,
    /// Many objects that were gone at once, in this run or an earlier one, and are neither back nor acknowledged.
    pub losses: Vec<Loss>,
    /// That the vault lies elsewhere than it did, as this run or an earlier one saw, and nobody acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// What may be shown of the first of its backups whose form was not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_form: Option<Clear>,
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
            late_seconds: None,
            finished: None,
            duration_seconds: None,
            numbers: None,
            tried_again: None,
            losses: Vec::new(),
            moved: None,
            unknown_form: None,
            hsm: None,
            link: run_path(run),
        }
    }

    /// A run that is open.
    pub fn open(job: &BackupJob) -> Self {
        let (late_seconds, tried_again) = (job.run.late(job.opened), job.tried_again().map(Into::into));
        let run = Self::new(&job.vault, &job.run, RunState::Running, Some(job.opened));
        Self { late_seconds, tried_again, ..run }
    }

    /// A run that has ended.
    pub fn closed(source: &VaultName, of: &Summary) -> Self {
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
