//! How a target leg fails.

use std::io;

use passerelle_rfb::ServerInitError;
use passerelle_rfb::security::{ArdError, TargetHandshakeError, TargetSecurity};

use crate::viewer::is_close;

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
    /// The target broke the protocol, refused us, or offers nothing that can be used.
    #[error(transparent)]
    Handshake(#[from] TargetHandshakeError),
    /// The target's description of its desktop is not acceptable.
    #[error("the target let us in but cannot be used: {0}")]
    ServerInit(#[from] ServerInitError),
}

/// What kind of failure it is, for counting and for what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetFailure {
    /// The target refused the connection or the credentials.
    Refused,
    /// The target refuses everyone for a while.
    TooManyAttempts,
    /// The target offers nothing that is allowed, or the credentials do not fit what it offers.
    Unusable,
    /// TLS could not be established.
    Tls,
    /// The target broke the protocol.
    Violation,
    /// The connection ended.
    Closed,
}

impl TargetError {
    /// What kind of failure it is.
    pub const fn kind(&self) -> TargetFailure {
        use TargetHandshakeError as Handshake;
        match self {
            Self::Closed(_) | Self::Io(_) => TargetFailure::Closed,
            Self::Tls(_) => TargetFailure::Tls,
            Self::ServerName(_) => TargetFailure::Unusable,
            Self::ServerInit(_) => TargetFailure::Violation,
            Self::Handshake(error) => match error {
                Handshake::Refused(_) => TargetFailure::Refused,
                Handshake::TooManyAttempts(_) => TargetFailure::TooManyAttempts,
                Handshake::NothingUsable { .. }
                | Handshake::NoUsableSubtype { .. }
                | Handshake::Plain(_)
                | Handshake::Ard(ArdError::UsernameTooLong(_) | ArdError::PasswordTooLong(_))
                | Handshake::VencryptVersion(_)
                | Handshake::VencryptRefused => TargetFailure::Unusable,
                Handshake::Version(_)
                | Handshake::TypeNumber(_)
                | Handshake::Ard(_)
                | Handshake::Result(_)
                | Handshake::OutOfTurn => TargetFailure::Violation,
            },
        }
    }

    /// What can be used on a new connection instead, when the target's VeNCrypt turned out to hold nothing
    /// that can be used: negotiate again with [`without_vencrypt`](super::TargetSettings::without_vencrypt).
    pub const fn instead(&self) -> Option<TargetSecurity> {
        match self {
            Self::Handshake(TargetHandshakeError::NoUsableSubtype { instead, .. }) => *instead,
            _ => None,
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
}
