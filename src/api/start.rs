//! `POST /api/backups`: a backup now.

use axum::{
    Extension, Json,
    extract::State,
    http::{
        StatusCode,
        header::{LOCATION, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    input::{HsmOr, Nothing, Parameters, configured, present, required},
    openapi::{BodyProblems, Problems, TooMany},
    problem::{Problem, ProblemKind},
    restores::hsm,
    runs::Links,
    shapes::{Kind, State as RunState, job_id, run_path},
};
use crate::{
    app::{App, SharedApp},
    backup::ask,
    clock::Clock,
    domain::{
        actor::Actor,
        hsm::HsmName,
        object::{ObjectId, ObjectName, VaultName},
        run::RunId,
    },
    hsm::start as hsm_start,
    query::passes,
};

/// The most objects of one request.
const MOST_OBJECTS: usize = 1000;

/// When to look at the run for the first time, in seconds: open runs are looked at every minute.
const LOOK_AFTER_SECONDS: &str = "60";

/// What to back up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
#[schema(example = json!({ "vault": "kv-prod", "objects": [{ "kind": "secret", "name": "db-password" }] }))]
pub struct BackupOrder {
    /// The vault's name.
    #[serde(deserialize_with = "required")]
    #[schema(value_type = String, pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$")]
    vault: VaultName,
    /// These objects, changed or not. Without it, the whole vault, as in the night.
    // A null is refused: it may be a list that went missing on its way here, and not a wish for everything.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_items = 1, max_items = 1000)]
    objects: Option<Vec<OrderedObject>>,
}

/// A whole Managed HSM to back up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
#[schema(example = json!({ "hsm": "hsm-prod" }))]
pub struct HsmOrder {
    /// The HSM's name.
    #[serde(deserialize_with = "required")]
    #[schema(value_type = String, pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$")]
    hsm: HsmName,
}

/// What to back up: a vault or some of its objects, or, with `hsm`, a whole Managed HSM.
// Only described by this: `HsmOr` decodes it, and names the field at fault.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum AnyBackupOrder {
    /// A vault.
    Vault(BackupOrder),
    /// An HSM.
    Hsm(HsmOrder),
}

/// An object to back up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
pub struct OrderedObject {
    /// Its kind.
    kind: Kind,
    /// Its name.
    #[serde(deserialize_with = "required")]
    #[schema(value_type = String, pattern = "^[A-Za-z0-9-]{1,127}$")]
    name: ObjectName,
}

impl From<OrderedObject> for ObjectId {
    fn from(object: OrderedObject) -> Self {
        Self::new(object.kind.into(), object.name)
    }
}

/// A run that was started.
#[derive(Debug, Serialize, ToSchema)]
pub struct Started {
    /// The run's name.
    #[schema(example = "20261122T101500Z-manual-1a2b")]
    run: String,
    /// The job's name.
    #[schema(example = "kv-prod_20261122T101500Z-manual-1a2b")]
    job: String,
    /// The source.
    #[schema(example = "kv-prod")]
    source: String,
    /// Always `Running`.
    state: RunState,
    /// Where to look.
    links: Links,
    /// What keeps it from beginning for now, where that is known: nothing moves jobs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// Backs up a vault, some of its objects, or a Managed HSM now. A second request for the same is a second run, and harmless.
#[utoipa::path(
    post,
    path = "/api/backups",
    tag = "backups",
    operation_id = "startBackup",
    request_body = AnyBackupOrder,
    responses(
        (status = 202, description = "It is on record and will be done", body = Started, headers(
            ("Location" = String, description = "The run"),
            ("Retry-After" = u32, description = "When to look at it, in seconds"),
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
            return Ok(started(&app, order.hsm.as_vault(), &job.id).await);
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

async fn started(app: &App, source: &VaultName, run: &RunId) -> Response {
    let headers = [(LOCATION, run_path(run)), (RETRY_AFTER, LOOK_AFTER_SECONDS.to_owned())];
    let started = Started {
        run: run.to_string(),
        job: job_id(source, run),
        source: source.to_string(),
        state: RunState::Running,
        links: Links::new(source, run),
        warning: warning(app).await,
    };
    (StatusCode::ACCEPTED, headers, Json(started)).into_response()
}

/// The run is on record: that this cannot be looked up is no reason to refuse it.
async fn warning(app: &App) -> Option<String> {
    let passes = passes::passes(app, Clock::system().now()).await.ok()?;
    passes.stands_still.then(|| passes::words(passes.last))
}
