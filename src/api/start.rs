//! `POST /api/backups`: starts a backup.

use axum::{Extension, extract::State, response::Response};

use super::{
    input::{JsonBody, Nothing, Parameters, known},
    restores::hsm,
    running,
    shapes::{
        backup_request::{AnyBackupOrder, Field, OrderFields, Started},
        links::run_path,
        problem::{BodyProblems, Problem, ProblemKind, Problems, TooMany},
        wait::wait,
    },
};
use crate::{
    app::{App, SharedApp},
    backup::ask::{self, Asked},
    clock::Clock,
    domain::{actor::Actor, object::ObjectId, run::RunId, source::SourceName},
    hsm::start as hsm_start,
    query::passes,
};

/// The maximum number of objects in one request.
const MOST_OBJECTS: usize = 1000;

/// Backs up a vault, some of its objects, or a Managed HSM now.
///
/// Up to five objects are backed up within the request, if the vault answers in time: then the answer says how the run
/// ended. Repeating the request starts a second run, which is harmless.
#[utoipa::path(
    post,
    path = "/backups",
    tag = "backups",
    operation_id = "startBackup",
    request_body = AnyBackupOrder,
    responses(
        (status = 200, description = "The run has ended", body = Started, headers(
            ("Location" = String, description = "The run"),
        )),
        (status = 202, description = "The run is recorded and will be carried out", body = Started, headers(
            ("Location" = String, description = "The run"),
            ("Retry-After" = u32, description = "When to query it, in seconds"),
        )),
        Problems,
        BodyProblems,
        TooMany
    )
)]
pub async fn start(
    State(app): State<SharedApp>,
    Extension(by): Extension<Actor>,
    _: Parameters<Nothing>,
    JsonBody(order): JsonBody<OrderFields>,
) -> Result<Response, Problem> {
    let clock = Clock::system();
    let order = order.order()?;
    if order.field == Field::Hsm {
        hsm::known(&app, order.source.name())?;
    }
    let vault = known(&app, &order.source)?;
    let whole = order.field == Field::Source && order.objects.is_none() && app.is_hsm(&vault);
    if whole || order.field == Field::Hsm {
        let job = Box::pin(hsm_start::backup_now(&app, &vault, &by, &clock)).await?;
        return Ok(hsm_under_way(&app, &vault, &job.id).await);
    }
    let count = order.objects.as_ref().map(Vec::len);
    if count.is_some_and(|count| !(1..=MOST_OBJECTS).contains(&count)) {
        let detail = format!("`objects`: expected 1 to {MOST_OBJECTS} objects.");
        return Err(Problem::new(ProblemKind::InvalidBody, detail));
    }
    let objects = order.objects.map(|objects| objects.into_iter().map(ObjectId::from).collect());
    match Box::pin(ask::backup(&app, &vault, objects, &by, &clock)).await? {
        Asked::Open(run) => Ok(under_way(&app, &vault, &run, count).await),
        Asked::Closed { summary, failures } => {
            let ended = Started::ended(&vault, &summary, failures);
            Ok(running::begun(&run_path(&summary.run), ended, None))
        }
        Asked::OfHsm => {
            let detail =
                format!("{vault} is a Managed HSM: name it in `source`, or some of its keys in `objects`.");
            Err(Problem::new(ProblemKind::InvalidBody, detail))
        }
    }
}

/// The answer for a run that is under way, with so many objects if that is known. When it cannot be read whether jobs
/// progress, the answer has no warning.
async fn under_way(app: &App, source: &SourceName, run: &RunId, objects: Option<usize>) -> Response {
    let now = Clock::system().now();
    let started = Started::running(source, run, passes::warning(app, now).await);
    running::begun(&run_path(run), started, Some(wait(objects, run.occurrence(), now)))
}

/// As [`under_way`], for the backup of a whole HSM.
async fn hsm_under_way(app: &App, hsm: &SourceName, run: &RunId) -> Response {
    let now = Clock::system().now();
    let started = Started::of_hsm(hsm, run, passes::warning(app, now).await);
    running::begun(&run_path(run), started, Some(wait(None, run.occurrence(), now)))
}
