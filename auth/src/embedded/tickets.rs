//! Tickets in the database.

use std::net::IpAddr;
use std::time::Duration;

use rusqlite::{OptionalExtension, Row, Transaction, named_params, params};

use super::lockout;
use super::rows::{
    address, context, next_fence, optional_address, permissions, time, write_context, write_permissions,
};
use super::worker::Failure;
use crate::store::is_resumable;
use crate::{
    AttemptKey, Candidate, Claim, Claimant, Issue, LockoutPolicy, Login, RESUME_WINDOW, SealedSecret,
    StoreError, Ticket, TicketId, TicketKey, TicketRecord, Timestamp,
};

/// How long after its expiry a ticket is still recognised as used or expired.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

pub(super) fn issue(tx: &Transaction<'_>, record: &TicketRecord, now: Timestamp) -> Result<Issue, Failure> {
    remove_expired_secrets(tx, now)?;
    let ticket = &record.ticket;
    let exists = tx.prepare_cached("SELECT 1 FROM tickets WHERE id = ?1")?.exists([ticket.id.as_bytes()])?;
    if exists {
        return Err(StoreError::Duplicate { what: "ticket", id: ticket.id.to_string() }.into());
    }
    for digest in &record.digests {
        if tx.prepare_cached("SELECT 1 FROM secrets WHERE digest = ?1")?.exists([&digest.0])? {
            return Ok(Issue::SecretTaken);
        }
    }
    tx.prepare_cached(
        "INSERT INTO tickets (id, technician, target, permissions, address, issued_at, expires_at, sealed,
                              context)
         VALUES (:id, :technician, :target, :permissions, :address, :issued_at, :expires_at, :sealed, :context)",
    )?
    .execute(named_params! {
        ":id": ticket.id.as_bytes(),
        ":technician": ticket.technician,
        ":target": ticket.target,
        ":permissions": ticket.permissions.map(write_permissions),
        ":address": ticket.address.map(|address| address.to_string()),
        ":issued_at": ticket.issued_at.as_millis(),
        ":expires_at": ticket.expires_at.as_millis(),
        ":sealed": record.sealed.as_ref().map(|sealed| &sealed.0),
        ":context": write_context(&ticket.context)?,
    })?;
    for digest in &record.digests {
        tx.prepare_cached("INSERT INTO secrets (digest, ticket) VALUES (?1, ?2)")?
            .execute(params![&digest.0, ticket.id.as_bytes()])?;
    }
    Ok(Issue::Issued)
}

pub(super) fn claim(
    tx: &Transaction<'_>,
    key: &TicketKey,
    claimant: &Claimant,
    policy: &LockoutPolicy,
    now: Timestamp,
) -> Result<Claim, Failure> {
    let keys = claimant.attempt_keys();
    if let Some(locked) = lockout::locked(tx, &keys, now)? {
        return Ok(Claim::Locked(locked));
    }
    let claim = claim_unlocked(tx, key, claimant, now)?;
    match &claim {
        Claim::Claimed { ticket, .. } | Claim::Resumed { ticket, .. } => {
            lockout::clear(tx, &AttemptKey::address(claimant.address))?;
            lockout::clear(tx, &AttemptKey::identity(&ticket.technician))?;
        }
        Claim::Unknown | Claim::OtherLogin { .. } => lockout::count(tx, &keys, policy, now)?,
        Claim::Locked(_)
        | Claim::Used { .. }
        | Claim::Expired { .. }
        | Claim::Withdrawn { .. }
        | Claim::OtherAddress { .. } => {}
    }
    Ok(claim)
}

fn claim_unlocked(
    tx: &Transaction<'_>,
    key: &TicketKey,
    claimant: &Claimant,
    now: Timestamp,
) -> Result<Claim, Failure> {
    let found = match key {
        TicketKey::Id(id) => tx
            .prepare_cached("SELECT * FROM tickets WHERE id = ?1")?
            .query_row([id.as_bytes()], row)
            .optional()?,
        TicketKey::Digest(digest) => tx
            .prepare_cached(
                "SELECT tickets.* FROM secrets JOIN tickets ON tickets.id = secrets.ticket WHERE digest = ?1",
            )?
            .query_row([&digest.0], row)
            .optional()?,
    };
    let Some((ticket, state)) = found else { return Ok(Claim::Unknown) };
    let named = claimant.login.as_ref().is_none_or(|login| login.names(&ticket));
    match state {
        State::Used { by, at, withdrawn: false }
            if claimant.resume && named && is_resumable(by, at, claimant.address, now) =>
        {
            return Ok(Claim::Resumed { fence: next_fence(tx)?, ticket, at });
        }
        State::Used { by, at, .. } => return Ok(Claim::Used { ticket, by, at }),
        State::Withdrawn => return Ok(Claim::Withdrawn { ticket }),
        State::Unused => {}
    }
    if now >= ticket.expires_at {
        return Ok(Claim::Expired { ticket });
    }
    if ticket.address.is_some_and(|bound| bound.to_canonical() != claimant.address.to_canonical()) {
        return Ok(Claim::OtherAddress { ticket });
    }
    if !named {
        return Ok(Claim::OtherLogin { ticket });
    }
    tx.prepare_cached("UPDATE tickets SET used_at = ?2, used_by = ?3 WHERE id = ?1")?.execute(params![
        ticket.id.as_bytes(),
        now.as_millis(),
        claimant.address.to_string()
    ])?;
    Ok(Claim::Claimed { fence: next_fence(tx)?, ticket })
}

