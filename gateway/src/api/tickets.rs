//! Tickets.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use passerelle_auth::{IssueError, Requirement, TicketId};
use passerelle_config::Protocol;
use passerelle_desktop::Permissions;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::idempotency::{Attempt, Once};
use super::principal::Principal;
use super::problem::Problem;
use crate::ambient;
use crate::approvals::UseError;
use crate::gateway::Gateway;
use crate::tickets::TicketError;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(issue)).routes(routes!(withdraw))
}

/// What a ticket shall be good for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TicketRequest {
    /// Who gets it. Users get tickets for themselves, administrators and service accounts for anybody.
    pub(crate) technician: String,
    /// The name of the target.
    pub(crate) target: String,
    /// Time to redeem, in seconds; the configured `tickets.life` when absent, and never more.
    #[schema(minimum = 1)]
    pub(crate) life_seconds: Option<u64>,
    /// A subset of what the rules give; all of it when absent.
    pub(crate) permissions: Option<Vec<String>>,
    /// Whether the ticket gets a reference, for the routing token of an RDP client.
    #[serde(default)]
    pub(crate) reference: bool,
    /// Why the technician connects, for rules that require a reason.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    /// The entry of a ticket system, for rules that require one.
    #[serde(default)]
    pub(crate) ticket_id: Option<String>,
    /// The `id` of an approval, for rules that require one. It is good for one ticket, which takes over its reason
    /// and ticket id.
    #[serde(default)]
    pub(crate) approval: Option<String>,
}

/// A ticket: what the technician types.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct TicketAnswer {
    /// The ticket's name in the audit log, under which it can be withdrawn.
    #[schema(value_type = String)]
    pub(crate) id: TicketId,
    /// `technician:target`, for clients that ask for a user name.
    pub(crate) username: String,
    /// The password that goes with the user name.
    pub(crate) ticket: String,
    /// The password for clients that ask for nothing else.
    pub(crate) vnc_password: String,
    /// The routing token, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub(crate) expires_at: String,
    /// What the target speaks.
    #[schema(value_type = String)]
    pub(crate) protocol: Protocol,
    /// What the rules allow with it at this moment.
    #[schema(value_type = Vec<String>)]
    pub(crate) permissions: Permissions,
}

/// Refuses to act for somebody else.
///
/// # Errors
/// The caller may not get tickets for `technician`.
pub(super) fn acting_for(
    gateway: &Gateway,
    principal: &Principal,
    request: (&str, &str),
) -> Result<(), Problem> {
    let (technician, target) = request;
    if principal.acts_for(technician) {
        return Ok(());
    }
    let why = "you can have tickets for yourself only";
    let shown = |text: &str| text.chars().take(64).collect::<String>();
    gateway.audit.note(
        AuditEvent::new(AuditKind::TicketRefused)
            .technician(shown(technician))
            .target(shown(target))
            .outcome(Outcome::Refused)
            .message(why)
            .detail("by", principal.by()),
    );
    Err(Problem::forbidden(why))
}

/// What to do about a missing approval.
const HOW_TO_ASK: &str = "ask for it with POST /api/v1/approvals or `passerelle approvals request`, and give its id \
    with the request for the ticket once somebody else has approved it";

/// What to do about a missing second factor.
const HOW_TO_PROVE: &str = "the technician has to log in with the code of an authenticator as well, and then ask for \
    the ticket themselves";

impl From<TicketError> for Problem {
    fn from(error: TicketError) -> Self {
        match error {
            TicketError::Audit(error) => error.into(),
            TicketError::Issue(IssueError::Store(error)) | TicketError::Approval(UseError::Store(error)) => {
                error.into()
            }
            TicketError::OtherTarget(_) => Self::new(StatusCode::FORBIDDEN, "denied", error),
            TicketError::Denied { ref why, .. } => {
                let missing = |wanted: Requirement| why.missing().contains(&wanted);
                if missing(Requirement::Approval) {
                    let how = format_args!("{error}; {HOW_TO_ASK}");
                    Self::new(StatusCode::FORBIDDEN, "approval", how)
                } else if missing(Requirement::SecondFactor) {
                    let how = format_args!("{error}; {HOW_TO_PROVE}");
                    Self::new(StatusCode::FORBIDDEN, "second-factor", how)
                } else {
                    Self::new(StatusCode::FORBIDDEN, "denied", error)
                }
            }
            TicketError::Approval(UseError::Unknown { .. } | UseError::Purpose) => {
                Self::unprocessable("approval", error)
            }
            TicketError::Approval(UseError::Approver { .. }) => {
                Self::new(StatusCode::FORBIDDEN, "second-person", error)
            }
            TicketError::Approval(UseError::State(_) | UseError::Raced) => {
                Self::new(StatusCode::CONFLICT, "approval", error)
            }
            _ => Self::unprocessable("ticket", error),
        }
    }
}

/// Issue a ticket.
///
/// It is good for one session that begins within its life.
#[utoipa::path(post, path = "/tickets", tag = "tickets", request_body = TicketRequest,
    params(("idempotency-key" = Option<String>, Header,
        description = "Whoever sends the same request with the same key again within an hour gets the same ticket")),
    responses((status = 201, description = "The ticket, whose secrets are shown once", body = TicketAnswer)))]
async fn issue(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    headers: HeaderMap,
    Json(request): Json<TicketRequest>,
) -> Result<(StatusCode, Json<TicketAnswer>), Problem> {
    acting_for(&gateway, &principal, (&request.technician, &request.target))?;
    let answer = match Once::begin(&gateway, &principal, &headers, &request).await? {
        Attempt::Unkeyed => gateway.issue_ticket(request, &principal).await?,
        Attempt::Again(answer) => answer,
        Attempt::First(once) => {
            let answer = gateway.issue_ticket(request, &principal).await.map_err(Problem::from);
            once.finish(&gateway, &answer).await?;
            answer?
        }
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Withdraw a ticket that was not used.
///
/// Whoever knows its identifier issued it or was told by somebody who did.
#[utoipa::path(delete, path = "/tickets/{id}", tag = "tickets",
    params(("id" = String, Path, description = "The ticket's `id`")),
    responses((status = 204, description = "It lets nobody in any more")))]
async fn withdraw(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let withdrawn = match id.parse::<TicketId>() {
        Ok(id) => gateway.store.withdraw(id, ambient::now()).await?.then_some(id),
        Err(_) => None,
    };
    let id =
        withdrawn.ok_or_else(|| Problem::not_found("there is no such ticket that could still be used"))?;
    let event = AuditEvent::new(AuditKind::TicketWithdrawn).outcome(Outcome::Success);
    gateway.audit.append(event.detail("ticket", id.to_string()).detail("by", principal.by())).await?;
    Ok(StatusCode::NO_CONTENT)
}
