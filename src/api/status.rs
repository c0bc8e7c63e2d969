//! `/api/status`: is everything well?

use axum::{Json, extract::State};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    hsms::HsmStatus,
    input::{Nothing, Parameters},
    openapi::Problems,
    problem::{Problem, ProblemBody},
    runs::{RunItem, RunObject},
};
use crate::{
    app::SharedApp,
    clock::Clock,
    domain::manifest::Summary,
    look::{
        hsms,
        vaults::{self, Doing, Known, Newest},
    },
};

/// The most failing objects of a source that are named.
const MOST_FAILING: usize = 100;

/// How everything is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether every vault and HSM is well.
    ok: bool,
    /// When this was looked up.
    #[serde(with = "time::serde::rfc3339")]
    now: OffsetDateTime,
    /// How old the newest run that covers a source may be.
    #[schema(example = 93600)]
    expected_interval_seconds: i64,
    /// Every configured vault.
    sources: Vec<SourceStatus>,
    /// Every configured Managed HSM.
    hsms: Vec<HsmStatus>,
}

/// How a source is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// Whether it is not overdue, nothing in it fails, and everything in it can be listed.
    ok: bool,
    /// Whether the newest run that covers it is older than expected, or there is none. Objects that fail on their
    /// own do not make it overdue: they stand under `failing`.
    overdue: bool,
    /// The newest run of the whole source that covers it: every kind was listed, and what the run could not back up
    /// is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_success: Option<Success>,
    /// The newest run of the whole source.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<RunItem>,
    /// Objects whose newest backup could not be taken.
    failing: Failing,
    /// Runs that have not ended.
    running: Vec<RunItem>,
    /// Why nothing else is known, when the source's catalogue cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

/// A run that covers its source.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Success {
    /// The run's name.
    #[schema(example = "20261122T020000Z-nightly")]
    run: String,
    /// What is backed up is at least as new as this.
    #[serde(with = "time::serde::rfc3339")]
    as_of: OffsetDateTime,
    /// How long ago that was.
    age_seconds: i64,
}

/// Objects that fail.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Failing {
    /// How many there are.
    total: usize,
    /// The first hundred.
    objects: Vec<RunObject>,
}

/// How every source is: newest success, overdue or not, what fails, what runs.
#[utoipa::path(
    get,
    path = "/api/status",
    tag = "status",
    operation_id = "getStatus",
    responses((status = 200, description = "`ok` says whether it is well", body = Status), Problems)
)]
pub async fn status(State(app): State<SharedApp>, _: Parameters<Nothing>) -> Result<Json<Status>, Problem> {
    let now = Clock::system().now();
    let source = |doing| SourceStatus::new(doing, app.interval(), now);
    let sources: Vec<_> = vaults::all(&app, MOST_FAILING).await?.into_iter().map(source).collect();
    let hsm = |doing| HsmStatus::new(doing, app.interval(), now);
    let hsms: Vec<_> = hsms::all(&app).await?.into_iter().map(hsm).collect();
    Ok(Json(Status {
        ok: sources.iter().all(|source| source.ok) && hsms.iter().all(HsmStatus::is_ok),
        now: now.replace_nanosecond(0).unwrap_or(now),
        expected_interval_seconds: app.interval().whole_seconds(),
        sources,
        hsms,
    }))
}

impl SourceStatus {
    fn new(doing: Doing, interval: time::Duration, now: OffsetDateTime) -> Self {
        let Doing { vault, open, known } = doing;
        let (known, problem) = match known {
            Ok(known) => (known, None),
            Err(error) => (Known::default(), Some(Problem::from(error).into())),
        };
        let Newest { last, covering } = known.newest;
        let overdue = covering.as_ref().is_none_or(|run| now - run.planned > interval);
        let listed = last.as_ref().is_some_and(|last| last.numbers.unlisted.is_empty());
        Self {
            source: vault.to_string(),
            ok: problem.is_none() && !overdue && listed && known.failing_total == 0,
            overdue,
            newest_success: covering.map(|run| Success::new(&run, now)),
            last_run: last.map(|last| RunItem::closed(&vault, &last)),
            failing: Failing {
                total: known.failing_total,
                objects: known.failing.iter().map(Into::into).collect(),
            },
            running: open.iter().map(RunItem::open).collect(),
            problem,
        }
    }
}

impl Success {
    fn new(of: &Summary, now: OffsetDateTime) -> Self {
        Self::at(of.run.to_string(), of.planned, now)
    }

    /// A run whose backups show the state at a time.
    pub fn at(run: String, as_of: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self { run, as_of, age_seconds: (now - as_of).whole_seconds() }
    }
}
