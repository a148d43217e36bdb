//! The S3 client's way to the network: the gateway's own HTTP client.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::header::{CONNECTION, HOST, HeaderValue};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient as StoreClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};

use super::LONGEST;
use crate::http_client::{self, HttpClient};

/// Sends each request on a connection of its own.
#[derive(Clone)]
pub(super) struct Sender {
    client: HttpClient,
    timeout: Duration,
}

impl Sender {
    pub(super) fn new(client: HttpClient, timeout: Duration) -> Self {
        Self { client, timeout }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (mut parts, body) = request.into_parts();
        let uri = std::mem::take(&mut parts.uri);
        let nowhere = || HttpError::new(HttpErrorKind::Request, Nowhere);
        let host = uri.host().ok_or_else(nowhere)?;
        let tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        parts.uri = uri.path_and_query().cloned().ok_or_else(nowhere)?.into();
        if !parts.headers.contains_key(HOST) {
            let authority = uri.authority().ok_or_else(nowhere)?;
            let value = HeaderValue::from_str(authority.as_str());
            parts.headers.insert(HOST, value.map_err(|_| nowhere())?);
        }
        parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let body = body.collect().await?.to_bytes();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let failed = |error: http_client::HttpError| {
            let kind = match error {
                http_client::HttpError::Connect { .. } => HttpErrorKind::Connect,
                http_client::HttpError::Body(_) => HttpErrorKind::Interrupted,
                _ => HttpErrorKind::Request,
            };
            HttpError::new(kind, error)
        };
        let mut connection = self.client.connect(address, port, tls).await.map_err(failed)?;
        let request = Request::from_parts(parts, Full::new(body));
        let answer = connection.send(request, LONGEST).await.map_err(failed)?;
        let content = answer.body.map_err(failed)?;
        let body = Full::new(content).map_err(|never| match never {});
        let mut response = HttpResponse::new(HttpResponseBody::new(body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// A request that leads nowhere, or has not come anywhere in time.
#[derive(Debug, thiserror::Error)]
#[error("the endpoint is no URL with a host")]
struct Nowhere;

#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", .0.as_secs())]
struct Late(Duration);

#[async_trait]
impl HttpService for Sender {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        match tokio::time::timeout(self.timeout, self.send(request)).await {
            Ok(answered) => answered,
            Err(_) => Err(HttpError::new(HttpErrorKind::Timeout, Late(self.timeout))),
        }
    }
}

impl HttpConnector for Sender {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<StoreClient> {
        Ok(StoreClient::new(self.clone()))
    }
}
