//! Views of recordings: what there is, and its parts.

use axum::Json;
use axum::extract::{FromRef, Path, State};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use passerelle_recorder::view::{Activity, BlackoutSpan, Span, ViewError, ViewIndex};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::recordings::{blocking, directory, whole};
use super::viewing::Viewing;
use crate::collection::Recordings;
use crate::viewings::Content;
use crate::views::{self, Found};

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S>
where
    Recordings: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(manifest, render))
        .routes(routes!(progress))
        .routes(routes!(chunk))
        .routes(routes!(thumbnail))
}

/// How far the rendering of a recording is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RenderProgress {
    /// `none`, `queued`, `rendering`, `ready`, `live` (it grows with its session) or `failed`.
    pub(crate) state: String,
    /// How much of the recording is rendered, from 0 to 1.
    pub(crate) progress: f64,
    /// Why it failed, or from when on nothing could be drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

/// What there is of a view. Times are in milliseconds since the recording's start.
#[derive(Serialize, ToSchema)]
struct Manifest {
    /// Version of the format: 1.
    format: u32,
    #[serde(flatten)]
    progress: RenderProgress,
    /// Length of what is rendered.
    duration_ms: u32,
    /// The widest picture.
    width: u16,
    /// The highest picture.
    height: u16,
    /// The parts that can be asked for, each `number`, `from_ms`, `until_ms` and `bytes`.
    #[schema(value_type = Vec<Object>)]
    chunks: Value,
    /// Small pictures, each `number` and `t_ms`.
    #[schema(value_type = Vec<Object>)]
    thumbnails: Value,
    /// How much of the screen changed: per cent in each bucket of `bucket_ms`, as `values`.
    #[schema(value_type = Object)]
    activity: Activity,
    /// When nothing happened: `from_ms` and `until_ms`.
    #[schema(value_type = Vec<Object>)]
    idle: Vec<Span>,
    /// When a part of the picture was in motion and is not exact.
    #[schema(value_type = Vec<Object>)]
    lossy: Vec<Span>,
    /// When nothing of the screen was kept: `from_ms`, `until_ms`, `for`, `by` and `reason`.
    #[schema(value_type = Vec<Object>)]
    blackouts: Vec<BlackoutSpan>,
    /// What could not be drawn: `what` and `count`.
    #[schema(value_type = Vec<Object>)]
    skipped: Value,
}

fn look(found: Found) -> (RenderProgress, ViewIndex) {
    let (state, progress, message, index) = match found {
        Found::None => ("none", 0.0, None, ViewIndex::default()),
        Found::Queued => ("queued", 0.0, None, ViewIndex::default()),
        Found::Rendering { index, progress } => ("rendering", progress, None, index),
        Found::Live { index } => ("live", 1.0, None, index),
        Found::Ready { index } => ("ready", 1.0, None, index),
        Found::Failed(error) => ("failed", 0.0, Some(error.to_string()), ViewIndex::default()),
    };
    let stopped = index.summary.stopped.as_ref();
    let stopped =
        stopped.map(|stopped| format!("from {} ms on nothing is drawn: {}", stopped.t_ms, stopped.message));
    (RenderProgress { state: state.to_owned(), progress, message: message.or(stopped) }, index)
}

async fn find(recordings: &Recordings, id: &str) -> Result<(RenderProgress, ViewIndex), Problem> {
    let (recordings, id) = (recordings.clone(), id.to_owned());
    blocking(move || Ok(look(recordings.views().find(&id)))).await
}

/// Show what there is of a recording's view.
#[utoipa::path(get, path = "/recordings/{id}/view", tag = "recordings",
    params(("id" = String, Path, description = "The recording's `id`"),
        ("passerelle-viewing" = String, Header, description = "What `viewings` answered")),
    responses((status = 200, description = "What there is", body = Manifest)))]
async fn manifest(
    State(recordings): State<Recordings>,
    Path(id): Path<String>,
    _viewing: Viewing,
) -> Result<Json<Manifest>, Problem> {
    let (progress, ViewIndex { chunks, thumbnails, summary }) = find(&recordings, &id).await?;
    Ok(Json(Manifest {
        format: 1,
        progress,
        duration_ms: summary.duration_ms,
        width: summary.width,
        height: summary.height,
        chunks: serde_json::to_value(chunks).map_err(Problem::internal)?,
        thumbnails: serde_json::to_value(thumbnails).map_err(Problem::internal)?,
        activity: summary.activity,
        idle: summary.idle,
        lossy: summary.lossy,
        blackouts: summary.blackouts,
        skipped: serde_json::to_value(summary.skipped).map_err(Problem::internal)?,
    }))
}

