//! The client's role towards a target, up to the point where the target must be trusted.

use std::fmt;
use std::mem;

use super::ard::ArdError;
use super::login::TargetLogin;
use super::plain::PlainError;
use super::reason::{MAX_REASON, clean_reason};
use super::version::{ProtocolVersion, VersionError};
use super::viewer::VENCRYPT_VERSION;
use super::wants::Wants;
use super::{CredentialKind, SecurityType, TargetSecurity, VencryptSubtype};

/// The handshake with a target from the first byte until credentials are due.
///
/// Do what [`wants`](Self::wants) says, hand what was read to [`receive`](Self::receive), and so on until it
/// wants [`Wants::Finished`]. No credential has been sent then: look at the certificate before
/// [`TargetLogin`] goes on.
pub struct TargetHandshake {
    usable: Vec<TargetSecurity>,
    version: ProtocolVersion,
    types: Vec<SecurityType>,
    output: Option<Vec<u8>>,
    state: State,
}

enum State {
    Version,
    Type,
    TypeCount,
    Types(usize),
    ReasonLength,
    Reason(usize),
    VencryptVersion,
    VencryptAccepted,
    SubtypeCount,
    Subtypes(usize),
    TlsAccepted(TargetSecurity),
    Tls(TargetSecurity),
    Chosen(TargetSecurity),
    Failed,
}

impl TargetHandshake {
    /// Starts a handshake that takes the first of `allowed` which the target offers and for which
    /// `credentials` are enough.
    pub fn new(allowed: &[TargetSecurity], credentials: CredentialKind) -> Self {
        Self {
            usable: allowed.iter().copied().filter(|security| security.works_with(credentials)).collect(),
            version: ProtocolVersion::V3_8,
            types: Vec::new(),
            output: None,
            state: State::Version,
        }
    }

    /// What is to be done next.
    pub fn wants(&mut self) -> Wants {
        if let Some(output) = self.output.take() {
            return Wants::Send(output);
        }
        match self.state {
            State::Version => Wants::Receive(ProtocolVersion::LEN),
            State::Type | State::ReasonLength => Wants::Receive(4),
            State::TypeCount | State::VencryptAccepted | State::SubtypeCount | State::TlsAccepted(_) => {
                Wants::Receive(1)
            }
            State::Types(count) | State::Reason(count) => Wants::Receive(count),
            State::VencryptVersion => Wants::Receive(VENCRYPT_VERSION.len()),
            State::Subtypes(count) => Wants::Receive(4 * count),
            State::Tls(_) => Wants::UpgradeToTls,
            State::Chosen(_) | State::Failed => Wants::Finished,
        }
    }

    /// Takes the bytes that were asked for.
    ///
    /// # Errors
    /// The target broke the protocol, refused us, or offers nothing that can be used.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), TargetHandshakeError> {
        self.state = match mem::replace(&mut self.state, State::Failed) {
            State::Version => {
                self.version = ProtocolVersion::parse(exactly(bytes)?)?;
                self.output = Some(self.version.banner().to_vec());
                if self.version.client_chooses() { State::TypeCount } else { State::Type }
            }
            State::Type => match u32::from_be_bytes(*exactly(bytes)?) {
                0 => State::ReasonLength,
                number => {
                    let number =
                        u8::try_from(number).map_err(|_| TargetHandshakeError::TypeNumber(number))?;
                    self.types = vec![SecurityType(number)];
                    // In 3.3 there is no choice, and VeNCrypt does not exist.
                    State::Chosen(self.best(|security| !security.uses_tls())?)
                }
            },
            State::TypeCount => match *exactly::<1>(bytes)? {
                [0] => State::ReasonLength,
                [count] => State::Types(usize::from(count)),
            },
            State::Types(_) => {
                self.types = bytes.iter().copied().map(SecurityType).collect();
                let best = self.best(|_| true)?;
                self.output = Some(vec![best.security_type().0]);
                if best.uses_tls() { State::VencryptVersion } else { State::Chosen(best) }
            }
            State::ReasonLength => match reason_len(exactly(bytes)?) {
                0 => return Err(TargetHandshakeError::refused(None, false)),
                len => State::Reason(len),
            },
            State::Reason(_) => return Err(TargetHandshakeError::refused(Some(bytes), false)),
            State::VencryptVersion => {
                let version = *exactly(bytes)?;
                if version < VENCRYPT_VERSION {
                    return Err(TargetHandshakeError::VencryptVersion(version));
                }
                self.output = Some(VENCRYPT_VERSION.to_vec());
                State::VencryptAccepted
            }
            State::VencryptAccepted => match *exactly(bytes)? {
                [0] => State::SubtypeCount,
                [_] => return Err(TargetHandshakeError::VencryptRefused),
            },
            State::SubtypeCount => match *exactly(bytes)? {
                [0] => return Err(self.no_subtype(Vec::new())),
                [count] => State::Subtypes(usize::from(count)),
            },
            State::Subtypes(_) => {
                let (numbers, _) = bytes.as_chunks();
                let offered: Vec<_> =
                    numbers.iter().map(|number| VencryptSubtype(u32::from_be_bytes(*number))).collect();
                let best = self.usable.iter().copied().find_map(|security| {
                    let subtype = security.subtype().filter(|subtype| offered.contains(subtype))?;
                    Some((security, subtype))
                });
                let Some((security, subtype)) = best else { return Err(self.no_subtype(offered)) };
                self.output = Some(subtype.0.to_be_bytes().to_vec());
                State::TlsAccepted(security)
            }
            State::TlsAccepted(security) => match *exactly(bytes)? {
                [0] => return Err(TargetHandshakeError::VencryptRefused),
                [_] => State::Tls(security),
            },
            State::Tls(_) | State::Chosen(_) | State::Failed => return Err(TargetHandshakeError::OutOfTurn),
        };
        Ok(())
    }

    /// Says that the TLS handshake which was asked for has succeeded.
    pub fn upgraded(&mut self) {
        if let State::Tls(security) = self.state {
            self.state = State::Chosen(security);
        }
    }

    /// What is known when the target closes the connection now: a refusal whose reason did not come.
    pub fn closed(&self) -> Option<TargetHandshakeError> {
        matches!(self.state, State::ReasonLength | State::Reason(_))
            .then(|| TargetHandshakeError::refused(None, false))
    }

    /// The version that is spoken.
    pub const fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// What was chosen, once the handshake wants [`Wants::Finished`] without an error before.
    pub fn finish(self) -> Option<TargetLogin> {
        match self.state {
            State::Chosen(security) => Some(TargetLogin::new(self.version, security)),
            _ => None,
        }
    }

    fn best(
        &self,
        eligible: impl Fn(TargetSecurity) -> bool,
    ) -> Result<TargetSecurity, TargetHandshakeError> {
        let offered = |security: &TargetSecurity| self.types.contains(&security.security_type());
        self.usable.iter().copied().find(|security| eligible(*security) && offered(security)).ok_or_else(
            || TargetHandshakeError::NothingUsable {
                offered: self.types.clone(),
                usable: self.usable.clone(),
            },
        )
    }

    fn no_subtype(&self, offered: Vec<VencryptSubtype>) -> TargetHandshakeError {
        TargetHandshakeError::NoUsableSubtype {
            offered,
            usable: self.usable.clone(),
            instead: self.best(|security| !security.uses_tls()).ok(),
        }
    }
}

