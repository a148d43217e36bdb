//! The client's role towards a target.
//!
//! [`negotiate`] agrees on a security protocol and on TLS and sends nothing secret. The caller decides about the
//! certificate, then [`TargetPending::login`] performs CredSSP (NLA) where it was agreed on,
//! [`Authenticated::connect`] plays the viewer's own MCS Connect Initial and joins the channels, and
//! [`TargetLeg::send_client_info`] sends the viewer's Client Info with the target's credentials in it. What comes
//! next, licensing, is the session's.
//!
//! Standard RDP Security is never used: its server is not authenticated and its keys can be had by anyone who
//! sits between.

mod client_info;
mod connect;
mod connect_initial;
mod connect_response;
mod credentials;
mod credssp;
mod error;
mod nego;

use std::sync::Arc;
use std::time::SystemTime;

use ironrdp_pdu::nego::{ResponseFlags, SecurityProtocol};
use passerelle_transport::{PeerCertificate, TlsFacts, TlsVersions, Transport, connect as connect_tls};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::client_info::ClientInfoError;
pub use self::connect::TargetLeg;
pub use self::connect_initial::ConnectOptions;
pub use self::credentials::{CredentialsError, TargetCredentials};
pub use self::error::{LogonFailure, NegotiationFailure, TargetError, TargetFailure, TargetViolation};

/// How a target is approached.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// What may be used; the target chooses among it. Where the certificate or the target's own check of the
    /// user is to protect the session, leave out what does without it.
    pub security: Vec<TargetSecurity>,
    /// The host name or IP address that the target's certificate must name to be verified.
    pub server_name: String,
    /// The authorities that are trusted to issue a target's certificate; may be empty.
    pub roots: Arc<RootCertStore>,
    /// When the certificate must be valid.
    pub now: SystemTime,
    /// The computer name that the target is told during NLA (MS-NLMP 2.2.1.1, `Workstation`); ASCII.
    pub client_name: String,
    /// Whether there are a user name and a password for the target. NLA is not offered without.
    pub has_credentials: bool,
}

/// What protects the connection to a target and proves who logs in (MS-RDPBCGR 5.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetSecurity {
    /// Network Level Authentication: TLS, then CredSSP with NTLM, before the target shows anything.
    Nla,
    /// TLS alone. The credentials follow in Client Info, encrypted.
    Tls,
}

impl TargetSecurity {
    /// All of them, the one that protects most first.
    pub const STRONGEST_FIRST: [Self; 2] = [Self::Nla, Self::Tls];

    /// As in configuration and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nla => "nla",
            Self::Tls => "tls",
        }
    }
}

/// What was negotiated with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetFacts {
    /// What protects the connection.
    pub security: TargetSecurity,
    /// What TLS agreed on.
    pub tls: Option<TlsFacts>,
}

/// Negotiates the security protocol and TLS with a target. Nothing secret has been sent when it returns, not
/// even the user name: the request carries no cookie (MS-RDPBCGR 2.2.1.1, `cookie`), since it would travel in
/// clear.
///
/// With NLA, TLS 1.2 is the newest that is offered: some versions of Windows fail to bind CredSSP to TLS 1.3.
///
/// Sets no deadline.
///
/// # Errors
/// The target went away, broke the protocol, refused us or offers nothing that is allowed.
pub async fn negotiate<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    settings: &TargetSettings,
) -> Result<TargetPending<S>, TargetError> {
    let server_name = ServerName::try_from(settings.server_name.clone())
        .map_err(|_| TargetError::ServerName(settings.server_name.clone()))?;
    let requested = nego::request(&settings.security, settings.has_credentials)?;
    let mut transport = Transport::plain(stream);
    let selected = nego::negotiate(&mut transport, requested).await?;
    let versions = match selected.security {
        TargetSecurity::Nla => TlsVersions::Tls12,
        TargetSecurity::Tls => TlsVersions::Modern,
    };
    let connected = connect_tls(transport, server_name, &settings.roots, settings.now, versions);
    let (transport, certificate) = connected.await.map_err(TargetError::tls)?;
    Ok(TargetPending {
        transport,
        certificate,
        requested,
        selected,
        server_name: settings.server_name.clone(),
        client_name: settings.client_name.clone(),
    })
}

/// What the target chose (MS-RDPBCGR 2.2.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Selected {
    security: TargetSecurity,
    protocol: SecurityProtocol,
    flags: ResponseFlags,
}

/// A target that waits for credentials. Decide whether it is to have them.
#[derive(Debug)]
pub struct TargetPending<S> {
    transport: Transport<S>,
    certificate: Option<PeerCertificate>,
    requested: SecurityProtocol,
    selected: Selected,
    server_name: String,
    client_name: String,
}

impl<S> TargetPending<S> {
    /// The target's certificate.
    pub const fn certificate(&self) -> Option<&PeerCertificate> {
        self.certificate.as_ref()
    }

    /// What was negotiated.
    pub fn facts(&self) -> TargetFacts {
        TargetFacts { security: self.selected.security, tls: self.transport.tls_facts() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TargetPending<S> {
    /// Logs in with CredSSP (MS-CSSP) where NLA was agreed on; else checks the credentials' form and sends
    /// nothing.
    ///
    /// The target learns the password only after it has proved, with a key that only the account's password
    /// gives, that it is the end of this very TLS connection.
    ///
    /// # Errors
    /// The target went away, broke the protocol or refused the credentials; or the credentials do not fit what
    /// was negotiated.
    pub async fn login(mut self, credentials: &TargetCredentials) -> Result<Authenticated<S>, TargetError> {
        credentials.check()?;
        if self.selected.security == TargetSecurity::Nla {
            let public_key = self.certificate.as_ref().map_or(&[][..], |certificate| &certificate.public_key);
            let context = credssp::Context {
                public_key,
                server_name: &self.server_name,
                client_name: &self.client_name,
                early_authorization: self.selected.protocol.contains(SecurityProtocol::HYBRID_EX),
            };
            credssp::authenticate(&mut self.transport, credentials, &context).await?;
        }
        let facts = self.facts();
        Ok(Authenticated {
            transport: self.transport,
            facts,
            requested: self.requested,
            selected: self.selected,
        })
    }
}

/// A target that has let us in, or that waits for the credentials in Client Info.
#[derive(Debug)]
pub struct Authenticated<S> {
    transport: Transport<S>,
    facts: TargetFacts,
    requested: SecurityProtocol,
    selected: Selected,
}
