//! Tickets: from what somebody asks for to the secrets, if the rules allow it.

use std::time::Duration;

use passerelle_auth::{IssueError, NewTicket, TicketContext, Timestamp};
use passerelle_config::{Config, Protocol, RdpSecurity, Target};
use passerelle_desktop::UnknownPermission;
use passerelle_recorder::audit::{AuditError, AuditEvent, AuditKind, Outcome};
use serde_json::json;

use crate::ambient;
use crate::api::{Principal, TicketAnswer, TicketRequest};
use crate::approvals::{Usable, UseError};
use crate::gateway::{Gateway, parse_permissions, with_context, with_missing};
use crate::policy::access::{Asked, NotAdmitted};

/// The longest reason that can be given, in characters.
const REASON: usize = 500;
/// The longest ticket id, in characters.
const TICKET_ID: usize = 128;

/// Why no ticket is issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TicketError {
    #[error("there is no user `{0}`; the configuration's `users` lists those who can have tickets")]
    Technician(String),
    #[error("there is no target `{0}`; the configuration's `targets` lists them")]
    Target(String),
    #[error("your token is good for {0} only")]
    OtherTarget(String),
    #[error(transparent)]
    Permission(#[from] UnknownPermission),
    #[error("{0} speaks VNC; .rdp files and references are for targets with `protocol: rdp`")]
    NotRdp(String),
    #[error("rdp.security does not offer `tls`, without which a .rdp file or a reference cannot be used")]
    NoTls,
    #[error("no RDP viewer can connect: the configuration has no `listen.rdp`")]
    NoListener,
    #[error("a ticket cannot live longer than tickets.life, {0} s, and not less than a second")]
    Life(u64),
    #[error("{technician} may not connect to {target}: {why}")]
    Denied { technician: String, target: String, why: NotAdmitted },
    #[error(transparent)]
    Purpose(#[from] PurposeError),
    #[error(transparent)]
    Approval(#[from] UseError),
    #[error(transparent)]
    Issue(#[from] IssueError),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// What is said about why somebody connects cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PurposeError {
    #[error("a reason has at most {REASON} characters and is one line")]
    Reason,
    #[error("a ticket id has at most {TICKET_ID} characters and is one line")]
    TicketId,
    #[error("a note has at most {REASON} characters and is one line")]
    Note,
}

impl Gateway {
    /// Issues a ticket because `caller` asks for it, who may act for the technician.
    ///
    /// # Errors
    /// Somebody or something in the request is unknown, or no rule allows what it asks.
    pub(crate) async fn issue_ticket(
        &self,
        request: TicketRequest,
        caller: &Principal,
    ) -> Result<TicketAnswer, TicketError> {
        let (technician, target) = (request.technician.clone(), request.target.clone());
        let answer = self.issue_allowed(request, caller).await;
        if let Err(error) = &answer {
            let mut event = AuditEvent::new(AuditKind::TicketRefused)
                .technician(technician)
                .target(target)
                .outcome(Outcome::Refused)
                .message(error.to_string())
                .detail("by", caller.by());
            if let TicketError::Denied { why, .. } = error {
                event = with_missing(event, why);
            }
            self.audit.note(event);
        }
        answer
    }

    async fn issue_allowed(
        &self,
        request: TicketRequest,
        caller: &Principal,
    ) -> Result<TicketAnswer, TicketError> {
        let policy = self.policy();
        let TicketRequest {
            technician,
            target,
            life_seconds,
            permissions,
            reference,
            reason,
            ticket_id,
            approval,
        } = request;
        let claims = caller.claims_for(&technician);
        if claims.is_none() && policy.config.user(&technician).is_none() {
            return Err(TicketError::Technician(technician));
        }
        if let Some(only) = caller.only_target().filter(|only| *only != target) {
            return Err(TicketError::OtherTarget(only.to_owned()));
        }
        let Some(known) = policy.config.target(&target) else { return Err(TicketError::Target(target)) };
        if reference {
            takes_references(&policy.config, known)?;
        }
        let longest = policy.config.tickets.life.get();
        let life = life_seconds.map_or(longest, Duration::from_secs);
        if life > longest || life.is_zero() {
            return Err(TicketError::Life(longest.as_secs()));
        }
        let permissions = match permissions {
            None => None,
            Some(names) => Some(parse_permissions(&names)?),
        };
        let most = caller.claims.as_ref().and_then(|claims| claims.permissions);
        let permissions = match (permissions, most) {
            (Some(permissions), Some(most)) => Some(permissions.intersection(most)),
            (permissions, most) => permissions.or(most),
        };
        let now = ambient::now();
        let mut context = TicketContext {
            groups: claims.map(|claims| claims.groups.clone()),
            second_factor: caller.second_factor && caller.name == technician,
            reason: bounded_reason(reason)?,
            ticket_id: bounded_ticket_id(ticket_id)?,
            issued_by: Some(caller.by()),
            ..TicketContext::default()
        };
        let approval = match approval {
            None => None,
            Some(id) => {
                let usable = self.usable_approval(&id, (&technician, &target), caller, now).await?;
                context = usable.complete(context)?;
                Some(usable)
            }
        };
        let asked = Asked { technician: &technician, target: known, source: None, context: &context, now };
        let granted = match policy.admit(&asked, permissions) {
            Ok(grant) => grant,
            Err(why) => return Err(TicketError::Denied { technician, target, why }),
        };
        let new = NewTicket { technician, target, permissions, address: None, context, reference };
        let tickets = policy.tickets(life);
        let (issued, approval) = self.issue_once(&tickets, &new, approval, now).await?;
        let mut event = AuditEvent::new(AuditKind::TicketIssued)
            .technician(new.technician)
            .target(new.target)
            .outcome(Outcome::Success)
            .detail("ticket", issued.id.to_string())
            .detail("by", caller.by())
            .detail("expires_at", issued.expires_at.to_string())
            .detail("permissions", json!(granted.permissions))
            .detail("reference", reference);
        if let Some(approval) = approval {
            event = event.detail("approval", approval.id().to_string());
            self.audit.note(approval.used_event(issued.id, &caller.by()));
        }
        self.audit.append(with_context(event, &new.context)).await?;
        Ok(TicketAnswer {
            id: issued.id,
            username: issued.username,
            ticket: issued.ticket.expose().to_owned(),
            vnc_password: issued.vnc_password.expose().to_owned(),
            reference: issued.reference.map(|reference| reference.expose().to_owned()),
            expires_at: issued.expires_at.to_string(),
            protocol: known.protocol,
            permissions: granted.permissions,
        })
    }

    /// Issues a ticket, for which an approval is used up. Of any number of requests with the same one, wherever they
    /// arrive, one gets a ticket; it stays used when issuing fails.
    async fn issue_once(
        &self,
        tickets: &passerelle_auth::Tickets,
        new: &NewTicket,
        approval: Option<Usable>,
        now: Timestamp,
    ) -> Result<(passerelle_auth::Issued, Option<Usable>), TicketError> {
        if let Some(approval) = &approval {
            self.use_approval(approval, now).await?;
        }
        Ok((tickets.issue(new, now, &mut ambient::random).await?, approval))
    }
}

/// A reason as it may be kept.
///
/// # Errors
/// It is too long, or of several lines.
pub(crate) fn bounded_reason(text: Option<String>) -> Result<Option<String>, PurposeError> {
    bounded(text, REASON, PurposeError::Reason)
}

/// A ticket id as it may be kept.
///
/// # Errors
/// It is too long, or of several lines.
pub(crate) fn bounded_ticket_id(text: Option<String>) -> Result<Option<String>, PurposeError> {
    bounded(text, TICKET_ID, PurposeError::TicketId)
}

/// A note as it may be kept.
///
/// # Errors
/// It is too long, or of several lines.
pub(crate) fn bounded_note(text: Option<String>) -> Result<Option<String>, PurposeError> {
    bounded(text, REASON, PurposeError::Note)
}

fn bounded(text: Option<String>, most: usize, error: PurposeError) -> Result<Option<String>, PurposeError> {
    match text {
        Some(text) if text.chars().count() > most || text.chars().any(char::is_control) => Err(error),
        text => Ok(text),
    }
}

/// Whether a client that sends a reference gets anywhere.
fn takes_references(config: &Config, target: &Target) -> Result<(), TicketError> {
    if target.protocol != Protocol::Rdp {
        Err(TicketError::NotRdp(target.name.clone()))
    } else if config.listen.rdp.is_none() {
        Err(TicketError::NoListener)
    } else if !config.rdp.security.contains(&RdpSecurity::Tls) {
        Err(TicketError::NoTls)
    } else {
        Ok(())
    }
}
