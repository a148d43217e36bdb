//! Requests that the gateway itself makes: to identity providers and to receivers of webhooks.
//!
//! One connection at a time, HTTP/1.1, no redirections: where to go, the configuration says.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

/// What the gateway calls itself.
pub(crate) const AGENT: &str = concat!("passerelle/", env!("CARGO_PKG_VERSION"));

/// Why a request was not answered. Says host and port, but nothing of the path, which may hold a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("{host} is no host's name")]
    Name { host: String },
    #[error("{host}:{port} cannot be reached: {source}")]
    Connect { host: String, port: u16, source: std::io::Error },
    #[error("no TLS with {host}:{port}: {source}")]
    Tls { host: String, port: u16, source: std::io::Error },
    #[error("{0} gives no answer in HTTP: {1}")]
    Http(String, hyper::Error),
    #[error("the answer of {0} breaks off")]
    Body(String),
    #[error("the answer of {0} is longer than {1} bytes")]
    TooLong(String, usize),
}

/// Makes connections.
#[derive(Clone)]
pub(crate) struct HttpClient {
    tls: TlsConnector,
}

impl HttpClient {
    /// Trusts servers that one of `roots` vouches for.
    ///
    /// # Errors
    /// The cryptography has none of the protocol versions.
    pub(crate) fn new(roots: Arc<RootCertStore>) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Connects to a host, which is a name or an address without brackets. Waits as long as it takes.
    ///
    /// # Errors
    /// There is nothing, or not whom the certificate should name.
    pub(crate) async fn connect(&self, host: &str, port: u16, tls: bool) -> Result<Connection, HttpError> {
        let name = || host.to_owned();
        let stream = TcpStream::connect((host, port)).await;
        let stream = stream.map_err(|source| HttpError::Connect { host: name(), port, source })?;
        // A request is one write, and nothing is to be gained by waiting for another.
        stream.set_nodelay(true).ok();
        if !tls {
            return Connection::over(stream, host).await;
        }
        let server = ServerName::try_from(name()).map_err(|_| HttpError::Name { host: name() })?;
        let stream = self.tls.connect(server, stream).await;
        Connection::over(stream.map_err(|source| HttpError::Tls { host: name(), port, source })?, host).await
    }
}

/// A connection to a server, for one request after the other.
pub(crate) struct Connection {
    host: String,
    sender: SendRequest<Full<Bytes>>,
    _driver: AbortOnDropHandle<Result<(), hyper::Error>>,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Without its body, no other request can be sent on the connection.
    pub(crate) body: Result<Bytes, HttpError>,
}

impl Connection {
    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        host: &str,
    ) -> Result<Self, HttpError> {
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| HttpError::Http(host.to_owned(), error))?;
        let driver = AbortOnDropHandle::new(tokio::spawn(connection));
        Ok(Self { host: host.to_owned(), sender, _driver: driver })
    }

    /// Waits until another request can be sent. Tells whether it can, as far as is known.
    pub(crate) async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends `request`, whose target is a path and which has a `Host`, and takes the answer with a body of at most
    /// `longest` bytes. Waits as long as it takes.
    ///
    /// # Errors
    /// There is no answer. Whether the request arrived is not known.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        longest: usize,
    ) -> Result<Answer, HttpError> {
        let answer = self.sender.send_request(request).await;
        let (parts, body) = answer.map_err(|error| HttpError::Http(self.host.clone(), error))?.into_parts();
        let body = Limited::new(body, longest).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                HttpError::TooLong(self.host.clone(), longest)
            } else {
                HttpError::Body(self.host.clone())
            }
        });
        let body = body.map(|body| body.to_bytes());
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}
