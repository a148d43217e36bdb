//! The events of the audit log.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What happened. `AUDIT.md` lists the details of each kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum AuditKind {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl AuditKind {
            /// Every kind.
            pub const ALL: &'static [AuditKind] = &[$(AuditKind::$variant,)+];

            /// The name in the log.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(AuditKind::$variant => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// The gateway serves.
    GatewayStarted = "gateway.started",
    /// The gateway ended in order.
    GatewayStopped = "gateway.stopped",
    /// The gateway before this one was killed or crashed; found at the start.
    GatewayInterrupted = "gateway.interrupted",
    /// A new configuration is in force.
    ConfigReloaded = "config.reloaded",
    /// A new configuration was refused; the old one stays.
    ConfigRejected = "config.rejected",
    /// The store does not answer.
    StoreUnavailable = "store.unavailable",
    /// The store answers again.
    StoreRecovered = "store.recovered",
    /// The store has lost what it remembered.
    StoreEmptied = "store.emptied",
    /// A ticket was issued.
    TicketIssued = "ticket.issued",
    /// A ticket was asked for and refused.
    TicketRefused = "ticket.refused",
    /// A ticket was made worthless before it was used.
    TicketWithdrawn = "ticket.withdrawn",
    /// Somebody asked for a second person's approval.
    ApprovalRequested = "approval.requested",
    /// A second person approved.
    ApprovalApproved = "approval.approved",
    /// Somebody did not approve, or took their approval back.
    ApprovalDenied = "approval.denied",
    /// Whoever asked for an approval wants it no more.
    ApprovalWithdrawn = "approval.withdrawn",
    /// A ticket was issued with an approval.
    ApprovalUsed = "approval.used",
    /// Somebody tried to approve what they may not.
    ApprovalRefused = "approval.refused",
    /// A technician proved who they are and may go on.
    LoginAccepted = "login.accepted",
    /// A login was refused.
    LoginRefused = "login.refused",
    /// Somebody gave back a login to the API.
    TokenRevoked = "token.revoked",
    /// A caller of the API may not do what it asked for.
    ApiRefused = "api.refused",
    /// Someone added or changed a target through the API.
    TargetChanged = "target.changed",
    /// Someone removed a target through the API.
    TargetRemoved = "target.removed",
    /// An administrator ended a lock.
    LockoutCleared = "lockout.cleared",
    /// A login was refused without a look at its secret, after too many failures.
    LoginLocked = "login.locked",
    /// A session runs.
    SessionStarted = "session.started",
    /// A session ended.
    SessionEnded = "session.ended",
    /// Someone ended another one's session.
    SessionKilled = "session.killed",
    /// Someone changed what the technician of a session may do.
    PermissionChanged = "permission.changed",
    /// Permissions came too late to take full effect before the viewer connects anew.
    PermissionDeferred = "permission.deferred",
    /// A peer tried what is not permitted.
    PermissionDenied = "permission.denied",
    /// Somebody asked that the recording keeps nothing of the screen for a while.
    BlackoutAsked = "blackout.asked",
    /// From here on it keeps nothing.
    BlackoutBegan = "blackout.began",
    /// From here on it keeps everything again.
    BlackoutEnded = "blackout.ended",
    /// It keeps everything, though somebody asked that it does not.
    BlackoutRefused = "blackout.refused",
    /// Denials and channels of a session were only counted, since there were too many.
    EventsSuppressed = "events.suppressed",
    /// Clipboard content went through.
    ClipboardTransferred = "clipboard.transferred",
    /// The desktop has a new size.
    DesktopResized = "desktop.resized",
    /// A virtual channel was opened.
    ChannelOpened = "channel.opened",
    /// A virtual channel was kept from being opened.
    ChannelRefused = "channel.refused",
    /// A file went through.
    FileTransferred = "file.transferred",
    /// A peer said why it ends the session.
    PeerDisconnecting = "peer.disconnecting",
    /// The target sent the technician to another machine.
    SessionRedirected = "session.redirected",
    /// A target's certificate was seen for the first time and is trusted from now on.
    TargetCertificateTrusted = "target.certificate.trusted",
    /// A target's certificate is not the one that was trusted.
    TargetCertificateChanged = "target.certificate.changed",
    /// The target did not answer, and the gateway sent it what wakes it; or someone had it sent.
    TargetWoken = "target.woken",
    /// The target could not be reached or refused the gateway.
    TargetRefused = "target.refused",
    /// A recording began.
    RecordingOpened = "recording.opened",
    /// A recording was sealed; its root is in the details.
    RecordingSealed = "recording.sealed",
    /// A recording cannot go on.
    RecordingFailed = "recording.failed",
    /// A recording was found open at the start and sealed.
    RecordingInterrupted = "recording.interrupted",
    /// Someone holds a recording: it is neither deleted nor erased.
    RecordingHeld = "recording.held",
    /// Someone ended the hold on a recording.
    RecordingReleased = "recording.released",
    /// Someone erased a class of a recording by destroying its key.
    RecordingErased = "recording.erased",
    /// A recording is deleted, since its time is over.
    RecordingDeleted = "recording.deleted",
    /// Someone wrapped the keys of a recording anew, for others to open it.
    RecordingRewrapped = "recording.rewrapped",
    /// The object store has a recording as a whole.
    RecordingStored = "recording.stored",
    /// The object store has something else in the place of a part of a recording.
    RecordingDiffers = "recording.differs",
    /// There is little room for recordings, or none.
    DiskLow = "disk.low",
    /// There is enough room for recordings again.
    DiskRecovered = "disk.recovered",
    /// Someone read a recording.
    RecordingRead = "recording.read",
    /// Someone searched what was said and done in recordings.
    RecordingSearched = "recording.searched",
    /// Someone is about to view a recording, and said why.
    RecordingViewing = "recording.viewing",
    /// What of a recording someone has viewed.
    RecordingViewed = "recording.viewed",
    /// Someone verified a recording.
    RecordingVerified = "recording.verified",
    /// A peer broke its protocol.
    ProtocolViolation = "protocol.violation",
    /// A viewer was turned away before it could log in.
    ViewerRefused = "viewer.refused",
    /// A trusted proxy did not say where a connection comes from.
    ProxyRefused = "proxy.refused",
    /// Someone read the audit log through the API.
    AuditRead = "audit.read",
    /// Someone sent a test event to a webhook.
    WebhookTested = "webhook.tested",
    /// Events for a webhook were given up.
    WebhookDropped = "webhook.dropped",
    /// A webhook's receiver said that it wants no more events.
    WebhookDisabled = "webhook.disabled",
    /// The syslog server does not take events.
    SyslogUnavailable = "syslog.unavailable",
    /// It takes them again.
    SyslogRecovered = "syslog.recovered",
    /// A checkpoint could not be put where another system collects it.
    AnchorFailed = "anchor.failed",
    /// The log's last line was not whole at the start and was put aside.
    AuditRecovered = "audit.recovered",
    /// At the start, the log was not the one that its last checkpoint was made of.
    AuditMismatch = "audit.mismatch",
    /// Events were lost while the log could not be written.
    AuditGap = "audit.gap",
}