/// A handshake with a target that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetHandshakeError {
    /// The target announced no version that can be spoken.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// A security type in 3.3's form that is none.
    #[error("the target named the security type {0}, which does not exist")]
    TypeNumber(u32),
    /// The target offers nothing that is allowed and for which there are credentials.
    #[error(
        "the target offers {}; the configuration allows {} with the credentials it gives",
        Names(offered), Names(&usable.iter().map(|security| security.name()).collect::<Vec<_>>())
    )]
    NothingUsable {
        /// What it offers.
        offered: Vec<SecurityType>,
        /// What would have been usable.
        usable: Vec<TargetSecurity>,
    },
    /// The target's VeNCrypt holds nothing that can be used. Which subtypes there are shows only once VeNCrypt
    /// is chosen, and then there is no way back: it takes a new connection to use another type.
    #[error(
        "the target offers {}; the configuration allows {} with the credentials it gives",
        Names(offered), Names(&usable.iter().map(|security| security.name()).collect::<Vec<_>>())
    )]
    NoUsableSubtype {
        /// What it offers.
        offered: Vec<VencryptSubtype>,
        /// What would have been usable.
        usable: Vec<TargetSecurity>,
        /// What is usable on a new connection that does not choose VeNCrypt.
        instead: Option<TargetSecurity>,
    },
    /// A version of VeNCrypt from before 0.2.
    #[error("the target speaks VeNCrypt {}.{}; at least 0.2 is needed", .0[0], .0[1])]
    VencryptVersion([u8; 2]),
    /// The target does not go on with what it offered itself.
    #[error("the target broke off the VeNCrypt negotiation; its log may say why")]
    VencryptRefused,
    /// ARD authentication cannot go on.
    #[error(transparent)]
    Ard(#[from] ArdError),
    /// User name or password cannot be sent.
    #[error(transparent)]
    Plain(#[from] PlainError),
    /// A SecurityResult that does not exist.
    #[error("the target answered with the security result {0}, which does not exist")]
    Result(u32),
    /// The target refused the connection or the credentials.
    #[error("the target refused the login{}", Because(.0))]
    Refused(Option<String>),
    /// The target refuses everyone for a while.
    #[error("the target refuses logins after too many failures{}", Because(.0))]
    TooManyAttempts(Option<String>),
    /// The caller handed over bytes that were not asked for.
    #[error("the handshake was given bytes that it had not asked for")]
    OutOfTurn,
}

impl TargetHandshakeError {
    /// `too_many` is what the result says; TigerVNC and RealVNC say it in the reason alone.
    pub(super) fn refused(reason: Option<&[u8]>, too_many: bool) -> Self {
        let reason = reason.map(clean_reason).filter(|reason| !reason.is_empty());
        let said = reason.as_ref().is_some_and(|reason| reason.to_ascii_lowercase().contains("too many"));
        if too_many || said { Self::TooManyAttempts(reason) } else { Self::Refused(reason) }
    }
}

struct Because<'a>(&'a Option<String>);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

struct Names<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Names<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else { return f.write_str("nothing") };
        first.fmt(f)?;
        others.iter().try_for_each(|name| write!(f, ", {name}"))
    }
}

/// How much of a reason is read: the connection ends after it, so that its rest is of no interest.
pub(super) fn reason_len(length: &[u8; 4]) -> usize {
    usize::try_from(u32::from_be_bytes(*length)).unwrap_or(MAX_REASON).min(MAX_REASON)
}

pub(super) fn exactly<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], TargetHandshakeError> {
    bytes.try_into().map_err(|_| TargetHandshakeError::OutOfTurn)
}
