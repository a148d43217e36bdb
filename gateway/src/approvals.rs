//! Approvals: a second person's consent, for rules that require it.
//!
//! Somebody asks for one, somebody else gives it, and one ticket is issued with it. They are documents of the store,
//! so all of this may happen on different nodes, and each step is a change of the version that was looked at: of two
//! that happen at the same time one is refused. A document ends with its approval's life, whatever became of it.

mod request;
mod used;

use passerelle_auth::{
    ApprovalId, Document, DocumentKind, Expect, Put, StoreError, StoredDocument, Timestamp,
};
use passerelle_recorder::audit::{AuditError, AuditEvent, AuditKind, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use request::ApprovalRequestError;
pub(crate) use used::{Usable, UseError};

use crate::ambient;
use crate::api::Principal;
use crate::gateway::Gateway;
use crate::tickets::{PurposeError, bounded_note};

/// What became of a wish for an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ApprovalState {
    /// Nobody has looked at it yet.
    Pending,
    /// A ticket can be issued with it.
    Approved,
    /// Somebody said no.
    Denied,
    /// A ticket was issued with it.
    Used,
}

impl ApprovalState {
    /// The name in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Used => "used",
        }
    }

    /// Whether a ticket may still come of it.
    const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Approved)
    }
}

/// Somebody's wish for a second person's consent, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Approval {
    /// Its name in the audit log, and what a ticket is asked for with.
    #[schema(value_type = String)]
    pub(crate) id: ApprovalId,
    /// What became of it.
    pub(crate) state: ApprovalState,
    /// Who wants to connect.
    pub(crate) technician: String,
    /// Where to.
    pub(crate) target: String,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// The entry of a ticket system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ticket_id: Option<String>,
    /// Who asked for it.
    pub(crate) requested_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) requested_at: Timestamp,
    /// Until when a ticket has to be issued with it.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
    /// Who approved or denied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decided_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) decided_at: Option<Timestamp>,
    /// What they said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Approval {
    fn document(&self) -> Document {
        Document {
            kind: DocumentKind::Approval,
            key: self.id.to_string(),
            value: serde_json::to_vec(self).unwrap_or_default(),
            expires_at: Some(self.expires_at),
        }
    }

    /// Nothing for a document of a later version of the gateway that cannot be read.
    fn read(document: &StoredDocument) -> Option<Self> {
        serde_json::from_slice(&document.value)
            .inspect_err(|error| {
                tracing::error!(%error, approval = document.key, "an approval in the store cannot be read");
            })
            .ok()
    }

    /// Whether `person` is neither the one whom it is for nor the one who asked for it. Names match in any case when
    /// people log in.
    fn is_second_person(&self, person: &str) -> bool {
        !person.eq_ignore_ascii_case(&self.technician) && !person.eq_ignore_ascii_case(&self.requested_by)
    }

    /// An audit event about it, because of what `by` did.
    fn event(&self, kind: AuditKind, outcome: Outcome, by: &str) -> AuditEvent {
        AuditEvent::new(kind)
            .technician(&self.technician)
            .target(&self.target)
            .outcome(outcome)
            .detail("approval", self.id.to_string())
            .detail("by", by)
    }
}

/// What somebody has to say to a wish for an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Approve,
    Deny,
}

