//! The gateway's side of the control socket: HTTP with JSON over a Unix socket that only the owner and
//! root can open.

use std::fs::Permissions as Mode;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path as UrlPath, State, connect_info};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::net::{UnixListener, UnixStream, unix::UCred};
use tokio_util::sync::CancellationToken;

use super::messages::{
    KillRequest, PermissionsRequest, Problem, RdpFileAnswer, RdpFileRequest, RecordingAccess, SessionList,
    TicketAnswer, TicketRequest,
};
use crate::gateway::Gateway;
use crate::orders::{Ordered, PermissionsError};
use crate::session::View;

/// Who is at the other end, as the kernel says.
#[derive(Clone, Debug)]
struct Caller(String);

impl connect_info::Connected<axum::serve::IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: axum::serve::IncomingStream<'_, UnixListener>) -> Self {
        let name = |credentials: UCred| format!("uid {}", credentials.uid());
        Self(UnixStream::peer_cred(stream.io()).map_or_else(|_| "unknown".to_owned(), name))
    }
}

/// Opens the socket. One that an earlier run left behind is replaced; one that a running gateway answers
/// on is not.
///
/// # Errors
/// When the socket is in use or cannot be made.
pub(crate) async fn bind(path: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(path).await.is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another gateway already answers on it"));
    }
    // Made under another name, so that nobody can connect before it is closed to others.
    let unfinished = path.with_extension("new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&unfinished)?;
    std::fs::set_permissions(&unfinished, Mode::from_mode(0o600))?;
    std::fs::rename(unfinished, path)?;
    Ok(listener)
}

/// Answers until `stop`.
pub(crate) async fn serve(gateway: Arc<Gateway>, listener: UnixListener, stop: CancellationToken) {
    let routes = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/tickets", post(issue_ticket))
        .route("/v1/rdp-files", post(make_rdp_file))
        .route("/v1/sessions", get(list_sessions))
        .route("/v1/sessions/{id}", get(show_session))
        .route("/v1/sessions/{id}/kill", post(kill_session))
        .route("/v1/sessions/{id}/permissions", post(set_permissions))
        .route("/v1/audit/recordings", post(note_recording_access))
        .fallback(|| async { Refusal(StatusCode::NOT_FOUND, "there is no such route".to_owned()) })
        .with_state(gateway);
    let service = routes.into_make_service_with_connect_info::<Caller>();
    let served = axum::serve(listener, service).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = served.await {
        tracing::error!(%error, "the control socket failed");
    }
}

/// A refusal with a sentence for the person who asked.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(Problem { error: self.1 })).into_response()
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

async fn status(State(gateway): State<Arc<Gateway>>) -> Json<serde_json::Value> {
    Json(gateway.status())
}

async fn issue_ticket(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    request: Result<Json<TicketRequest>, JsonRejection>,
) -> Result<Json<TicketAnswer>, Refusal> {
    let Json(request) = request?;
    let answer = gateway.issue_ticket(request, &caller.0).await;
    answer.map(Json).map_err(|error| Refusal(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
}

async fn make_rdp_file(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    request: Result<Json<RdpFileRequest>, JsonRejection>,
) -> Result<Json<RdpFileAnswer>, Refusal> {
    let Json(request) = request?;
    let answer = gateway.rdp_file(request, &caller.0).await;
    answer.map(Json).map_err(|error| Refusal(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
}

async fn list_sessions(State(gateway): State<Arc<Gateway>>) -> Json<SessionList> {
    Json(SessionList { sessions: gateway.sessions() })
}

async fn show_session(
    State(gateway): State<Arc<Gateway>>,
    UrlPath(id): UrlPath<String>,
) -> Result<Json<View>, Refusal> {
    gateway.session(&id).map(Json).ok_or_else(|| unknown_session(&id))
}

async fn kill_session(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    UrlPath(id): UrlPath<String>,
    request: Result<Json<KillRequest>, JsonRejection>,
) -> Result<Json<Ordered>, Refusal> {
    let Json(request) = request?;
    match gateway.kill(&id, &caller.0, request.reason).await {
        Ok(Some(ordered)) => Ok(Json(ordered)),
        Ok(None) => Err(unknown_session(&id)),
        Err(error) => Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

async fn set_permissions(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    UrlPath(id): UrlPath<String>,
    request: Result<Json<PermissionsRequest>, JsonRejection>,
) -> Result<Json<Ordered>, Refusal> {
    let Json(request) = request?;
    match gateway.set_permissions(&id, &request.permissions, &caller.0).await {
        Ok(Some(ordered)) => Ok(Json(ordered)),
        Ok(None) => Err(unknown_session(&id)),
        Err(error @ (PermissionsError::Audit(_) | PermissionsError::Store(_))) => {
            Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
        }
        Err(error) => Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())),
    }
}

async fn note_recording_access(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    request: Result<Json<RecordingAccess>, JsonRejection>,
) -> Result<Json<serde_json::Value>, Refusal> {
    let Json(access) = request?;
    match gateway.note_recording_access(access, &caller.0).await {
        Ok(()) => Ok(Json(serde_json::json!({}))),
        Err(error) => Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

fn unknown_session(id: &str) -> Refusal {
    let id: String = id.chars().take(40).collect();
    Refusal(
        StatusCode::NOT_FOUND,
        format!("no session {id} runs; `passerelle sessions list` shows those that do"),
    )
}
