//! Fetching the keys of identity providers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::Full;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use passerelle_auth::FetchKeys;
use rustls::RootCertStore;
use tokio::time::timeout;

use crate::http_client::{AGENT, HttpClient};

/// How long an identity provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest key set that is read, in bytes.
const LONGEST: usize = 256 * 1024;

/// Reads key sets over HTTPS.
pub(crate) struct HttpsKeys {
    client: HttpClient,
}

impl HttpsKeys {
    /// Trusts servers that one of `roots` vouches for.
    ///
    /// # Errors
    /// The cryptography has none of the protocol versions.
    pub(crate) fn new(roots: Arc<RootCertStore>) -> Result<Self, rustls::Error> {
        Ok(Self { client: HttpClient::new(roots)? })
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url} is no URL: {error}"))?;
        let host = uri.host().ok_or_else(|| format!("{url} has no host"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let connection = self.client.connect(bare, uri.port_u16().unwrap_or(443), true).await;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri.authority().map_or(host, |authority| authority.as_str());
        let request = Request::get(path)
            .header(HOST, authority)
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, AGENT)
            .body(Full::default())
            .map_err(|error| format!("{url}: {error}"))?;
        let answer = connection.map_err(|error| error.to_string())?.send(request, LONGEST).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status != StatusCode::OK {
            return Err(format!("{url} answers {}", answer.status));
        }
        answer.body.map(|body| body.to_vec()).map_err(|error| error.to_string())
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
