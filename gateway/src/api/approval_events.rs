//! What happens to approvals, as it happens.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use passerelle_auth::ApprovalId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::principal::Principal;
use crate::approvals::Approval;
use crate::gateway::Gateway;

/// How often the store is looked at, since other nodes do not tell of their approvals.
const PERIOD: Duration = Duration::from_secs(1);

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(stream))
}

/// Follow approvals: server-sent events `requested`, `changed` and `gone`, each with the approval.
///
/// It begins with those that there are. One is gone when it was withdrawn or has expired. Technicians see their own.
#[utoipa::path(get, path = "/approvals/stream", tag = "approvals",
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
    /// As they were last told.
    known: BTreeMap<ApprovalId, Approval>,
    /// What is to be told, the last first.
    ready: Vec<Event>,
    first: bool,
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
        // A store that does not answer says nothing about what has gone.
        let Ok(approvals) = self.gateway.approvals().await else { return };
        let mut gone = std::mem::take(&mut self.known);
        for approval in approvals {
            if !self.principal.sees_approval(&approval) {
                continue;
            }
            match gone.remove(&approval.id) {
                None => self.ready.push(event("requested", &approval)),
                Some(before) if before != approval => self.ready.push(event("changed", &approval)),
                Some(_) => {}
            }
            self.known.insert(approval.id, approval);
        }
        self.ready.extend(gone.values().map(|approval| event("gone", approval)));
        self.ready.reverse();
    }
}

fn event(kind: &str, approval: &Approval) -> Event {
    Event::default().event(kind).data(serde_json::to_string(approval).unwrap_or_default())
}
