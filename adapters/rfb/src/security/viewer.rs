//! The server's role towards a viewer.

use std::fmt;
use std::mem;

use zeroize::Zeroizing;

use super::ard::{ArdError, ArdServer};
use super::plain::{self, PlainError};
use super::reason::{SecurityResult, no_types, type_list};
use super::version::{ProtocolVersion, VersionError};
use super::vnc_auth::{CHALLENGE_LEN, VncAuthProof};
use super::wants::{Random, Wants};
use super::{SecurityType, VencryptSubtype, ViewerSecurity};

/// VeNCrypt 0.2, the only version in use.
pub(super) const VENCRYPT_VERSION: [u8; 2] = [0, 2];

/// What a viewer gave to prove who it is. Whether that is enough is the caller's decision.
#[derive(Clone)]
pub enum Presented {
    /// An answer to a challenge.
    VncAuth(VncAuthProof),
    /// User name and password.
    Password {
        /// The user name as the viewer sent it; may be empty.
        username: String,
        /// The password; may be empty.
        password: Zeroizing<String>,
    },
}

/// Shows no secret.
impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VncAuth(proof) => f.debug_tuple("VncAuth").field(proof).finish(),
            Self::Password { username, .. } => {
                f.debug_struct("Password").field("username", username).finish_non_exhaustive()
            }
        }
    }
}

/// How a handshake with a viewer ended.
#[derive(Debug)]
pub struct ViewerProof {
    /// The version that is spoken.
    pub version: ProtocolVersion,
    /// What the viewer chose.
    pub security: ViewerSecurity,
    /// What it presented.
    pub presented: Presented,
}

/// The handshake with a viewer from the first byte until it has presented its proof.
///
/// Do what [`wants`](Self::wants) says, hand what was read to [`receive`](Self::receive), and so on until it
/// wants [`Wants::Finished`]; then [`finish`](Self::finish). After an error ask `wants` once more: there may
/// be something to send to the viewer before it is dropped.
pub struct ViewerHandshake {
    offers: Vec<ViewerSecurity>,
    version: ProtocolVersion,
    output: Option<Vec<u8>>,
    state: State,
}

enum State {
    Version,
    Choice,
    VncAuth { security: ViewerSecurity, challenge: [u8; CHALLENGE_LEN] },
    Ard(Box<ArdServer>),
    VencryptVersion,
    VencryptSubtype,
    Tls(ViewerSecurity),
    PlainLengths(ViewerSecurity),
    Plain { security: ViewerSecurity, username: usize, password: usize },
    Presented(ViewerSecurity, Presented),
    Failed,
}

impl ViewerHandshake {
    /// Starts a handshake that offers `offers` in their order; all under VeNCrypt share the place of the first.
    ///
    /// [`ViewerSecurity::Plain`] is left out unless `encrypted`: the stream is inside TLS already.
    pub fn new(offers: &[ViewerSecurity], encrypted: bool) -> Self {
        let offers = offers.iter().copied().filter(|offer| encrypted || *offer != ViewerSecurity::Plain);
        Self {
            offers: offers.collect(),
            version: ProtocolVersion::V3_8,
            output: Some(ProtocolVersion::V3_8.banner().to_vec()),
            state: State::Version,
        }
    }

    /// What is to be done next.
    pub fn wants(&mut self) -> Wants {
        if let Some(output) = self.output.take() {
            return Wants::Send(output);
        }
        match &self.state {
            State::Version => Wants::Receive(ProtocolVersion::LEN),
            State::Choice => Wants::Receive(1),
            State::VncAuth { .. } => Wants::Receive(CHALLENGE_LEN),
            State::Ard(_) => Wants::Receive(ArdServer::ANSWER_LEN),
            State::VencryptVersion => Wants::Receive(VENCRYPT_VERSION.len()),
            State::VencryptSubtype => Wants::Receive(4),
            State::Tls(_) => Wants::UpgradeToTls,
            State::PlainLengths(_) => Wants::Receive(8),
            State::Plain { username, password, .. } => Wants::Receive(username + password),
            State::Presented(..) | State::Failed => Wants::Finished,
        }
    }

