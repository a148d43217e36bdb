//! The byte stream of a leg, encrypted or not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::TlsStream;
use zeroize::Zeroizing;

/// The stream of a leg: the socket itself or TLS over it.
///
/// Adds no buffer of its own. TLS holds at most what rustls bounds it to: one record received, 64 KiB to send.
#[derive(Debug)]
pub struct Transport<S>(Layer<S>);

#[derive(Debug)]
enum Layer<S> {
    Plain(Metered<S>),
    Tls(Box<TlsStream<Metered<S>>>),
}

impl<S> Transport<S> {
    /// The socket itself.
    pub const fn plain(stream: S) -> Self {
        Self(Layer::Plain(Metered { stream, budget: None }))
    }

    /// The socket itself, of which no more than `budget` bytes are read before
    /// [`lift_budget`](Self::lift_budget).
    pub const fn with_budget(stream: S, budget: usize) -> Self {
        Self(Layer::Plain(Metered { stream, budget: Some(budget) }))
    }

    pub(crate) fn tls(stream: impl Into<TlsStream<Metered<S>>>) -> Self {
        Self(Layer::Tls(Box::new(stream.into())))
    }

    /// The socket, unless TLS runs over it.
    pub(crate) fn into_metered(self) -> Option<Metered<S>> {
        match self.0 {
            Layer::Plain(stream) => Some(stream),
            Layer::Tls(_) => None,
        }
    }

    /// From here on the peer may send as much as it likes.
    pub fn lift_budget(&mut self) {
        match &mut self.0 {
            Layer::Plain(stream) => stream.budget = None,
            Layer::Tls(stream) => stream.get_mut().0.budget = None,
        }
    }

    /// Whether TLS protects the stream.
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.0, Layer::Tls(_))
    }

    /// What was negotiated, if TLS protects the stream.
    pub fn tls_facts(&self) -> Option<TlsFacts> {
        let Layer::Tls(stream) = &self.0 else { return None };
        let (_, connection) = stream.get_ref();
        Some(TlsFacts {
            version: match connection.protocol_version()? {
                rustls::ProtocolVersion::TLSv1_2 => "TLS 1.2",
                rustls::ProtocolVersion::TLSv1_3 => "TLS 1.3",
                _ => "unknown TLS version",
            },
            cipher_suite: connection.negotiated_cipher_suite()?.suite().as_str().unwrap_or("unknown"),
        })
    }
}

/// What a TLS handshake agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// Such as `TLS 1.3`.
    pub version: &'static str,
    /// The IANA name of the cipher suite.
    pub cipher_suite: &'static str,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport<S> {
    /// Reads exactly `len` bytes, which may be secret.
    ///
    /// # Errors
    /// The peer left, or sent more than its budget.
    pub async fn receive(&mut self, len: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(vec![0; len]);
        self.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    /// Sends all of `bytes` and flushes.
    ///
    /// # Errors
    /// The peer left.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).await?;
        self.flush().await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Transport<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Layer::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Layer::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Transport<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Layer::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Layer::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Layer::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Layer::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Layer::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Layer::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Layer::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Layer::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Layer::Plain(stream) => stream.is_write_vectored(),
            Layer::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

/// A socket that bounds how much a peer may say before it is known: rustls joins handshake messages of up to
/// 64 KiB, and what never arrives is never buffered.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    stream: S,
    budget: Option<usize>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(budget) = self.budget else {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        };
        if budget == 0 && buf.remaining() > 0 {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the peer sends more before its login than a login takes",
            )));
        }
        let len = budget.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(len));
        let outcome = Pin::new(&mut self.stream).poll_read(cx, &mut part);
        let received = part.filled().len();
        buf.advance(received);
        self.budget = Some(budget - received);
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
