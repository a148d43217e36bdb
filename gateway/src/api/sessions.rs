//! Running sessions.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{Page, Part};
use super::principal::Principal;
use super::problem::Problem;
use crate::gateway::Gateway;
use crate::orders::{KillError, Located, PermissionsError, Sessions};

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(kill))
        .routes(routes!(set_permissions))
}

/// Which sessions are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only this technician's.
    technician: Option<String>,
    /// Only on this target.
    target: Option<String>,
}

/// Why a session shall end.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KillRequest {
    /// Goes to the audit log.
    pub(crate) reason: Option<String>,
}

/// What shall be allowed in a session.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PermissionsRequest {
    /// All that the technician may do from now on.
    pub(crate) permissions: Vec<String>,
}

/// A part of the running sessions.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SessionPage {
    #[serde(flatten)]
    pub(crate) page: Page<Located>,
    /// Why sessions of other nodes are not among them; absent when they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) incomplete: Option<String>,
}

/// List running sessions, on whichever node, oldest first. Technicians see their own.
#[utoipa::path(get, path = "/sessions", tag = "sessions", params(Filter, Part),
    responses((status = 200, description = "The sessions", body = SessionPage)))]
async fn list(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Query(filter): Query<Filter>,
    Query(part): Query<Part>,
) -> Result<Json<SessionPage>, Problem> {
    let Sessions { all: mut sessions, missing } = gateway.sessions().await;
    sessions.retain(|session| {
        principal.sees(session.technician())
            && filter.technician.as_ref().is_none_or(|name| name == session.technician())
            && filter.target.as_ref().is_none_or(|name| name == session.target())
    });
    let page = part.of(sessions, |session| session.id().to_string())?;
    let incomplete = missing.map(|error| format!("sessions of other nodes are not known: {error}"));
    Ok(Json(SessionPage { page, incomplete }))
}

/// Show a session.
#[utoipa::path(get, path = "/sessions/{id}", tag = "sessions",
    params(("id" = String, Path, description = "The session's `id`")),
    responses((status = 200, description = "The session", body = Located)))]
async fn show(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Located>, Problem> {
    visible(&gateway, &principal, &id).await.map(Json)
}

/// End a session.
#[utoipa::path(post, path = "/sessions/{id}/kill", tag = "sessions", request_body = KillRequest,
    params(("id" = String, Path, description = "The session's `id`")),
    responses((status = 200, description = "It ends", body = Located)))]
async fn kill(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
    Json(request): Json<KillRequest>,
) -> Result<Json<Located>, Problem> {
    visible(&gateway, &principal, &id).await?;
    let ended = gateway.kill(&id, &principal.by(), request.reason).await?;
    ended.map(Json).ok_or_else(|| unknown(&id))
}

/// Change what may be done in a session, within what the rules grant.
#[utoipa::path(post, path = "/sessions/{id}/permissions", tag = "sessions", request_body = PermissionsRequest,
    params(("id" = String, Path, description = "The session's `id`")),
    responses((status = 200, description = "It has these permissions from now on", body = Located)))]
async fn set_permissions(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
    Json(request): Json<PermissionsRequest>,
) -> Result<Json<Located>, Problem> {
    visible(&gateway, &principal, &id).await?;
    let changed = gateway.set_permissions(&id, &request.permissions, &principal.by()).await?;
    changed.map(Json).ok_or_else(|| unknown(&id))
}

/// The session, if there is one of this name that may be shown to the caller.
async fn visible(gateway: &Gateway, principal: &Principal, id: &str) -> Result<Located, Problem> {
    let session = gateway.session(id).await?;
    session.filter(|session| principal.sees(session.technician())).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Problem {
    let id: String = id.chars().take(40).collect();
    Problem::not_found(format_args!("no session {id} runs; `passerelle sessions list` shows those that do"))
}

impl From<KillError> for Problem {
    fn from(error: KillError) -> Self {
        match error {
            KillError::Audit(error) => error.into(),
            KillError::Store(error) => error.into(),
        }
    }
}

impl From<PermissionsError> for Problem {
    fn from(error: PermissionsError) -> Self {
        match error {
            PermissionsError::Audit(error) => error.into(),
            PermissionsError::Store(error) => error.into(),
            error => Self::unprocessable("permissions", error),
        }
    }
}
