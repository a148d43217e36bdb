//! The server's role towards a technician's viewer.

mod error;

use std::fmt;
use std::sync::Arc;

use passerelle_rfb::ServerInit;
pub use passerelle_rfb::security::{Presented, ViewerHandshakeError, ViewerSecurity};
use passerelle_rfb::security::{
    ProtocolVersion, Random, SecurityResult, ViewerHandshake, ViewerProof, Wants,
};
use passerelle_transport::{TlsFacts, Transport, accept};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

pub use self::error::ViewerError;
pub(crate) use self::error::is_close;

/// The most that a viewer may send before it is let in, in bytes: TLS handshake, user name and password of
/// the longest kind, and some room.
const LOGIN_BUDGET: usize = 32 * 1024;

/// What is offered to viewers.
#[derive(Clone, Debug)]
pub struct ViewerSettings {
    /// Security types in the order in which they are offered. Most viewers take the first one they know, so
    /// that the order is policy. [`ViewerSecurity::Plain`] is offered only if `encrypted`.
    pub security: Vec<ViewerSecurity>,
    /// Certificate and key for X509Plain and X509Vnc.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Whether the stream that is handed over is inside TLS already, as with WebSockets over HTTPS.
    pub encrypted: bool,
}

/// Leads a viewer through the handshake until it has presented its proof.
///
/// Sets no deadline. Holds less than 64 KiB for the viewer whatever it sends.
///
/// # Errors
/// The viewer went away, broke the protocol, or cannot be let in with what `settings` offer; where the
/// protocol can carry the reason, the viewer was told.
pub async fn negotiate<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    settings: &ViewerSettings,
    random: Random<'_>,
) -> Result<Pending<S>, ViewerError> {
    if settings.tls.is_none() && settings.security.iter().any(|security| security.uses_tls()) {
        return Err(ViewerError::NoCertificate);
    }
    let mut handshake = ViewerHandshake::new(&settings.security, settings.encrypted);
    let mut transport = Transport::with_budget(stream, LOGIN_BUDGET);
    loop {
        match handshake.wants() {
            Wants::Send(bytes) => transport.send(&bytes).await.map_err(ViewerError::io)?,
            Wants::Receive(len) => {
                let bytes = transport.receive(len).await.map_err(ViewerError::io)?;
                if let Err(error) = handshake.receive(&bytes, &mut *random) {
                    if let Wants::Send(farewell) = handshake.wants() {
                        // The viewer may be gone; the error that counts is the first one.
                        let _ = transport.send(&farewell).await;
                        let _ = transport.shutdown().await;
                    }
                    return Err(error.into());
                }
            }
            Wants::UpgradeToTls => {
                let config = settings.tls.as_ref().ok_or(ViewerError::NoCertificate)?;
                transport = upgrade(transport, Arc::clone(config)).await?;
                handshake.upgraded(&mut *random);
            }
            Wants::Finished => break,
        }
    }
    let proof = handshake.finish().ok_or(ViewerHandshakeError::OutOfTurn)?;
    Ok(Pending { encrypted: settings.encrypted || transport.is_encrypted(), transport, proof })
}

async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    transport: Transport<S>,
    config: Arc<rustls::ServerConfig>,
) -> Result<Transport<S>, ViewerError> {
    // Nobody resumes an RFB session, and TigerVNC's viewer waits for ever when tickets arrive together with
    // the first message.
    let mut config = rustls::ServerConfig::clone(&config);
    config.send_tls13_tickets = 0;
    accept(transport, Arc::new(config)).await.map_err(ViewerError::tls)
}

/// A viewer that has presented its proof and waits for the answer.
pub struct Pending<S> {
    transport: Transport<S>,
    proof: ViewerProof,
    encrypted: bool,
}

impl<S> Pending<S> {
    /// What the viewer presented.
    pub const fn presented(&self) -> &Presented {
        &self.proof.presented
    }

    /// The protocol version that is spoken.
    pub const fn version(&self) -> ProtocolVersion {
        self.proof.version
    }

    /// What the viewer chose of the offers.
    pub const fn security(&self) -> ViewerSecurity {
        self.proof.security
    }

    /// Whether the session is encrypted.
    pub const fn encrypted(&self) -> bool {
        self.encrypted
    }

    /// What TLS agreed on, if it was negotiated within RFB.
    pub fn tls(&self) -> Option<TlsFacts> {
        self.transport.tls_facts()
    }
}

/// Shows no secret.
impl<S> fmt::Debug for Pending<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("proof", &self.proof)
            .field("encrypted", &self.encrypted)
            .finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Pending<S> {
    /// Refuses the viewer, tells it `reason` where the version can, and closes the connection.
    ///
    /// # Errors
    /// The viewer did not wait for it.
    pub async fn refuse(mut self, reason: &str) -> Result<(), ViewerError> {
        let refusal = SecurityResult::refused(self.proof.version, reason);
        self.transport.send(&refusal).await.map_err(ViewerError::io)?;
        self.transport.shutdown().await.map_err(ViewerError::io)
    }

    /// Lets the viewer in and waits for its answer.
    ///
    /// # Errors
    /// The viewer went away.
    pub async fn accept(mut self) -> Result<ViewerLeg<S>, ViewerError> {
        self.transport.lift_budget();
        self.transport.send(&SecurityResult::accepted()).await.map_err(ViewerError::io)?;
        let client_init = self.transport.receive(1).await.map_err(ViewerError::io)?;
        Ok(ViewerLeg { transport: self.transport, shared: client_init.first() != Some(&0) })
    }
}

/// A viewer that was let in and waits for the desktop.
#[derive(Debug)]
pub struct ViewerLeg<S> {
    transport: Transport<S>,
    shared: bool,
}

impl<S> ViewerLeg<S> {
    /// Whether the viewer is content to share the desktop with others.
    pub const fn shared(&self) -> bool {
        self.shared
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ViewerLeg<S> {
    /// Describes the desktop to the viewer. What follows on the stream are the session's messages.
    ///
    /// # Errors
    /// The viewer went away.
    pub async fn start(mut self, init: &ServerInit) -> Result<Transport<S>, ViewerError> {
        self.transport.send(&init.encode()).await.map_err(ViewerError::io)?;
        Ok(self.transport)
    }
}
