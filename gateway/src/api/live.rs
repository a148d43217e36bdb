//! Watching a session while it runs.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use passerelle_recorder::view::Message;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zstd::stream::write::Encoder;

use super::problem::Problem;
use super::viewing::Viewing;
use super::views::accepts_zstd;
use crate::collection::Recordings;
use crate::gateway::Gateway;
use crate::viewings::Content;
use crate::views::{self, WatchError, Watcher};

/// The fastest level: what is watched is gone in a moment.
const LEVEL: i32 = 1;
/// Browsers accept no larger window than 2^23 bytes.
const WINDOW_LOG: u32 = 23;
/// What is larger is compressed away from the tasks that wait for the network.
const LARGE: usize = 128 << 10;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(live))
}

/// Watch a session while it runs: messages as in a view's chunks, first a whole picture, then what changes, at most a
/// second late; while nothing changes, an empty frame each second. The answer ends with the session.
///
/// Whoever is too slow goes on with the next whole picture. It comes as `Content-Encoding: zstd`, flushed with every
/// frame, to whoever accepts that.
#[utoipa::path(get, path = "/recordings/{id}/live", tag = "recordings",
    params(("id" = String, Path, description = "The recording's `id`, which is its session's"),
        ("passerelle-viewing" = String, Header, description = "What `viewings` answered")),
    responses((status = 200, description = "Messages", body = [u8], content_type = "application/octet-stream")))]
async fn live(
    State(recordings): State<Recordings>,
    Path(id): Path<String>,
    viewing: Viewing,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let watcher = views::watch(&recordings, &id, viewing.directory().to_owned()).await?;
    tracing::info!(recording = id, "a session is watched");
    let compressed = accepts_zstd(&headers);
    let encoder = if compressed { Some(encoder().map_err(Problem::internal)?) } else { None };
    let body = Body::from_stream(unfold(Watching { watcher, encoder, viewing }, Watching::next));
    let kind = (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    let vary = (VARY, HeaderValue::from_static("accept-encoding"));
    let mut response = ([kind, vary], body).into_response();
    if compressed {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
    }
    Ok(response)
}

struct Watching {
    watcher: Watcher,
    /// Compresses all that the watcher gets as one stream.
    encoder: Option<Encoder<'static, Vec<u8>>>,
    viewing: Viewing,
}

impl Watching {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let Some(messages) = self.watcher.next().await else {
            // The stream ends as it should, once.
            let rest = self.encoder.take()?.finish().ok()?;
            return Some((Ok(Bytes::from(rest)), self));
        };
        if let Ok(Some((t_ms, _, _))) = Message::parse(&messages) {
            self.viewing.watched(Content::Live, t_ms.into(), t_ms.into());
        }
        let Some(encoder) = self.encoder.take() else { return Some((Ok(messages), self)) };
        let compressed = if messages.len() < LARGE {
            compress(encoder, &messages)
        } else {
            let compressing = tokio::task::spawn_blocking(move || compress(encoder, &messages));
            compressing.await.unwrap_or_else(|error| Err(io::Error::other(error)))
        };
        match compressed {
            Ok((encoder, bytes)) => {
                self.encoder = Some(encoder);
                Some((Ok(bytes), self))
            }
            Err(error) => {
                tracing::warn!(%error, "what is watched cannot be compressed");
                None
            }
        }
    }
}

fn encoder() -> io::Result<Encoder<'static, Vec<u8>>> {
    let mut encoder = Encoder::new(Vec::new(), LEVEL)?;
    encoder.window_log(WINDOW_LOG)?;
    Ok(encoder)
}

fn compress(
    mut encoder: Encoder<'static, Vec<u8>>,
    messages: &[u8],
) -> io::Result<(Encoder<'static, Vec<u8>>, Bytes)> {
    encoder.write_all(messages)?;
    encoder.flush()?;
    let bytes = Bytes::from(std::mem::take(encoder.get_mut()));
    Ok((encoder, bytes))
}

impl From<WatchError> for Problem {
    fn from(error: WatchError) -> Self {
        let (status, kind) = match error {
            WatchError::Over => (StatusCode::CONFLICT, "over"),
            WatchError::Crowded => (StatusCode::TOO_MANY_REQUESTS, "watchers"),
            WatchError::Render(_) => (StatusCode::SERVICE_UNAVAILABLE, "view"),
        };
        Self::new(status, kind, error)
    }
}
