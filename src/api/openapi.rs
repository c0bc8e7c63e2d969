//! The API's description, in OpenAPI 3.1. It is made when somebody asks for it.
//!
//! A new endpoint is a handler with `#[utoipa::path]`, its name in the list of `paths` here, and its route
//! in [`super::router`].

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{backups, health, jobs, preflight, problem::ProblemBody, restores, runs, start, status, who};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "keyvault-backup",
        description = "What is backed up, how runs went, backups on request, and restores. JSON throughout; times are RFC 3339 in UTC, spans are whole seconds, sizes are bytes. Backups themselves are never served.",
        license(name = "MIT", identifier = "MIT")
    ),
    paths(
        backups::list,
        backups::history,
        start::start,
        runs::list,
        runs::one,
        status::status,
        preflight::preflight,
        jobs::one,
        restores::plan,
        restores::begin,
        restores::list,
        restores::get,
        restores::abandon,
        health::health,
        serve
    ),
    servers((url = "/", description = "The function app")),
    tags(
        (name = "backups", description = "What is backed up, and backups on request. Function `Backups`."),
        (name = "restores", description = "Restores: plan, carry out, follow. Function `Restores`."),
        (name = "status", description = "Sources, jobs, health. Function `Status`."),
    ),
    security(("functionKey" = []), ("functionKeyInQuery" = []), ("functionKey" = [], "entraId" = [])),
    components(schemas(ProblemBody)),
    modifiers(&Schemes)
)]
struct Api;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut Document) {
        let schemes = document.components.get_or_insert_default();
        let header = ApiKeyValue::with_description(who::KEY_HEADER, "The key of the HTTP function.");
        schemes.add_security_scheme("functionKey", SecurityScheme::ApiKey(ApiKey::Header(header)));
        let query = ApiKeyValue::with_description("code", "The same, where a header cannot be sent.");
        schemes.add_security_scheme("functionKeyInQuery", SecurityScheme::ApiKey(ApiKey::Query(query)));
        let roles = who::Right::ALL.map(who::Right::role).join(", ");
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
            format!("A token from Microsoft Entra ID with app roles ({roles}), where the platform's authentication is on."),
        ));
        schemes.add_security_scheme("entraId", SecurityScheme::Http(bearer.build()));
    }
}

/// The problems that every endpoint may answer with.
#[derive(IntoResponses)]
pub enum Problems {
    /// A parameter or the body cannot be used; the detail names it.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(ProblemBody),
    /// No function key, or the wrong one (then the host answers, without a body); or nobody is signed in.
    #[response(
        status = 401,
        content_type = "application/problem+json",
        headers(("WWW-Authenticate" = String, description = "`Bearer`, when it is this program that answers"))
    )]
    NotAuthenticated(ProblemBody),
    /// The caller lacks the app role.
    #[response(status = 403, content_type = "application/problem+json")]
    MissingRole(ProblemBody),
    /// There is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// The method is not served there.
    #[response(
        status = 405,
        content_type = "application/problem+json",
        headers(("Allow" = String, description = "The methods that are served"))
    )]
    MethodNotAllowed(ProblemBody),
    /// It cannot be done as things are.
    #[response(status = 409, content_type = "application/problem+json")]
    NotPossible(ProblemBody),
    /// Something stored is damaged or newer than this program, or this program has a defect.
    #[response(status = 500, content_type = "application/problem+json")]
    Broken(ProblemBody),
    /// An Azure service refused for good.
    #[response(status = 502, content_type = "application/problem+json")]
    ServiceRefused(ProblemBody),
    /// An Azure service does not answer, or it took too long.
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "When to try again, in seconds"))
    )]
    ServiceUnavailable(ProblemBody),
}

/// The problem of a selection.
#[derive(IntoResponses)]
pub enum SelectionProblem {
    /// Nothing matches what is asked for. The detail names what there is: recovery points, the nearest names, or the
    /// sources of which there are backups.
    #[response(status = 422, content_type = "application/problem+json")]
    Nothing(ProblemBody),
}

/// The problem of endpoints that open jobs.
#[derive(IntoResponses)]
pub enum TooMany {
    /// The caller has as many open jobs as it may have.
    #[response(
        status = 429,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "When to try again, in seconds"))
    )]
    TooMany(ProblemBody),
}

/// The problems of endpoints with a body.
#[derive(IntoResponses)]
pub enum BodyProblems {
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// The body is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(ProblemBody),
}

/// The document.
pub fn document() -> Document {
    Api::openapi()
}

/// This description of the API. Needs no app role.
#[utoipa::path(
    get,
    path = "/api/status/openapi.json",
    tag = "status",
    operation_id = "getOpenApi",
    responses((status = 200, description = "An OpenAPI 3.1 document", body = serde_json::Value), Problems)
)]
pub async fn serve() -> Response {
    Json(document()).into_response()
}
