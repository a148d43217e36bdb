//! How a viewer leg fails.

use std::io;

use ironrdp_pdu::nego::SecurityProtocol;

use super::nla::CredSspViolation;
use crate::wire::WireError;

/// A viewer that was not let in, for technical reasons or for a wrong secret.
#[derive(Debug, thiserror::Error)]
pub enum ViewerError {
    /// The viewer closed the connection; port scanners and health checks do, and so does mstsc when it asks
    /// its user for a password.
    #[error("the viewer closed the connection before its login was over")]
    Closed,
    /// The connection broke, or the viewer sent more before its login than one takes.
    #[error("the connection to the viewer broke: {0}")]
    Io(#[source] io::Error),
    /// TLS could not be established.
    #[error("no TLS with the viewer: {0}")]
    Tls(#[source] io::Error),
    /// What came first is neither a TPKT nor a preconnection PDU.
    #[error("what connected does not speak RDP: it began with the bytes {0:02x?}")]
    NotRdp([u8; 4]),
    /// A TPKT of another version than 3.
    #[error("the viewer sent {0:#04x} where a TPKT of version 3 was expected")]
    NotTpkt(u8),
    /// A PDU that is longer than this step of the protocol needs.
    #[error("the viewer announced a PDU of {len} bytes where at most {limit} are accepted")]
    TooLong {
        /// As announced, in bytes.
        len: usize,
        /// What is accepted, in bytes.
        limit: usize,
    },
    /// A TPKT that ends before its header does.
    #[error("the viewer announced a PDU of {0} bytes, which is shorter than its header")]
    TooShort(usize),
    /// The preconnection PDU (MS-RDPEPS 2.2.1) makes no sense.
    #[error("the viewer's preconnection blob is malformed")]
    Preconnection,
    /// The X.224 Connection Request (MS-RDPBCGR 2.2.1.1) makes no sense.
    #[error("the viewer's X.224 Connection Request is malformed: {0}")]
    Request(&'static str),
    /// The viewer offers no security protocol that is accepted. It was told which one is required.
    #[error(
        "the viewer offers {requested}, none of which is accepted; enable TLS or Network Level Authentication \
         in it"
    )]
    NoCommonSecurity {
        /// What it offered; none is Standard RDP Security.
        requested: SecurityProtocol,
    },
    /// The viewer broke CredSSP, or wants it in a way that is not supported.
    #[error("Network Level Authentication failed: {0}")]
    CredSsp(#[from] CredSspViolation),
    /// A message that cannot be read.
    #[error("the viewer's {pdu} is malformed: {reason}")]
    Malformed {
        /// Its name in MS-RDPBCGR.
        pdu: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// An MCS message at the wrong time.
    #[error("the viewer sent an MCS {0} out of turn")]
    OutOfTurn(&'static str),
    /// More messages than a connection sequence takes.
    #[error("the viewer sends MCS messages without an end")]
    Endless,
    /// A channel that there is not, or as somebody else.
    #[error("the viewer wants to join the channel {0}, which it was not given")]
    UnknownChannel(u16),
    /// Client Info (MS-RDPBCGR 2.2.1.11) makes no sense.
    #[error("the viewer's Client Info is malformed: {0}")]
    ClientInfo(&'static str),
    /// The viewer ended the connection in the protocol's own way.
    #[error("the viewer disconnected during its login")]
    Disconnected,
    /// [`Proven::enter`](super::Proven::enter) was called without the answer that the viewer waits for. A fault
    /// of this program.
    #[error("the viewer cannot enter: nobody has answered its Connect Initial")]
    Unanswered,
    /// The target's answer does not fit the viewer's channels, or cannot be encoded.
    #[error("the target's answer does not fit the viewer: {0}")]
    Answer(String),
}

impl ViewerError {
    /// Whether the viewer broke the protocol, rather than that it left or was left.
    pub const fn is_violation(&self) -> bool {
        !matches!(
            self,
            Self::Closed
                | Self::Io(_)
                | Self::Tls(_)
                | Self::NoCommonSecurity { .. }
                | Self::Disconnected
                | Self::Unanswered
                | Self::Answer(_)
        )
    }

    /// Of reading or writing.
    pub(super) fn io(error: io::Error) -> Self {
        if is_close(&error) { Self::Closed } else { Self::Io(error) }
    }

    /// Of the TLS handshake.
    pub(super) fn tls(error: io::Error) -> Self {
        if is_close(&error) { Self::Closed } else { Self::Tls(error) }
    }

    /// Of a PDU that ironrdp cannot decode.
    pub(super) fn malformed(pdu: &'static str, reason: &dyn std::fmt::Display) -> Self {
        Self::Malformed { pdu, reason: reason.to_string() }
    }
}

impl From<WireError> for ViewerError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Io(error) => Self::io(error),
            WireError::NotTpkt(version) => Self::NotTpkt(version),
            WireError::TooLong { len, limit } => Self::TooLong { len, limit },
            WireError::TooShort(len) => Self::TooShort(len),
        }
    }
}

/// Whether the peer merely went away.
fn is_close(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}
