//! What is known of recordings: lists, searches, verifications.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRef, Path, Query as QueryParameters, State};
use axum::http::StatusCode;
use passerelle_auth::Timestamp;
use passerelle_config::Scope;
use passerelle_recorder::Summary;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Access;
use super::page::{Page, Part};
use super::principal::Principal;
use super::problem::Problem;
use crate::collection::{Checked, Recordings};
use crate::gateway::Gateway;
use crate::index::{self, Found, IndexError, Item, Query, Verified, Wanted};

/// The longest query, in characters.
const QUERY: usize = 200;

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S>
where
    Recordings: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(verify))
}

/// The route with which the command line writes down what it reads.
pub(super) fn access_routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(note_access))
}

/// Which recordings are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only this technician's.
    technician: Option<String>,
    /// Only of this target.
    target: Option<String>,
    /// Only those that are `open`, `sealed` or `interrupted`.
    state: Option<String>,
    /// Only those that started at this time or later, RFC 3339.
    from: Option<String>,
    /// Only those that started before this time, RFC 3339.
    until: Option<String>,
    /// Only those in which all of these beginnings of words occur: in what is known of the session, in its events, and
    /// in the clipboard's text if it was kept. Takes the scope recordings:view, and is in the audit log.
    #[param(max_length = 200)]
    q: Option<String>,
    /// `newest` first, or `oldest`.
    #[param(default = "newest")]
    order: Option<String>,
}

impl Filter {
    /// What to look for.
    ///
    /// # Errors
    /// A time, the query or the order cannot be read.
    fn wanted(self, part: &Part) -> Result<Wanted, Problem> {
        let time = |text: Option<String>| -> Result<Option<i64>, Problem> {
            let read = text.map(|text| text.parse::<Timestamp>()).transpose();
            Ok(read.map_err(|error| Problem::unprocessable("time", error))?.map(Timestamp::as_millis))
        };
        let query = match self.q {
            None => None,
            Some(text) if text.chars().count() <= QUERY => Some(Query::parse(&text).ok_or_else(not_a_query)?),
            Some(_) => return Err(not_a_query()),
        };
        let oldest_first = match self.order.as_deref() {
            None | Some("newest") => false,
            Some("oldest") => true,
            Some(_) => return Err(Problem::unprocessable("order", "the order is newest or oldest")),
        };
        Ok(Wanted {
            technician: self.technician,
            target: self.target,
            state: self.state,
            from: time(self.from)?,
            until: time(self.until)?,
            query,
            oldest_first,
            behind: part.cursor().map(str::to_owned),
            // One more tells whether there is another part.
            limit: part.limit()? + 1,
        })
    }
}

fn not_a_query() -> Problem {
    Problem::unprocessable(
        "q",
        format_args!("q must have one to eight words, and at most {QUERY} characters"),
    )
}

/// What is known of a recording. Nothing of it is verified.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct Recording {
    /// The name of the recording and of its session.
    pub(crate) id: String,
    /// When it started.
    #[schema(format = DateTime)]
    pub(crate) started: String,
    /// Time from its start to its last record, in milliseconds.
    pub(crate) duration_ms: u64,
    /// Size in bytes.
    bytes: u64,
    /// Whether only the object store has its contents: what is to be seen of it is fetched first.
    #[serde(default)]
    offloaded: bool,
    /// `open`, `sealed` or `interrupted`.
    state: String,
    /// Why the session ended, if it is sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    /// What was known of the session at its start.
    #[schema(value_type = Object)]
    pub(crate) facts: Value,
    /// The public key that signed it.
    signer: String,
    /// Who can open it.
    recipients: Vec<String>,
    /// What the last verification through the API found; absent when there was none, or a file changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verification: Option<Verified>,
    /// Where what was asked for occurs, at most three places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) matches: Vec<Found>,
}

impl From<Item> for Recording {
    fn from(item: Item) -> Self {
        let verification = item.verified.map(|(verified, _)| verified);
        Self { verification, matches: item.matches, ..Self::from(item.summary) }
    }
}

impl From<Summary> for Recording {
    fn from(summary: Summary) -> Self {
        use passerelle_recorder::State;
        let (state, end) = match summary.state {
            State::Open => ("open", None),
            State::Sealed { end } => ("sealed", Some(end)),
            State::Interrupted => ("interrupted", None),
        };
        Self {
            id: summary.header.id,
            started: summary.header.started,
            duration_ms: u64::try_from(summary.duration.as_millis()).unwrap_or(u64::MAX),
            bytes: summary.bytes,
            offloaded: summary.offloaded,
            state: state.to_owned(),
            end,
            facts: summary.header.facts,
            signer: summary.header.signer.to_string(),
            recipients: summary.header.recipients,
            verification: None,
            matches: Vec::new(),
        }
    }
}

/// List recordings, the newest first, and search them.
#[utoipa::path(get, path = "/recordings", tag = "recordings", params(Filter, Part),
    responses((status = 200, description = "The recordings", body = Page<Recording>)))]
async fn list(
    State(recordings): State<Recordings>,
    principal: Principal,
    QueryParameters(filter): QueryParameters<Filter>,
    QueryParameters(part): QueryParameters<Part>,
) -> Result<Json<Page<Recording>>, Problem> {
    let asked = filter.q.clone();
    let wanted = filter.wanted(&part)?;
    if let Some(asked) = asked {
        // What comes back tells of what was recorded.
        principal.may(Access::Takes(Scope::RecordingsView))?;
        let event = AuditEvent::new(AuditKind::RecordingSearched)
            .outcome(Outcome::Success)
            .detail("by", principal.by())
            .detail("query", asked);
        recordings.audit(event).await?;
    }
    let found = blocking(move || {
        let directory = recordings.recordings();
        Ok(recordings.index().list(&directory, &|id: &str| recordings.is_written(id), &wanted)?)
    });
    let found = found.await?.into_iter().map(Recording::from);
    Ok(Json(part.first(found, |recording| recording.id.clone())?))
}

