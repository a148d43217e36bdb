//! What a session's own task and those who ask it for blackouts tell each other.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use passerelle_auth::Timestamp;
use passerelle_desktop::{Blackout, BlackoutError};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

/// How many orders may wait.
const WAITING: usize = 4;

/// What a session is told.
#[derive(Debug)]
pub(crate) enum BlackoutOrder {
    /// To begin. The answer comes when it has begun, or cannot.
    Begin { asked: Blackout, reply: oneshot::Sender<Result<(), BlackoutFailed>> },
    /// To end. The answer comes when it has ended; it is false if there is none.
    End { by: String, reply: oneshot::Sender<bool> },
}

/// Why a session's blackout did not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BlackoutFailed {
    #[error(transparent)]
    Refused(#[from] BlackoutError),
    #[error("the session is not recorded any more, so there is nothing to leave out")]
    NotRecorded,
    #[error("the target did not answer in time, so the recording goes on as before")]
    Silent,
    #[error("it was given up before it began")]
    GivenUp,
}

/// A blackout as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct BlackoutView {
    /// `beginning` (all is still recorded), `on` or `ending`.
    pub(crate) state: String,
    /// Whose privacy it is for: `technician` or `user`.
    #[serde(rename = "for")]
    pub(crate) whose: String,
    /// Who asked.
    pub(crate) by: String,
    /// Why.
    pub(crate) reason: String,
    /// When it ends by itself; only there while it is `on`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) until: Option<Timestamp>,
}

/// Where a session gets its orders, and shows what it has made of them.
#[derive(Debug)]
pub(crate) struct Blackouts {
    /// How long one may last; nothing if the policy allows none.
    pub(crate) longest: Option<Duration>,
    orders: mpsc::Sender<BlackoutOrder>,
    /// Until the session takes it.
    receiver: Mutex<Option<mpsc::Receiver<BlackoutOrder>>>,
    shown: Mutex<Option<BlackoutView>>,
}

impl Blackouts {
    pub(crate) fn new(longest: Option<Duration>) -> Self {
        let (orders, receiver) = mpsc::channel(WAITING);
        Self { longest, orders, receiver: Mutex::new(Some(receiver)), shown: Mutex::new(None) }
    }

    /// Gives the session an order. Whether it takes any.
    pub(crate) fn order(&self, order: BlackoutOrder) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// The orders, for the session; once.
    pub(crate) fn take_orders(&self) -> Option<mpsc::Receiver<BlackoutOrder>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The blackout that there is.
    pub(crate) fn shown(&self) -> Option<BlackoutView> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn show(&self, view: Option<BlackoutView>) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }
}