/// Have a recording rendered, unless it is or is being. Shows nothing of it.
#[utoipa::path(post, path = "/recordings/{id}/view", tag = "recordings",
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 202, description = "How far it is", body = RenderProgress)))]
async fn render(
    State(recordings): State<Recordings>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<RenderProgress>), Problem> {
    let directory = whole(&recordings, &id).await?;
    views::render(&recordings, directory)
        .await
        .map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "view", error))?;
    let (progress, _) = find(&recordings, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(progress)))
}

/// Show how far the rendering of a recording is.
#[utoipa::path(get, path = "/recordings/{id}/view/progress", tag = "recordings",
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 200, description = "How far it is", body = RenderProgress)))]
async fn progress(
    State(recordings): State<Recordings>,
    Path(id): Path<String>,
) -> Result<Json<RenderProgress>, Problem> {
    directory(&recordings, &id)?;
    Ok(Json(find(&recordings, &id).await?.0))
}

/// Get a chunk of a view: one zstd stream of messages that begins with a whole picture.
///
/// It comes as `Content-Encoding: zstd` to whoever accepts that, and else as a zstd file.
#[utoipa::path(get, path = "/recordings/{id}/view/chunks/{number}", tag = "recordings",
    params(("id" = String, Path, description = "The recording's `id`"),
        ("number" = u32, Path, description = "The chunk's `number`"),
        ("passerelle-viewing" = String, Header, description = "What `viewings` answered")),
    responses((status = 200, description = "The chunk", body = [u8], content_type = "application/octet-stream")))]
async fn chunk(
    State(recordings): State<Recordings>,
    Path((id, number)): Path<(String, u32)>,
    viewing: Viewing,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (span, bytes) = blocking(move || {
        let (index, contents) = recordings.views().contents(&id)?.ok_or_else(not_rendered)?;
        let chunk = index.chunks.get(number as usize).ok_or(ViewError::Missing)?;
        Ok(((chunk.from_ms, chunk.until_ms), contents.chunk(number)?))
    })
    .await?;
    viewing.watched(Content::Picture, span.0.into(), span.1.into());
    let vary = (VARY, HeaderValue::from_static("accept-encoding"));
    Ok(if accepts_zstd(&headers) {
        let kind = (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let encoding = (CONTENT_ENCODING, HeaderValue::from_static("zstd"));
        ([kind, encoding, vary], bytes).into_response()
    } else {
        ([(CONTENT_TYPE, HeaderValue::from_static("application/zstd")), vary], bytes).into_response()
    })
}

/// Get a small picture of a view, at most 320 pixels wide.
#[utoipa::path(get, path = "/recordings/{id}/view/thumbnails/{number}", tag = "recordings",
    params(("id" = String, Path, description = "The recording's `id`"),
        ("number" = u32, Path, description = "The thumbnail's `number`"),
        ("passerelle-viewing" = String, Header, description = "What `viewings` answered")),
    responses((status = 200, description = "The picture", body = [u8], content_type = "image/jpeg")))]
async fn thumbnail(
    State(recordings): State<Recordings>,
    Path((id, number)): Path<(String, u32)>,
    viewing: Viewing,
) -> Result<Response, Problem> {
    let (t_ms, bytes) = blocking(move || {
        let (index, contents) = recordings.views().contents(&id)?.ok_or_else(not_rendered)?;
        let thumbnail = index.thumbnails.get(number as usize).ok_or(ViewError::Missing)?;
        Ok((thumbnail.t_ms, contents.thumbnail(number)?))
    })
    .await?;
    viewing.watched(Content::Thumbnails, t_ms.into(), t_ms.into());
    Ok(([(CONTENT_TYPE, "image/jpeg")], bytes).into_response())
}

/// Whether the caller takes `Content-Encoding: zstd`.
pub(crate) fn accepts_zstd(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let zstd = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("zstd"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map(str::parse::<f32>);
        zstd && !matches!(weight, Some(Ok(weight)) if weight <= 0.0)
    })
}

fn not_rendered() -> Problem {
    Problem::not_found("this recording is not rendered; POST to its view has it rendered")
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Missing => Self::not_found(error),
            error => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zstd_is_sent_to_whoever_accepts_it() {
        for (header, accepted) in [
            ("gzip, deflate, br, zstd", true),
            ("ZSTD;q=0.5", true),
            ("zstd;q=0, gzip", false),
            ("gzip", false),
            ("*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(header));
            assert_eq!(accepts_zstd(&headers), accepted, "{header}");
        }
        assert!(!accepts_zstd(&HeaderMap::new()));
    }
}
