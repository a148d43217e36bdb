//! From a presented secret to a decision: what every protocol does alike.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use passerelle_auth::{Entry, Grant, LoginRefusal, Requirement};
use passerelle_config::{Protocol, Target};
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};

use crate::ambient;
use crate::gateway::{Gateway, with_missing};
use crate::policy::Policy;
use crate::policy::access::{Asked, NotAdmitted};

/// How long a refusal is withheld: guessing is slow, and the time tells nothing of the reason.
pub(crate) const REFUSAL_DELAY: Duration = Duration::from_secs(1);

/// How long a viewer may take for its part of the protocol after it was admitted.
pub(super) const VIEWER_PATIENCE: Duration = Duration::from_secs(10);

/// What the rules say about somebody who has proved to a listener for `protocol` who they are.
///
/// # Errors
/// They deny it, which is written down here. The sentence is for the technician.
pub(super) fn authorize(
    gateway: &Gateway,
    policy: &Policy,
    entry: &Entry,
    protocol: Protocol,
    peer: SocketAddr,
) -> Result<(Arc<Target>, Grant), String> {
    let technician = &entry.identity.technician;
    allowed(policy, entry, protocol, peer).map_err(|why| {
        tracing::info!(technician, target = entry.target, %why, "not allowed");
        let mut event = AuditEvent::new(AuditKind::LoginRefused)
            .technician(technician)
            .target(&entry.target)
            .address(peer)
            .outcome(Outcome::Refused)
            .message(why.to_string())
            .detail("code", "not_allowed");
        if let Some(ticket) = &entry.ticket {
            event = event.detail("ticket", ticket.id.to_string());
        }
        gateway.audit.note(match &why {
            NotAllowed::Rules(why) => with_missing(event, why),
            _ => event,
        });
        let approval =
            matches!(&why, NotAllowed::Rules(why) if why.missing().contains(&Requirement::Approval));
        let how =
            if approval { " Ask for it, and connect with a ticket that is issued with it." } else { "" };
        format!("You may not connect to {}: {why}.{how}", entry.target)
    })
}

/// Why somebody who has logged in is turned away. The sentence goes on from `You may not connect: `.
#[derive(Debug, thiserror::Error)]
enum NotAllowed {
    #[error("the target is no longer configured")]
    Target,
    #[error("it speaks {0}; connect with a client for that")]
    Protocol(Protocol),
    #[error(transparent)]
    Rules(#[from] NotAdmitted),
}

fn allowed(
    policy: &Policy,
    entry: &Entry,
    protocol: Protocol,
    peer: SocketAddr,
) -> Result<(Arc<Target>, Grant), NotAllowed> {
    let target = policy.config.target(&entry.target).ok_or(NotAllowed::Target)?;
    if target.protocol != protocol {
        return Err(NotAllowed::Protocol(target.protocol));
    }
    let (technician, context) = (&*entry.identity.technician, &entry.context());
    let source = Some(peer.ip());
    let asked = Asked { technician, target, source, context, now: ambient::now() };
    Ok((target.clone(), policy.admit(&asked, entry.identity.permissions)?))
}

/// Writes down what needs no login to cause, though not as often as it happens.
pub(crate) fn note_stranger(gateway: &Gateway, event: AuditEvent, why: &dyn Display) {
    if let Some(suppressed) = gateway.strangers.pass(ambient::now()) {
        let event = event.outcome(Outcome::Refused).message(why.to_string());
        gateway.audit.note(event.detail("suppressed", suppressed));
    }
}

/// Writes down that a secret was refused, and waits as long as that is withheld. `login` is the name that came
/// with the secret, if the method has one.
pub(super) async fn secret_refused(
    gateway: &Gateway,
    refusal: &LoginRefusal,
    login: Option<&str>,
    security: &str,
    peer: SocketAddr,
) {
    tracing::info!(reason = %refusal, login, "login refused");
    let event = refusal_event(refusal, login, security, peer);
    if refusal.is_locked() {
        gateway.metrics.login(security, "locked");
        note_stranger(gateway, event, refusal);
    } else {
        gateway.metrics.login(security, if refusal.is_failure() { "failed" } else { "refused" });
        gateway.audit.note(event);
    }
    tokio::time::sleep(REFUSAL_DELAY).await;
}

fn refusal_event(
    refusal: &LoginRefusal,
    login: Option<&str>,
    security: &str,
    peer: SocketAddr,
) -> AuditEvent {
    let kind = if refusal.is_locked() { AuditKind::LoginLocked } else { AuditKind::LoginRefused };
    let mut event = AuditEvent::new(kind)
        .address(peer)
        .outcome(Outcome::Refused)
        .message(refusal.to_string())
        .detail("code", refusal.code())
        .detail("security", security);
    if let Some(login) = login {
        event = event.detail("login", login.chars().take(128).collect::<String>());
    }
    if let Some(ticket) = refusal.ticket() {
        event = event
            .technician(&ticket.technician)
            .target(&ticket.target)
            .detail("ticket", ticket.id.to_string());
    }
    event
}
