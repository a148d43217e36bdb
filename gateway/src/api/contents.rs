//! What was recorded besides the picture.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use passerelle_recorder::{Entry, Lane, ReadError, Reader};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::recordings::blocking;
use super::viewing::Viewing;
use crate::contents::{self, ContentError};
use crate::gateway::Gateway;
use crate::viewings::Content;

/// How many events an answer has, give or take those of one millisecond.
const EVENTS: usize = 10_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Which time of a recording is wanted, in milliseconds since its start.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Times {
    /// From here on.
    #[serde(default)]
    from_ms: u32,
    /// Before this.
    until_ms: Option<u32>,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
struct Event {
    /// When, in milliseconds since the recording's start.
    t_ms: u32,
    /// What.
    kind: String,
    /// What else is known of it.
    #[schema(value_type = Object)]
    detail: Value,
}

/// What happened.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Events {
    /// In order.
    events: Vec<Event>,
    /// `from_ms` of the next part; absent in the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_ms: Option<u32>,
}

/// What happened in a recorded session.
#[utoipa::path(get, path = "/recordings/{id}/events", tag = "recordings",
    params(("id" = String, Path, description = "The recording's `id`"),
        ("passerelle-viewing" = String, Header, description = "What `viewings` answered"), Times),
    responses((status = 200, description = "The events", body = Events)))]
async fn events(
    State(gateway): State<Arc<Gateway>>,
    viewing: Viewing,
    Query(times): Query<Times>,
) -> Result<Json<Events>, Problem> {
    let data_dir = gateway.policy().config.data_dir.clone();
    let directory = viewing.directory().to_owned();
    let found = blocking(move || {
        let reader = contents::open(&data_dir, &directory, &[Lane::Events])?;
        Ok(read_events(reader, times)?)
    });
    let found = found.await?;
    let last = found.events.last().map_or(times.from_ms, |event| event.t_ms);
    viewing.watched(
        Content::Events,
        times.from_ms.into(),
        found.next_ms.or(times.until_ms).unwrap_or(last).into(),
    );
    Ok(Json(found))
}

fn read_events(reader: Reader, times: Times) -> Result<Events, ReadError> {
    let mut found = Events::default();
    for entry in reader {
        let Entry { t_ms, bytes, .. } = entry?;
        if t_ms < times.from_ms {
            continue;
        }
        if times.until_ms.is_some_and(|until| t_ms >= until) {
            break;
        }
        let Ok(Value::Object(mut event)) = serde_json::from_slice(&bytes) else { continue };
        if found.events.len() >= EVENTS && found.events.last().is_some_and(|last| last.t_ms != t_ms) {
            found.next_ms = Some(t_ms);
            break;
        }
        let kind = event.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        let detail = event.remove("detail").unwrap_or_default();
        found.events.push(Event { t_ms, kind, detail });
    }
    Ok(found)
}

impl From<ContentError> for Problem {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Erased(_) => Self::new(StatusCode::GONE, "erased", error),
            ContentError::Sealed(_) => Self::new(StatusCode::CONFLICT, "sealed", error),
            ContentError::Read(error) => error.into(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::new(StatusCode::CONFLICT, "damaged", error)
    }
}
