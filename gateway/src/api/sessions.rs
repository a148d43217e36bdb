//! Running sessions.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use passerelle_desktop::Blackout;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{Page, Part};
use super::principal::Principal;
use super::problem::Problem;
use crate::blackouts::{BlackoutRefused, parse_whose};
use crate::gateway::Gateway;
use crate::orders::{KillError, Located, PermissionsError, Sessions};
use crate::tickets::bounded_reason;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(kill))
        .routes(routes!(set_permissions))
        .routes(routes!(begin_blackout, end_blackout))
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

/// Why the recording shall keep nothing of the screen.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlackoutRequest {
    /// Why: one line. It stays in the recording and in the audit log.
    pub(crate) reason: String,
    /// Whose privacy it is for: `technician` or `user`, the person who is helped.
    #[serde(rename = "for", default = "technician")]
    pub(crate) whose: String,
}

fn technician() -> String {
    "technician".to_owned()
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

/// Have the recording keep nothing of the screen, of keys and of the clipboard, until that is deleted or as long as
/// `recording.blackout_max` says. Technicians may for their own sessions.
#[utoipa::path(put, path = "/sessions/{id}/blackout", tag = "sessions", request_body = BlackoutRequest,
    params(("id" = String, Path, description = "The session's `id`")),
    responses((status = 200, description = "It has begun", body = Located)))]
async fn begin_blackout(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
    Json(request): Json<BlackoutRequest>,
) -> Result<Json<Located>, Problem> {
    blackable(&gateway, &principal, &id).await?;
    let reason = bounded_reason(Some(request.reason.trim().to_owned()))
        .map_err(|error| Problem::unprocessable("reason", error))?
        .filter(|reason| !reason.is_empty())
        .ok_or_else(|| Problem::unprocessable("reason", "say why nothing shall be kept"))?;
    let whose = parse_whose(&request.whose)
        .ok_or_else(|| Problem::unprocessable("for", "`for` is `technician` or `user`"))?;
    let asked = Blackout { whose, by: principal.by(), reason };
    gateway.begin_blackout(&id, asked).await?.map(Json).ok_or_else(|| unknown(&id))
}

/// Have the recording keep everything again.
#[utoipa::path(delete, path = "/sessions/{id}/blackout", tag = "sessions",
    params(("id" = String, Path, description = "The session's `id`")),
    responses((status = 200, description = "It keeps everything from now on", body = Located)))]
async fn end_blackout(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Located>, Problem> {
    blackable(&gateway, &principal, &id).await?;
    gateway.end_blackout(&id, &principal.by()).await?.map(Json).ok_or_else(|| unknown(&id))
}

/// Whether there is such a session, and the caller may begin and end blackouts of it.
async fn blackable(gateway: &Gateway, principal: &Principal, id: &str) -> Result<(), Problem> {
    let session = visible(gateway, principal, id).await?;
    if principal.may_black_out(session.technician()) {
        return Ok(());
    }
    Err(Problem::forbidden("in sessions of others this takes the scope sessions:write"))
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

impl From<BlackoutRefused> for Problem {
    fn from(error: BlackoutRefused) -> Self {
        match error {
            BlackoutRefused::Audit(error) => error.into(),
            BlackoutRefused::Store(error) => error.into(),
            BlackoutRefused::NotAllowed => Self::forbidden(error),
            BlackoutRefused::None => Self::not_found(error),
            error => Self::new(StatusCode::CONFLICT, "blackout", error),
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