/// Show what is known of a recording.
#[utoipa::path(get, path = "/recordings/{id}", tag = "recordings",
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 200, description = "The recording", body = Recording)))]
async fn show(
    State(recordings): State<Recordings>,
    Path(id): Path<String>,
) -> Result<Json<Recording>, Problem> {
    let directory = directory(&recordings, &id)?;
    let shown = blocking(move || {
        let summary = passerelle_recorder::summary(&directory).map_err(Problem::internal)?;
        let verification = recordings.index().verification(&id, &directory)?;
        Ok(Recording { verification, ..summary.into() })
    });
    Ok(Json(shown.await?))
}

/// What a verification found.
#[derive(Serialize, ToSchema)]
#[schema(as = Verified)]
struct Answer {
    id: String,
    /// Whether nothing was changed, as far as the recording goes.
    intact: bool,
    /// `sealed`, `interrupted`, `intact_up_to`, `tampered`, `segment_missing`, `cut_off`, `other_root` or
    /// `other_signer`.
    verdict: String,
    /// The same in a sentence.
    message: String,
    /// Whether the signer is only the one that the recording itself names, so that anybody may have made it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unproven: bool,
    /// All that was found.
    #[schema(value_type = Object)]
    detail: Value,
}

impl Answer {
    fn of(checked: &Checked) -> Self {
        let Checked { verification, unproven } = checked;
        let detail = serde_json::to_value(verification).unwrap_or_default();
        Self {
            id: verification.id.clone(),
            intact: verification.is_intact(),
            verdict: checked.name(),
            message: verification.to_string(),
            unproven: *unproven,
            detail,
        }
    }
}

/// Verify a recording against this gateway's key and its audit log. Reads all of it.
#[utoipa::path(post, path = "/recordings/{id}/verify", tag = "recordings",
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 200, description = "What was found", body = Answer)))]
async fn verify(
    State(recordings): State<Recordings>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Answer>, Problem> {
    let directory = whole(&recordings, &id).await?;
    let (keeper, name) = (recordings.clone(), id.clone());
    let answer = blocking(move || check(&keeper, &name, &directory));
    let (answer, verdict) = answer.await?;
    let access = RecordingAccess { verified: true, what: verdict };
    recordings.note(access.event(&id, &principal.by()));
    Ok(Json(answer))
}

/// Verifies a recording, and remembers what was found for lists. Also tells the verdict in a sentence.
fn check(
    recordings: &Recordings,
    id: &str,
    directory: &std::path::Path,
) -> Result<(Answer, String), Problem> {
    let local = recordings.recordings();
    let before = index::stamp(&local.join(id)).map_err(Problem::internal)?;
    let checked = recordings.verify(id, directory).map_err(Problem::internal)?;
    let answer = Answer::of(&checked);
    recordings.index().verified(&local, id, &before, &checked.kept())?;
    Ok((answer, checked.verification.verdict.to_string()))
}

/// Somebody read or verified a recording with the command line.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordingAccess {
    /// Whether its contents were only verified, not read.
    pub(crate) verified: bool,
    /// What was done in words: `read lane target`.
    pub(crate) what: String,
}

impl RecordingAccess {
    /// What the audit log keeps of it.
    pub(crate) fn event(&self, recording: &str, by: &str) -> AuditEvent {
        let kind = if self.verified { AuditKind::RecordingVerified } else { AuditKind::RecordingRead };
        AuditEvent::new(kind)
            .session(recording)
            .outcome(Outcome::Success)
            .message(&*self.what)
            .detail("by", by)
    }
}

/// Write down that the command line reads a recording. It must not show it before this was done.
#[utoipa::path(post, path = "/recordings/{id}/accesses", tag = "recordings", request_body = RecordingAccess,
    params(("id" = String, Path, description = "The recording's `id`")),
    responses((status = 204, description = "It is in the audit log")))]
async fn note_access(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Path(id): Path<String>,
    Json(access): Json<RecordingAccess>,
) -> Result<StatusCode, Problem> {
    gateway.audit.append(access.event(&id, &principal.by())).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<IndexError> for Problem {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Cursor => Self::unprocessable("cursor", error),
            IndexError::Vague(_) => Self::unprocessable("q", error),
            IndexError::Sqlite(_) | IndexError::Directory(_) => {
                tracing::error!(%error, "recordings cannot be listed");
                Self::internal(error)
            }
        }
    }
}

/// Where the recording of this name is with all that was recorded: what only the object store has is fetched first.
pub(super) async fn whole(recordings: &Recordings, id: &str) -> Result<PathBuf, Problem> {
    match recordings.whole(id).await {
        Ok(Some(directory)) => Ok(directory),
        Ok(None) => Err(Problem::not_found("there is no such recording")),
        Err(error) => {
            tracing::error!(session = id, %error, "a recording cannot be fetched from the object store");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "object-store", error).retry_after(60))
        }
    }
}

/// Where the recording of this name is.
pub(super) fn directory(recordings: &Recordings, id: &str) -> Result<PathBuf, Problem> {
    recordings.directory(id).ok_or_else(|| Problem::not_found("there is no such recording"))
}

/// Does what reads files, away from the tasks that wait for the network.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Problem::internal(error)))
}
