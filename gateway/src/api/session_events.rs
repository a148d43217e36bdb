//! What happens to sessions, as it happens.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::principal::Principal;
use crate::gateway::Gateway;
use crate::orders::{Located, Sessions};

/// How often sessions are looked at.
const PERIOD: Duration = Duration::from_secs(1);

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(stream))
}

/// Follow sessions: server-sent events `started`, `changed` and `ended`, each with the session.
///
/// It begins with those that run. A change is one of state, permissions or blackout. Technicians see their own.
#[utoipa::path(get, path = "/sessions/stream", tag = "sessions",
    responses((status = 200, description = "Events as they happen", content_type = "text/event-stream", body = String)))]
async fn stream(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let following = Following { gateway, principal, known: BTreeMap::new(), ready: Vec::new(), first: true };
    Sse::new(unfold(following, Following::next)).keep_alive(KeepAlive::default())
}

struct Following {
    gateway: Arc<Gateway>,
    principal: Principal,
    known: BTreeMap<String, Known>,
    /// What is to be told, the last first.
    ready: Vec<Event>,
    first: bool,
}

/// A session that was told of.
struct Known {
    /// What can change of it.
    state: String,
    /// The session as it was last told.
    text: String,
    here: bool,
}

impl Following {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.ready.pop() {
                return Some((Ok(event), self));
            }
            if !std::mem::take(&mut self.first) {
                tokio::time::sleep(PERIOD).await;
            }
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let mut gone = std::mem::take(&mut self.known);
        let event = |kind: &str, session: &str| Event::default().event(kind).data(session);
        let Sessions { all, missing } = self.gateway.sessions().await;
        for session in all {
            if !self.principal.sees(session.technician()) {
                continue;
            }
            let json = serde_json::to_value(&session).unwrap_or_default();
            let (id, text) = (session.id().to_string(), json.to_string());
            let state = format!("{} {} {}", json["phase"], json["permissions"], json["blackout"]["state"]);
            match gone.remove(&id) {
                None => self.ready.push(event("started", &text)),
                Some(before) if before.state != state => self.ready.push(event("changed", &text)),
                Some(_) => {}
            }
            self.known.insert(id, Known { state, text, here: matches!(session, Located::Here(_)) });
        }
        if missing.is_some() {
            // What other nodes do is not known; nothing says that their sessions have ended.
            self.known.extend(gone.extract_if(.., |_, known| !known.here));
        }
        self.ready.extend(gone.values().map(|known| event("ended", &known.text)));
        self.ready.reverse();
    }
}
