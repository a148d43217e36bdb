//! Sessions in the database.

use std::time::Duration;

use passerelle_desktop::Permissions;
use rusqlite::{OptionalExtension, Params, Row, Transaction, named_params, params};

use super::documents;
use super::rows::{address, next_fence, permissions, time, write_permissions};
use super::worker::Failure;
use crate::{
    Fence, Lease, LeaseRequest, Limit, Renewal, Revocation, Session, SessionId, StoreError, Timestamp,
};

/// How long after its end a lease is still known, so that a revocation reaches a session that comes back.
const REMEMBERED: Duration = Duration::from_secs(3600);

pub(super) fn lease(tx: &Transaction<'_>, request: &LeaseRequest, now: Timestamp) -> Result<Lease, Failure> {
    let earlier = tx
        .prepare_cached("SELECT * FROM leases WHERE session = ?1")?
        .query_row([request.session.as_bytes()], |row| {
            Ok((session(row)?, time(row, "expires_at")?, permissions(row)?))
        })
        .optional()?;
    let (started_at, asked) = match earlier {
        Some((_, expires_at, _)) if now < expires_at => {
            return Err(StoreError::Duplicate { what: "session", id: request.session.to_string() }.into());
        }
        Some((Session { revoked: Some(revocation), .. }, ..)) => return Ok(Lease::Revoked(revocation)),
        Some((session, _, asked)) => (session.started_at, asked),
        None => (now, None),
    };
    if let Some(refused) = refused(tx, request, now)? {
        return Ok(refused);
    }
    let fence = next_fence(tx)?;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO leases
             (session, fence, node, technician, target, protocol, address, started_at, expires_at,
              permissions)
         VALUES (:session, :fence, :node, :technician, :target, :protocol, :address, :started_at, :expires_at,
                 :permissions)",
    )?
    .execute(named_params! {
        ":session": request.session.as_bytes(),
        ":fence": fence.0,
        ":node": request.node,
        ":technician": request.technician,
        ":target": request.target,
        ":protocol": request.protocol,
        ":address": request.address.to_string(),
        ":started_at": started_at.as_millis(),
        ":expires_at": now.saturating_add(request.ttl).as_millis(),
        ":permissions": asked.map(write_permissions),
    })?;
    Ok(Lease::Leased { fence })
}

/// The first limit that leaves no room for the request.
fn refused(tx: &Transaction<'_>, request: &LeaseRequest, now: Timestamp) -> Result<Option<Lease>, Failure> {
    let (now, limits) = (now.as_millis(), request.limits);
    for (limit, allowed, name, condition) in [
        (Limit::PerTarget, limits.per_target, &request.target, "expires_at > ?1 AND target = ?2"),
        (
            Limit::PerTechnician,
            limits.per_technician,
            &request.technician,
            "expires_at > ?1 AND technician = ?2",
        ),
        (Limit::Global, limits.global, &request.node, "expires_at > ?1 AND ?2 IS NOT NULL"),
    ] {
        let Some(allowed) = allowed else { continue };
        let running: u32 = tx
            .prepare_cached(&format!("SELECT count(*) FROM leases WHERE {condition}"))?
            .query_row(params![now, name], |row| row.get(0))?;
        if running >= allowed {
            let mut holders = select(tx, condition, params![now, name])?;
            holders.truncate(Lease::HOLDERS);
            return Ok(Some(Lease::Refused { limit, allowed, holders }));
        }
    }
    Ok(None)
}

pub(super) fn renew(
    tx: &Transaction<'_>,
    id: SessionId,
    fence: Fence,
    ttl: Duration,
    now: Timestamp,
) -> Result<Renewal, Failure> {
    let renewed = tx
        .prepare_cached(
            "UPDATE leases SET expires_at = ?4 WHERE session = ?1 AND fence = ?2 AND expires_at > ?3 RETURNING *",
        )?
        .query_row(
            params![id.as_bytes(), fence.0, now.as_millis(), now.saturating_add(ttl).as_millis()],
            |row| Ok((session(row)?.revoked, permissions(row)?)),
        )
        .optional()?;
    Ok(match renewed {
        Some((revoked, permissions)) => {
            Renewal::Renewed { revoked, permissions, epoch: documents::epoch(tx)? }
        }
        None => Renewal::Lost,
    })
}

