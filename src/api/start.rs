//! `POST /api/backups`: starts a backup.

use axum::{
    Extension, Json,
    extract::State,
    http::{
        StatusCode,
        header::{LOCATION, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
};

use super::{
    input::{HsmOr, Nothing, Parameters, configured},
    restores::hsm,
    shapes::{
        backup_request::{AnyBackupOrder, BackupOrder, HsmOrder, Started},
        links::run_path,
        problem::{BodyProblems, Problem, ProblemKind, Problems, TooMany},
    },
};
use crate::{
    app::{App, SharedApp},
    backup::ask,
    clock::Clock,
    domain::{actor::Actor, run::RunId, source::SourceName},
    hsm::start as hsm_start,
    query::passes,
};

/// The maximum number of objects in one request.
const MOST_OBJECTS: usize = 1000;

/// `Retry-After` of a new run, in seconds: open runs are reconciled every minute.
const LOOK_AFTER_SECONDS: &str = "60";

/// Backs up a vault, some of its objects, or a Managed HSM now. Repeating the request starts a second run, which is
/// harmless.
#[utoipa::path(
    post,
    path = "/backups",
    tag = "backups",
    operation_id = "startBackup",
    request_body = AnyBackupOrder,
    responses(
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
    order: HsmOr<HsmOrder, BackupOrder>,
) -> Result<Response, Problem> {
    let clock = Clock::system();
    let order = match order {
        HsmOr::Hsm(order) => {
            hsm::known(&app, &order.hsm)?;
            let job = Box::pin(hsm_start::backup_now(&app, &order.hsm, &by, &clock)).await?;
            return Ok(started(&app, &order.hsm, &job.id).await);
        }
        HsmOr::Other(order) => order,
    };
    configured(&app, &order.vault)?;
    let vault = order.vault;
    let run = match order.objects {
        None if app.is_hsm(&vault) => {
            let detail =
                format!("{vault} is a Managed HSM: name it in `hsm`, or some of its keys in `objects`.");
            return Err(Problem::new(ProblemKind::InvalidBody, detail));
        }
        None => ask::whole_vault(&app, &vault, &by, &clock).await?,
        Some(objects) if (1..=MOST_OBJECTS).contains(&objects.len()) => {
            let objects = objects.into_iter().map(Into::into).collect();
            Box::pin(ask::objects(&app, &vault, objects, &by, &clock)).await?
        }
        Some(_) => {
            let detail = format!("`objects`: expected 1 to {MOST_OBJECTS} objects.");
            return Err(Problem::new(ProblemKind::InvalidBody, detail));
        }
    };
    Ok(started(&app, &vault, &run).await)
}

/// The answer for a run that is recorded. When it cannot be read whether jobs progress, the answer has no warning.
async fn started(app: &App, source: &SourceName, run: &RunId) -> Response {
    let headers = [(LOCATION, run_path(run)), (RETRY_AFTER, LOOK_AFTER_SECONDS.to_owned())];
    let started = Started::new(source, run, passes::warning(app, Clock::system().now()).await);
    (StatusCode::ACCEPTED, headers, Json(started)).into_response()
}
