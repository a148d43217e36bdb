//! What people order a running session to do, on whichever node it runs.

use passerelle_auth::{Revocation, Session, SessionId, StoreError};
use passerelle_desktop::{Permission, UnknownPermission};
use passerelle_recorder::audit::{AuditError, AuditEvent, AuditKind, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::ambient;
use crate::gateway::{Gateway, parse_permissions};
use crate::session::{CloseReason, View};

/// The session that an order went to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Ordered {
    /// It runs on this node, which has carried out the order.
    Here(View),
    /// It runs on another node, which learns of the order within moments.
    Elsewhere(Session),
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
    ) -> Result<Option<Ordered>, KillError> {
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
            return Ok(Some(Ordered::Here(entry.view(now))));
        }
        let Some(session) = self.elsewhere(id).await? else { return Ok(None) };
        self.audit.append(order(event_of(&session, AuditKind::SessionKilled))).await?;
        let live = self.store.revoke(id, &revocation, now).await?;
        Ok(live.then_some(Ordered::Elsewhere(session)))
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
    ) -> Result<Option<Ordered>, PermissionsError> {
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
            return Ok(Some(Ordered::Here(entry.view(now))));
        }
        let Some(session) = self.elsewhere(id).await? else { return Ok(None) };
        self.audit.append(order(event_of(&session, AuditKind::PermissionChanged))).await?;
        let live = self.store.set_permissions(id, permissions, now).await?;
        Ok(live.then_some(Ordered::Elsewhere(session)))
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
