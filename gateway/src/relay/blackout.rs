//! Carries out what a running session is asked for about blackouts.

use std::sync::Arc;
use std::time::Duration;

use passerelle_desktop::{Blackout, BlackoutState, Relay};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::ambient;
use crate::session::{BlackoutEnding, BlackoutFailed, BlackoutOrder, BlackoutView, Entry, Observer};

/// How long a target may take to answer what must be known before a blackout begins.
const PATIENCE: Duration = Duration::from_secs(10);

/// The blackouts of one session.
pub(super) struct Blackouts {
    entry: Arc<Entry>,
    /// Nothing when no more come.
    orders: Option<mpsc::Receiver<BlackoutOrder>>,
    asked: Option<Blackout>,
    state: BlackoutState,
    /// When the target must have answered, or the blackout ends by itself.
    deadline: Option<Instant>,
    beginning: Option<oneshot::Sender<Result<(), BlackoutFailed>>>,
    ending: Vec<oneshot::Sender<bool>>,
}

impl Blackouts {
    pub(super) fn new(entry: Arc<Entry>) -> Self {
        Self {
            orders: entry.blackouts.take_orders(),
            entry,
            asked: None,
            state: BlackoutState::Off,
            deadline: None,
            beginning: None,
            ending: Vec::new(),
        }
    }

    /// The next order. Never comes when there are none.
    pub(super) async fn order(&mut self) -> BlackoutOrder {
        match &mut self.orders {
            Some(orders) => match orders.recv().await {
                Some(order) => order,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    /// When [`time_is_up`](Self::time_is_up) is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn carry_out(&mut self, order: BlackoutOrder, relay: &mut dyn Relay, observer: &mut Observer) {
        match order {
            BlackoutOrder::Begin { asked, reply } => {
                let begun = if observer.recording().is_none() {
                    Err(BlackoutFailed::NotRecorded)
                } else {
                    relay.begin_blackout(asked.clone()).map_err(BlackoutFailed::from)
                };
                match begun {
                    Ok(()) => {
                        self.asked = Some(asked);
                        self.beginning = Some(reply);
                        self.deadline = Some(Instant::now() + PATIENCE);
                    }
                    // Whoever asked may be gone.
                    Err(error) => {
                        let _ = reply.send(Err(error));
                    }
                }
            }
            BlackoutOrder::End { reply, .. } if relay.blackout() == BlackoutState::Off => {
                let _ = reply.send(false);
            }
            BlackoutOrder::End { by, reply } => {
                if self.state != BlackoutState::Ending {
                    observer.blackout_ends(BlackoutEnding::Asked { by });
                }
                relay.end_blackout();
                self.ending.push(reply);
            }
        }
    }

    /// The deadline has passed.
    pub(super) fn time_is_up(&mut self, relay: &mut dyn Relay, observer: &mut Observer) {
        self.deadline = None;
        if relay.blackout() == BlackoutState::Beginning {
            if let Some(reply) = self.beginning.take() {
                let _ = reply.send(Err(BlackoutFailed::Silent));
            }
        } else {
            observer.blackout_ends(BlackoutEnding::Time);
        }
        relay.end_blackout();
    }

    /// Tells what the relay has made of it.
    pub(super) fn follow(&mut self, relay: &dyn Relay) {
        let state = relay.blackout();
        if state == self.state {
            return;
        }
        self.state = state;
        let longest = self.entry.blackouts.longest.unwrap_or_default();
        let mut until = None;
        match state {
            BlackoutState::Beginning => {}
            BlackoutState::On => {
                self.deadline = Some(Instant::now() + longest);
                until = Some(ambient::now().saturating_add(longest));
                if let Some(reply) = self.beginning.take() {
                    let _ = reply.send(Ok(()));
                }
            }
            BlackoutState::Ending => self.deadline = None,
            BlackoutState::Off => {
                self.deadline = None;
                if let Some(reply) = self.beginning.take() {
                    let _ = reply.send(Err(BlackoutFailed::GivenUp));
                }
                for reply in self.ending.drain(..) {
                    let _ = reply.send(true);
                }
                self.asked = None;
            }
        }
        let name = match state {
            BlackoutState::Off => None,
            BlackoutState::Beginning => Some("beginning"),
            BlackoutState::On => Some("on"),
            BlackoutState::Ending => Some("ending"),
        };
        let shown = name.zip(self.asked.as_ref()).map(|(name, asked)| BlackoutView {
            state: name.to_owned(),
            whose: asked.whose.name().to_owned(),
            by: asked.by.clone(),
            reason: asked.reason.clone(),
            until,
        });
        self.entry.blackouts.show(shown);
    }
}
