//! Refusals in the form of RFC 9457.

use std::fmt::Display;

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use passerelle_auth::StoreError;
use passerelle_recorder::audit::AuditError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of problem details (RFC 9457, section 6.1).
const MEDIA_TYPE: &str = "application/problem+json";

/// The longest explanation of the framework's that is passed on, in bytes.
const LONGEST: usize = 4096;

/// Why a request was refused (RFC 9457).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Problem {
    /// What kind of problem it is: `about:blank`, or `urn:passerelle:problem:` and a name that does not change.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The status in words.
    pub(crate) title: String,
    /// The status.
    pub(crate) status: u16,
    /// One sentence for the person who asked.
    pub(crate) detail: String,
    /// When to ask again, in seconds.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem of the kind `name`, or without a kind when that is empty.
    pub(crate) fn new(status: StatusCode, name: &str, detail: impl Display) -> Self {
        Self {
            kind: match name {
                "" => "about:blank".to_owned(),
                name => format!("urn:passerelle:problem:{name}"),
            },
            title: status.canonical_reason().unwrap_or("Refused").to_owned(),
            status: status.as_u16(),
            detail: detail.to_string(),
            retry_after: None,
        }
    }

    pub(crate) fn unauthorized(detail: impl Display) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    pub(crate) fn forbidden(detail: impl Display) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(crate) fn not_found(detail: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// The request was understood and cannot be done as it stands.
    pub(crate) fn unprocessable(name: &str, detail: impl Display) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, name, detail)
    }

    /// Something of the gateway's own failed.
    pub(crate) fn internal(detail: impl Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// Says when to ask again.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store does not answer the API");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store", error).retry_after(1)
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        tracing::error!(%error, "a request that cannot be audited was refused");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "audit", error).retry_after(1)
    }
}

/// Puts what the framework refused, with its explanation if there is one, into the same form.
pub(super) async fn from_framework(response: Response) -> Response {
    let status = response.status();
    let done = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
    if done || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let said = to_bytes(body, LONGEST).await.unwrap_or_default();
    let detail = match str::from_utf8(&said) {
        Ok(text) if !text.is_empty() => text,
        _ => match status {
            StatusCode::NOT_FOUND => "there is no such route",
            _ => "the request was refused",
        },
    };
    let body = serde_json::to_vec(&Problem::new(status, "", detail)).unwrap_or_default();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    Response::from_parts(parts, Body::from(body))
}