impl fmt::Display for AuditKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As wanted.
    Success,
    /// Someone was refused.
    Refused,
    /// Something failed.
    Failed,
}

/// One event. The log adds the sequence number, the time and the chain.
///
/// ```
/// use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
///
/// let event = AuditEvent::new(AuditKind::LoginRefused)
///     .technician("alice")
///     .address("192.0.2.7:50112")
///     .outcome(Outcome::Refused)
///     .message("the ticket has expired")
///     .detail("method", "VncAuth");
/// # assert_eq!(event.kind, AuditKind::LoginRefused);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// What happened.
    pub kind: AuditKind,
    /// The session it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The technician's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub technician: Option<String>,
    /// The target's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The peer's network address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// One sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What else is known; `AUDIT.md` lists the names for each kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, Value>,
}

impl AuditEvent {
    /// An event of which only the kind is known.
    #[must_use]
    pub fn new(kind: AuditKind) -> Self {
        Self {
            kind,
            session: None,
            technician: None,
            target: None,
            address: None,
            outcome: None,
            message: None,
            detail: BTreeMap::new(),
        }
    }

    /// Whether it says with what root a recording was sealed.
    #[must_use]
    pub fn is_sealing(&self) -> bool {
        matches!(self.kind, AuditKind::RecordingSealed | AuditKind::RecordingInterrupted)
    }

    /// Names the session.
    #[must_use]
    pub fn session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Names the technician.
    #[must_use]
    pub fn technician(mut self, technician: impl Into<String>) -> Self {
        self.technician = Some(technician.into());
        self
    }

    /// Names the target.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Gives the peer's address.
    #[must_use]
    pub fn address(mut self, address: impl fmt::Display) -> Self {
        self.address = Some(address.to_string());
        self
    }

    /// Says how it went.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// Adds a sentence for people.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Adds a detail; see `AUDIT.md` for the names.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }
}
