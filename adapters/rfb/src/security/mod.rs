//! Version, security and result: everything before ClientInit, for both roles.
//!
//! [`ViewerHandshake`] plays the server towards a viewer, [`TargetHandshake`] the client towards a target.
//! Neither reads a socket: each says what it [`Wants`] next, always in exact lengths, so that a TLS upgrade
//! finds its first byte unread.

mod ard;
mod login;
mod plain;
mod reason;
mod target;
mod types;
mod version;
mod viewer;
mod vnc_auth;
mod wants;

#[cfg(test)]
mod tests;

pub use ard::ArdError;
pub use login::{Credentials, TargetLogin};
pub use plain::{MAX_PASSWORD, MAX_USERNAME, PlainError};
pub use reason::{MAX_REASON, SecurityResult, clean_reason};
pub use target::{TargetHandshake, TargetHandshakeError};
pub use types::{CredentialKind, SecurityType, TargetSecurity, VencryptSubtype, ViewerSecurity};
pub use version::{ProtocolVersion, VersionError};
pub use viewer::{Presented, ViewerHandshake, ViewerHandshakeError, ViewerProof};
pub use vnc_auth::VncAuthProof;
pub use wants::{Random, Wants};

/// The bytes as text for a person, with everything unprintable escaped.
fn printable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
