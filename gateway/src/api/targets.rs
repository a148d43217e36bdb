//! The machines that technicians are let through to.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use passerelle_auth::{Expect, TicketContext};
use passerelle_config::Target as Configured;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{Page, Part, stale_cursor};
use super::principal::Principal;
use super::problem::Problem;
use crate::ambient;
use crate::gateway::Gateway;
use crate::policy::Policy;
use crate::policy::access::Asked;
use crate::targets::TargetError;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, put, delete)).routes(routes!(wake))
}

/// A target. Its credentials are not shown.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Target)]
pub(crate) struct TargetView {
    pub(crate) name: String,
    /// `rdp` or `vnc`.
    pub(crate) protocol: String,
    /// Where it listens.
    pub(crate) address: String,
    pub(crate) tags: Vec<String>,
    /// What people are told about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// Whether it is under maintenance.
    pub(crate) maintenance: bool,
    /// `configuration` or `directory`, where only files can change it, or `api`.
    pub(crate) source: String,
    /// Whether the gateway has a password for it.
    pub(crate) has_password: bool,
    /// Whether it can be woken over the network.
    pub(crate) wakes: bool,
}

impl TargetView {
    fn of(target: &Configured, policy: &Policy) -> Self {
        let source = match &target.file {
            _ if policy.kept_targets.contains(&target.name) => API,
            Some(_) => "directory",
            None => "configuration",
        };
        Self {
            name: target.name.clone(),
            protocol: target.protocol.name().to_owned(),
            address: target.address.to_string(),
            tags: target.tags.clone(),
            description: target.description.clone(),
            maintenance: target.maintenance,
            source: source.to_owned(),
            has_password: target.credentials.password.is_some(),
            wakes: target.wake_on_lan.is_some(),
        }
    }
}

/// The source of a target that is kept in the store.
const API: &str = "api";

/// Which targets are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only those with this tag.
    tag: Option<String>,
    /// Only those that speak `rdp` or `vnc`.
    protocol: Option<String>,
}

/// Whether the caller may know of a target: technicians see those that a rule lets them to, if only with something
/// that is still missing.
fn visible(policy: &Policy, principal: &Principal, target: &Configured) -> bool {
    if principal.sees_all() {
        return true;
    }
    if principal.only_target().is_some_and(|only| only != target.name) {
        return false;
    }
    let groups = principal.claims.as_ref().map(|claims| claims.groups.clone());
    let context =
        TicketContext { groups, second_factor: principal.second_factor, ..TicketContext::default() };
    let asked =
        Asked { technician: &principal.name, target, source: None, context: &context, now: ambient::now() };
    match policy.admit(&asked, None) {
        Ok(_) => true,
        Err(why) => !why.missing().is_empty(),
    }
}

/// List the targets. Technicians see those that they may connect to.
#[utoipa::path(get, path = "/targets", tag = "targets", params(Filter, Part),
    responses((status = 200, description = "The targets", body = Page<TargetView>)))]
async fn list(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Query(filter): Query<Filter>,
    Query(part): Query<Part>,
) -> Result<Json<Page<TargetView>>, Problem> {
    let policy = gateway.policy();
    let fits = |target: &&Arc<Configured>| {
        filter.tag.as_ref().is_none_or(|tag| target.tags.contains(tag))
            && filter.protocol.as_ref().is_none_or(|protocol| *protocol == target.protocol.name())
            && visible(&policy, &principal, target)
    };
    // There may be thousands, of which each costs a decision.
    let targets = &policy.config.targets;
    let behind = match part.cursor() {
        None => 0,
        Some(cursor) => {
            let last =
                targets.place(cursor).filter(|place| targets.get(*place).is_some_and(|last| fits(&last)));
            last.ok_or_else(stale_cursor)? + 1
        }
    };
    let rest = targets.iter().skip(behind).filter(fits).map(|target| TargetView::of(target, &policy));
    Ok(Json(part.first(rest, |target| target.name.clone())?))
}

/// Show a target. One that is kept in the store has an `etag`.
#[utoipa::path(get, path = "/targets/{name}", tag = "targets",
    params(("name" = String, Path, description = "The target's name")),
    responses((status = 200, description = "The target", body = TargetView)))]
async fn show(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let policy = gateway.policy();
    let target = policy.config.target(&name).filter(|target| visible(&policy, &principal, target));
    let target = Json(TargetView::of(target.ok_or_else(unknown)?, &policy));
    match gateway.target_version(&name).await?.filter(|_| target.source == API) {
        Some(version) => Ok(([(ETAG, etag(version))], target).into_response()),
        None => Ok(target.into_response()),
    }
}

