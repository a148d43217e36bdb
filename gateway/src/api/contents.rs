//! What was recorded besides the picture.

use axum::Json;
use axum::extract::{FromRef, Query, State};
use axum::http::StatusCode;
use passerelle_desktop::{KeystrokePolicy, RecordedInput};
use passerelle_recorder::{Entry, Lane, ReadError, Reader};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::recordings::blocking;
use super::viewing::Viewing;
use crate::collection::Recordings;
use crate::contents::{self, ContentError};
use crate::viewings::Content;

/// How many events an answer has, give or take those of one millisecond.
const EVENTS: usize = 10_000;

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S>
where
    Recordings: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(events)).routes(routes!(input))
}

/// How many movements and keys an answer has, give or take those of one millisecond.
const INPUTS: usize = 20_000;

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
    State(recordings): State<Recordings>,
    viewing: Viewing,
    Query(times): Query<Times>,
) -> Result<Json<Events>, Problem> {
    let found =
        read(&recordings, &viewing, Lane::Events, move |reader| Ok(read_events(reader, times)?)).await?;
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

/// What the technician did, as far as it is kept.
#[derive(Debug, Serialize, ToSchema)]
struct Input {
    /// What the recording keeps of keys: `none`, `kinds` or `all`.
    keystrokes: String,
    /// Time in milliseconds, column, row, and the buttons that are down: bit 0 the left one, 1 the middle one, 2 the
    /// right one, 3 and 4 a step of the wheel up and down, 5 and 6 left and right, 7 and 8 back and forward.
    #[schema(value_type = Vec<Vec<u32>>)]
    pointer: Vec<(u32, u16, u16, u16)>,
    /// Time in milliseconds; `down` or `up`; the sign that the key writes or what it is called, its kind, or null.
    #[schema(value_type = Vec<Vec<Value>>)]
    keys: Vec<(u32, &'static str, Option<String>)>,
    /// `from_ms` of the next part; absent in the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_ms: Option<u32>,
}

/// What the technician did with pointer and keys in a recorded session.
#[utoipa::path(get, path = "/recordings/{id}/input", tag = "recordings",
    params(("id" = String, Path, description = "The recording's `id`"),
        ("passerelle-viewing" = String, Header, description = "What `viewings` answered"), Times),
    responses((status = 200, description = "Pointer and keys, as far as they are kept", body = Input)))]
async fn input(
    State(recordings): State<Recordings>,
    viewing: Viewing,
    Query(times): Query<Times>,
) -> Result<Json<Input>, Problem> {
    let found = read(&recordings, &viewing, Lane::Viewer, move |reader| read_input(reader, times)).await?;
    let last = [found.pointer.last().map(|found| found.0), found.keys.last().map(|found| found.0)];
    let last = last.into_iter().flatten().max().unwrap_or(times.from_ms);
    let until = found.next_ms.or(times.until_ms).unwrap_or(last);
    viewing.watched(Content::Input, times.from_ms.into(), until.into());
    Ok(Json(found))
}

fn read_input(recording: Reader, times: Times) -> Result<Input, Problem> {
    let keystrokes = contents::keystrokes(recording.header());
    let mut reader = contents::input_reader(recording.header())?;
    let name = match keystrokes {
        KeystrokePolicy::None => "none",
        KeystrokePolicy::Kinds => "kinds",
        KeystrokePolicy::All => "all",
    };
    let mut input =
        Input { keystrokes: name.to_owned(), pointer: Vec::new(), keys: Vec::new(), next_ms: None };
    let mut last = times.from_ms;
    let mut found = Vec::new();
    for entry in recording {
        let Entry { t_ms, bytes, .. } = entry?;
        if times.until_ms.is_some_and(|until| t_ms >= until) {
            break;
        }
        if input.pointer.len() + input.keys.len() >= INPUTS && t_ms != last {
            input.next_ms = Some(t_ms);
            break;
        }
        // Also what comes before the wanted time: messages may lie across entries, and buttons stay down.
        reader.read(&bytes, &mut found).map_err(ContentError::from)?;
        for one in found.drain(..).filter(|_| t_ms >= times.from_ms) {
            last = t_ms;
            match one {
                RecordedInput::Pointer { x, y, buttons } => input.pointer.push((t_ms, x, y, buttons)),
                RecordedInput::Key { down, name } => {
                    input.keys.push((t_ms, if down { "down" } else { "up" }, name));
                }
            }
        }
    }
    Ok(input)
}

/// Reads a lane from its beginning, for as long as somebody waits for what comes of it: that can be long.
async fn read<T: Send + 'static>(
    recordings: &Recordings,
    viewing: &Viewing,
    lane: Lane,
    work: impl FnOnce(Reader) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let gone = CancellationToken::new();
    let _waiting = gone.clone().drop_guard();
    let (recordings, directory) = (recordings.clone(), viewing.directory().to_owned());
    blocking(move || {
        let reader = contents::open(recordings.identity().as_ref(), &directory, &[lane])?;
        work(reader.stop_when(move || gone.is_cancelled()))
    })
    .await
}

impl From<ContentError> for Problem {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Erased(_) => Self::new(StatusCode::GONE, "erased", error),
            ContentError::Sealed(_) => Self::new(StatusCode::CONFLICT, "sealed", error),
            ContentError::Read(error) => error.into(),
            ContentError::Input(_) => Self::new(StatusCode::CONFLICT, "damaged", error),
            ContentError::Protocol(_) => Self::unprocessable("protocol", error),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::new(StatusCode::CONFLICT, "damaged", error)
    }
}