    /// Takes the bytes that were asked for. `random` is drawn from for challenges and keys.
    ///
    /// # Errors
    /// The viewer broke the protocol, or there is no way to let it in. The handshake is over.
    pub fn receive(&mut self, bytes: &[u8], random: Random<'_>) -> Result<(), ViewerHandshakeError> {
        match mem::replace(&mut self.state, State::Failed) {
            State::Version => {
                self.version = ProtocolVersion::parse(exactly(bytes)?)?;
                self.offer(random)
            }
            State::Choice => {
                let [choice] = *exactly(bytes)?;
                self.choose(SecurityType(choice), random)
            }
            State::VncAuth { security, challenge } => {
                let proof = VncAuthProof { challenge, response: *exactly(bytes)? };
                self.state = State::Presented(security, Presented::VncAuth(proof));
                Ok(())
            }
            State::Ard(ard) => {
                let (username, password) =
                    ard.finish(exactly(bytes)?).map_err(|error| self.refuse(error.into()))?;
                self.state =
                    State::Presented(ViewerSecurity::Ard, Presented::Password { username, password });
                Ok(())
            }
            State::VencryptVersion => {
                if *exactly::<2>(bytes)? != VENCRYPT_VERSION {
                    self.output = Some(vec![0xff]);
                    return Err(ViewerHandshakeError::VencryptVersion(*exactly(bytes)?));
                }
                let subtypes: Vec<u32> =
                    self.offers.iter().filter_map(|offer| Some(offer.subtype()?.0)).collect();
                let mut message = vec![0, u8::try_from(subtypes.len()).unwrap_or(u8::MAX)];
                message.extend(subtypes.into_iter().flat_map(u32::to_be_bytes));
                self.output = Some(message);
                self.state = State::VencryptSubtype;
                Ok(())
            }
            State::VencryptSubtype => {
                self.choose_subtype(VencryptSubtype(u32::from_be_bytes(*exactly(bytes)?)))
            }
            State::PlainLengths(security) => {
                let (username, password) =
                    plain::lengths(exactly(bytes)?).map_err(|error| self.refuse(error.into()))?;
                self.state = State::Plain { security, username, password };
                Ok(())
            }
            State::Plain { security, username, password } => {
                if bytes.len() != username + password {
                    return Err(ViewerHandshakeError::OutOfTurn);
                }
                let (username, password) =
                    plain::credentials(bytes, username).map_err(|error| self.refuse(error.into()))?;
                self.state = State::Presented(security, Presented::Password { username, password });
                Ok(())
            }
            State::Tls(_) | State::Presented(..) | State::Failed => Err(ViewerHandshakeError::OutOfTurn),
        }
    }

    /// Says that the TLS handshake which was asked for has succeeded.
    pub fn upgraded(&mut self, random: Random<'_>) {
        if let State::Tls(security) = self.state {
            self.begin(security, random);
        }
    }

    /// The outcome, once the handshake wants [`Wants::Finished`] without an error before.
    pub fn finish(self) -> Option<ViewerProof> {
        match self.state {
            State::Presented(security, presented) => {
                Some(ViewerProof { version: self.version, security, presented })
            }
            _ => None,
        }
    }

    fn offer(&mut self, random: Random<'_>) -> Result<(), ViewerHandshakeError> {
        if self.version.client_chooses() && !self.offers.is_empty() {
            self.output = Some(type_list(&self.offers));
            self.state = State::Choice;
            return Ok(());
        }
        // Of the types that 3.3 knows, only VncAuth asks for a proof.
        if self.offers.contains(&ViewerSecurity::VncAuth) {
            self.begin(ViewerSecurity::VncAuth, random);
            if let Some(challenge) = &mut self.output {
                challenge.splice(..0, u32::from(SecurityType::VNC_AUTH.0).to_be_bytes());
            }
            return Ok(());
        }
        let error = ViewerHandshakeError::NothingToOffer(self.version);
        self.output = Some(no_types(self.version, &error.to_string()));
        Err(error)
    }

