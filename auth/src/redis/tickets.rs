//! Tickets in Redis.

use std::time::Duration;

use redis::{ScriptInvocation, Value};

use super::lockout;
use super::scripts::{CANDIDATES, CLAIM, ISSUE, PREFIX, WITHDRAW};
use super::values::{Answer, damaged, life, permissions, text, write_permissions};
use crate::{
    Candidate, Claim, Claimant, Fence, Issue, LockoutPolicy, Login, SealedSecret, StoreError, Ticket,
    TicketContext, TicketId, TicketKey, TicketRecord, Timestamp,
};

/// How long after its expiry a ticket is still recognised as used or expired.
pub(super) const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

pub(super) fn issue(record: &TicketRecord, now: Timestamp) -> Result<ScriptInvocation<'static>, StoreError> {
    let TicketRecord { ticket, digests, sealed } = record;
    let mut call = ISSUE.key(PREFIX);
    call.arg(now.as_millis())
        .arg(ticket.id.to_string())
        .arg(life(ticket.expires_at, REMEMBERED, now))
        .arg(ticket.expires_at.as_millis())
        .arg(digests.len());
    for digest in digests {
        call.arg(hex(&digest.0));
    }
    call.arg(&[
        ("id", ticket.id.to_string()),
        ("technician", ticket.technician.clone()),
        ("target", ticket.target.clone()),
        ("issued_at", ticket.issued_at.as_millis().to_string()),
        ("expires_at", ticket.expires_at.as_millis().to_string()),
    ]);
    if let Some(permissions) = ticket.permissions {
        call.arg("permissions").arg(write_permissions(permissions));
    }
    if let Some(address) = ticket.address {
        call.arg("address").arg(address.to_string());
        call.arg("bound").arg(address.to_canonical().to_string());
    }
    if ticket.context != TicketContext::default() {
        let context = serde_json::to_string(&ticket.context).map_err(|error| damaged(&error.to_string()))?;
        call.arg("context").arg(context);
    }
    if let Some(SealedSecret(sealed)) = sealed {
        call.arg("sealed").arg(sealed.as_slice());
    }
    Ok(call)
}

pub(super) fn issued(answer: Value, id: TicketId) -> Result<Issue, StoreError> {
    match text(answer)?.as_str() {
        "issued" => Ok(Issue::Issued),
        "taken" => Ok(Issue::SecretTaken),
        "duplicate" => Err(StoreError::Duplicate { what: "ticket", id: id.to_string() }),
        other => Err(damaged(&format!("`{other}` is no answer"))),
    }
}

pub(super) fn claim(
    key: &TicketKey,
    claimant: &Claimant,
    policy: &LockoutPolicy,
    now: Timestamp,
) -> ScriptInvocation<'static> {
    let mut call = CLAIM.key(PREFIX);
    call.arg(now.as_millis());
    match key {
        TicketKey::Digest(digest) => call.arg("digest").arg(hex(&digest.0)),
        TicketKey::Id(id) => call.arg("id").arg(id.to_string()),
    };
    call.arg(claimant.address.to_string())
        .arg(claimant.address.to_canonical().to_string())
        .arg(u8::from(claimant.resume))
        .arg(u8::from(claimant.login.is_some()));
    let lower = str::to_ascii_lowercase;
    match &claimant.login {
        None => call.arg(&["", "", ""]),
        Some(Login { technician, target }) => {
            let without_domain = target.rsplit_once('@').map_or(target.as_str(), |(target, _)| target);
            call.arg(&[lower(technician), lower(target), lower(without_domain)])
        }
    };
    lockout::add(&mut call, &claimant.attempt_keys(), policy);
    call
}

pub(super) fn claimed(answer: Value, claimant: &Claimant) -> Result<Claim, StoreError> {
    let mut answer = Answer::new(answer)?;
    let what = answer.text()?;
    match what.as_str() {
        "unknown" => return Ok(Claim::Unknown),
        "locked" => return lockout::lock(answer, &claimant.attempt_keys()).map(Claim::Locked),
        _ => {}
    }
    let ticket = ticket(answer.list()?)?;
    Ok(match what.as_str() {
        "claimed" => Claim::Claimed { fence: Fence(answer.parsed()?), ticket },
        "resumed" => Claim::Resumed { fence: Fence(answer.parsed()?), at: answer.time()?, ticket },
        "used" => Claim::Used { by: answer.address()?, at: answer.time()?, ticket },
        "expired" => Claim::Expired { ticket },
        "withdrawn" => Claim::Withdrawn { ticket },
        "other_address" => Claim::OtherAddress { ticket },
        "other_login" => Claim::OtherLogin { ticket },
        other => return Err(damaged(&format!("`{other}` is no answer"))),
    })
}

fn ticket(mut fields: Answer) -> Result<Ticket, StoreError> {
    Ok(Ticket {
        id: fields.parsed()?,
        technician: fields.text()?,
        target: fields.text()?,
        permissions: fields.optional_text()?.map(|names| permissions(&names)),
        address: fields.optional()?,
        issued_at: fields.time()?,
        expires_at: fields.time()?,
        context: match fields.optional_text()? {
            None => TicketContext::default(),
            Some(text) => serde_json::from_str(&text).map_err(|error| damaged(&error.to_string()))?,
        },
    })
}

pub(super) fn candidates(login: Option<&Login>, now: Timestamp) -> ScriptInvocation<'static> {
    let mut call = CANDIDATES.key(PREFIX);
    call.arg(now.as_millis());
    if let Some(login) = login {
        call.arg(login.technician.to_ascii_lowercase());
    }
    call
}

pub(super) fn found(answer: Value, login: Option<&Login>) -> Result<Vec<Candidate>, StoreError> {
    let mut candidates = Vec::new();
    for fields in Answer::new(answer)?.lists() {
        let mut fields = fields?;
        let id = fields.parsed()?;
        let (technician, target) = (fields.text()?, fields.text()?);
        let issued_at = fields.time()?;
        let sealed = SealedSecret(fields.bytes()?);
        let used_at = fields.optional_time()?;
        let used = match used_at {
            Some(at) => Some((fields.address()?, at)),
            None => None,
        };
        if login.is_none_or(|login| login.is_for(&technician, &target)) {
            candidates.push(Candidate { id, sealed, issued_at, used });
        }
    }
    candidates.sort_by_key(|candidate| (candidate.issued_at, candidate.id));
    Ok(candidates)
}

pub(super) fn withdraw(id: TicketId, now: Timestamp) -> ScriptInvocation<'static> {
    let mut call = WITHDRAW.key(PREFIX);
    call.arg(now.as_millis()).arg(id.to_string());
    call
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