pub(super) fn release(tx: &Transaction<'_>, id: SessionId, fence: Fence) -> Result<bool, Failure> {
    let released = tx
        .prepare_cached("DELETE FROM leases WHERE session = ?1 AND fence = ?2")?
        .execute(params![id.as_bytes(), fence.0])?;
    Ok(released > 0)
}

pub(super) fn abandon(tx: &Transaction<'_>, node: &str) -> Result<Vec<Session>, Failure> {
    let sessions = select(tx, "node = ?1", [node])?;
    tx.prepare_cached("DELETE FROM leases WHERE node = ?1")?.execute([node])?;
    Ok(sessions)
}

/// The revocation that holds now, if the session is known, and whether its lease is live.
pub(super) fn revoke(
    tx: &Transaction<'_>,
    id: SessionId,
    revocation: &Revocation,
    now: Timestamp,
) -> Result<(Option<Revocation>, bool), Failure> {
    tx.prepare_cached(
        "UPDATE leases SET revoked_by = ?2, revoked_reason = ?3 WHERE session = ?1 AND revoked_by IS NULL",
    )?
    .execute(params![id.as_bytes(), revocation.by, revocation.reason])?;
    let marked = tx
        .prepare_cached("SELECT * FROM leases WHERE session = ?1")?
        .query_row([id.as_bytes()], |row| Ok((session(row)?.revoked, now < time(row, "expires_at")?)))
        .optional()?;
    Ok(marked.unwrap_or((None, false)))
}

/// Whether the session is known, and whether its lease is live.
pub(super) fn set_permissions(
    tx: &Transaction<'_>,
    id: SessionId,
    permissions: Permissions,
    now: Timestamp,
) -> Result<(bool, bool), Failure> {
    let live = tx
        .prepare_cached("UPDATE leases SET permissions = ?2 WHERE session = ?1 RETURNING expires_at")?
        .query_row(params![id.as_bytes(), write_permissions(permissions)], |row| {
            Ok(now < time(row, "expires_at")?)
        })
        .optional()?;
    Ok((live.is_some(), live.unwrap_or(false)))
}

pub(super) fn sessions(tx: &Transaction<'_>, now: Timestamp) -> Result<Vec<Session>, Failure> {
    select(tx, "expires_at > ?1", [now.as_millis()])
}

pub(super) fn purge(tx: &Transaction<'_>, now: Timestamp) -> Result<usize, Failure> {
    let purged = tx
        .prepare_cached("DELETE FROM leases WHERE expires_at <= ?1")?
        .execute([now.saturating_sub(REMEMBERED).as_millis()])?;
    Ok(purged)
}

fn select(tx: &Transaction<'_>, condition: &str, params: impl Params) -> Result<Vec<Session>, Failure> {
    let mut statement =
        tx.prepare_cached(&format!("SELECT * FROM leases WHERE {condition} ORDER BY started_at, fence"))?;
    let sessions = statement.query_map(params, session)?;
    Ok(sessions.collect::<rusqlite::Result<_>>()?)
}

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    let revoked = match (row.get("revoked_by")?, row.get("revoked_reason")?) {
        (Some(by), Some(reason)) => Some(Revocation { by, reason }),
        _ => None,
    };
    Ok(Session {
        id: SessionId::from_bytes(row.get("session")?),
        node: row.get("node")?,
        technician: row.get("technician")?,
        target: row.get("target")?,
        protocol: row.get("protocol")?,
        address: address(row, "address")?,
        started_at: time(row, "started_at")?,
        revoked,
    })
}
