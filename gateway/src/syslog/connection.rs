//! A connection to a syslog server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use passerelle_config::{Syslog, SyslogTransport};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long connecting may take, and writing what the server does not read.
const PATIENCE: Duration = Duration::from_secs(10);
/// A server whose machine does not acknowledge bytes for so long is gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// What TCP and TLS have in common.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection that is open as far as is known.
pub(super) struct Connection {
    reader: ReadHalf<Box<dyn Duplex>>,
    writer: WriteHalf<Box<dyn Duplex>>,
}

impl Connection {
    /// Connects to the server that `settings` names and one of `roots` vouches for.
    ///
    /// # Errors
    /// A sentence about what failed.
    pub(super) async fn open(settings: &Syslog, roots: &Arc<RootCertStore>) -> Result<Self, String> {
        let (host, port) = (settings.address.host(), settings.address.port());
        let connecting = async {
            let stream = TcpStream::connect((host, port)).await;
            let stream = stream.map_err(|error| format!("{host}:{port} cannot be reached: {error}"))?;
            let socket = SockRef::from(&stream);
            socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED)).ok();
            socket.set_keepalive(true).ok();
            let stream: Box<dyn Duplex> = match settings.transport {
                SyslogTransport::Tcp => Box::new(stream),
                SyslogTransport::Tls => {
                    let server = ServerName::try_from(host.to_owned())
                        .map_err(|_| format!("{host} is no host's name"))?;
                    let tls = connector(roots).map_err(|error| error.to_string())?;
                    let stream = tls.connect(server, stream).await;
                    Box::new(stream.map_err(|error| format!("no TLS with {host}:{port}: {error}"))?)
                }
            };
            let (reader, writer) = split(stream);
            Ok(Self { reader, writer })
        };
        let answer = timeout(PATIENCE, connecting).await;
        answer.unwrap_or_else(|_| Err(format!("{host}:{port} does not answer")))
    }

    /// Writes frames.
    ///
    /// # Errors
    /// The connection is of no more use; how much arrived is not known.
    pub(super) async fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        let writing = async {
            self.writer.write_all(frames).await?;
            self.writer.flush().await
        };
        timeout(PATIENCE, writing).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Waits until the server ends the connection, which has nothing to say in this protocol.
    pub(super) async fn ended(&mut self) -> io::Error {
        let mut ignored = [0; 512];
        loop {
            match self.reader.read(&mut ignored).await {
                Ok(0) => {
                    return io::Error::new(io::ErrorKind::UnexpectedEof, "the server ended the connection");
                }
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }

    /// Ends the connection in order. Tells whether the server answered in kind: then it has read everything.
    pub(super) async fn close(mut self, patience: Duration) -> bool {
        let closing = async {
            self.writer.shutdown().await?;
            Err::<(), _>(self.ended().await)
        };
        match timeout(patience, closing).await {
            Ok(Err(error)) => error.kind() == io::ErrorKind::UnexpectedEof,
            _ => false,
        }
    }
}

fn connector(roots: &Arc<RootCertStore>) -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
