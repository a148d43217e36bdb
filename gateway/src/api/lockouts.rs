//! Who is locked out after failed logins.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use passerelle_auth::{AttemptKey, Timestamp};
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{Page, Part};
use super::principal::Principal;
use super::problem::Problem;
use crate::ambient;
use crate::gateway::Gateway;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(clear))
}

/// Something that is locked.
#[derive(Serialize, ToSchema)]
struct Lockout {
    /// `address 192.0.2.7`, `network 2001:db8::/64`, `identity alice` or `everybody`.
    key: String,
    /// How many failures in a row were counted.
    failures: u32,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
}

/// List what is locked, the longest lock first.
#[utoipa::path(get, path = "/lockouts", tag = "lockouts", params(Part),
    responses((status = 200, description = "What is locked", body = Page<Lockout>)))]
async fn list(
    State(gateway): State<Arc<Gateway>>,
    Query(part): Query<Part>,
) -> Result<Json<Page<Lockout>>, Problem> {
    let shown = |lockout: passerelle_auth::Lockout| Lockout {
        key: lockout.key.to_string(),
        failures: lockout.failures,
        until: lockout.until,
    };
    let lockouts = gateway.store.lockouts(ambient::now()).await?.into_iter().map(shown).collect();
    Ok(Json(part.of(lockouts, |lockout: &Lockout| lockout.key.clone())?))
}

/// Forget the failures of an address, an identity or everybody.
#[utoipa::path(delete, path = "/lockouts/{key}", tag = "lockouts",
    params(("key" = String, Path, description = "The lockout's `key`, percent-encoded: `identity%20alice`")),
    responses((status = 204, description = "Nothing is counted any more")))]
async fn clear(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(key): Path<String>,
) -> Result<StatusCode, Problem> {
    let key: AttemptKey = key.parse().map_err(Problem::not_found)?;
    if !gateway.store.clear_lockout(&key).await? {
        return Err(Problem::not_found("no failures are counted for that"));
    }
    let event = AuditEvent::new(AuditKind::LockoutCleared).outcome(Outcome::Success);
    gateway.audit.append(event.detail("key", key.to_string()).detail("by", principal.by())).await?;
    Ok(StatusCode::NO_CONTENT)
}
