//! Approvals by a second person.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{Page, Part};
use super::principal::Principal;
use super::problem::Problem;
use super::tickets::acting_for;
use crate::approvals::{Approval, ApprovalError, ApprovalRequestError, ApprovalState, Verdict};
use crate::gateway::Gateway;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new()
        .routes(routes!(list, request))
        .routes(routes!(show, withdraw))
        .routes(routes!(approve))
        .routes(routes!(deny))
}

/// What a second person shall approve.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApprovalRequest {
    /// Who wants to connect. Users ask for themselves, administrators and service accounts for anybody.
    pub(crate) technician: String,
    /// The name of the target.
    pub(crate) target: String,
    /// Why, for whoever approves and for rules that require a reason. The ticket takes it over.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    /// The entry of a ticket system, likewise.
    #[serde(default)]
    pub(crate) ticket_id: Option<String>,
    /// How long there is to approve and then to get the ticket, in seconds; the configured `approvals.life` when
    /// absent, and never more.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub(crate) life_seconds: Option<u64>,
}

/// What is said about a decision.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionRequest {
    /// Goes to the audit log and to whoever asked.
    #[serde(default)]
    pub(crate) note: Option<String>,
}

/// Which approvals are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only in this state.
    #[param(inline)]
    state: Option<ApprovalState>,
    /// Only for this technician.
    technician: Option<String>,
    /// Only for this target.
    target: Option<String>,
}

/// List what was asked for and has not expired, oldest first. Technicians see their own.
#[utoipa::path(get, path = "/approvals", tag = "approvals", params(Filter, Part),
    responses((status = 200, description = "The approvals", body = Page<Approval>)))]
async fn list(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Query(filter): Query<Filter>,
    Query(part): Query<Part>,
) -> Result<Json<Page<Approval>>, Problem> {
    let mut approvals = gateway.approvals().await?;
    approvals.retain(|approval| {
        principal.sees_approval(approval)
            && filter.state.is_none_or(|state| state == approval.state)
            && filter.technician.as_ref().is_none_or(|name| *name == approval.technician)
            && filter.target.as_ref().is_none_or(|name| *name == approval.target)
    });
    Ok(Json(part.of(approvals, |approval| approval.id.to_string())?))
}

/// Ask for a second person's approval.
///
/// It is refused when it would not help: the rules have to let the technician connect once it is given.
#[utoipa::path(post, path = "/approvals", tag = "approvals", request_body = ApprovalRequest,
    responses((status = 201, description = "It is up to somebody else now", body = Approval)))]
async fn request(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Json(request): Json<ApprovalRequest>,
) -> Result<(StatusCode, Json<Approval>), Problem> {
    acting_for(&gateway, &principal, (&request.technician, &request.target))?;
    let approval = gateway.request_approval(request, &principal).await?;
    Ok((StatusCode::CREATED, Json(approval)))
}

/// Show an approval.
#[utoipa::path(get, path = "/approvals/{id}", tag = "approvals",
    params(("id" = String, Path, description = "The approval's `id`")),
    responses((status = 200, description = "The approval", body = Approval)))]
async fn show(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Approval>, Problem> {
    Ok(Json(gateway.approval(&id, &principal).await?.0))
}

/// Withdraw what one has asked for, or what was asked for oneself.
#[utoipa::path(delete, path = "/approvals/{id}", tag = "approvals",
    params(("id" = String, Path, description = "The approval's `id`")),
    responses((status = 204, description = "It is gone")))]
async fn withdraw(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    gateway.withdraw_approval(&id, &principal).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Approve what somebody else asked for.
///
/// Neither the technician nor whoever asked can do that. One ticket can be issued with it then.
#[utoipa::path(post, path = "/approvals/{id}/approve", tag = "approvals", request_body = DecisionRequest,
    params(("id" = String, Path, description = "The approval's `id`")),
    responses((status = 200, description = "It is approved", body = Approval)))]
async fn approve(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
    Json(request): Json<DecisionRequest>,
) -> Result<Json<Approval>, Problem> {
    Ok(Json(gateway.decide_approval(&id, Verdict::Approve, request.note, &principal).await?))
}

/// Deny what somebody asked for, also after it was approved, as long as no ticket was issued with it.
#[utoipa::path(post, path = "/approvals/{id}/deny", tag = "approvals", request_body = DecisionRequest,
    params(("id" = String, Path, description = "The approval's `id`")),
    responses((status = 200, description = "It is denied", body = Approval)))]
async fn deny(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
    Json(request): Json<DecisionRequest>,
) -> Result<Json<Approval>, Problem> {
    Ok(Json(gateway.decide_approval(&id, Verdict::Deny, request.note, &principal).await?))
}

impl From<ApprovalRequestError> for Problem {
    fn from(error: ApprovalRequestError) -> Self {
        match error {
            ApprovalRequestError::Audit(error) => error.into(),
            ApprovalRequestError::Store(error) => error.into(),
            ApprovalRequestError::Denied { .. } | ApprovalRequestError::OtherTarget(_) => {
                Self::new(StatusCode::FORBIDDEN, "denied", error)
            }
            ApprovalRequestError::TooMany(_) => Self::new(StatusCode::CONFLICT, "approval", error),
            _ => Self::unprocessable("approval", error),
        }
    }
}

impl From<ApprovalError> for Problem {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Audit(error) => error.into(),
            ApprovalError::Store(error) => error.into(),
            ApprovalError::Unknown(_) => Self::not_found(error),
            ApprovalError::SecondPerson(_) | ApprovalError::NotYours(_) => {
                Self::new(StatusCode::FORBIDDEN, "second-person", error)
            }
            ApprovalError::Decided(_) | ApprovalError::Changed => {
                Self::new(StatusCode::CONFLICT, "approval", error)
            }
            ApprovalError::Note(_) => Self::unprocessable("approval", error),
        }
    }
}
