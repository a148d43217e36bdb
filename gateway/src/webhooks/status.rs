//! How a webhook is doing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use passerelle_auth::Timestamp;
use passerelle_config::Webhook;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use utoipa::ToSchema;

/// Whether events arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
#[schema(as = WebhookState)]
pub(crate) enum State {
    /// They do, as far as is known.
    #[default]
    Working,
    /// They do not, and it is tried again.
    Failing {
        /// Since when.
        #[schema(value_type = String, format = DateTime)]
        since: Timestamp,
        /// Why the last attempt failed.
        error: String,
    },
    /// The receiver wants no more. A test that arrives, a restart or another configuration ends this.
    Disabled {
        /// Since when.
        #[schema(value_type = String, format = DateTime)]
        since: Timestamp,
    },
}

/// What the delivery shares with those who ask.
pub(super) struct Status {
    at: AtomicU64,
    state: Mutex<State>,
    /// Asks it not to wait any longer.
    pub(super) resume: Notify,
}

impl Status {
    pub(super) fn new(at: u64) -> Self {
        Self { at: AtomicU64::new(at), state: Mutex::default(), resume: Notify::new() }
    }

    /// The last line of the log that it has been through.
    pub(super) fn at(&self) -> u64 {
        self.at.load(Ordering::Relaxed)
    }

    pub(super) fn advance(&self, at: u64) {
        self.at.store(at, Ordering::Relaxed);
    }

    pub(super) fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// A webhook, and how it is doing on this node.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct View {
    pub(crate) name: String,
    /// Where it leads, without the path, which may hold a secret.
    pub(crate) url: String,
    /// The events that it is told of.
    pub(crate) events: Vec<String>,
    #[serde(flatten)]
    pub(crate) state: State,
    /// How many lines of the audit log it has not been through.
    pub(crate) lag: u64,
}

impl View {
    pub(super) fn new(hook: &Webhook, status: Option<&Status>, written: u64) -> Self {
        Self {
            name: hook.name.clone(),
            url: hook.url.to_string(),
            events: hook.events.iter().map(ToString::to_string).collect(),
            state: status.map(Status::state).unwrap_or_default(),
            lag: status.map_or(0, |status| written.saturating_sub(status.at())),
        }
    }
}
