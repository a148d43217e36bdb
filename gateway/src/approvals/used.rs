//! Issuing a ticket with an approval.

use passerelle_auth::{ApprovalId, Expect, Put, StoreError, TicketContext, TicketId, Timestamp};
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};

use super::{Approval, ApprovalState};
use crate::api::Principal;
use crate::gateway::Gateway;

/// Why no ticket is issued with an approval.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UseError {
    #[error("there is no approval {id} for {technician} at {target}, or it has expired")]
    Unknown { id: String, technician: String, target: String },
    #[error("the approval is {} and good for no ticket", .0.name())]
    State(ApprovalState),
    #[error(
        "{approver} approved it and cannot have the ticket as well; {technician} has to ask for it, or somebody else"
    )]
    Approver { approver: String, technician: String },
    #[error("what was approved has another reason or ticket id; leave them out, those of the approval count")]
    Purpose,
    #[error("the approval was used or taken back at the same time")]
    Raced,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An approval that is good for a ticket, as it was found.
#[derive(Debug)]
pub(crate) struct Usable {
    approval: Approval,
    approved_by: String,
    version: u64,
}

impl Usable {
    pub(crate) const fn id(&self) -> ApprovalId {
        self.approval.id
    }

    /// Adds to what is known for a ticket what was approved.
    ///
    /// # Errors
    /// Something else was said with the request for the ticket.
    pub(crate) fn complete(&self, context: TicketContext) -> Result<TicketContext, UseError> {
        let Approval { reason, ticket_id, .. } = &self.approval;
        let differs = |given: &Option<String>, approved| given.is_some() && given != approved;
        if differs(&context.reason, reason) || differs(&context.ticket_id, ticket_id) {
            return Err(UseError::Purpose);
        }
        Ok(TicketContext {
            reason: reason.clone(),
            ticket_id: ticket_id.clone(),
            approved_by: Some(self.approved_by.clone()),
            ..context
        })
    }

    /// What the audit log says when a ticket was issued with it.
    pub(crate) fn used_event(&self, ticket: TicketId, by: &str) -> AuditEvent {
        self.approval
            .event(AuditKind::ApprovalUsed, Outcome::Success, by)
            .detail("ticket", ticket.to_string())
            .detail("approved_by", &*self.approved_by)
    }
}

impl Gateway {
    /// The approval of this name, if it is good for a ticket of this technician for this target that `caller` asks
    /// for.
    ///
    /// # Errors
    /// It is not.
    pub(crate) async fn usable_approval(
        &self,
        id: &str,
        login: (&str, &str),
        caller: &Principal,
        now: Timestamp,
    ) -> Result<Usable, UseError> {
        let (technician, target) = login;
        let found = self.find_approval(id, now).await?;
        let fits = |approval: &Approval| approval.technician == technician && approval.target == target;
        let (approval, version) = found.filter(|(approval, _)| fits(approval)).ok_or_else(|| {
            let id = id.chars().take(40).collect();
            UseError::Unknown { id, technician: technician.to_owned(), target: target.to_owned() }
        })?;
        let approved_by = match (approval.state, &approval.decided_by) {
            (ApprovalState::Approved, Some(by)) if approval.is_second_person(by) => by.clone(),
            (state, _) => return Err(UseError::State(state)),
        };
        // Otherwise one person who may get tickets for others could use what somebody asked for in good faith.
        if caller.by().eq_ignore_ascii_case(&approved_by) {
            return Err(UseError::Approver { approver: approved_by, technician: approval.technician });
        }
        Ok(Usable { approval, approved_by, version })
    }

    /// Uses an approval up.
    ///
    /// # Errors
    /// Somebody else was faster.
    pub(crate) async fn use_approval(&self, usable: &Usable, now: Timestamp) -> Result<(), UseError> {
        let used = Approval { state: ApprovalState::Used, ..usable.approval.clone() };
        match self.store.put(&used.document(), Expect::Version(usable.version), now).await? {
            Put::Conflict => Err(UseError::Raced),
            Put::Stored { .. } => {
                self.metrics.approval("used");
                Ok(())
            }
        }
    }
}
