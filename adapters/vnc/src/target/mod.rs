//! The client's role towards a target.

mod error;

use std::sync::Arc;
use std::time::SystemTime;

pub use passerelle_rfb::security::{CredentialKind, TargetHandshakeError, TargetSecurity};
use passerelle_rfb::security::{Credentials, ProtocolVersion, Random, TargetHandshake, TargetLogin, Wants};
use passerelle_rfb::{Limits, Parsed, ServerInit};
use passerelle_transport::{PeerCertificate, TlsFacts, TlsVersions, Transport, connect};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

pub use self::error::{TargetError, TargetFailure};

/// How a target is approached.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// What may be used, the preferred one first; [`TargetSecurity::STRONGEST_FIRST`] is all of them. Where
    /// the certificate is to protect the session, leave out what does without TLS: someone who sits between
    /// can take TLS out of the target's offer.
    pub security: Vec<TargetSecurity>,
    /// What there is to log in with.
    pub credentials: CredentialKind,
    /// The host name or IP address that the target's certificate must name to be verified.
    pub server_name: String,
    /// The authorities that are trusted to issue a target's certificate; may be empty.
    pub roots: Arc<RootCertStore>,
    /// When the certificate must be valid.
    pub now: SystemTime,
    /// What is accepted as a desktop.
    pub limits: Limits,
}

impl TargetSettings {
    /// The same without anything that lies under VeNCrypt.
    #[must_use]
    pub fn without_vencrypt(&self) -> Self {
        let mut settings = self.clone();
        settings.security.retain(|security| security.subtype().is_none());
        settings
    }
}

/// What a target is told about who we are.
#[derive(Clone, Default)]
pub struct TargetCredentials {
    /// User name, if the target is to get one.
    pub username: Option<String>,
    /// Password, if the target is to get one.
    pub password: Option<Zeroizing<String>>,
}

impl TargetCredentials {
    /// What there is of them. A user name alone is nothing.
    pub const fn kind(&self) -> CredentialKind {
        match (&self.username, &self.password) {
            (_, None) => CredentialKind::Nothing,
            (None, Some(_)) => CredentialKind::Password,
            (Some(_), Some(_)) => CredentialKind::UsernameAndPassword,
        }
    }
}

/// Negotiates version, security type and TLS with a target. Nothing secret has been sent when it returns.
///
/// Sets no deadline.
///
/// # Errors
/// The target went away, broke the protocol, refused us or offers nothing that can be used.
pub async fn negotiate<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    settings: &TargetSettings,
) -> Result<TargetPending<S>, TargetError> {
    const DOING: &str = "negotiating the security type";
    let mut handshake = TargetHandshake::new(&settings.security, settings.credentials);
    let mut transport = Transport::plain(stream);
    let mut certificate = None;
    loop {
        match handshake.wants() {
            Wants::Send(bytes) => {
                transport.send(&bytes).await.map_err(|error| TargetError::io(error, DOING))?;
            }
            Wants::Receive(len) => match transport.receive(len).await {
                Ok(bytes) => handshake.receive(&bytes)?,
                Err(error) => return Err(lost(handshake.closed(), error, DOING)),
            },
            Wants::UpgradeToTls => {
                let name = ServerName::try_from(settings.server_name.clone())
                    .map_err(|_| TargetError::ServerName(settings.server_name.clone()))?;
                let connected = connect(transport, name, &settings.roots, settings.now, TlsVersions::Modern);
                (transport, certificate) = connected.await.map_err(TargetError::tls)?;
                handshake.upgraded();
            }
            Wants::Finished => break,
        }
    }
    let login = handshake.finish().ok_or(TargetHandshakeError::OutOfTurn)?;
    Ok(TargetPending { transport, login, certificate, limits: settings.limits })
}

/// A target that waits for credentials. Decide whether it is to have them.
pub struct TargetPending<S> {
    transport: Transport<S>,
    login: TargetLogin,
    certificate: Option<PeerCertificate>,
    limits: Limits,
}

impl<S> TargetPending<S> {
    /// The target's certificate, if TLS protects the connection.
    pub const fn certificate(&self) -> Option<&PeerCertificate> {
        self.certificate.as_ref()
    }

    /// What was negotiated.
    pub fn facts(&self) -> TargetFacts {
        TargetFacts {
            version: self.login.version(),
            security: self.login.security(),
            tls: self.transport.tls_facts(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> TargetPending<S> {
    /// Logs in and asks for the desktop, which other viewers may use at the same time if `shared`.
    ///
    /// # Errors
    /// The target went away, broke the protocol, refused the credentials or describes a desktop that is not
    /// acceptable; or the credentials do not fit what was negotiated.
    pub async fn login(
        mut self,
        credentials: &TargetCredentials,
        shared: bool,
        random: Random<'_>,
    ) -> Result<TargetLeg<S>, TargetError> {
        const DOING: &str = "logging in";
        let facts = self.facts();
        self.login.start(Credentials {
            username: credentials.username.clone().unwrap_or_default(),
            password: credentials.password.clone().unwrap_or_default(),
        })?;
        loop {
            match self.login.wants() {
                Wants::Send(bytes) => {
                    let bytes = Zeroizing::new(bytes);
                    self.transport.send(&bytes).await.map_err(|error| TargetError::io(error, DOING))?;
                }
                Wants::Receive(len) => match self.transport.receive(len).await {
                    Ok(bytes) => self.login.receive(&bytes, &mut *random)?,
                    Err(error) => return Err(lost(self.login.closed(), error, DOING)),
                },
                Wants::UpgradeToTls | Wants::Finished => break,
            }
        }
        if !self.login.is_accepted() {
            return Err(TargetHandshakeError::OutOfTurn.into());
        }
        let init = initialize(&mut self.transport, shared, &self.limits).await?;
        Ok(TargetLeg { init, transport: self.transport, facts })
    }
}

/// Sends ClientInit and reads ServerInit, not a byte more.
async fn initialize<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    shared: bool,
    limits: &Limits,
) -> Result<ServerInit, TargetError> {
    let lost = |error| TargetError::io(error, "waiting for the desktop");
    transport.send(&[u8::from(shared)]).await.map_err(lost)?;
    let mut message = Vec::new();
    loop {
        match ServerInit::parse(&message, limits)? {
            Parsed::Done { value, .. } => return Ok(value),
            Parsed::NeedMore { total } => {
                let missing = total.saturating_sub(message.len()).max(1);
                message.extend_from_slice(&transport.receive(missing).await.map_err(lost)?);
            }
        }
    }
}

/// A target that let us in. What follows on the stream are the session's messages.
#[derive(Debug)]
pub struct TargetLeg<S> {
    /// The target's description of its desktop.
    pub init: ServerInit,
    /// The stream.
    pub transport: Transport<S>,
    /// What was negotiated.
    pub facts: TargetFacts,
}

/// What was negotiated with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetFacts {
    /// The protocol version that is spoken.
    pub version: ProtocolVersion,
    /// How we proved ourselves.
    pub security: TargetSecurity,
    /// What TLS agreed on.
    pub tls: Option<TlsFacts>,
}

/// A connection that ended: a refusal, if that much was known, else the loss itself.
fn lost(known: Option<TargetHandshakeError>, error: std::io::Error, doing: &'static str) -> TargetError {
    known.map_or_else(|| TargetError::io(error, doing), Into::into)
}
