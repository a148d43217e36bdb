//! Whether the gateway lives, and whether it takes sessions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use crate::ambient;
use crate::gateway::Gateway;

/// At the root, where those who ask for them expect them.
pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
}

/// In the API.
pub(super) fn status_routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(status))
}

/// Whether the process answers at all.
#[utoipa::path(get, path = "/healthz", tag = "health",
    responses((status = 200, description = "It does", content_type = "text/plain", body = String)))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether sessions can begin here: the gateway is not about to stop, and its store answers.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, description = "They can", content_type = "text/plain", body = String)))]
async fn readyz(State(gateway): State<Arc<Gateway>>) -> Result<&'static str, Problem> {
    let not_ready = |why: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", why);
    if gateway.stopping.is_cancelled() {
        return Err(not_ready("the gateway is about to stop"));
    }
    match gateway.store.since(ambient::now()).await {
        Ok(_) => Ok("ready\n"),
        Err(error) => Err(not_ready(&error.to_string())),
    }
}

/// What the gateway is doing.
#[derive(Serialize, Deserialize, ToSchema)]
struct Status {
    version: String,
    /// Running sessions of this node.
    sessions: usize,
    /// Connections that are not logged in.
    pre_auth_connections: usize,
}

/// Show what the gateway is doing.
#[utoipa::path(get, path = "/status", tag = "health", responses((status = 200, description = "This", body = Status)))]
async fn status(State(gateway): State<Arc<Gateway>>) -> Json<Status> {
    Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sessions: gateway.registry.all().len(),
        pre_auth_connections: gateway.room.len(),
    })
}

/// What Prometheus reads.
pub(super) async fn metrics(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let lags = gateway.webhooks.lags(*gateway.audit.written().borrow());
    gateway.metrics.renders(gateway.views.running());
    ([(CONTENT_TYPE, kind)], gateway.metrics.text(&gateway.registry, gateway.room.len(), lags))
}
