//! From a presented secret to a decision: what every protocol does alike.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use passerelle_auth::{Decision, Grant, Redeemed, Refusal};
use passerelle_config::{Protocol, Target};
use passerelle_desktop::Permission;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};

use crate::ambient;
use crate::gateway::Gateway;
use crate::policy::Policy;

/// How long a refusal is withheld: guessing is slow, and the time tells nothing of the reason.
pub(super) const REFUSAL_DELAY: Duration = Duration::from_secs(1);

/// How long a viewer may take for its part of the protocol after it was admitted.
pub(super) const VIEWER_PATIENCE: Duration = Duration::from_secs(10);

/// What the rules say about somebody who presented a ticket to a listener for `protocol`.
///
/// # Errors
/// They deny it, which is written down here. The sentence is for the technician.
pub(super) fn authorize(
    gateway: &Gateway,
    policy: &Policy,
    redeemed: &Redeemed,
    protocol: Protocol,
    peer: SocketAddr,
) -> Result<(Target, Grant), String> {
    let ticket = &redeemed.ticket;
    allowed(policy, redeemed, protocol, peer).map_err(|why| {
        tracing::info!(technician = ticket.technician, target = ticket.target, why, "not allowed");
        gateway.audit.note(
            AuditEvent::new(AuditKind::LoginRefused)
                .technician(&ticket.technician)
                .target(&ticket.target)
                .address(peer)
                .outcome(Outcome::Refused)
                .message(&*why)
                .detail("ticket", ticket.id.to_string())
                .detail("code", "not_allowed"),
        );
        format!("You may not connect to {}: {why}.", ticket.target)
    })
}

fn allowed(
    policy: &Policy,
    redeemed: &Redeemed,
    protocol: Protocol,
    peer: SocketAddr,
) -> Result<(Target, Grant), String> {
    let ticket = &redeemed.ticket;
    let target = policy.config.target(&ticket.target).ok_or("the target is no longer configured")?;
    if target.protocol != protocol {
        return Err(format!("it speaks {}; connect with a client for that", target.protocol));
    }
    policy.config.user(&ticket.technician).ok_or("the technician is no longer configured")?;
    let decision = policy.decide(&ticket.technician, target, peer.ip(), ambient::now());
    match decision.narrowed(ticket.permissions) {
        Decision::Granted(grant) if !grant.permissions.allows(Permission::View) => {
            Err("the rules do not let you see its screen".to_owned())
        }
        Decision::Granted(grant) => Ok((target.clone(), grant)),
        Decision::Denied(denial) => Err(denial.to_string()),
    }
}

/// Writes down what needs no login to cause, though not as often as it happens.
pub(super) fn note_stranger(gateway: &Gateway, event: AuditEvent, why: &dyn Display) {
    if let Some(suppressed) = gateway.strangers.pass(ambient::now()) {
        let event = event.outcome(Outcome::Refused).message(why.to_string());
        gateway.audit.note(event.detail("suppressed", suppressed));
    }
}

/// Writes down that a secret was refused, and waits as long as that is withheld. `login` is the name that came
/// with the secret, if the method has one.
pub(super) async fn secret_refused(
    gateway: &Gateway,
    refusal: &Refusal,
    login: Option<&str>,
    security: &str,
    peer: SocketAddr,
) {
    tracing::info!(reason = %refusal, login, "login refused");
    let event = refusal_event(refusal, login, security, peer);
    if matches!(refusal, Refusal::Locked(_)) {
        note_stranger(gateway, event, refusal);
    } else {
        gateway.audit.note(event);
    }
    tokio::time::sleep(REFUSAL_DELAY).await;
}

fn refusal_event(refusal: &Refusal, login: Option<&str>, security: &str, peer: SocketAddr) -> AuditEvent {
    let kind = match refusal {
        Refusal::Locked(_) => AuditKind::LoginLocked,
        _ => AuditKind::LoginRefused,
    };
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
