//! The client's role towards a target: credentials and their result.

use std::mem;

use zeroize::Zeroizing;

use super::ard::{ArdClient, HEADER_LEN};
use super::plain;
use super::reason::SecurityResult;
use super::target::{TargetHandshakeError, exactly, reason_len};
use super::vnc_auth::{CHALLENGE_LEN, respond};
use super::wants::{Random, Wants};
use super::{ProtocolVersion, TargetSecurity};

/// User name and password for a target; empty where there is none.
#[derive(Clone, Default)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password. VncAuth and X509Vnc use its first eight bytes.
    pub password: Zeroizing<String>,
}

/// The rest of the handshake with a target that is trusted: from the credentials to the result.
///
/// [`start`](Self::start) it, then do what [`wants`](Self::wants) says and hand what was read to
/// [`receive`](Self::receive) until it wants [`Wants::Finished`]: the target has let us in.
pub struct TargetLogin {
    version: ProtocolVersion,
    security: TargetSecurity,
    credentials: Credentials,
    output: Option<Vec<u8>>,
    state: State,
}

enum State {
    Untrusted,
    Challenge,
    ArdHeader,
    ArdParameters(ArdClient),
    Result,
    ReasonLength(SecurityResult),
    Reason(SecurityResult, usize),
    Accepted,
    Failed,
}

impl TargetLogin {
    pub(super) fn new(version: ProtocolVersion, security: TargetSecurity) -> Self {
        Self { version, security, credentials: Credentials::default(), output: None, state: State::Untrusted }
    }

    /// The version that is spoken.
    pub const fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// What was chosen.
    pub const fn security(&self) -> TargetSecurity {
        self.security
    }

    /// Goes on with a target that is trusted with `credentials`.
    ///
    /// # Errors
    /// They are too long for what was chosen.
    pub fn start(&mut self, credentials: Credentials) -> Result<(), TargetHandshakeError> {
        if !matches!(self.state, State::Untrusted) {
            return Err(TargetHandshakeError::OutOfTurn);
        }
        self.state = match self.security {
            // Before 3.8, type None has no result; under VeNCrypt it always has.
            TargetSecurity::None if self.version < ProtocolVersion::V3_8 => State::Accepted,
            TargetSecurity::None | TargetSecurity::X509None => State::Result,
            TargetSecurity::VncAuth | TargetSecurity::X509Vnc => State::Challenge,
            TargetSecurity::Ard => State::ArdHeader,
            TargetSecurity::X509Plain => {
                self.output = Some(plain::message(&credentials.username, &credentials.password)?);
                State::Result
            }
        };
        self.credentials = credentials;
        Ok(())
    }

    /// What is to be done next.
    pub fn wants(&mut self) -> Wants {
        if let Some(output) = self.output.take() {
            return Wants::Send(output);
        }
        match &self.state {
            State::Challenge => Wants::Receive(CHALLENGE_LEN),
            State::ArdHeader => Wants::Receive(HEADER_LEN),
            State::ArdParameters(ard) => Wants::Receive(ard.parameters_len()),
            State::Result | State::ReasonLength(_) => Wants::Receive(4),
            State::Reason(_, len) => Wants::Receive(*len),
            State::Untrusted | State::Accepted | State::Failed => Wants::Finished,
        }
    }

    /// Takes the bytes that were asked for. `random` is drawn from for keys.
    ///
    /// # Errors
    /// The target broke the protocol or refused the credentials.
    pub fn receive(&mut self, bytes: &[u8], random: Random<'_>) -> Result<(), TargetHandshakeError> {
        self.state = match mem::replace(&mut self.state, State::Failed) {
            State::Challenge => {
                let response = respond(exactly(bytes)?, self.credentials.password.as_bytes());
                self.output = Some(response.to_vec());
                State::Result
            }
            State::ArdHeader => State::ArdParameters(ArdClient::start(exactly(bytes)?)?),
            State::ArdParameters(ard) => {
                let Credentials { username, password } = &self.credentials;
                self.output = Some(ard.finish(bytes, username, password, random)?);
                State::Result
            }
            State::Result => {
                let number = u32::from_be_bytes(*exactly(bytes)?);
                match SecurityResult::from_wire(number) {
                    None => return Err(TargetHandshakeError::Result(number)),
                    Some(SecurityResult::Ok) => State::Accepted,
                    Some(refusal) if self.version.has_reasons() => State::ReasonLength(refusal),
                    Some(refusal) => return Err(refused(refusal, None)),
                }
            }
            State::ReasonLength(refusal) => match reason_len(exactly(bytes)?) {
                0 => return Err(refused(refusal, None)),
                len => State::Reason(refusal, len),
            },
            State::Reason(refusal, _) => return Err(refused(refusal, Some(bytes))),
            State::Untrusted | State::Accepted | State::Failed => {
                return Err(TargetHandshakeError::OutOfTurn);
            }
        };
        Ok(())
    }

    /// What is known when the target closes the connection now: a refusal whose reason did not come.
    pub fn closed(&self) -> Option<TargetHandshakeError> {
        match self.state {
            State::ReasonLength(refusal) | State::Reason(refusal, _) => Some(refused(refusal, None)),
            _ => None,
        }
    }

    /// Whether the target has let us in.
    pub const fn is_accepted(&self) -> bool {
        matches!(self.state, State::Accepted)
    }
}

fn refused(refusal: SecurityResult, reason: Option<&[u8]>) -> TargetHandshakeError {
    TargetHandshakeError::refused(reason, refusal == SecurityResult::TooManyAttempts)
}
