//! The sessions that run on this node.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use passerelle_auth::{Fence, Method, SessionId, TicketId, Timestamp};
use passerelle_desktop::Permissions;
use passerelle_recorder::audit::{AuditEvent, AuditKind};
use passerelle_recorder::{Lag, Recording};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::CloseReason;
use super::blackout::{BlackoutView, Blackouts};

/// How long a session may take to go by new permissions; it does so at once.
const IN_FORCE: Duration = Duration::from_secs(2);

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// The technician was admitted; the target is being dialled.
    Connecting,
    /// The technician sees the target.
    Active,
    /// The session is over and is being sealed.
    Ending,
}

/// What is known of a session from its start.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Facts {
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
    /// How the technician proved who they are.
    #[schema(value_type = String)]
    pub(crate) method: Method,
    /// The ticket that was redeemed for it, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) ticket: Option<TicketId>,
    /// Who approved it, if a rule asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) approved_by: Option<String>,
    /// Where the technician's client connects from.
    #[schema(value_type = String)]
    pub(crate) address: SocketAddr,
    /// How the client proved the technician's secret.
    pub(crate) viewer_security: String,
    /// When the technician was admitted.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) started: Timestamp,
    /// Whether the session is recorded.
    pub(crate) recorded: bool,
}

impl Facts {
    /// An audit event of this session.
    pub(crate) fn event(&self, kind: AuditKind) -> AuditEvent {
        AuditEvent::new(kind)
            .session(self.id.to_string())
            .technician(&self.technician)
            .target(&self.target)
            .address(self.address)
    }
}

/// The permissions that a session's relay goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InForce {
    /// All of them.
    pub(crate) permissions: Permissions,
    /// Those that take full effect only when the viewer connects anew.
    pub(crate) at_next_connection: Permissions,
}

/// A running session as others see it. The connection's own task drives it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) facts: Facts,
    pub(crate) bytes_from_viewer: AtomicU64,
    pub(crate) bytes_from_target: AtomicU64,
    pub(crate) permissions: watch::Sender<Permissions>,
    /// What the session's relay has made of them.
    pub(crate) in_force: watch::Sender<InForce>,
    /// What the rules grant; the permissions in force never go beyond it.
    pub(crate) granted: Permissions,
    pub(crate) blackouts: Blackouts,
    phase: Mutex<Phase>,
    fence: Mutex<Fence>,
    /// What the store last said was asked for.
    asked: Mutex<Option<Permissions>>,
    /// When the store last confirmed the lease.
    renewed: Mutex<Timestamp>,
    reason: OnceLock<CloseReason>,
    stop: CancellationToken,
    /// Where the session is recorded, if it is.
    recording: Option<Recording>,
}

impl Entry {
    pub(crate) fn new(
        facts: Facts,
        permissions: Permissions,
        fence: Fence,
        recording: Option<Recording>,
        blackouts: Blackouts,
    ) -> Self {
        Self {
            renewed: Mutex::new(facts.started),
            facts,
            bytes_from_viewer: AtomicU64::new(0),
            bytes_from_target: AtomicU64::new(0),
            permissions: watch::Sender::new(permissions),
            in_force: watch::Sender::default(),
            granted: permissions,
            blackouts,
            phase: Mutex::new(Phase::Connecting),
            fence: Mutex::new(fence),
            asked: Mutex::new(None),
            reason: OnceLock::new(),
            stop: CancellationToken::new(),
            recording,
        }
    }

    /// What of the session is recorded and not written yet.
    pub(crate) fn stop_recording(&self, free: u64, needed: u64) {
        if let Some(recording) = &self.recording {
            recording.stop_for_space(free, needed);
        }
    }

    /// What of the session waits to be written.
    pub(crate) fn recorder_lag(&self) -> Lag {
        self.recording.as_ref().map(Recording::lag).unwrap_or_default()
    }

    /// Ends the session for `reason`, unless it is ending for another already. Says whether this was it.
    pub(crate) fn stop(&self, reason: CloseReason) -> bool {
        let first = self.reason.set(reason).is_ok();
        self.stop.cancel();
        first
    }