/// Add or replace a target. Rules reach it by its tags, or by `*`.
///
/// The body has the keys of `targets[]` in the configuration, except `name`, and `credentials.password` is the
/// password itself. Certificates are trusted by the system's authorities, by fingerprint or on first use.
#[utoipa::path(put, path = "/targets/{name}", tag = "targets", request_body = Value,
    params(
        ("name" = String, Path, description = "The target's name"),
        ("if-match" = Option<String>, Header, description = "The `etag` of the version to replace"),
        ("if-none-match" = Option<String>, Header, description = "`*`: only if there is none of this name")
    ),
    responses(
        (status = 200, description = "It was replaced", body = TargetView),
        (status = 201, description = "It was added", body = TargetView)
    ))]
async fn put(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(description): Json<Value>,
) -> Result<Response, Problem> {
    let existed = gateway.target_version(&name).await?.is_some();
    let (target, version) = gateway.put_target(&name, description, expected(&headers)?).await?;
    note(&gateway, &principal, AuditKind::TargetChanged, &name).await?;
    let status = if existed { StatusCode::OK } else { StatusCode::CREATED };
    let policy = gateway.policy();
    Ok((status, [(ETAG, etag(version))], Json(TargetView::of(&target, &policy))).into_response())
}

/// Remove a target that was added through the API. Running sessions go on.
#[utoipa::path(delete, path = "/targets/{name}", tag = "targets",
    params(
        ("name" = String, Path, description = "The target's name"),
        ("if-match" = Option<String>, Header, description = "The `etag` of the version to remove")
    ),
    responses((status = 204, description = "It is gone")))]
async fn delete(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    if !gateway.delete_target(&name, expected(&headers)?).await? {
        return Err(unknown());
    }
    note(&gateway, &principal, AuditKind::TargetRemoved, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Wake a target over the network. Nobody answers; whether it wakes shows when somebody connects.
#[utoipa::path(post, path = "/targets/{name}/wake", tag = "targets",
    params(("name" = String, Path, description = "The target's name")),
    responses((status = 204, description = "What wakes it was sent")))]
async fn wake(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let policy = gateway.policy();
    let target = policy.config.target(&name).filter(|target| visible(&policy, &principal, target));
    let Some(wake) = &target.ok_or_else(unknown)?.wake_on_lan else {
        let detail = format_args!("{name} has no `wake_on_lan`, which says how to wake it");
        return Err(Problem::unprocessable("wake", detail));
    };
    let event = AuditEvent::new(AuditKind::TargetWoken).target(&*name).detail("by", principal.by());
    match gateway.wake(wake, event).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) => {
            let detail = format_args!("what wakes it cannot be sent to {}: {error}", wake.address);
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "wake", detail))
        }
    }
}

fn unknown() -> Problem {
    Problem::not_found("there is no such target")
}

/// Strong, since the version changes with every byte (RFC 9110, section 8.8.3).
fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// What has to be there (RFC 9110, sections 13.1.1 and 13.1.2).
fn expected(headers: &HeaderMap) -> Result<Expect, Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
    match (text(&IF_MATCH), text(&IF_NONE_MATCH)) {
        (None, None) | (Some("*"), None) => Ok(Expect::Any),
        (None, Some("*")) => Ok(Expect::Absent),
        (Some(tag), None) => {
            let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')?.parse().ok());
            version
                .map(Expect::Version)
                .ok_or_else(|| conflict("the version in if-match is not one of this target's"))
        }
        _ => {
            Err(Problem::unprocessable("precondition", "send if-match with one etag, or `if-none-match: *`"))
        }
    }
}

fn conflict(detail: &str) -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "conflict", detail)
}

async fn note(gateway: &Gateway, principal: &Principal, kind: AuditKind, name: &str) -> Result<(), Problem> {
    let event = AuditEvent::new(kind).target(name).outcome(Outcome::Success).detail("by", principal.by());
    Ok(gateway.audit.append(event).await?)
}

impl From<TargetError> for Problem {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Wrong(_) => Self::unprocessable("target", error),
            TargetError::Configured { .. } => Self::new(StatusCode::CONFLICT, "configured", error),
            TargetError::Conflict => conflict("the target was changed in the meantime"),
            TargetError::Store(error) => error.into(),
            TargetError::Enforce(error) => Self::internal(error),
        }
    }
}
