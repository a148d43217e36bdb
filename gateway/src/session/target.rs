//! The way to a target: dialling, its certificate, and all that can go wrong.

use std::io;
use std::time::Duration;

use passerelle_auth::{Fingerprint, StoreError, Trust};
use passerelle_config::{self as config, CertificatePolicy, HostPort, HumanDuration, WakeOnLan};
use passerelle_recorder::audit::{AuditError, AuditKind, Outcome};
use passerelle_transport::{self as transport, CertificateError, PeerCertificate};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::running::Running;
use crate::{ambient, listener, wake};

/// How long a target may take to accept a connection.
const DIAL: Duration = Duration::from_secs(10);

/// How long a target that can be woken may take to accept a connection before it counts as asleep.
const AWAKE: Duration = Duration::from_secs(3);

/// How long to wait between attempts while a target wakes.
const NAP: Duration = Duration::from_secs(1);

/// How long a target may take to log the gateway in. Some look up users in a directory.
pub(super) const LOGIN: Duration = Duration::from_secs(20);

/// Why there is no session with the target. Each is a sentence for the technician that holds no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{address} did not answer within {} s; is the machine on, and is {address} right?", DIAL.as_secs())]
    Silent { address: String },
    #[error("{address} cannot be reached: {source}")]
    Unreachable { address: String, source: io::Error },
    #[error("{address} does not answer, and what would wake it cannot be sent to {sent_to}: {source}")]
    NotWoken { address: String, sent_to: String, source: io::Error },
    #[error("{address} did not answer within {wait} after it was woken over the network")]
    Asleep { address: String, wait: HumanDuration },
    #[error("the target did not finish the login within {} s", LOGIN.as_secs())]
    Slow,
    #[error(transparent)]
    Vnc(#[from] passerelle_vnc::target::TargetError),
    #[error(transparent)]
    Rdp(#[from] passerelle_rdp::target::TargetError),
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
        match self {
            Self::Vnc(error) => error.kind() == passerelle_vnc::target::TargetFailure::Violation,
            Self::Rdp(error) => error.kind() == passerelle_rdp::target::TargetFailure::Violation,
            _ => false,
        }
    }
}

/// Connects to the session's target, which is woken first if need be and it can be.
pub(super) async fn dial(session: &Running) -> Result<TcpStream, Refused> {
    let target = session.target();
    let Some(wake) = &target.wake_on_lan else { return connect(&target.address, DIAL).await };
    match connect(&target.address, AWAKE).await {
        Ok(stream) => Ok(stream),
        Err(refused) => {
            tracing::info!(target = target.name, why = %refused, "waking the target");
            awaken(session, &target.address, wake).await
        }
    }
}

/// Wakes the target and connects to it when it answers.
async fn awaken(session: &Running, address: &HostPort, wake: &WakeOnLan) -> Result<TcpStream, Refused> {
    let sent = session.gateway().wake(wake, session.event(AuditKind::TargetWoken)).await;
    sent.map_err(|source| Refused::NotWoken {
        address: address.to_string(),
        sent_to: wake.address.to_string(),
        source,
    })?;
    let connected = async {
        loop {
            if let Ok(stream) = connect(address, AWAKE).await {
                return stream;
            }
            tokio::time::sleep(NAP).await;
            // It may have been lost on the way.
            if let Err(error) = wake::send(wake).await {
                tracing::debug!(%error, "what wakes the target could not be sent again");
            }
        }
    };
    let asleep = || Refused::Asleep { address: address.to_string(), wait: wake.wait };
    timeout(wake.wait.get(), connected).await.map_err(|_| asleep())
}

async fn connect(address: &HostPort, patience: Duration) -> Result<TcpStream, Refused> {
    let name = address.to_string();
    let stream = match timeout(patience, TcpStream::connect((address.host(), address.port()))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(source)) => return Err(Refused::Unreachable { address: name, source }),
        Err(_) => return Err(Refused::Silent { address: name }),
    };
    listener::tune(&stream).map_err(|source| Refused::Unreachable { address: name, source })?;
    Ok(stream)
}

/// Decides whether to trust the target's certificate, before any credential is sent.
pub(super) async fn judge(
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
