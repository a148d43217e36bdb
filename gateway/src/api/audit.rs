//! The audit log.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use passerelle_auth::Timestamp;
use passerelle_recorder::audit::{self as log, AuditEvent, AuditKind, EventLine, Follower, Outcome};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{Page, Part};
use super::principal::Principal;
use super::problem::Problem;
use super::recordings::blocking;
use crate::gateway::{Gateway, data};

/// How often a followed log is looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// How many events are sent again at most to a client that comes back.
const MISSED: usize = 10_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(query)).routes(routes!(stream))
}

/// Which events are wanted.
#[derive(Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only of this kind: `session.started`; or of all that begin so: `session.`
    kind: Option<String>,
    /// Only of this technician.
    technician: Option<String>,
    /// Only of this target.
    target: Option<String>,
    /// Only of this session.
    session: Option<String>,
    /// Only from this time on, RFC 3339 in UTC.
    since: Option<String>,
    /// Only before this time, RFC 3339 in UTC.
    until: Option<String>,
}

impl Filter {
    fn fits(&self, line: &EventLine) -> bool {
        let event = &line.event;
        let is = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let kind = |wanted: &String| {
            let name = event.kind.name();
            name == wanted || (wanted.ends_with('.') && name.starts_with(wanted.as_str()))
        };
        self.kind.as_ref().is_none_or(kind)
            && is(&self.technician, &event.technician)
            && is(&self.target, &event.target)
            && is(&self.session, &event.session)
            // Times are written in one form, so they sort as texts.
            && self.since.as_ref().is_none_or(|since| line.time >= *since)
            && self.until.as_ref().is_none_or(|until| line.time < *until)
    }

    /// The filter with its times in the log's own form.
    fn normal(mut self) -> Result<Self, Problem> {
        for text in [&mut self.since, &mut self.until].into_iter().flatten() {
            let read: Timestamp = text.parse().map_err(|error| Problem::unprocessable("time", error))?;
            *text = read.to_string();
        }
        Ok(self)
    }
}

/// Query the audit log, the newest events first.
#[utoipa::path(get, path = "/audit", tag = "audit", params(Filter, Part),
    responses((status = 200, description = "The events", body = Page<Value>)))]
async fn query(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Query(filter): Query<Filter>,
    Query(part): Query<Part>,
) -> Result<Json<Page<EventLine>>, Problem> {
    let limit = part.limit()?;
    let before = part.cursor().map(str::parse).transpose();
    let before =
        before.map_err(|_| Problem::unprocessable("cursor", "the cursor is no number of an event"))?;
    note(&gateway, &principal, "queried").await?;
    let directory = gateway.policy().config.data_dir.join(data::AUDIT);
    let filter = filter.normal()?;
    let wanted =
        move || log::select(&directory, before, limit, |line| filter.fits(line)).map_err(Problem::internal);
    let items = blocking(wanted).await?;
    let next = items.last().filter(|_| items.len() == limit).map(|line| line.seq.to_string());
    Ok(Json(Page { items, next }))
}

/// Follow the audit log: server-sent events, each with the number of the log's line as its `id`.
///
/// A client that comes back with `Last-Event-ID` gets what it missed.
#[utoipa::path(get, path = "/audit/stream", tag = "audit", params(Filter),
    responses((status = 200, description = "Events as they happen", content_type = "text/event-stream", body = String)))]
async fn stream(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Query(filter): Query<Filter>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let filter = filter.normal()?;
    note(&gateway, &principal, "followed").await?;
    let directory = gateway.policy().config.data_dir.join(data::AUDIT);
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let opened = blocking(move || {
        // Before what was missed is read, so that nothing falls in between.
        let follower = Follower::at_end(&directory).map_err(Problem::internal)?;
        let missed = match last {
            None => Vec::new(),
            Some(last) => {
                let mut missed = log::select(&directory, None, MISSED, |line| line.seq > last)
                    .map_err(Problem::internal)?;
                missed.reverse();
                missed
            }
        };
        Ok((follower, missed))
    });
    let (follower, missed) = opened.await?;
    let newest = missed.last().map_or(0, |line| line.seq);
    let state = Following { filter, follower: Some(follower), ready: missed.into_iter(), newest };
    Ok(Sse::new(unfold(state, Following::next)).keep_alive(KeepAlive::default()))
}

struct Following {
    filter: Filter,
    /// Nothing when the log could not be read.
    follower: Option<Follower>,
    ready: std::vec::IntoIter<EventLine>,
    newest: u64,
}

impl Following {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(line) = self.ready.next() {
                if self.filter.fits(&line) {
                    let text = serde_json::to_string(&line).ok()?;
                    let event =
                        Event::default().id(line.seq.to_string()).event(line.event.kind.name()).data(text);
                    return Some((Ok(event), self));
                }
                continue;
            }
            tokio::time::sleep(PERIOD).await;
            let mut follower = self.follower.take()?;
            let polled =
                tokio::task::spawn_blocking(move || follower.poll().map(|lines| (lines, follower))).await;
            let (mut lines, follower) = match polled {
                Ok(Ok(polled)) => polled,
                _ => return None,
            };
            lines.retain(|line| line.seq > self.newest);
            self.follower = Some(follower);
            self.ready = lines.into_iter();
        }
    }
}

/// Writes down who looks at the log, before they see anything of it.
async fn note(gateway: &Gateway, principal: &Principal, how: &str) -> Result<(), Problem> {
    let event = AuditEvent::new(AuditKind::AuditRead).outcome(Outcome::Success);
    Ok(gateway.audit.append(event.message(how).detail("by", principal.by())).await?)
}
