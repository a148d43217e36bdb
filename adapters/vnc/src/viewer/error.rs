//! How a viewer leg fails.

use std::io;

use passerelle_rfb::security::ViewerHandshakeError;

/// A viewer that was not let in, for technical reasons.
#[derive(Debug, thiserror::Error)]
pub enum ViewerError {
    /// The viewer closed the connection; port scanners and health checks do.
    #[error("the viewer closed the connection before its login was over")]
    Closed,
    /// The connection broke, or the viewer sent more before its login than one takes.
    #[error("the connection to the viewer broke: {0}")]
    Io(#[source] io::Error),
    /// TLS could not be established.
    #[error("no TLS with the viewer: {0}")]
    Tls(#[source] io::Error),
    /// The viewer broke the protocol, or there is no way to let it in.
    #[error(transparent)]
    Handshake(#[from] ViewerHandshakeError),
    /// The settings offer X509Plain or X509Vnc without a certificate.
    #[error("a security type with TLS is offered to viewers, but no certificate is configured")]
    NoCertificate,
}

impl ViewerError {
    /// Of reading or writing.
    pub(super) fn io(error: io::Error) -> Self {
        if is_close(&error) { Self::Closed } else { Self::Io(error) }
    }

    /// Of the TLS handshake.
    pub(super) fn tls(error: io::Error) -> Self {
        if is_close(&error) { Self::Closed } else { Self::Tls(error) }
    }
}

/// Whether the peer merely went away.
pub(crate) fn is_close(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}
