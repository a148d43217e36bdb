//! Why a session ended.

use std::fmt;

use passerelle_desktop::Farewell;
use serde::Serialize;

/// Every way out of a session. Exactly one is recorded, audited and logged for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub(crate) enum CloseReason {
    /// The technician's client closed the connection.
    ViewerClosed,
    /// The target closed the connection.
    TargetClosed,
    /// The technician's client stopped taking data or its network failed.
    ViewerFailed { error: String },
    /// The connection to the target failed during the session.
    TargetFailed { error: String },
    /// The target could not be reached, refused us or could not be trusted.
    TargetRefused { error: String },
    /// The technician's client broke the protocol.
    ViewerViolation { error: String },
    /// The target broke the protocol.
    TargetViolation { error: String },
    /// The technician's client connected anew with the same ticket and goes on in another session.
    Reconnected,
    /// Somebody ended the session.
    Killed { by: String, why: Option<String> },
    /// The technician did nothing for as long as `limits.idle` says.
    Idle,
    /// The session was as long as `limits.session` allows.
    TooLong,
    /// The gateway was stopped.
    Shutdown,
    /// What must be recorded could not be.
    RecordingFailed { error: String },
    /// The store no longer knows the session, or could not be asked for too long.
    LeaseLost { error: String },
    /// A defect of the gateway; the log has its trace.
    Internal { error: String },
}

impl CloseReason {
    /// What the viewer is told, where it is not the viewer that ends the session and it still listens.
    pub(crate) fn farewell(&self) -> Option<Farewell> {
        match self {
            Self::Killed { .. } => Some(Farewell::Ended),
            Self::Idle => Some(Farewell::Idle),
            Self::TooLong => Some(Farewell::TooLong),
            Self::Reconnected => Some(Farewell::Replaced),
            Self::TargetClosed | Self::TargetFailed { .. } => Some(Farewell::TargetLost),
            Self::TargetViolation { .. }
            | Self::ViewerViolation { .. }
            | Self::Shutdown
            | Self::RecordingFailed { .. }
            | Self::LeaseLost { .. }
            | Self::Internal { .. } => Some(Farewell::Failed),
            Self::ViewerClosed | Self::ViewerFailed { .. } | Self::TargetRefused { .. } => None,
        }
    }

    /// The word that stands for the reason in the audit log, the recording and the API.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ViewerClosed => "viewer_closed",
            Self::TargetClosed => "target_closed",
            Self::ViewerFailed { .. } => "viewer_failed",
            Self::TargetFailed { .. } => "target_failed",
            Self::TargetRefused { .. } => "target_refused",
            Self::ViewerViolation { .. } => "viewer_violation",
            Self::TargetViolation { .. } => "target_violation",
            Self::Reconnected => "reconnected",
            Self::Killed { .. } => "killed",
            Self::Idle => "idle",
            Self::TooLong => "too_long",
            Self::Shutdown => "shutdown",
            Self::RecordingFailed { .. } => "recording_failed",
            Self::LeaseLost { .. } => "lease_lost",
            Self::Internal { .. } => "internal",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ViewerClosed => f.write_str("the technician's client disconnected"),
            Self::TargetClosed => f.write_str("the target disconnected"),
            Self::ViewerFailed { error } => write!(f, "the connection to the technician failed: {error}"),
            Self::TargetFailed { error } => write!(f, "the connection to the target failed: {error}"),
            Self::TargetRefused { error }
            | Self::ViewerViolation { error }
            | Self::TargetViolation { error } => f.write_str(error),
            Self::Reconnected => f.write_str("the technician's client connected anew and goes on there"),
            Self::Killed { by, why: Some(why) } => write!(f, "ended by {by}: {why}"),
            Self::Killed { by, why: None } => write!(f, "ended by {by}"),
            Self::Idle => f.write_str("nothing was done for as long as limits.idle allows"),
            Self::TooLong => f.write_str("the session reached limits.session"),
            Self::Shutdown => f.write_str("the gateway was stopped"),
            Self::RecordingFailed { error } => write!(f, "the recording failed: {error}"),
            Self::LeaseLost { error } => write!(f, "the session's lease was lost: {error}"),
            Self::Internal { error } => write!(f, "internal error: {error}"),
        }
    }
}
