//! The handshake of a stock VNC server with a password.

use std::io;

use passerelle_rfb::security::{
    Presented, Random, SecurityResult, ViewerHandshake, ViewerHandshakeError, ViewerSecurity, Wants,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A viewer that was not let in.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// The connection broke.
    #[error("the connection broke during the handshake: {0}")]
    Io(#[from] io::Error),
    /// The viewer broke the protocol or can't do VncAuth.
    #[error(transparent)]
    Handshake(#[from] ViewerHandshakeError),
    /// The viewer does not know the password. It has been told.
    #[error("the viewer gave a wrong password")]
    WrongPassword,
}

/// Asks a viewer for `password` by VncAuth (RFC 6143, section 7.2.2), of which 8 bytes count, and tells
/// it the result. Sets no deadline: that is the caller's part.
///
/// # Errors
/// The viewer is not to be served.
pub async fn admit<S>(stream: &mut S, password: &str, random: Random<'_>) -> Result<(), AdmitError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut handshake = ViewerHandshake::new(&[ViewerSecurity::VncAuth], false);
    let mut received = Vec::new();
    let mut outcome = Ok(());
    loop {
        match handshake.wants() {
            Wants::Send(bytes) => stream.write_all(&bytes).await?,
            Wants::Receive(len) if outcome.is_ok() => {
                received.resize(len, 0);
                stream.read_exact(&mut received).await?;
                outcome = handshake.receive(&received, random);
            }
            // Only a security type with TLS would ask for it, and none was offered.
            Wants::Receive(_) | Wants::UpgradeToTls | Wants::Finished => break,
        }
    }
    outcome?;
    let Some(proof) = handshake.finish() else {
        return Err(ViewerHandshakeError::OutOfTurn.into());
    };
    let right = match &proof.presented {
        Presented::VncAuth(answer) => answer.matches(password),
        Presented::Password { .. } => false,
    };
    if right {
        stream.write_all(&SecurityResult::accepted()).await?;
        Ok(())
    } else {
        let refusal = SecurityResult::refused(proof.version, "the password is wrong");
        stream.write_all(&refusal).await?;
        stream.flush().await?;
        Err(AdmitError::WrongPassword)
    }
}
