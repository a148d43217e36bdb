//! Fetching the keys of identity providers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use passerelle_auth::FetchKeys;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long an identity provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest key set that is read, in bytes.
const LONGEST: usize = 256 * 1024;

/// Reads key sets over HTTPS. Redirections are not followed: the configuration says where the keys are.
pub(crate) struct HttpsKeys {
    tls: TlsConnector,
}

impl HttpsKeys {
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

    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url} is no URL: {error}"))?;
        let host = uri.host().ok_or_else(|| format!("{url} has no host"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(443);
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| format!("{host} is no host's name"))?;
        let stream =
            TcpStream::connect((bare, port)).await.map_err(|error| format!("{host}:{port}: {error}"))?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| format!("{host}: {error}"))?;
        let broken = |error: hyper::Error| format!("{host} does not speak HTTP: {error}");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let driver = tokio::spawn(connection);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri.authority().map_or(host, |authority| authority.as_str());
        let request = Request::get(path)
            .header(HOST, authority)
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, concat!("passerelle/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .map_err(|error| format!("{url}: {error}"))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status() != StatusCode::OK {
            return Err(format!("{url} answers {}", response.status()));
        }
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        driver.abort();
        let body = body.map_err(|error| format!("{url}: the answer cannot be read: {error}"))?;
        Ok(body.to_bytes().to_vec())
    }
}

#[async_trait]
impl FetchKeys for HttpsKeys {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        let fetched = timeout(PATIENCE, self.get(url)).await;
        let fetched = fetched.unwrap_or_else(|_| Err(format!("{url} does not answer in time")));
        match &fetched {
            Ok(_) => tracing::debug!(url, "fetched the keys of an identity provider"),
            Err(why) => tracing::warn!(why, "the keys of an identity provider cannot be fetched"),
        }
        fetched
    }
}
