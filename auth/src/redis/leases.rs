//! Sessions in Redis.

use std::time::Duration;

use passerelle_desktop::Permissions;
use redis::{ScriptInvocation, Value};

use super::scripts::{ABANDON, LEASE, PREFIX, RELEASE, RENEW, REVOKE, SESSIONS, SET_PERMISSIONS};
use super::values::{Answer, damaged, life, permissions, write_permissions};
use crate::{
    Fence, Lease, LeaseRequest, Limit, Renewal, Revocation, Session, SessionId, StoreError, Timestamp,
};

/// How long after its end a lease is still known, so that a revocation reaches a session that comes back.
pub(super) const REMEMBERED: Duration = Duration::from_secs(3600);

pub(super) fn lease(request: &LeaseRequest, now: Timestamp) -> ScriptInvocation<'static> {
    let expires_at = now.saturating_add(request.ttl);
    let limits = request.limits;
    let limit = |limit: Option<u32>| limit.map_or_else(String::new, |limit| limit.to_string());
    let mut call = LEASE.key(PREFIX);
    call.arg(now.as_millis())
        .arg(request.session.to_string())
        .arg(&[&request.node, &request.technician, &request.target, &request.protocol])
        .arg(request.address.to_string())
        .arg(expires_at.as_millis())
        .arg(life(expires_at, REMEMBERED, now))
        .arg(&[limit(limits.per_target), limit(limits.per_technician), limit(limits.global)])
        .arg(Lease::HOLDERS);
    call
}

pub(super) fn leased(answer: Value, request: &LeaseRequest) -> Result<Lease, StoreError> {
    let mut answer = Answer::new(answer)?;
    match answer.text()?.as_str() {
        "leased" => Ok(Lease::Leased { fence: Fence(answer.parsed()?) }),
        "duplicate" => Err(StoreError::Duplicate { what: "session", id: request.session.to_string() }),
        "revoked" => Ok(Lease::Revoked(Revocation { by: answer.text()?, reason: answer.text()? })),
        "refused" => {
            let limits = request.limits;
            let (limit, allowed) = match answer.parsed()? {
                1 => (Limit::PerTarget, limits.per_target),
                2 => (Limit::PerTechnician, limits.per_technician),
                _ => (Limit::Global, limits.global),
            };
            Ok(Lease::Refused { limit, allowed: allowed.unwrap_or(0), holders: listed(answer.list()?)? })
        }
        other => Err(damaged(&format!("`{other}` is no answer"))),
    }
}

pub(super) fn renew(id: SessionId, fence: Fence, ttl: Duration, now: Timestamp) -> ScriptInvocation<'static> {
    let expires_at = now.saturating_add(ttl);
    let mut call = RENEW.key(PREFIX);
    call.arg(now.as_millis())
        .arg(id.to_string())
        .arg(fence.0)
        .arg(expires_at.as_millis())
        .arg(life(expires_at, REMEMBERED, now));
    call
}

pub(super) fn renewed(answer: Value) -> Result<Renewal, StoreError> {
    let mut answer = Answer::new(answer)?;
    if answer.is_empty() {
        return Ok(Renewal::Lost);
    }
    Ok(Renewal::Renewed {
        epoch: answer.parsed()?,
        revoked: revocation(&mut answer)?,
        permissions: answer.optional_text()?.map(|names| permissions(&names)),
    })
}

pub(super) fn release(id: SessionId, fence: Fence) -> ScriptInvocation<'static> {
    let mut call = RELEASE.key(PREFIX);
    call.arg(id.to_string()).arg(fence.0);
    call
}

pub(super) fn abandon(node: &str) -> ScriptInvocation<'static> {
    let mut call = ABANDON.key(PREFIX);
    call.arg(node);
    call
}

pub(super) fn revoke(id: SessionId, revocation: &Revocation, now: Timestamp) -> ScriptInvocation<'static> {
    let mut call = REVOKE.key(PREFIX);
    call.arg(now.as_millis()).arg(id.to_string()).arg(&revocation.by).arg(&revocation.reason);
    call
}

pub(super) fn set_permissions(
    id: SessionId,
    permissions: Permissions,
    now: Timestamp,
) -> ScriptInvocation<'static> {
    let mut call = SET_PERMISSIONS.key(PREFIX);
    call.arg(now.as_millis()).arg(id.to_string()).arg(write_permissions(permissions));
    call
}

pub(super) fn sessions(now: Timestamp) -> ScriptInvocation<'static> {
    let mut call = SESSIONS.key(PREFIX);
    call.arg(now.as_millis());
    call
}

/// The sessions in an answer, oldest first.
pub(super) fn listed(answer: Answer) -> Result<Vec<Session>, StoreError> {
    answer
        .lists()
        .map(|fields| {
            let mut fields = fields?;
            Ok(Session {
                id: fields.parsed()?,
                node: fields.text()?,
                technician: fields.text()?,
                target: fields.text()?,
                protocol: fields.text()?,
                address: fields.address()?,
                started_at: fields.time()?,
                revoked: revocation(&mut fields)?,
            })
        })
        .collect()
}

fn revocation(answer: &mut Answer) -> Result<Option<Revocation>, StoreError> {
    Ok(match (answer.optional_text()?, answer.optional_text()?) {
        (Some(by), Some(reason)) => Some(Revocation { by, reason }),
        _ => None,
    })
}
