//! What happens in a store.

use passerelle_desktop::Permissions;
use tokio::sync::broadcast;

use crate::{Revocation, SessionId};

/// Something that happened in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEvent {
    /// A session has to end.
    Revoked {
        /// Which.
        session: SessionId,
        /// Why.
        revocation: Revocation,
    },
    /// A session is to have other permissions.
    PermissionsAsked {
        /// Which.
        session: SessionId,
        /// All that it may do from now on, within what the rules grant.
        permissions: Permissions,
    },
    /// What is allowed has changed, see [`Store::epoch`](crate::Store::epoch).
    Changed {
        /// The new epoch.
        epoch: u64,
    },
    /// Some events were lost, because they came faster than they were taken or because the way to the
    /// store was interrupted.
    Missed,
}

/// The events of a store, see [`Store::watch`](crate::Store::watch).
#[derive(Debug)]
pub struct StoreEvents(broadcast::Receiver<StoreEvent>);

impl StoreEvents {
    /// The next event; nothing when the store is closed.
    ///
    /// A call that is cancelled loses no event.
    pub async fn next(&mut self) -> Option<StoreEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(StoreEvent::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// The sending half of a store's events.
#[derive(Clone, Debug)]
pub(crate) struct EventSender(broadcast::Sender<StoreEvent>);

/// Enough for every session of a busy node to be revoked at once.
const KEPT: usize = 1024;

pub(crate) fn event_channel() -> EventSender {
    EventSender(broadcast::channel(KEPT).0)
}

impl EventSender {
    pub(crate) fn send(&self, event: StoreEvent) {
        // An error means that nobody is watching.
        drop(self.0.send(event));
    }

    pub(crate) fn subscribe(&self) -> StoreEvents {
        StoreEvents(self.0.subscribe())
    }
}