/// Why an approval is not given, denied or withdrawn.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApprovalError {
    #[error(
        "there is no approval {0}, or it has expired; `passerelle approvals list` shows those that there are"
    )]
    Unknown(String),
    #[error("somebody else has to approve it than {0}, who asked for it or is to be let in")]
    SecondPerson(String),
    #[error("it was {} before", .0.name())]
    Decided(ApprovalState),
    #[error("only who asked for it and {0}, whom it is for, can withdraw it; deny it instead")]
    NotYours(String),
    #[error("it was changed at the same time; look at it again")]
    Changed,
    #[error(transparent)]
    Note(#[from] PurposeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl Gateway {
    /// Everything that was asked for and has not expired, oldest first.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) async fn approvals(&self) -> Result<Vec<Approval>, StoreError> {
        // Their identifiers sort by time.
        let documents = self.store.list(DocumentKind::Approval, ambient::now()).await?;
        Ok(documents.iter().filter_map(Approval::read).collect())
    }

    /// The approval of this name, if `caller` may see it, and its version.
    ///
    /// # Errors
    /// [`ApprovalError::Unknown`] as well when the caller may not see it.
    pub(crate) async fn approval(
        &self,
        id: &str,
        caller: &Principal,
    ) -> Result<(Approval, u64), ApprovalError> {
        let found = self.find_approval(id, ambient::now()).await?;
        let found = found.filter(|(approval, _)| caller.sees_approval(approval));
        found.ok_or_else(|| ApprovalError::Unknown(id.chars().take(40).collect()))
    }

    async fn find_approval(&self, id: &str, now: Timestamp) -> Result<Option<(Approval, u64)>, StoreError> {
        // What is no identifier is no key either, and is not asked for.
        let Ok(id) = id.parse::<ApprovalId>() else { return Ok(None) };
        let found = self.store.get(DocumentKind::Approval, &id.to_string(), now).await?;
        Ok(found.and_then(|document| Some((Approval::read(&document)?, document.version))))
    }

    /// Approves what somebody else asked for, or denies it. An approval with which no ticket was issued yet can be
    /// denied too.
    ///
    /// # Errors
    /// The caller is not a second person, or it is too late. An approval that cannot be audited is not given.
    pub(crate) async fn decide_approval(
        &self,
        id: &str,
        verdict: Verdict,
        note: Option<String>,
        caller: &Principal,
    ) -> Result<Approval, ApprovalError> {
        let note = bounded_note(note)?;
        let (mut approval, version) = self.approval(id, caller).await?;
        let by = caller.by();
        let refused = match verdict {
            Verdict::Approve if !approval.is_second_person(&by) => {
                Some(ApprovalError::SecondPerson(by.clone()))
            }
            Verdict::Approve if approval.state != ApprovalState::Pending => {
                Some(ApprovalError::Decided(approval.state))
            }
            Verdict::Deny if !approval.state.is_open() => Some(ApprovalError::Decided(approval.state)),
            Verdict::Approve | Verdict::Deny => None,
        };
        if let Some(error) = refused {
            let event = approval.event(AuditKind::ApprovalRefused, Outcome::Refused, &by);
            self.audit.note(event.message(error.to_string()));
            return Err(error);
        }
        let now = ambient::now();
        (approval.decided_by, approval.decided_at) = (Some(by.clone()), Some(now));
        approval.note.clone_from(&note);
        let (state, kind, outcome) = match verdict {
            Verdict::Approve => (ApprovalState::Approved, AuditKind::ApprovalApproved, "approved"),
            Verdict::Deny => (ApprovalState::Denied, AuditKind::ApprovalDenied, "denied"),
        };
        approval.state = state;
        let mut event = approval.event(kind, Outcome::Success, &by);
        if let Some(note) = note {
            event = event.detail("note", note);
        }
        if verdict == Verdict::Approve {
            // Nobody can use it before it is in the log; should it come to nothing, that follows in the log.
            self.audit.append(event).await?;
            if let Err(error) = self.replace_approval(&approval, version, now).await {
                let event = approval.event(AuditKind::ApprovalRefused, Outcome::Failed, &by);
                self.audit.note(event.message(error.to_string()));
                return Err(error);
            }
        } else {
            self.replace_approval(&approval, version, now).await?;
            self.audit.append(event).await?;
        }
        tracing::info!(
            approval = %approval.id, technician = approval.technician, target = approval.target, by, outcome,
            "an approval was decided"
        );
        self.metrics.approval(outcome);
        Ok(approval)
    }

    async fn replace_approval(
        &self,
        approval: &Approval,
        version: u64,
        now: Timestamp,
    ) -> Result<(), ApprovalError> {
        match self.store.put(&approval.document(), Expect::Version(version), now).await? {
            Put::Stored { .. } => Ok(()),
            Put::Conflict => Err(ApprovalError::Changed),
        }
    }

    /// Takes back a wish, approved or not, before a ticket is issued with it.
    ///
    /// # Errors
    /// It is not the caller's, or it is too late.
    pub(crate) async fn withdraw_approval(&self, id: &str, caller: &Principal) -> Result<(), ApprovalError> {
        let (approval, version) = self.approval(id, caller).await?;
        let by = caller.by();
        if approval.is_second_person(&by) {
            return Err(ApprovalError::NotYours(approval.technician));
        }
        if !approval.state.is_open() {
            return Err(ApprovalError::Decided(approval.state));
        }
        let (key, expect) = (approval.id.to_string(), Expect::Version(version));
        if !self.store.delete(DocumentKind::Approval, &key, expect, ambient::now()).await? {
            return Err(ApprovalError::Changed);
        }
        self.audit.append(approval.event(AuditKind::ApprovalWithdrawn, Outcome::Success, &by)).await?;
        self.metrics.approval("withdrawn");
        Ok(())
    }
}

impl Principal {
    /// Whether this wish may be shown to them: technicians see their own.
    pub(crate) fn sees_approval(&self, approval: &Approval) -> bool {
        self.sees_all() || !approval.is_second_person(&self.by())
    }
}
