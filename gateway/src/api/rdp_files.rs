//! Tickets in the form of `.rdp` files.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::principal::Principal;
use super::problem::Problem;
use super::tickets::acting_for;
use crate::gateway::Gateway;
use crate::rdp_file::RdpFileError;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(make))
}

/// What a `.rdp` file shall be good for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RdpFileRequest {
    /// As for a ticket.
    pub(crate) technician: String,
    /// The name of the target.
    pub(crate) target: String,
    /// As for a ticket.
    #[schema(minimum = 1)]
    pub(crate) life_seconds: Option<u64>,
    /// As for a ticket.
    pub(crate) permissions: Option<Vec<String>>,
    /// Where clients reach the gateway, `host:port`; the configured `rdp.public_address` when absent.
    pub(crate) address: Option<String>,
    /// Whether the gateway's certificate signs the file.
    #[serde(default)]
    pub(crate) sign: bool,
    /// As for a ticket.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    /// As for a ticket.
    #[serde(default)]
    pub(crate) ticket_id: Option<String>,
    /// As for a ticket.
    #[serde(default)]
    pub(crate) approval: Option<String>,
}

/// A `.rdp` file.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct RdpFileAnswer {
    /// The file's text, with CR LF at the end of each line. Whoever has it can begin the session.
    pub(crate) file: String,
    /// `technician:target`.
    pub(crate) username: String,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub(crate) expires_at: String,
}

impl From<RdpFileError> for Problem {
    fn from(error: RdpFileError) -> Self {
        match error {
            RdpFileError::Ticket(error) => error.into(),
            error => Self::unprocessable("rdp-file", error),
        }
    }
}

/// Issue a ticket as a `.rdp` file.
#[utoipa::path(post, path = "/rdp-files", tag = "tickets", request_body = RdpFileRequest,
    responses((status = 201, description = "The file", body = RdpFileAnswer)))]
async fn make(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Json(request): Json<RdpFileRequest>,
) -> Result<(StatusCode, Json<RdpFileAnswer>), Problem> {
    acting_for(&gateway, &principal, (&request.technician, &request.target))?;
    let answer = gateway.rdp_file(request, &principal).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}
