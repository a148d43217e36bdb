//! What is known of recordings without opening them. Their content is not to be had here.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use passerelle_recorder::{Summary, Verification};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{Page, Part};
use super::principal::Principal;
use super::problem::Problem;
use crate::gateway::Gateway;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(verify))
        .routes(routes!(note_access))
}

/// Which recordings are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only this technician's.
    technician: Option<String>,
    /// Only of this target.
    target: Option<String>,
    /// Only those that are `open`, `sealed` or `interrupted`.
    state: Option<String>,
}

impl Filter {
    fn fits(&self, recording: &Recording) -> bool {
        let fact = |wanted: &Option<String>, name: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| recording.facts.get(name).and_then(Value::as_str) == Some(wanted))
        };
        fact(&self.technician, "technician")
            && fact(&self.target, "target")
            && self.state.as_ref().is_none_or(|state| *state == recording.state)
    }
}

/// What is known of a recording. Nothing of it is verified.
#[derive(Serialize, ToSchema)]
struct Recording {
    /// The name of the recording and of its session.
    id: String,
    /// When it started.
    #[schema(format = DateTime)]
    started: String,
    /// Time from its start to its last record, in milliseconds.
    duration_ms: u64,
    /// Size in bytes.
    bytes: u64,
    /// `open`, `sealed` or `interrupted`.
    state: String,
    /// Why the session ended, if it is sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    /// What was known of the session at its start.
    #[schema(value_type = Object)]
    facts: Value,
    /// The public key that signed it.
    signer: String,
    /// Who can open it.
    recipients: Vec<String>,
}

impl From<Summary> for Recording {
    fn from(summary: Summary) -> Self {
        use passerelle_recorder::State;
        let (state, end) = match summary.state {
            State::Open => ("open", None),
            State::Sealed { end } => ("sealed", Some(end)),
            State::Interrupted => ("interrupted", None),
        };
        Self {
            id: summary.header.id,
            started: summary.header.started,
            duration_ms: u64::try_from(summary.duration.as_millis()).unwrap_or(u64::MAX),
            bytes: summary.bytes,
            state: state.to_owned(),
            end,
            facts: summary.header.facts,
            signer: summary.header.signer.to_string(),
            recipients: summary.header.recipients,
        }
    }
}

/// List recordings, the newest first.
#[utoipa::path(get, path = "/recordings", tag = "recordings", params(Filter, Part),
    responses((status = 200, description = "The recordings", body = Page<Recording>)))]
async fn list(
    State(gateway): State<Arc<Gateway>>,
    Query(filter): Query<Filter>,
    Query(part): Query<Part>,
) -> Result<Json<Page<Recording>>, Problem> {
    let directory = gateway.policy().config.recordings_dir();
    let summaries = blocking(move || match passerelle_recorder::list(&directory) {
        // The gateway makes the directory with the first recording.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(Problem::internal),
    });
    let recordings =
        summaries.await?.into_iter().map(Recording::from).filter(|one| filter.fits(one)).collect();
    Ok(Json(part.of(recordings, |recording: &Recording| recording.id.clone())?))
}

/// Show what is known of a recording.
#[utoipa::path(get, path = "/recordings/{id}", tag = "recordings",
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 200, description = "The recording", body = Recording)))]
async fn show(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
) -> Result<Json<Recording>, Problem> {
    let directory = directory(&gateway, &id)?;
    blocking(move || passerelle_recorder::summary(&directory).map_err(Problem::internal))
        .await
        .map(|summary| Json(summary.into()))
}

/// What a verification found.
#[derive(Serialize, ToSchema)]
struct Verified {
    id: String,
    /// Whether nothing was changed, as far as the recording goes.
    intact: bool,
    /// `sealed`, `interrupted`, `intact_up_to`, `tampered`, `segment_missing` or `other_signer`.
    verdict: String,
    /// The same in a sentence.
    message: String,
    /// All that was found.
    #[schema(value_type = Object)]
    detail: Value,
}

impl Verified {
    fn of(verification: &Verification) -> Self {
        let detail = serde_json::to_value(verification).unwrap_or_default();
        Self {
            id: verification.id.clone(),
            intact: verification.is_intact(),
            verdict: detail["verdict"].as_str().unwrap_or_default().to_owned(),
            message: verification.to_string(),
            detail,
        }
    }
}

/// Verify a recording against this gateway's key. Reads all of it.
#[utoipa::path(post, path = "/recordings/{id}/verify", tag = "recordings",
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 200, description = "What was found", body = Verified)))]
async fn verify(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Verified>, Problem> {
    let directory = directory(&gateway, &id)?;
    let signer = gateway.signer;
    let found =
        blocking(move || passerelle_recorder::verify(&directory, &signer).map_err(Problem::internal)).await?;
    let access = RecordingAccess { verified: true, what: found.verdict.to_string() };
    gateway.audit.note(access.event(&id, &principal.by()));
    Ok(Json(Verified::of(&found)))
}

/// Somebody read or verified a recording with the command line.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordingAccess {
    /// Whether its contents were only verified, not read.
    pub(crate) verified: bool,
    /// What was done in words: `read lane target`.
    pub(crate) what: String,
}

impl RecordingAccess {
    /// What the audit log keeps of it.
    pub(crate) fn event(&self, recording: &str, by: &str) -> AuditEvent {
        let kind = if self.verified { AuditKind::RecordingVerified } else { AuditKind::RecordingRead };
        AuditEvent::new(kind)
            .session(recording)
            .outcome(Outcome::Success)
            .message(&*self.what)
            .detail("by", by)
    }
}

/// Write down that the command line reads a recording. It must not show it before this was done.
#[utoipa::path(post, path = "/recordings/{id}/accesses", tag = "recordings", request_body = RecordingAccess,
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 204, description = "It is in the audit log")))]
async fn note_access(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
    Json(access): Json<RecordingAccess>,
) -> Result<StatusCode, Problem> {
    gateway.audit.append(access.event(&id, &principal.by())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where the recording of this name is.
pub(super) fn directory(gateway: &Gateway, id: &str) -> Result<PathBuf, Problem> {
    gateway.recording_directory(id).ok_or_else(|| Problem::not_found("there is no such recording"))
}

/// Does what reads files, away from the tasks that wait for the network.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Problem::internal(error)))
}
