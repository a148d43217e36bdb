//! What people see of running sessions and order them to do, on whichever node they run.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;

use passerelle_auth::{Revocation, Session, SessionId, StoreError, Timestamp};
use passerelle_desktop::{Permission, UnknownPermission};
use passerelle_recorder::audit::{AuditError, AuditEvent, AuditKind, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::ambient;
use crate::gateway::{Gateway, parse_permissions};
use crate::session::{CloseReason, Phase, View};

/// A running session.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Located {
    /// It runs on this node, which carries out orders at once.
    Here(View),
    /// It runs on another node, which learns of orders within moments.
    Elsewhere(Elsewhere),
}

/// A session of another node, as far as the store knows it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Elsewhere {
    /// The session's identifier, which is also its recording's.
    #[schema(value_type = String)]
    pub(crate) id: SessionId,
    /// The node on which it runs.
    pub(crate) node: String,
    /// Who helps.
    pub(crate) technician: String,
    /// The name of the machine that is helped.
    pub(crate) target: String,
    /// The protocol of both legs.
    pub(crate) protocol: String,
    /// Where the technician's client connects from.
    #[schema(value_type = String)]
    pub(crate) address: IpAddr,
    /// When the technician was admitted.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) started: Timestamp,
    /// How long it has lasted.
    pub(crate) seconds: u64,
    /// Only there when somebody has ended the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) phase: Option<Phase>,
}

impl Elsewhere {
    fn new(session: Session, now: Timestamp) -> Self {
        let Session { id, node, technician, target, protocol, address, started_at, revoked } = session;
        let (seconds, phase) = (now.since(started_at).as_secs(), revoked.map(|_| Phase::Ending));
        Self { id, node, technician, target, protocol, address, started: started_at, seconds, phase }
    }
}

/// The running sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// Oldest first.
    pub(crate) all: Vec<Located>,
    /// Why those of other nodes are not among them.
    pub(crate) missing: Option<StoreError>,
}

impl Located {
    pub(crate) fn id(&self) -> SessionId {
        match self {
            Self::Here(view) => view.facts.id,
            Self::Elsewhere(session) => session.id,
        }
    }

    pub(crate) fn technician(&self) -> &str {
        match self {
            Self::Here(view) => &view.facts.technician,
            Self::Elsewhere(session) => &session.technician,
        }
    }

    pub(crate) fn target(&self) -> &str {
        match self {
            Self::Here(view) => &view.facts.target,
            Self::Elsewhere(session) => &session.target,
        }
    }
}

impl PartialSchema for Located {
    fn schema() -> RefOr<Schema> {
        AnyOfBuilder::new().item(View::schema()).item(Elsewhere::schema()).into()
    }
}

impl ToSchema for Located {
    fn name() -> Cow<'static, str> {
        "Session".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        View::schemas(schemas);
        Elsewhere::schemas(schemas);
    }
}