    /// Resolves with the reason when the session must end.
    pub(crate) async fn stopped(&self) -> CloseReason {
        self.stop.cancelled().await;
        self.reason.get().cloned().unwrap_or(CloseReason::Shutdown)
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// What proves that the session's lease is this one's.
    pub(crate) fn fence(&self) -> Fence {
        *self.fence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_fence(&self, fence: Fence) {
        *self.fence.lock().unwrap_or_else(PoisonError::into_inner) = fence;
    }

    /// Changes the permissions, and waits until the session goes by them.
    pub(crate) async fn permit(&self, permissions: Permissions) {
        let mut in_force = self.in_force.subscribe();
        self.permissions.send_replace(permissions);
        if self.phase() == Phase::Active {
            let done = in_force.wait_for(|in_force| in_force.permissions == permissions);
            // The session may be ending.
            timeout(IN_FORCE, done).await.ok();
        }
    }

    /// Notes that the store confirmed the lease.
    pub(crate) fn set_renewed(&self, now: Timestamp) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// For how long the store has not confirmed the lease.
    pub(crate) fn unconfirmed(&self, now: Timestamp) -> Duration {
        now.since(*self.renewed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Applies the permissions that were asked for through the store, as far as the rules grant them.
    ///
    /// Only when they are others than the store last told: what was changed here since then holds until
    /// somebody asks anew. The answer is what holds from now on, if it is something else than before.
    pub(crate) fn apply(&self, asked: Permissions) -> Option<Permissions> {
        let mut known = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if known.replace(asked) == Some(asked) {
            return None;
        }
        let permissions = asked.intersection(self.granted);
        (self.permissions.send_replace(permissions) != permissions).then_some(permissions)
    }

    /// What is shown to people and programs.
    pub(crate) fn view(&self, now: Timestamp) -> View {
        View {
            facts: self.facts.clone(),
            phase: self.phase(),
            permissions: *self.permissions.borrow(),
            at_next_connection: self.in_force.borrow().at_next_connection,
            blackout: self.blackouts.shown().map(Box::new),
            seconds: now.since(self.facts.started).as_secs(),
            bytes_from_viewer: self.bytes_from_viewer.load(Relaxed),
            bytes_from_target: self.bytes_from_target.load(Relaxed),
        }
    }
}

/// A session as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct View {
    #[serde(flatten)]
    pub(crate) facts: Facts,
    pub(crate) phase: Phase,
    #[schema(value_type = Vec<String>)]
    pub(crate) permissions: Permissions,
    /// Those of them that take full effect only when the viewer connects anew.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub(crate) at_next_connection: Permissions,
    /// A span of whose screen the recording keeps nothing, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blackout: Option<Box<BlackoutView>>,
    /// How long it has lasted.
    pub(crate) seconds: u64,
    pub(crate) bytes_from_viewer: u64,
    pub(crate) bytes_from_target: u64,
}

/// Every session of this node, by identifier, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<BTreeMap<SessionId, Arc<Entry>>>);

impl Registry {
    /// Lists a session until the answer is dropped.
    pub(crate) fn enter(self: &Arc<Self>, entry: Entry) -> Registered {
        let entry = Arc::new(entry);
        self.lock().insert(entry.facts.id, entry.clone());
        Registered { registry: self.clone(), entry }
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<Arc<Entry>> {
        self.lock().get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Arc<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place in the registry; dropping it takes the session off the list.
#[derive(Debug)]
pub(crate) struct Registered {
    registry: Arc<Registry>,
    pub(crate) entry: Arc<Entry>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.entry.facts.id);
    }
}

#[cfg(test)]
mod tests {
    use passerelle_desktop::Permission;

    use super::*;

    fn entry() -> Entry {
        let facts = Facts {
            id: SessionId::from_bytes([1; 16]),
            node: "local".into(),
            technician: "alice".into(),
            target: "front-desk".into(),
            protocol: "vnc".into(),
            method: Method::Ticket,
            ticket: Some(TicketId::new(Timestamp::from_millis(0), &mut |bytes| bytes.fill(1))),
            approved_by: None,
            address: ([127, 0, 0, 1], 1).into(),
            viewer_security: "VncAuth".into(),
            started: Timestamp::from_millis(0),
            recorded: true,
        };
        Entry::new(facts, Permissions::NONE, Fence(1), None, Blackouts::new(None))
    }

    #[tokio::test]
    async fn the_first_reason_to_stop_counts() {
        let entry = entry();
        assert!(entry.stop(CloseReason::Idle));
        assert!(!entry.stop(CloseReason::Shutdown));
        assert_eq!(entry.stopped().await, CloseReason::Idle);
    }

    #[test]
    fn permissions_that_are_asked_for_are_applied_within_the_grant() {
        let view = Permissions::NONE.with(Permission::View);
        let granted = view.with(Permission::Pointer);
        let entry = Entry { granted, ..entry() };
        assert_eq!(entry.apply(granted.with(Permission::Keyboard)), Some(granted));
        assert_eq!(entry.apply(granted), None, "that is what holds already");
        assert_eq!(*entry.permissions.borrow(), granted);
        assert_eq!(entry.apply(view), Some(view));
        assert_eq!(*entry.permissions.borrow(), view);
        // Changed here, while the store still tells of what was asked before.
        entry.permissions.send_replace(Permissions::NONE);
        assert_eq!(entry.apply(view), None);
        assert_eq!(*entry.permissions.borrow(), Permissions::NONE);
        assert_eq!(entry.apply(granted), Some(granted));
        assert_eq!(*entry.permissions.borrow(), granted);
    }

    #[tokio::test]
    async fn a_change_of_permissions_waits_for_an_active_session() {
        let entry = Arc::new(entry());
        let view = Permissions::NONE.with(Permission::View);
        entry.permit(view).await;
        assert_eq!(entry.view(Timestamp::from_millis(0)).permissions, view);

        entry.set_phase(Phase::Active);
        let session = entry.clone();
        let mut asked = session.permissions.subscribe();
        let goes_by_them = tokio::spawn(async move {
            asked.changed().await.unwrap();
            let permissions = *asked.borrow_and_update();
            session.in_force.send_replace(InForce { permissions, at_next_connection: permissions });
        });
        entry.permit(view).await;
        assert_eq!(entry.view(Timestamp::from_millis(0)).at_next_connection, view);
        goes_by_them.await.unwrap();
    }

    #[test]
    fn a_session_is_listed_while_it_is_registered() {
        let registry = Arc::new(Registry::default());
        let registered = registry.enter(entry());
        assert!(registry.find(SessionId::from_bytes([1; 16])).is_some());
        drop(registered);
        assert!(registry.all().is_empty());
    }
}
