//! Restores of Managed HSMs: what a caller asks, and what is done with it.

use axum::{
    Json,
    http::{
        StatusCode,
        header::{LOCATION, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    LOOK_AGAIN_SECONDS,
    hsm_plan::HsmPlan,
    hsm_shapes::{AnyPlan, HsmRestore},
};
use crate::{
    api::{
        input::{Moment, optional, required},
        problem::{Problem, ProblemKind},
    },
    app::App,
    clock::Clock,
    domain::{
        digest::Digest,
        hsm::{self, HsmJob, HsmName, HsmRequest, What},
        object::ObjectName,
        run::RunId,
    },
    hsm::start::{self, Start, Submission},
};

/// The most keys of one request.
const KEYS_LIMIT: usize = 1000;

/// What to restore into an HSM: everything, in place of what it holds, or some keys.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "expected an object")]
#[schema(example = json!({ "hsm": "hsm-prod", "keys": ["signing"] }))]
pub struct HsmPlanRequest {
    /// The HSM that is restored into.
    #[serde(deserialize_with = "required")]
    #[schema(value_type = String, pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$", example = "hsm-prod")]
    hsm: HsmName,
    /// The HSM whose backup is restored; the same one when it is left out. Another one must share its security
    /// domain.
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^[A-Za-z][A-Za-z0-9-]{2,23}$")]
    source: Option<HsmName>,
    /// The backup of this run; the newest good one when it is left out.
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = Option<String>, nullable = false, example = "20261122T010000Z-nightly")]
    run: Option<RunId>,
    /// The newest good backup that had ended by this time.
    #[serde(default, deserialize_with = "optional")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    at: Option<Moment>,
    /// Everything: what the HSM holds is replaced.
    #[serde(default)]
    everything: bool,
    /// These keys. The service restores a key only under a free name.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 1000)]
    keys: Vec<KeyName>,
}

/// The name of a key.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct KeyName(#[serde(deserialize_with = "required")] ObjectName);

impl HsmPlanRequest {
    fn request(self) -> Result<HsmRequest, Problem> {
        let invalid = |detail: &str| Err(Problem::new(ProblemKind::InvalidBody, detail));
        if self.keys.is_empty() != self.everything {
            return invalid("Say what to restore: either `everything`, or at least one of `keys`.");
        }
        if self.keys.len() > KEYS_LIMIT {
            return invalid("`keys`: expected at most 1000.");
        }
        if self.run.is_some() && self.at.is_some() {
            return invalid("Say which backup: `run` or `at`, not both.");
        }
        let mut keys: Vec<_> = self.keys.into_iter().map(|KeyName(name)| name).collect();
        keys.sort();
        keys.dedup();
        Ok(HsmRequest {
            source: self.source.unwrap_or_else(|| self.hsm.clone()),
            target: self.hsm,
            run: self.run,
            at: self.at.map(|Moment(at)| at.to_offset(time::UtcOffset::UTC)),
            what: if self.everything { What::All } else { What::Keys(keys) },
        })
    }
}

/// Plans, and keeps the plan under its digest.
pub(super) async fn plan(app: &App, request: HsmPlanRequest) -> Result<AnyPlan, Problem> {
    let request = request.request()?;
    known(app, &request.target)?;
    let clock = Clock::system();
    let plan = crate::hsm::plan(app, &request, &clock).await?;
    let digest = app.jobs()?.keep_hsm_plan(&plan).await?;
    Ok(AnyPlan::Hsm(Box::new(HsmPlan::new(digest, &plan, clock.now()))))
}

/// Refuses an HSM that is not configured.
///
/// # Errors
/// A problem that says how to add one.
pub fn known(app: &App, hsm: &HsmName) -> Result<(), Problem> {
    let unknown = |_| {
        Problem::new(ProblemKind::UnknownSource, format!("{hsm} is not a Managed HSM of this app.")).next(
            "Check the name. To add an HSM, put its URL into the setting KEYVAULT_BACKUP_HSMS and restart the app.",
        )
    };
    app.hsms().get(hsm).map(drop).map_err(unknown)
}

/// Carries a plan out, or says why not.
pub(super) async fn begin(app: &App, submitted: &Submission) -> Result<Response, Problem> {
    match Box::pin(start::restore(app, submitted, &Clock::system())).await? {
        Start::Started(job) => Ok(under_way(&job)),
        Start::Moved(plan) => {
            let detail = "The HSM or its backups have changed since the plan was made; nothing was restored.";
            Err(with_plan(ProblemKind::PlanMoved, detail, &plan))
        }
        Start::NoPlan => Err(no_plan(&submitted.plan)),
        Start::Taken(other) => {
            let detail = format!("The restore {other} is at work on the same HSM.");
            let next = format!("Follow it at /api/restores/{other}; when it has ended, plan again.");
            Err(Problem::new(ProblemKind::TargetTaken, detail).next(next))
        }
        Start::KeyUsed(claim) => Err(super::key_used(&claim)),
        Start::Unconfirmed(hsm) => {
            let next = format!(
                "If that is what you want, send {{\"plan\": \"{}\", \"confirm\": \"{hsm}\"}}.",
                submitted.plan
            );
            Err(Problem::new(ProblemKind::ConfirmationNeeded, hsm::HsmPlan::REPLACES).next(next))
        }
        Start::Hopeless(plan) => {
            let why = plan.obstacle.map_or("nothing in it can be restored", hsm::HsmObstacle::text);
            Err(with_plan(ProblemKind::NotPossible, &format!("Nothing was restored: {why}."), &plan))
        }
    }
}

/// A digest that is no plan's.
pub(super) fn no_plan(digest: &Digest) -> Problem {
    Problem::new(ProblemKind::UnknownPlan, format!("There is no plan {digest}."))
}

fn with_plan(kind: ProblemKind, detail: &str, plan: &hsm::HsmPlan) -> Problem {
    let plan = HsmPlan::new(plan.digest(), plan, Clock::system().now());
    Problem::new(kind, detail).with_plan(AnyPlan::Hsm(Box::new(plan)))
}

fn under_way(job: &HsmJob) -> Response {
    let shown = Json(HsmRestore::from(job));
    if job.ended.is_some() {
        return shown.into_response();
    }
    let location = format!("/api/restores/{}", job.id);
    let headers = [(LOCATION, location), (RETRY_AFTER, LOOK_AGAIN_SECONDS.to_string())];
    (StatusCode::ACCEPTED, headers, shown).into_response()
}