    fn choose(&mut self, choice: SecurityType, random: Random<'_>) -> Result<(), ViewerHandshakeError> {
        let chosen = self.offers.iter().copied().find(|offer| offer.security_type() == choice);
        match chosen {
            None => Err(self.refuse(ViewerHandshakeError::NotOffered(choice))),
            Some(_) if choice == SecurityType::VENCRYPT => {
                self.output = Some(VENCRYPT_VERSION.to_vec());
                self.state = State::VencryptVersion;
                Ok(())
            }
            Some(security) => {
                self.begin(security, random);
                Ok(())
            }
        }
    }

    fn choose_subtype(&mut self, choice: VencryptSubtype) -> Result<(), ViewerHandshakeError> {
        match self.offers.iter().copied().find(|offer| offer.subtype() == Some(choice)) {
            None => {
                self.output = Some(vec![0]);
                Err(ViewerHandshakeError::SubtypeNotOffered(choice))
            }
            // Without TLS there is nothing to acknowledge.
            Some(ViewerSecurity::Plain) => {
                self.state = State::PlainLengths(ViewerSecurity::Plain);
                Ok(())
            }
            Some(security) => {
                self.output = Some(vec![1]);
                self.state = State::Tls(security);
                Ok(())
            }
        }
    }

    fn begin(&mut self, security: ViewerSecurity, random: Random<'_>) {
        match security {
            ViewerSecurity::VncAuth | ViewerSecurity::X509Vnc => {
                let mut challenge = [0; CHALLENGE_LEN];
                random(&mut challenge);
                self.output = Some(challenge.to_vec());
                self.state = State::VncAuth { security, challenge };
            }
            ViewerSecurity::Ard => {
                let (ard, parameters) = ArdServer::start(random);
                self.output = Some(parameters);
                self.state = State::Ard(Box::new(ard));
            }
            ViewerSecurity::Plain | ViewerSecurity::X509Plain => self.state = State::PlainLengths(security),
        }
    }

    fn refuse(&mut self, error: ViewerHandshakeError) -> ViewerHandshakeError {
        self.output = Some(SecurityResult::refused(self.version, &error.to_string()));
        error
    }
}

/// A handshake with a viewer that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewerHandshakeError {
    /// The viewer announced no version that can be spoken.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// None of the configured security types exists in the viewer's version.
    #[error(
        "this viewer speaks RFB {0}, for which no configured security type is suitable; use a newer viewer or \
         allow VncAuth"
    )]
    NothingToOffer(ProtocolVersion),
    /// The viewer chose what was not offered.
    #[error("the viewer chose the security type {0}, which was not offered")]
    NotOffered(SecurityType),
    /// The viewer wants another version of VeNCrypt.
    #[error("the viewer asked for VeNCrypt {}.{}; only 0.2 is spoken", .0[0], .0[1])]
    VencryptVersion([u8; 2]),
    /// The viewer chose a subtype that was not offered.
    #[error("the viewer chose {0}, which was not offered")]
    SubtypeNotOffered(VencryptSubtype),
    /// ARD authentication failed before anything was presented.
    #[error(transparent)]
    Ard(#[from] ArdError),
    /// User name or password cannot be taken.
    #[error(transparent)]
    Plain(#[from] PlainError),
    /// The caller handed over bytes that were not asked for.
    #[error("the handshake was given bytes that it had not asked for")]
    OutOfTurn,
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], ViewerHandshakeError> {
    bytes.try_into().map_err(|_| ViewerHandshakeError::OutOfTurn)
}
