//! How a target leg fails.

mod refusal;
mod violation;

use std::io;

use ironrdp_core::EncodeError;

pub use self::refusal::{LogonFailure, NegotiationFailure};
pub use self::violation::TargetViolation;
use super::{ClientInfoError, CredentialsError};
use crate::wire::WireError;

/// A target that did not let us in.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The target closed the connection without a word.
    #[error("the target closed the connection while {0}")]
    Closed(&'static str),
    /// The connection broke.
    #[error("the connection to the target broke: {0}")]
    Io(#[source] io::Error),
    /// TLS could not be established.
    #[error("no TLS with the target: {0}")]
    Tls(#[source] io::Error),
    /// The name under which the target is known can stand in no certificate.
    #[error("`{0}` is neither a host name nor an IP address, as TLS with the target needs")]
    ServerName(String),
    /// The policy allows nothing.
    #[error("no security protocol is allowed for the target; allow NLA, TLS or both")]
    NothingAllowed,
    /// The target does not do what is allowed.
    #[error(transparent)]
    Negotiation(#[from] NegotiationFailure),
    /// The configured credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The target refused the credentials.
    #[error("the target refuses to log us in: {0}")]
    Logon(#[from] LogonFailure),
    /// The target does not know the session key that the account's password gives, or has seen another
    /// certificate than we have.
    #[error(
        "the target did not prove that it ends this TLS connection and knows the account: someone sits \
         between, or the password is wrong"
    )]
    Unproven,
    /// CredSSP failed on our side.
    #[error("CredSSP with the target cannot be performed: {0}")]
    CredSsp(String),
    /// The target refused a step of the MCS connection.
    #[error("the target refuses {what} (T.125 result {result}, {})", mcs_result(*.result))]
    Mcs {
        /// What it refuses.
        what: &'static str,
        /// T.125 `Result`.
        result: u8,
    },
    /// The target said good-bye.
    #[error("the target disconnected while {doing}: {reason}")]
    Disconnected {
        /// At what.
        doing: &'static str,
        /// T.125 `Reason`, in words.
        reason: &'static str,
    },
    /// The viewer's Client Info cannot be passed on.
    #[error("the viewer's Client Info cannot be passed on to the target: {0}")]
    ClientInfo(#[from] ClientInfoError),
    /// What the viewer said of itself is longer than its PDU can be.
    #[error("what the viewer says of itself is too long to be passed on to the target")]
    HelloTooLong,
    /// What the viewer said of itself does not fit the PDU that is to carry it.
    #[error("what the viewer says of itself cannot be passed on to the target: {0}")]
    Encode(#[source] EncodeError),
    /// The target broke the protocol.
    #[error("the target broke the protocol: {0}")]
    Violation(#[from] TargetViolation),
}

/// What kind of failure it is, for counting and for what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetFailure {
    /// The target refused the connection or the credentials.
    Refused,
    /// The target offers nothing that is allowed, or the credentials do not fit what it offers.
    Unusable,
    /// TLS could not be established, or someone may sit between.
    Tls,
    /// The target broke the protocol.
    Violation,
    /// The viewer sent what cannot be passed on.
    Viewer,
    /// The connection ended.
    Closed,
}

impl TargetError {
    /// What kind of failure it is.
    pub const fn kind(&self) -> TargetFailure {
        match self {
            Self::Closed(_) | Self::Io(_) => TargetFailure::Closed,
            Self::Tls(_) | Self::Unproven => TargetFailure::Tls,
            Self::ServerName(_)
            | Self::NothingAllowed
            | Self::Negotiation(_)
            | Self::Credentials(_)
            | Self::CredSsp(_) => TargetFailure::Unusable,
            Self::Logon(_) | Self::Mcs { .. } | Self::Disconnected { .. } => TargetFailure::Refused,
            Self::ClientInfo(_) | Self::HelloTooLong | Self::Encode(_) => TargetFailure::Viewer,
            Self::Violation(_) => TargetFailure::Violation,
        }
    }

    /// Of reading or writing; `doing` says at what.
    pub(super) fn io(error: io::Error, doing: &'static str) -> Self {
        if is_close(&error) { Self::Closed(doing) } else { Self::Io(error) }
    }

    /// Of the TLS handshake.
    pub(super) fn tls(error: io::Error) -> Self {
        if is_close(&error) { Self::Closed("negotiating TLS") } else { Self::Tls(error) }
    }

    /// Of reading a PDU; `doing` says at what.
    pub(super) fn wire(error: WireError, doing: &'static str) -> Self {
        match error {
            WireError::Io(error) => Self::io(error, doing),
            WireError::NotTpkt(version) => TargetViolation::NotTpkt(version).into(),
            WireError::TooLong { len, limit } => TargetViolation::TooLong { len, limit }.into(),
            WireError::TooShort(len) => TargetViolation::TooShort(len).into(),
        }
    }
}

/// Whether an error means that the peer is gone.
fn is_close(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// T.125 7, part 2, `Result`.
const fn mcs_result(result: u8) -> &'static str {
    match result {
        1 => "domain merging",
        2 => "domain not hierarchical",
        3 => "no such channel",
        4 => "no such domain",
        5 => "no such user",
        6 => "not admitted",
        7 => "other user id",
        8 => "parameters unacceptable",
        9 => "token not available",
        10 => "token not possessed",
        11 => "too many channels",
        12 => "too many tokens",
        13 => "too many users",
        14 => "unspecified failure",
        15 => "user rejected",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_to_mend() {
        for (status, word) in [
            (0xc000_006d, "credentials"),
            (0xc000_0071, "expired"),
            (0xc000_0224, "must be changed"),
            (0xc000_0234, "unlock"),
            (0xc000_0072, "disabled"),
            (0xc000_0193, "extend"),
            (0xc000_006e, "Protected Users"),
            (0xc000_006f, "hour"),
            (0xc000_0070, "gateway's name"),
            (0xc000_015b, "grant"),
            (0xc000_02fa, "smart card"),
            (0xc000_0418, "NTLM"),
            (0xc000_005e, "domain controller"),
            (0xc000_0001, "0xc0000001"),
        ] {
            let error = TargetError::from(LogonFailure::from_status(status));
            assert!(error.to_string().contains(word), "{error}");
            assert_eq!(error.kind(), TargetFailure::Refused);
        }
    }

    #[test]
    fn a_lost_connection_is_no_broken_protocol() {
        let lost = WireError::Io(io::ErrorKind::ConnectionReset.into());
        assert_eq!(TargetError::wire(lost, "testing").kind(), TargetFailure::Closed);
        assert_eq!(TargetError::wire(WireError::NotTpkt(4), "testing").kind(), TargetFailure::Violation);
    }
}
