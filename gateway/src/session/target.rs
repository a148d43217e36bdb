//! The way to the target: dialling, its certificate, its login.

use std::io;
use std::time::Duration;

use passerelle_auth::{Fingerprint, StoreError, Trust};
use passerelle_config::{self as config, CertificatePolicy, HostPort};
use passerelle_recorder::audit::{AuditError, AuditKind, Outcome};
use passerelle_rfb::ServerInit;
use passerelle_transport::{self as transport, CertificateError, PeerCertificate, Transport};
use passerelle_vnc::target::{self, TargetCredentials, TargetError, TargetFailure, TargetSettings};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::running::Running;
use crate::{ambient, listener};

/// How long a target may take to accept a connection.
const DIAL: Duration = Duration::from_secs(10);

/// How long a target may take to log the gateway in. Some look up users in a directory.
const LOGIN: Duration = Duration::from_secs(20);

/// A target that is ready to show its desktop.
pub(crate) struct Target {
    pub(crate) init: ServerInit,
    pub(crate) transport: Transport<TcpStream>,
    /// What was negotiated, for the recording.
    pub(crate) facts: serde_json::Value,
}

/// Why there is no session with the target. Each is a sentence for the technician that holds no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{address} did not answer within {} s; is the machine on, and is {address} right?", DIAL.as_secs())]
    Silent { address: String },
    #[error("{address} cannot be reached: {source}")]
    Unreachable { address: String, source: io::Error },
    #[error("the target did not finish the login within {} s", LOGIN.as_secs())]
    Slow,
    #[error(transparent)]
    Login(#[from] TargetError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("the target's certificate could not be looked up: {0}")]
    Store(#[from] StoreError),
    #[error("what the gateway decided about the target's certificate could not be written down: {0}")]
    Audit(#[from] AuditError),
}

impl Refused {
    /// Whether the target broke the protocol, rather than that it cannot or will not have us.
    pub(crate) fn is_violation(&self) -> bool {
        matches!(self, Self::Login(error) if error.kind() == TargetFailure::Violation)
    }
}

/// Connects and logs in with the configured credentials.
pub(crate) async fn connect(session: &Running) -> Result<Target, Refused> {
    let config = session.target();
    let credentials = TargetCredentials {
        username: config.credentials.username.clone(),
        password: config
            .credentials
            .password
            .as_ref()
            .map(|secret| Zeroizing::new(secret.expose().to_owned())),
    };
    let mut settings = session.policy().target_settings(config, &credentials, ambient::wall());
    loop {
        let stream = dial(&config.address).await?;
        let login = login(session, stream, &settings, &credentials);
        match timeout(LOGIN, login).await.map_err(|_| Refused::Slow)? {
            // A target whose VeNCrypt holds nothing for us may still offer something beside it, but only
            // to a new connection.
            Err(Refused::Login(error)) if error.instead().is_some() => {
                tracing::debug!(%error, "trying again without VeNCrypt");
                settings = settings.without_vencrypt();
            }
            done => return done,
        }
    }
}

async fn dial(address: &HostPort) -> Result<TcpStream, Refused> {
    let name = address.to_string();
    let stream = match timeout(DIAL, TcpStream::connect((address.host(), address.port()))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(source)) => return Err(Refused::Unreachable { address: name, source }),
        Err(_) => return Err(Refused::Silent { address: name }),
    };
    listener::tune(&stream).map_err(|source| Refused::Unreachable { address: name, source })?;
    Ok(stream)
}

async fn login(
    session: &Running,
    stream: TcpStream,
    settings: &TargetSettings,
    credentials: &TargetCredentials,
) -> Result<Target, Refused> {
    let pending = target::negotiate(stream, settings).await?;
    if let Some(certificate) = pending.certificate() {
        judge(session, session.target(), certificate).await?;
    }
    let leg = pending.login(credentials, true, &mut ambient::random).await?;
    let tls = leg.facts.tls.map(|tls| json!({ "version": tls.version, "cipher_suite": tls.cipher_suite }));
    let facts = json!({
        "rfb_version": leg.facts.version.to_string(),
        "security": leg.facts.security.name(),
        "tls": tls,
    });
    Ok(Target { init: leg.init, transport: leg.transport, facts })
}

/// Decides whether to trust the target's certificate, before any credential is sent.
async fn judge(
    session: &Running,
    config: &config::Target,
    certificate: &PeerCertificate,
) -> Result<(), Refused> {
    let fingerprint = certificate.fingerprint;
    let policy = match &config.tls.policy {
        CertificatePolicy::Ca { .. } => transport::CertificatePolicy::Ca,
        CertificatePolicy::Insecure => transport::CertificatePolicy::Insecure,
        CertificatePolicy::Pin { fingerprint } => {
            transport::CertificatePolicy::Pin(transport::Fingerprint(*fingerprint.sha256()))
        }
        CertificatePolicy::Tofu => {
            let now = ambient::now();
            match session.gateway().store.trust(&config.name, &Fingerprint(fingerprint.0), now).await? {
                Trust::First => {
                    let event = session
                        .event(AuditKind::TargetCertificateTrusted)
                        .outcome(Outcome::Success)
                        .detail("fingerprint", fingerprint.to_string())
                        .detail("subject", &*certificate.subject);
                    session.gateway().audit.append(event).await?;
                    transport::CertificatePolicy::Tofu { known: None }
                }
                Trust::Same { .. } => transport::CertificatePolicy::Tofu { known: Some(fingerprint) },
                Trust::Changed { known, .. } => {
                    transport::CertificatePolicy::Tofu { known: Some(transport::Fingerprint(known.0)) }
                }
            }
        }
    };
    match certificate.judge(policy) {
        Ok(_) => Ok(()),
        Err(error) => {
            if matches!(error, CertificateError::Changed { .. }) {
                session.gateway().audit.note(
                    session
                        .event(AuditKind::TargetCertificateChanged)
                        .outcome(Outcome::Refused)
                        .message(error.to_string())
                        .detail("fingerprint", fingerprint.to_string()),
                );
            }
            Err(error.into())
        }
    }
}
