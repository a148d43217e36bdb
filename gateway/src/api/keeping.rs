//! Orders about recordings: holding, releasing, erasing.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use passerelle_recorder::Hold;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::principal::Principal;
use super::problem::Problem;
use crate::gateway::Gateway;
use crate::keeping::{Classes, KeepError};

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new()
        .routes(routes!(hold))
        .routes(routes!(release))
        .routes(routes!(erase))
        .routes(routes!(rewrap))
}

/// The longest reason, in bytes.
const LONGEST: usize = 1024;

/// Why somebody orders something.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Reason)]
pub(crate) struct ReasonRequest {
    /// Why; it goes to the audit log.
    #[schema(min_length = 1, max_length = 1024)]
    pub(crate) reason: String,
}

/// A hold on a recording.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Hold)]
pub(crate) struct HoldView {
    /// Why it is held.
    pub(crate) reason: String,
    /// Who holds it.
    pub(crate) by: String,
    /// Since when.
    #[schema(format = DateTime)]
    pub(crate) since: String,
}

impl From<Hold> for HoldView {
    fn from(Hold { reason, by, since }: Hold) -> Self {
        Self { reason, by, since }
    }
}

/// Hold a recording: it is neither deleted nor erased until it is released.
#[utoipa::path(put, path = "/recordings/{id}/hold", tag = "recordings", request_body = ReasonRequest,
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 200, description = "It is held", body = HoldView)))]
async fn hold(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
    Json(ReasonRequest { reason }): Json<ReasonRequest>,
) -> Result<Json<HoldView>, Problem> {
    let hold = gateway.hold_recording(&id, sound(&reason)?, &principal.by()).await?;
    Ok(Json(hold.into()))
}

/// Release a recording. When its time is over, it is deleted.
#[utoipa::path(post, path = "/recordings/{id}/release", tag = "recordings", request_body = ReasonRequest,
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 204, description = "It is not held any more")))]
async fn release(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
    Json(ReasonRequest { reason }): Json<ReasonRequest>,
) -> Result<StatusCode, Problem> {
    gateway.release_recording(&id, sound(&reason)?, &principal.by()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is to be erased.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Erasure)]
pub(crate) struct EraseRequest {
    /// `screen`, `input` (keys, pointer, clipboard content), `events`, or `all`.
    #[serde(rename = "class")]
    pub(crate) class: String,
    /// Why; it goes to the audit log.
    #[schema(min_length = 1, max_length = 1024)]
    pub(crate) reason: String,
}

/// What was erased.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Erased {
    /// The classes whose keys were there and are destroyed.
    pub(crate) erased: Vec<String>,
}

/// Erase a class of a recording by destroying its keys. Nobody can read it again; the recording verifies as before.
#[utoipa::path(post, path = "/recordings/{id}/erase", tag = "recordings", request_body = EraseRequest,
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 200, description = "It is erased", body = Erased)))]
async fn erase(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
    Json(EraseRequest { class, reason }): Json<EraseRequest>,
) -> Result<Json<Erased>, Problem> {
    let unknown = || Problem::unprocessable("class", "`class` must be `screen`, `input`, `events` or `all`");
    let classes = Classes::named(&class).ok_or_else(unknown)?;
    let erased = gateway.erase_recording(&id, classes, sound(&reason)?, &principal.by()).await?;
    Ok(Json(Erased { erased: erased.iter().map(ToString::to_string).collect() }))
}

/// Who is to open a recording.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Rewrapping)]
pub(crate) struct RewrapRequest {
    /// age public keys of those who come.
    #[serde(default)]
    pub(crate) add: Vec<String>,
    /// age public keys of those who go.
    #[serde(default)]
    pub(crate) remove: Vec<String>,
    /// A file on the gateway's machine with an age identity that opens the keys; the gateway's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) identity: Option<PathBuf>,
}

/// Who can open a recording.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Recipients)]
pub(crate) struct RewrapAnswer {
    /// age public keys.
    pub(crate) recipients: Vec<String>,
}

/// Wrap the keys of a recording anew, for auditors who come and not for those who go.
#[utoipa::path(post, path = "/recordings/{id}/rewrap", tag = "recordings", request_body = RewrapRequest,
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 200, description = "They are wrapped for these", body = RewrapAnswer)))]
async fn rewrap(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
    Json(request): Json<RewrapRequest>,
) -> Result<Json<RewrapAnswer>, Problem> {
    let recipients = gateway.rewrap_recording(&id, request, &principal.by()).await?;
    Ok(Json(RewrapAnswer { recipients }))
}

fn sound(reason: &str) -> Result<&str, Problem> {
    let reason = reason.trim();
    if reason.is_empty() || reason.len() > LONGEST {
        let why = format!("`reason` must say why, in at most {LONGEST} bytes");
        return Err(Problem::unprocessable("reason", why));
    }
    Ok(reason)
}

impl From<KeepError> for Problem {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Unknown => Self::not_found(error),
            KeepError::Running => Self::new(StatusCode::CONFLICT, "running", error),
            KeepError::Held(_) => Self::new(StatusCode::CONFLICT, "held", error),
            KeepError::NotHeld => Self::new(StatusCode::CONFLICT, "not-held", error),
            KeepError::Audit(error) => error.into(),
            KeepError::Identity(_) | KeepError::Rewrap(_) => Self::unprocessable("rewrap", error),
            KeepError::HoldUnreadable(_)
            | KeepError::Hold(_)
            | KeepError::Views(_)
            | KeepError::Erase(_)
            | KeepError::Task(_) => Self::internal(error),
        }
    }
}