/// Why the permissions of a session were not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PermissionsError {
    #[error(transparent)]
    Unknown(#[from] UnknownPermission),
    #[error("the rules do not grant {0} in this session")]
    NotGranted(Permission),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a session could not be ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KillError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl Gateway {
    /// The running sessions of every node. When the store does not answer, only this node's.
    pub(crate) async fn sessions(&self) -> Sessions {
        let now = ambient::now();
        let mut all: Vec<_> =
            self.registry.all().iter().map(|entry| Located::Here(entry.view(now))).collect();
        let missing = match self.store.sessions(now).await {
            Ok(sessions) => {
                let here: BTreeSet<_> = all.iter().map(Located::id).collect();
                let others = sessions.into_iter().filter(|session| !here.contains(&session.id));
                all.extend(others.map(|session| Located::Elsewhere(Elsewhere::new(session, now))));
                None
            }
            Err(error) => {
                tracing::warn!(%error, "sessions of other nodes are not known");
                Some(error)
            }
        };
        all.sort_by_key(Located::id);
        Sessions { all, missing }
    }

    /// One session.
    ///
    /// # Errors
    /// It does not run here, and the store does not answer.
    pub(crate) async fn session(&self, id: &str) -> Result<Option<Located>, StoreError> {
        let Ok(id) = id.parse::<SessionId>() else { return Ok(None) };
        match self.registry.find(id) {
            Some(entry) => Ok(Some(Located::Here(entry.view(ambient::now())))),
            None => Ok(self.elsewhere(id).await?.map(Located::Elsewhere)),
        }
    }

    /// Ends a session. Nothing when there is none of this name.
    ///
    /// # Errors
    /// The order could not be written down; a session of this node is ended all the same. Or it is another
    /// node's session, and the store does not answer.
    pub(crate) async fn kill(
        &self,
        id: &str,
        by: &str,
        why: Option<String>,
    ) -> Result<Option<Located>, KillError> {
        let Ok(id) = id.parse::<SessionId>() else { return Ok(None) };
        let revocation = Revocation { by: by.to_owned(), reason: why.clone().unwrap_or_default() };
        let order = |mut event: AuditEvent| {
            event.message = why.clone();
            event.outcome(Outcome::Success).detail("by", by)
        };
        let now = ambient::now();
        if let Some(entry) = self.registry.find(id) {
            entry.stop(CloseReason::Killed { by: by.to_owned(), why: why.clone() });
            self.audit.append(order(entry.facts.event(AuditKind::SessionKilled))).await?;
            // It ends here and now; the store learns it for the case that the lease is asked about meanwhile.
            if let Err(error) = self.store.revoke(id, &revocation, now).await {
                tracing::warn!(%error, session = %id, "the store was not told that a session was ended");
            }
            return Ok(Some(Located::Here(entry.view(now))));
        }
        let Some(session) = self.elsewhere(id).await? else { return Ok(None) };
        self.audit.append(order(event_of(&session, AuditKind::SessionKilled))).await?;
        let live = self.store.revoke(id, &revocation, now).await?;
        Ok(live.then_some(Located::Elsewhere(session)))
    }

    /// Changes what the technician of a session may do, at once. Nothing when there is none of this name.
    ///
    /// Another node gives its session no more than the rules grant there, whatever was asked.
    ///
    /// # Errors
    /// The rules do not grant that much, the change could not be written down, or it is another node's session
    /// and the store does not answer; then nothing changes.
    pub(crate) async fn set_permissions(
        &self,
        id: &str,
        names: &[String],
        by: &str,
    ) -> Result<Option<Located>, PermissionsError> {
        let permissions = parse_permissions(names)?;
        let Ok(id) = id.parse::<SessionId>() else { return Ok(None) };
        let order = |event: AuditEvent| {
            event.outcome(Outcome::Success).detail("by", by).detail("permissions", json!(permissions))
        };
        let now = ambient::now();
        if let Some(entry) = self.registry.find(id) {
            if let Some(more) = permissions.iter().find(|permission| !entry.granted.allows(*permission)) {
                return Err(PermissionsError::NotGranted(more));
            }
            self.audit.append(order(entry.facts.event(AuditKind::PermissionChanged))).await?;
            entry.permit(permissions).await;
            if let Err(error) = self.store.set_permissions(id, permissions, now).await {
                tracing::warn!(%error, session = %id, "the store was not told of changed permissions");
            }
            return Ok(Some(Located::Here(entry.view(now))));
        }
        let Some(session) = self.elsewhere(id).await? else { return Ok(None) };
        self.audit.append(order(event_of(&session, AuditKind::PermissionChanged))).await?;
        let live = self.store.set_permissions(id, permissions, now).await?;
        Ok(live.then_some(Located::Elsewhere(session)))
    }

    /// A session that does not run here.
    async fn elsewhere(&self, id: SessionId) -> Result<Option<Elsewhere>, StoreError> {
        let now = ambient::now();
        let mut sessions = self.store.sessions(now).await?.into_iter();
        let found = sessions.find(|session| session.id == id);
        Ok(found.map(|session| Elsewhere::new(session, now)))
    }
}

fn event_of(session: &Elsewhere, kind: AuditKind) -> AuditEvent {
    AuditEvent::new(kind)
        .session(session.id.to_string())
        .technician(&session.technician)
        .target(&session.target)
        .detail("node", &*session.node)
}
