//! Tickets in the database.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, Transaction, named_params, params};

use super::rows::{address, next_fence, optional_address, permissions, time, write_permissions};
use super::worker::Failure;
use crate::{
    Candidate, Claim, Claimant, Issue, SealedSecret, StoreError, Ticket, TicketId, TicketKey, TicketRecord,
    Timestamp,
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
        "INSERT INTO tickets (id, technician, target, permissions, address, issued_at, expires_at, sealed)
         VALUES (:id, :technician, :target, :permissions, :address, :issued_at, :expires_at, :sealed)",
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
    now: Timestamp,
) -> Result<Claim, Failure> {
    let found = match key {
        TicketKey::Id(id) => tx
            .prepare_cached("SELECT * FROM tickets WHERE id = ?1")?
            .query_row([id.as_bytes()], state)
            .optional()?,
        TicketKey::Digest(digest) => tx
            .prepare_cached(
                "SELECT tickets.* FROM secrets JOIN tickets ON tickets.id = secrets.ticket WHERE digest = ?1",
            )?
            .query_row([&digest.0], state)
            .optional()?,
    };
    let ticket = match found {
        None => return Ok(Claim::Unknown),
        Some(State::Used(claim)) => return Ok(claim),
        Some(State::Withdrawn(ticket)) => return Ok(Claim::Withdrawn { ticket }),
        Some(State::Unused(ticket)) => ticket,
    };
    if now >= ticket.expires_at {
        return Ok(Claim::Expired { ticket });
    }
    if ticket.address.is_some_and(|bound| bound.to_canonical() != claimant.address.to_canonical()) {
        return Ok(Claim::OtherAddress { ticket });
    }
    if claimant.login.as_ref().is_some_and(|login| !login.names(&ticket)) {
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
    Unused(Ticket),
    Used(Claim),
    Withdrawn(Ticket),
}

fn state(row: &Row<'_>) -> rusqlite::Result<State> {
    let ticket = Ticket {
        id: TicketId::from_bytes(row.get("id")?),
        technician: row.get("technician")?,
        target: row.get("target")?,
        permissions: permissions(row)?,
        address: optional_address(row, "address")?,
        issued_at: time(row, "issued_at")?,
        expires_at: time(row, "expires_at")?,
    };
    Ok(if row.get::<_, Option<i64>>("used_at")?.is_some() {
        State::Used(Claim::Used { ticket, by: address(row, "used_by")?, at: time(row, "used_at")? })
    } else if row.get::<_, Option<i64>>("withdrawn_at")?.is_some() {
        State::Withdrawn(ticket)
    } else {
        State::Unused(ticket)
    })
}

pub(super) fn candidates(tx: &Transaction<'_>, now: Timestamp) -> Result<Vec<Candidate>, Failure> {
    remove_expired_secrets(tx, now)?;
    let mut statement =
        tx.prepare_cached("SELECT id, sealed FROM tickets WHERE sealed IS NOT NULL ORDER BY issued_at, id")?;
    let candidates = statement.query_map([], |row| {
        Ok(Candidate { id: TicketId::from_bytes(row.get(0)?), sealed: SealedSecret(row.get(1)?) })
    })?;
    Ok(candidates.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn withdraw(tx: &Transaction<'_>, id: TicketId, now: Timestamp) -> Result<bool, Failure> {
    let withdrawn = tx
        .prepare_cached(
            "UPDATE tickets SET withdrawn_at = ?2, sealed = NULL
             WHERE id = ?1 AND used_at IS NULL AND withdrawn_at IS NULL AND expires_at > ?2",
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
        .prepare_cached("UPDATE tickets SET sealed = NULL WHERE expires_at <= ?1 AND sealed IS NOT NULL")?
        .execute([now.as_millis()])?;
    Ok(removed)
}
