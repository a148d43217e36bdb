//! Why a viewer is refused, in its own terms.

use std::fmt;

/// Why a viewer whose connection has got beyond the negotiation is refused. Each has a code of the Set Error
/// Info PDU (MS-RDPBCGR 2.2.5.1.1), for which clients have a message in their user's language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RdpRefusal {
    /// The secret is wrong, used or expired: another one is needed.
    FreshCredentials,
    /// The gateway takes no connection from this viewer.
    Denied,
    /// The technician is known, but the rules do not allow this.
    NotAllowed,
    /// The target cannot be reached, or refused the gateway.
    TargetUnavailable,
    /// The gateway has no room for another session.
    Busy,
    /// The gateway is about to stop.
    ShuttingDown,
}

impl RdpRefusal {
    /// The value of `errorInfo` in the Set Error Info PDU.
    pub const fn code(self) -> u32 {
        match self {
            // ERRINFO_SERVER_FRESH_CREDENTIALS_REQUIRED
            Self::FreshCredentials => 0x0000_000A,
            // ERRINFO_SERVER_DENIED_CONNECTION
            Self::Denied => 0x0000_0007,
            // ERRINFO_SERVER_INSUFFICIENT_PRIVILEGES
            Self::NotAllowed => 0x0000_0009,
            // ERRINFO_CB_DESTINATION_NOT_FOUND
            Self::TargetUnavailable => 0x0000_0400,
            // ERRINFO_OUT_OF_MEMORY
            Self::Busy => 0x0000_0006,
            // ERRINFO_RPC_INITIATED_DISCONNECT: ERRINFO_SERVER_SHUTDOWN is too new for many clients.
            Self::ShuttingDown => 0x0000_0001,
        }
    }
}

/// In words, for logs.
impl fmt::Display for RdpRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FreshCredentials => "the secret is wrong, used or expired",
            Self::Denied => "the connection is not accepted",
            Self::NotAllowed => "the rules do not allow it",
            Self::TargetUnavailable => "the target is not available",
            Self::Busy => "the gateway has no room for another session",
            Self::ShuttingDown => "the gateway is about to stop",
        })
    }
}
