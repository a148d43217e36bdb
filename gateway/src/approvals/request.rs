//! Asking for an approval.

use std::time::Duration;

use passerelle_auth::{ApprovalId, Expect, StoreError, TicketContext};
use passerelle_recorder::audit::{AuditError, AuditEvent, AuditKind, Outcome};

use super::{Approval, ApprovalState};
use crate::ambient;
use crate::api::{ApprovalRequest, Principal};
use crate::gateway::{Gateway, with_context, with_missing};
use crate::policy::access::{Asked, NotAdmitted};
use crate::tickets::{PurposeError, bounded_reason, bounded_ticket_id};

/// How many wishes of one technician may be open at a time.
const OPEN: usize = 20;

/// Why nobody is asked for an approval.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApprovalRequestError {
    #[error("there is no user `{0}`; the configuration's `users` lists those who can have tickets")]
    Technician(String),
    #[error("there is no target `{0}`; the configuration's `targets` lists them")]
    Target(String),
    #[error("your token is good for {0} only")]
    OtherTarget(String),
    #[error("an approval cannot live longer than approvals.life, {0} s, and not less than a second")]
    Life(u64),
    #[error("{technician} may not connect to {target}, approved or not: {why}")]
    Denied { technician: String, target: String, why: NotAdmitted },
    #[error("{0} has {OPEN} open approvals; withdraw one, or wait until it has expired")]
    TooMany(String),
    #[error(transparent)]
    Purpose(#[from] PurposeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl Gateway {
    /// Asks for an approval because `caller` wants it, who may act for the technician.
    ///
    /// # Errors
    /// An approval would not help, or something in the request is unknown.
    pub(crate) async fn request_approval(
        &self,
        request: ApprovalRequest,
        caller: &Principal,
    ) -> Result<Approval, ApprovalRequestError> {
        let approval = self.wish(request, caller)?;
        let all = self.approvals().await?;
        let open =
            all.iter().filter(|other| other.state.is_open() && other.technician == approval.technician);
        if open.count() >= OPEN {
            return Err(ApprovalRequestError::TooMany(approval.technician));
        }
        let context = TicketContext {
            reason: approval.reason.clone(),
            ticket_id: approval.ticket_id.clone(),
            ..TicketContext::default()
        };
        let event = approval
            .event(AuditKind::ApprovalRequested, Outcome::Success, &approval.requested_by)
            .detail("expires_at", approval.expires_at.to_string());
        self.audit.append(with_context(event, &context)).await?;
        self.store.put(&approval.document(), Expect::Absent, approval.requested_at).await?;
        self.metrics.approval("requested");
        Ok(approval)
    }

    /// What is asked for, if it makes sense.
    fn wish(&self, request: ApprovalRequest, caller: &Principal) -> Result<Approval, ApprovalRequestError> {
        let ApprovalRequest { technician, target, reason, ticket_id, life_seconds } = request;
        let policy = self.policy();
        let claims = caller.claims_for(&technician);
        if claims.is_none() && policy.config.user(&technician).is_none() {
            return Err(ApprovalRequestError::Technician(technician));
        }
        if let Some(only) = caller.only_target().filter(|only| *only != target) {
            return Err(ApprovalRequestError::OtherTarget(only.to_owned()));
        }
        let Some(known) = policy.config.target(&target) else {
            return Err(ApprovalRequestError::Target(target));
        };
        let longest = policy.config.approvals.life.get();
        let life = life_seconds.map_or(longest, Duration::from_secs);
        if life > longest || life.is_zero() {
            return Err(ApprovalRequestError::Life(longest.as_secs()));
        }
        let now = ambient::now();
        // As if it had been given, and as if the technician asked for the ticket after a full login.
        let context = TicketContext {
            groups: claims.map(|claims| claims.groups.clone()),
            second_factor: true,
            reason: bounded_reason(reason)?,
            ticket_id: bounded_ticket_id(ticket_id)?,
            approved_by: Some(format!("not {technician}")),
            ..TicketContext::default()
        };
        let asked = Asked { technician: &technician, target: known, source: None, context: &context, now };
        if let Err(why) = policy.admit(&asked, None) {
            let event = AuditEvent::new(AuditKind::ApprovalRefused)
                .technician(&technician)
                .target(&target)
                .outcome(Outcome::Refused)
                .message(why.to_string())
                .detail("by", caller.by());
            self.audit.note(with_missing(event, &why));
            return Err(ApprovalRequestError::Denied { technician, target, why });
        }
        Ok(Approval {
            id: ApprovalId::new(now, &mut ambient::random),
            state: ApprovalState::Pending,
            technician,
            target,
            reason: context.reason,
            ticket_id: context.ticket_id,
            requested_by: caller.by(),
            requested_at: now,
            expires_at: now.saturating_add(life),
            decided_by: None,
            decided_at: None,
            note: None,
        })
    }
}
