//! The API's description, in OpenAPI 3.1. It is built on request, so that it costs no memory otherwise.
//!
//! A new endpoint is a handler with `#[utoipa::path]`, and its name in `super::routes`.

use axum::Json;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    shapes::problem::{ProblemBody, Problems},
    who,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "keyvault-backup",
        description = "What is backed up, how runs went, backups on request, and restores. JSON, apart from pages and numbers for other readers; times are RFC 3339 in UTC, spans are whole seconds, sizes are bytes. Backups themselves are never served.",
        contact(name = "The administrators of this function app"),
        license(name = "MIT", identifier = "MIT")
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
        let query = ApiKeyValue::with_description(
            "code",
            "The key of the HTTP function, for clients that cannot send a header.",
        );
        schemes.add_security_scheme("functionKeyInQuery", SecurityScheme::ApiKey(ApiKey::Query(query)));
        let roles = who::Right::ALL.map(|right| right.roles().join(", ")).join(", ");
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
            format!("A token from Microsoft Entra ID with app roles ({roles}), where the platform's authentication is on."),
        ));
        schemes.add_security_scheme("entraId", SecurityScheme::Http(bearer.build()));
    }
}

/// Builds the document.
pub fn document() -> Document {
    OpenApiRouter::with_openapi(Api::openapi()).nest("/api", super::routes()).into_openapi()
}

/// This description of the API.
///
/// Needs no app role.
#[utoipa::path(
    get,
    path = "/status/openapi.json",
    tag = "status",
    operation_id = "getOpenApi",
    responses((status = 200, description = "An OpenAPI 3.1 document", body = serde_json::Value), Problems)
)]
pub async fn serve() -> Json<Document> {
    Json(document())
}
