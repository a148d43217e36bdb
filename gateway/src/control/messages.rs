//! What travels over the control socket, as JSON.

use passerelle_config::Protocol;
use passerelle_desktop::Permissions;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use serde::{Deserialize, Serialize};

use crate::session::View;

/// `POST /v1/tickets`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TicketRequest {
    pub(crate) technician: String,
    pub(crate) target: String,
    /// Time to redeem, in seconds; the configured `tickets.life` when absent, and never more.
    pub(crate) life_seconds: Option<u64>,
    /// A subset of what the rules give; all of it when absent.
    pub(crate) permissions: Option<Vec<String>>,
    /// Whether the ticket gets a reference, for the routing token of an RDP client.
    #[serde(default)]
    pub(crate) reference: bool,
    /// Why the technician connects, for rules that require a reason.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    /// The entry of a ticket system, for rules that require one.
    #[serde(default)]
    pub(crate) ticket_id: Option<String>,
}

/// The answer to a [`TicketRequest`]: what the technician types.
#[derive(Serialize, Deserialize)]
pub(crate) struct TicketAnswer {
    /// `technician:target`, for clients that ask for a user name.
    pub(crate) username: String,
    /// The password that goes with the user name.
    pub(crate) ticket: String,
    /// The password for clients that ask for nothing else.
    pub(crate) vnc_password: String,
    /// The routing token, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    /// RFC 3339.
    pub(crate) expires_at: String,
    /// What the target speaks.
    pub(crate) protocol: Protocol,
    /// What the rules allow with it at this moment.
    pub(crate) permissions: Permissions,
}

/// `POST /v1/rdp-files`: a ticket in the form of a `.rdp` file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RdpFileRequest {
    pub(crate) technician: String,
    pub(crate) target: String,
    /// As in a [`TicketRequest`].
    pub(crate) life_seconds: Option<u64>,
    /// As in a [`TicketRequest`].
    pub(crate) permissions: Option<Vec<String>>,
    /// Where clients reach the gateway, `host:port`; the configured `rdp.public_address` when absent.
    pub(crate) address: Option<String>,
    /// Whether the gateway's certificate signs the file.
    #[serde(default)]
    pub(crate) sign: bool,
    /// As in a [`TicketRequest`].
    #[serde(default)]
    pub(crate) reason: Option<String>,
    /// As in a [`TicketRequest`].
    #[serde(default)]
    pub(crate) ticket_id: Option<String>,
}

/// The answer to an [`RdpFileRequest`].
#[derive(Serialize, Deserialize)]
pub(crate) struct RdpFileAnswer {
    /// The file's text, with CR LF at the end of each line. Whoever has it can begin the session.
    pub(crate) file: String,
    /// `technician:target`.
    pub(crate) username: String,
    /// RFC 3339.
    pub(crate) expires_at: String,
}

/// `GET /v1/sessions`
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SessionList {
    pub(crate) sessions: Vec<View>,
}

/// `POST /v1/sessions/{id}/kill`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KillRequest {
    /// Goes to the audit log.
    pub(crate) reason: Option<String>,
}

/// `POST /v1/sessions/{id}/permissions`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PermissionsRequest {
    /// All that the technician may do from now on.
    pub(crate) permissions: Vec<String>,
}

/// `POST /v1/audit/recordings`: somebody read or verified a recording with the command line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordingAccess {
    pub(crate) recording: String,
    /// Whether its contents were only verified, not read.
    pub(crate) verified: bool,
    /// What was done in words: `read lane target`.
    pub(crate) what: String,
}

impl RecordingAccess {
    /// What the audit log keeps of it.
    pub(crate) fn event(&self, by: &str) -> AuditEvent {
        let kind = if self.verified { AuditKind::RecordingVerified } else { AuditKind::RecordingRead };
        AuditEvent::new(kind)
            .session(&self.recording)
            .outcome(Outcome::Success)
            .message(&*self.what)
            .detail("by", by)
    }
}

/// Any refusal.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Problem {
    /// One sentence for the person who asked.
    pub(crate) error: String,
}
