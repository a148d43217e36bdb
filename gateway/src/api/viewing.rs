//! Viewing a recording: for a stated reason, and checked with every request.

use std::path::{Path, PathBuf};

use axum::Json;
use axum::extract::{FromRef, FromRequestParts, Path as PathParameter, RawPathParams, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use passerelle_config::Scope;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::principal::{Kind, Principal};
use super::problem::Problem;
use super::recordings::{blocking, whole};
use crate::ambient;
use crate::collection::Recordings;
use crate::tickets::bounded_reason;
use crate::viewings::{Caller, Content, Pass};

/// The header that names the viewing.
pub(super) const HEADER: &str = "passerelle-viewing";

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S>
where
    Recordings: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(begin))
}

/// Why somebody wants to view a recording.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViewingRequest {
    /// The reason, which the audit log keeps: one line.
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: String,
}

/// What lets them view it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ViewingAnswer {
    /// What to send as `Passerelle-Viewing`, from the same login only.
    pub(crate) viewing: String,
    /// Until when it is good.
    #[schema(format = DateTime)]
    pub(crate) expires: String,
}

/// Begin to view a recording, or to watch a session while it runs. Who and why is in the audit log first.
#[utoipa::path(post, path = "/recordings/{id}/viewings", tag = "recordings", request_body = ViewingRequest,
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 201, description = "It may be viewed", body = ViewingAnswer)))]
async fn begin(
    State(recordings): State<Recordings>,
    principal: Principal,
    PathParameter(id): PathParameter<String>,
    Json(request): Json<ViewingRequest>,
) -> Result<(StatusCode, Json<ViewingAnswer>), Problem> {
    let reason = bounded_reason(Some(request.reason.trim().to_owned()))
        .map_err(|error| Problem::unprocessable("reason", error))?
        .filter(|reason| !reason.is_empty())
        .ok_or_else(|| Problem::unprocessable("reason", "say why you want to view this recording"))?;
    let directory = whole(&recordings, &id).await?;
    let summary =
        blocking(move || passerelle_recorder::summary(&directory).map_err(Problem::internal)).await?;
    if !principal.scopes.contains(&Scope::RecordingsView) && summary.state != passerelle_recorder::State::Open
    {
        let why = "the session has ended; viewing its recording takes the scope recordings:view";
        return Err(Problem::forbidden(why));
    }
    let now = ambient::now();
    let (pass, viewing) =
        recordings.viewings().begin(&id, caller(&principal), principal.expires_at, now, &mut ambient::random);
    let mut event = AuditEvent::new(AuditKind::RecordingViewing)
        .session(&id)
        .outcome(Outcome::Success)
        .detail("by", principal.by())
        .detail("reason", reason)
        .detail("viewing", &*pass.viewing)
        .detail("expires_at", pass.expires_at.to_string());
    event.address = principal.address.map(|address| address.to_string());
    recordings.audit(event).await?;
    tracing::info!(recording = id, by = principal.by(), viewing = pass.viewing, "a recording is viewed");
    Ok((StatusCode::CREATED, Json(ViewingAnswer { viewing, expires: pass.expires_at.to_string() })))
}

fn caller(principal: &Principal) -> Caller {
    Caller { by: principal.by(), owner: principal.kind == Kind::Owner, token: principal.token.clone() }
}

/// The viewing in which something is asked for, of the recording in the route's `{id}`: it is the caller's own, of
/// this recording, and not over. For routes that show content.
pub(crate) struct Viewing {
    recordings: Recordings,
    pass: Pass,
    directory: PathBuf,
}

impl Viewing {
    /// Where the recording is.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Has the audit log say that the times from `from_ms` until `until_ms` were shown, summed up with others.
    ///
    /// To be called before they are.
    pub(crate) fn watched(&self, content: Content, from_ms: u64, until_ms: u64) {
        self.recordings.viewings().shown(&self.pass, content, from_ms, until_ms);
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Viewing
where
    Recordings: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let recordings = Recordings::from_ref(state);
        let principal = Principal::from_request_parts(parts, state).await?;
        let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(Problem::internal)?;
        let id = parameters.iter().find(|(name, _)| *name == "id").map(|(_, id)| id.to_owned());
        let id = id.ok_or_else(|| Problem::internal("the route names no recording"))?;
        let directory = whole(&recordings, &id).await?;
        let shown = header(&parts.headers)?;
        let checked = recordings.viewings().check(shown, &id, &caller(&principal), ambient::now());
        let pass = checked.map_err(|error| Problem::new(StatusCode::FORBIDDEN, "viewing", error))?;
        Ok(Self { recordings, pass, directory })
    }
}

fn header(headers: &HeaderMap) -> Result<&str, Problem> {
    headers.get(HEADER).and_then(|shown| shown.to_str().ok()).ok_or_else(|| {
        let why = "say why first: POST /api/v1/recordings/{id}/viewings, and send its `viewing` as Passerelle-Viewing";
        Problem::new(StatusCode::PRECONDITION_REQUIRED, "viewing", why)
    })
}
