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
    security: &str,
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
        gateway.metrics.login(security, "denied");
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

#[cfg(test)]
mod tests {
    use passerelle_auth::{Identity, Method, Ticket, TicketContext, TicketId};
    use passerelle_config::{Config, SystemResolver};

    use super::*;

    /// Somebody at the desk, with a ticket if there is something to say in it.
    fn entry(method: Method, context: Option<TicketContext>) -> Entry {
        let now = ambient::now();
        let ticket = |context| Ticket {
            id: TicketId::new(now, &mut ambient::random),
            technician: "alice".to_owned(),
            target: "desk".to_owned(),
            permissions: None,
            address: None,
            issued_at: now,
            expires_at: now,
            context,
        };
        let identity = Identity {
            technician: "alice".to_owned(),
            groups: vec!["helpdesk".to_owned()],
            issuer: None,
            method,
            second_factor: true,
            permissions: None,
            target: None,
        };
        Entry { identity, target: "desk".to_owned(), ticket: context.map(ticket), resumed: false }
    }

    /// Whatever somebody logs in with: without another person's approval they are told what to do.
    #[tokio::test]
    async fn nothing_but_an_approved_ticket_gets_in_where_an_approval_is_required() {
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            "data_dir: {}\nlisten: {{ vnc: '127.0.0.1:0' }}\nrecording: {{ disk: {{ refuse: 1MiB }} }}\n\
             targets: [{{ name: desk, protocol: vnc, address: '127.0.0.1:9' }}]\n\
             rules: [{{ name: r, groups: [helpdesk], targets: ['*'], permissions: [view], require: [approval] }}]",
            directory.path().display()
        );
        let config =
            Config::parse(&text, "p.yaml", &SystemResolver).unwrap_or_else(|errors| panic!("{errors}"));
        let gateway = Gateway::open(config.config).await.unwrap();
        let peer = "192.0.2.7:4711".parse().unwrap();
        let ask = |method, context| {
            let entry = entry(method, context);
            authorize(&gateway, &gateway.policy(), &entry, Protocol::Vnc, "X509Plain", peer).map(drop)
        };
        let by =
            |name: &str| Some(TicketContext { approved_by: Some(name.to_owned()), ..Default::default() });
        let refusal = "You may not connect to desk: another person's approval is missing. Ask for it, and connect with \
                       a ticket that is issued with it.";
        for (method, context) in [
            (Method::Password, None),
            (Method::Jwt, None),
            (Method::Ticket, Some(TicketContext::default())),
            (Method::Ticket, by("alice")),
            (Method::Ticket, by("Alice")),
            (Method::Ticket, by(" ")),
        ] {
            assert_eq!(ask(method, context).unwrap_err(), refusal, "{method:?}");
        }
        assert!(ask(Method::Ticket, by("chief")).is_ok());
    }
}
