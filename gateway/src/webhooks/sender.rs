//! One attempt after the other to one receiver.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::RETRY_AFTER;
use hyper::{HeaderMap, Request, StatusCode};
use passerelle_config::Webhook;
use ring::hmac;
use rustls::RootCertStore;
use tokio::time::timeout;

use super::message::{Message, retry_after};
use crate::ambient;
use crate::http_client::{Answer, Connection, HttpClient, HttpError};

/// So much of an answer's body is read, in bytes, which is only for the next request to follow on the same
/// connection.
const LONGEST: usize = 64 * 1024;

/// What an attempt came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The receiver has it.
    Delivered(StatusCode),
    /// The receiver wants no more.
    Gone,
    /// It may have it, or not; try again, not sooner than it asks for.
    Failed { why: String, retry_after: Option<Duration> },
}

/// Sends to the receiver of a webhook.
pub(super) struct Sender {
    hook: Webhook,
    node: String,
    key: hmac::Key,
    client: HttpClient,
    connection: Option<Connection>,
}

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SenderError {
    #[error("its secret is not `whsec_` and 24 to 64 bytes in base64")]
    Secret,
    #[error("no connection can be made: {0}")]
    Tls(#[from] rustls::Error),
}

impl Sender {
    /// For `hook`, whose server one of `roots` vouches for.
    ///
    /// # Errors
    /// See [`SenderError`].
    pub(super) fn new(hook: Webhook, roots: Arc<RootCertStore>, node: String) -> Result<Self, SenderError> {
        let key = hook.signing_key().ok_or(SenderError::Secret)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        Ok(Self { client: HttpClient::new(roots)?, hook, node, key, connection: None })
    }

    /// Tries once.
    pub(super) async fn attempt(&mut self, message: &Message) -> Attempt {
        let failed = |why: String| Attempt::Failed { why, retry_after: None };
        let request = message.request(&self.hook.url, &self.key, &self.node, ambient::now());
        let request = match request {
            Ok(request) => request,
            Err(error) => return failed(error.to_string()),
        };
        let limit = self.hook.timeout;
        match timeout(limit.get(), self.post(request)).await {
            Ok(Ok((status, headers))) => judge(status, &headers),
            Ok(Err(error)) => failed(error.to_string()),
            Err(_) => failed(format!("{} does not answer within {limit}", self.hook.url)),
        }
    }

    /// Over the connection that is there, or a new one.
    async fn post(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, HeaderMap), HttpError> {
        if let Some(mut connection) = self.connection.take()
            && connection.is_open().await
            // The server may have closed it just now. Then it is tried again, which the receiver recognises.
            && let Ok(answer) = connection.send(request.clone(), LONGEST).await
        {
            return Ok(self.keep(connection, answer));
        }
        let address = self.hook.url.address();
        let connection = self.client.connect(address.host(), address.port(), self.hook.url.is_https()).await;
        let mut connection = connection?;
        let answer = connection.send(request, LONGEST).await?;
        Ok(self.keep(connection, answer))
    }

    fn keep(&mut self, connection: Connection, answer: Answer) -> (StatusCode, HeaderMap) {
        if answer.body.is_ok() {
            self.connection = Some(connection);
        }
        (answer.status, answer.headers)
    }
}

fn judge(status: StatusCode, headers: &HeaderMap) -> Attempt {
    if status.is_success() {
        return Attempt::Delivered(status);
    }
    if status == StatusCode::GONE {
        return Attempt::Gone;
    }
    let asked = headers.get(RETRY_AFTER).and_then(|text| retry_after(text.to_str().ok()?, ambient::wall()));
    Attempt::Failed { why: format!("the receiver answers {status}"), retry_after: asked }
}