enum State {
    Unused,
    Used { by: IpAddr, at: Timestamp, withdrawn: bool },
    Withdrawn,
}

fn row(row: &Row<'_>) -> rusqlite::Result<(Ticket, State)> {
    let ticket = Ticket {
        id: TicketId::from_bytes(row.get("id")?),
        technician: row.get("technician")?,
        target: row.get("target")?,
        permissions: permissions(row)?,
        address: optional_address(row, "address")?,
        issued_at: time(row, "issued_at")?,
        expires_at: time(row, "expires_at")?,
        context: context(row)?,
    };
    let withdrawn = row.get::<_, Option<i64>>("withdrawn_at")?.is_some();
    let state = if row.get::<_, Option<i64>>("used_at")?.is_some() {
        State::Used { by: address(row, "used_by")?, at: time(row, "used_at")?, withdrawn }
    } else if withdrawn {
        State::Withdrawn
    } else {
        State::Unused
    };
    Ok((ticket, state))
}

pub(super) fn candidates(
    tx: &Transaction<'_>,
    login: Option<&Login>,
    now: Timestamp,
) -> Result<Vec<Candidate>, Failure> {
    remove_expired_secrets(tx, now)?;
    let mut statement =
        tx.prepare_cached("SELECT * FROM tickets WHERE sealed IS NOT NULL ORDER BY issued_at, id")?;
    let mut rows = statement.query([])?;
    let mut candidates = Vec::new();
    while let Some(next) = rows.next()? {
        let (ticket, state) = row(next)?;
        if login.is_none_or(|login| login.names(&ticket)) {
            let used = match state {
                State::Used { by, at, .. } => Some((by, at)),
                State::Unused | State::Withdrawn => None,
            };
            let sealed = SealedSecret(next.get("sealed")?);
            candidates.push(Candidate { id: ticket.id, sealed, issued_at: ticket.issued_at, used });
        }
    }
    Ok(candidates)
}

pub(super) fn withdraw(tx: &Transaction<'_>, id: TicketId, now: Timestamp) -> Result<bool, Failure> {
    let withdrawn = tx
        .prepare_cached(
            "UPDATE tickets SET withdrawn_at = ?2, sealed = NULL
             WHERE id = ?1 AND used_at IS NULL AND withdrawn_at IS NULL AND expires_at > ?2",
        )?
        .execute(params![id.as_bytes(), now.as_millis()])?;
    // It is still recognised as used.
    tx.prepare_cached(
        "UPDATE tickets SET withdrawn_at = ?2 WHERE id = ?1 AND used_at IS NOT NULL AND withdrawn_at IS NULL",
    )?
    .execute(params![id.as_bytes(), now.as_millis()])?;
    Ok(withdrawn > 0)
}

/// Removes what is old; tells how many secrets and how many tickets.
pub(super) fn purge(tx: &Transaction<'_>, now: Timestamp) -> Result<(usize, usize), Failure> {
    let secrets = remove_expired_secrets(tx, now)?;
    let tickets = tx
        .prepare_cached("DELETE FROM tickets WHERE expires_at <= ?1")?
        .execute([now.saturating_sub(REMEMBERED).as_millis()])?;
    Ok((secrets, tickets))
}

fn remove_expired_secrets(tx: &Transaction<'_>, now: Timestamp) -> Result<usize, Failure> {
    let removed = tx
        .prepare_cached(
            "UPDATE tickets SET sealed = NULL
             WHERE expires_at <= ?1 AND sealed IS NOT NULL AND (used_at IS NULL OR used_at <= ?2)",
        )?
        .execute([now.as_millis(), now.saturating_sub(RESUME_WINDOW).as_millis()])?;
    Ok(removed)
}
