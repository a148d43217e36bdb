//! What people see of running sessions and order them to do, on whichever node they run.

use std::borrow::Cow;

use passerelle_auth::{Revocation, Session, SessionId, StoreError};
use passerelle_desktop::{Permission, UnknownPermission};
use passerelle_recorder::audit::{AuditError, AuditEvent, AuditKind, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::ambient;
use crate::gateway::{Gateway, parse_permissions};
use crate::session::{CloseReason, View};

/// A running session.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Located {
    /// It runs on this node, which carries out orders at once.
    Here(View),
    /// It runs on another node, which learns of orders within moments.
    Elsewhere(Session),
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
        let text =
            |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
        let elsewhere = ObjectBuilder::new()
            .description(Some("A session of another node"))
            .property("id", text("Its name"))
            .property("node", text("The node on which it runs"))
            .property("technician", text("Who helps"))
            .property("target", text("The name of the machine that is helped"))
            .property("protocol", text("The protocol of both legs"))
            .property("address", text("Where the technician's client connects from"))
            .property("started_at", text("When the technician was admitted"))
            .required("id")
            .required("node");
        AnyOfBuilder::new().item(View::schema()).item(elsewhere).into()
    }
}

impl ToSchema for Located {
    fn name() -> Cow<'static, str> {
        "Session".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        View::schemas(schemas);
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
    /// The running sessions of every node, oldest first. When the store does not answer, only this node's.
    pub(crate) async fn sessions(&self) -> Vec<Located> {
        let now = ambient::now();
        let mut all: Vec<_> =
            self.registry.all().iter().map(|entry| Located::Here(entry.view(now))).collect();
        match self.store.sessions(now).await {
            Ok(sessions) => {
                let others = sessions.into_iter().filter(|session| session.node != self.node);
                all.extend(others.map(Located::Elsewhere));
            }
            Err(error) => tracing::warn!(%error, "sessions of other nodes are not known"),
        }
        all.sort_by_key(Located::id);
        all
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
    /// The order could not be written down, or did not reach the store. A session of this node is ended
    /// all the same.
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
            self.store.revoke(id, &revocation, now).await?;
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
    /// The rules do not grant that much, or the change could not be written down; then nothing changes. If
    /// the store is not reached, a session of this node is changed all the same.
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
            self.store.set_permissions(id, permissions, now).await?;
            return Ok(Some(Located::Here(entry.view(now))));
        }
        let Some(session) = self.elsewhere(id).await? else { return Ok(None) };
        self.audit.append(order(event_of(&session, AuditKind::PermissionChanged))).await?;
        let live = self.store.set_permissions(id, permissions, now).await?;
        Ok(live.then_some(Located::Elsewhere(session)))
    }

    /// A session of another node.
    async fn elsewhere(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let sessions = self.store.sessions(ambient::now()).await?;
        Ok(sessions.into_iter().find(|session| session.id == id && session.node != self.node))
    }
}

fn event_of(session: &Session, kind: AuditKind) -> AuditEvent {
    AuditEvent::new(kind)
        .session(session.id.to_string())
        .technician(&session.technician)
        .target(&session.target)
        .detail("node", &*session.node)
}
