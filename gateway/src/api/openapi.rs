//! The API's description in OpenAPI 3.1, from the handlers' own declarations.

use std::sync::{Arc, LazyLock};

use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{self, Access};
use super::problem::Problem;
use super::{
    approval_events, approvals, audit, contents, health, keeping, live, lockouts, login, proofs, rdp_files,
    recordings, session_events, sessions, targets, tickets, users, viewing, views, webhooks,
};
use crate::gateway::Gateway;

/// What is not said by the handlers.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Passerelle",
        description = "Tickets, sessions, recordings and the audit log of a remote-support gateway.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Problem))
)]
struct Description;

/// Every route with its description.
pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    let resources = OpenApiRouter::new()
        .merge(login::routes())
        .merge(tickets::routes())
        .merge(rdp_files::routes())
        .merge(approvals::routes())
        .merge(approval_events::routes())
        .merge(sessions::routes())
        .merge(session_events::routes())
        .merge(targets::routes())
        .merge(recordings::routes())
        .merge(recordings::access_routes())
        .merge(viewing::routes())
        .merge(contents::routes())
        .merge(keeping::routes())
        .merge(views::routes())
        .merge(live::routes())
        .merge(audit::routes())
        .merge(proofs::routes())
        .merge(users::routes())
        .merge(lockouts::routes())
        .merge(webhooks::routes())
        .merge(health::status_routes())
        .routes(routes!(openapi));
    OpenApiRouter::with_openapi(Description::openapi()).merge(health::routes()).nest("/api/v1", resources)
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "health",
    responses((status = 200, description = "OpenAPI 3.1", body = Value)))]
async fn openapi() -> impl IntoResponse {
    static TEXT: LazyLock<String> = LazyLock::new(text);
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str())
}

/// The description as it is served and kept in `openapi.json`.
pub(super) fn text() -> String {
    let (_, description) = routes().split_for_parts();
    let mut document = serde_json::to_value(description).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({ "token": { "type": "http", "scheme": "bearer" } });
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            complete(path, method, operation);
        }
    }
    format!("{document:#}\n")
}

/// Adds to an operation what holds for all: what it asks of the caller, and how it refuses.
fn complete(path: &str, method: &str, operation: &mut Value) {
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap_or_default();
    let security = match access::needed(&method, path) {
        Some(Access::Anybody) => json!([]),
        Some(Access::Takes(scope)) => json!([{ "token": [scope.name()] }]),
        Some(Access::TakesOne(scopes)) => {
            scopes.iter().map(|scope| json!({ "token": [scope.name()] })).collect()
        }
        Some(Access::Someone | Access::Owner) | None => json!([{ "token": [] }]),
    };
    operation["security"] = security;
    operation["responses"]["default"] = json!({
        "description": "Why not (RFC 9457)",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
}
