//! Programs that are told of events of the audit log.
//!
//! The log itself is the queue: each webhook reads it at its own pace, from where it was when the gateway stopped or
//! was killed, and nobody waits for it. Events are delivered in their order, each at least once.

mod delivery;
mod message;
mod sender;
mod status;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use passerelle_config::{Config, EventPattern, Webhook};
use passerelle_recorder::audit::{AuditEvent, AuditKind, EventLine, Outcome};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::delivery::Delivery;
use self::message::Message;
pub(crate) use self::message::pause;
use self::sender::{Attempt, Sender, SenderError};
use self::status::Status;
pub(crate) use self::status::{State, View};
use crate::ambient;
use crate::gateway::Gateway;
use crate::positions::Positions;

/// What is known of the webhooks of a gateway.
pub(crate) struct Webhooks {
    positions: Positions,
    running: Mutex<BTreeMap<String, Arc<Status>>>,
    /// A new configuration is in force.
    pub(crate) changed: Notify,
}

impl Webhooks {
    /// With the positions that are kept in the file at `path`.
    pub(crate) fn new(path: &Path) -> Self {
        Self { positions: Positions::load(path), running: Mutex::default(), changed: Notify::new() }
    }

    /// How the webhook of this name is doing, if it runs.
    fn status(&self, name: &str) -> Option<Arc<Status>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// How many lines of a log with `written` lines each webhook has not been through.
    pub(crate) fn lags(&self, written: u64) -> Vec<(String, u64)> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().map(|(name, status)| (name.clone(), written.saturating_sub(status.at()))).collect()
    }
}

/// A kind of event that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", self.key(), self.message())]
pub(crate) struct UnknownEvent {
    webhook: usize,
    index: usize,
    pattern: EventPattern,
}

impl UnknownEvent {
    /// Where it stands in the configuration.
    pub(crate) fn key(&self) -> String {
        format!("webhooks[{}].events[{}]", self.webhook, self.index)
    }

    /// What is wrong with it.
    pub(crate) fn message(&self) -> String {
        let mut starts: Vec<_> = AuditKind::ALL
            .iter()
            .filter_map(|kind| kind.name().split_once('.'))
            .map(|(start, _)| start)
            .collect();
        starts.sort_unstable();
        starts.dedup();
        format!("there is no event `{}`; events begin with {}", self.pattern, starts.join(", "))
    }
}

/// Patterns that no event can ever fit.
pub(crate) fn unknown_events(config: &Config) -> impl Iterator<Item = UnknownEvent> {
    let patterns = config.webhooks.iter().enumerate().flat_map(|(webhook, hook)| {
        hook.events.iter().enumerate().map(move |(index, pattern)| (webhook, index, pattern))
    });
    patterns
        .filter(|(_, _, pattern)| !AuditKind::ALL.iter().any(|kind| pattern.fits(kind.name())))
        .map(|(webhook, index, pattern)| UnknownEvent { webhook, index, pattern: pattern.clone() })
}

/// Delivers to the webhooks of the configuration that is in force, until `stop`.
pub(crate) async fn follow(gateway: Arc<Gateway>, stop: CancellationToken) {
    let mut running: BTreeMap<String, (Webhook, CancellationToken, JoinHandle<()>)> = BTreeMap::new();
    loop {
        let policy = gateway.policy();
        let wanted = &policy.config.webhooks;
        let (stay, end): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut running)
            .into_iter()
            .partition(|(_, (hook, _, _))| wanted.contains(hook) && !stop.is_cancelled());
        running = stay;
        for (_, token, _) in end.values() {
            token.cancel();
        }
        for (name, (_, _, task)) in end {
            // It has written down how far it came, unless it panicked, which has been logged.
            task.await.ok();
            gateway.webhooks.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        }
        if stop.is_cancelled() {
            return;
        }
        gateway.webhooks.positions.retain(|name| wanted.iter().any(|hook| hook.name == name));
        for hook in wanted {
            if running.contains_key(&hook.name) {
                continue;
            }
            match start(&gateway, hook) {
                Ok((token, task)) => {
                    running.insert(hook.name.clone(), (hook.clone(), token, task));
                }
                Err(error) => tracing::error!(webhook = hook.name, %error, "a webhook cannot be served"),
            }
        }
        tokio::select! {
            () = gateway.webhooks.changed.notified() => {}
            () = stop.cancelled() => {}
        }
    }
}

fn start(gateway: &Arc<Gateway>, hook: &Webhook) -> Result<(CancellationToken, JoinHandle<()>), SenderError> {
    let webhooks = &gateway.webhooks;
    let written = *gateway.audit.written().borrow();
    let from = match webhooks.positions.of(&hook.name) {
        None => written,
        // The log was begun anew.
        Some(kept) if kept > written => 0,
        Some(kept) => kept,
    };
    webhooks.positions.set(&hook.name, from);
    let status = Arc::new(Status::new(from));
    let sender = sender(gateway, hook)?;
    let delivery = Delivery::new(gateway.clone(), hook.clone(), sender, status.clone());
    webhooks.running.lock().unwrap_or_else(PoisonError::into_inner).insert(hook.name.clone(), status);
    let stop = CancellationToken::new();
    Ok((stop.clone(), tokio::spawn(delivery.run(stop))))
}

fn sender(gateway: &Gateway, hook: &Webhook) -> Result<Sender, SenderError> {
    Sender::new(hook.clone(), gateway.policy().webhook_roots(hook), gateway.node.clone())
}

impl Gateway {
    /// The webhooks and how they are doing.
    pub(crate) fn webhooks(&self) -> Vec<View> {
        let written = *self.audit.written().borrow();
        let policy = self.policy();
        let view = |hook: &Webhook| View::new(hook, self.webhooks.status(&hook.name).as_deref(), written);
        policy.config.webhooks.iter().map(view).collect()
    }

    /// Sends an event to the webhook called `name` that stands for itself only, on behalf of `by`. When it arrives, a
    /// webhook that waits goes on. Comes back with what the receiver said, or why it did not; nothing when there is
    /// no such webhook.
    pub(crate) async fn test_webhook(&self, name: &str, by: &str) -> Option<Result<String, String>> {
        let hook = self.policy().config.webhooks.iter().find(|hook| hook.name == name)?.clone();
        let event = || {
            let event = AuditEvent::new(AuditKind::WebhookTested).detail("webhook", name);
            event.detail("by", by)
        };
        let line = EventLine {
            // It is not in the log.
            seq: 0,
            time: ambient::now().to_string(),
            event: event().message("a test"),
            prev: "0".repeat(64),
        };
        let tried = match sender(self, &hook) {
            Ok(mut sender) => match sender.attempt(&Message::of(&line, &self.signer)).await {
                Attempt::Delivered(status) => Ok(format!("the receiver answers {status}")),
                Attempt::Gone => Err("the receiver answers 410 Gone: it wants no events".to_owned()),
                Attempt::Failed { why, .. } => Err(why),
            },
            Err(error) => Err(error.to_string()),
        };
        let (outcome, said) = match &tried {
            Ok(said) => (Outcome::Success, said),
            Err(why) => (Outcome::Failed, why),
        };
        self.audit.note(event().outcome(outcome).message(said.as_str()));
        if let (Ok(_), Some(status)) = (&tried, self.webhooks.status(name)) {
            status.resume.notify_one();
        }
        Some(tried)
    }
}

#[cfg(test)]
mod tests {
    use passerelle_config::SystemResolver;

    use super::*;

    #[test]
    fn events_that_do_not_exist_are_named() {
        let text = "listen: { vnc: '127.0.0.1:0' }\nwebhooks:\n  - name: siem\n    url: https://a.example/\n    \
                    secret: insecure-inline:whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n    \
                    events: ['*', session.*, target.certificate.*, sesion.*, login.refused, login.refuse]\n";
        let config = Config::parse(text, "p.yaml", &SystemResolver).unwrap().config;
        let unknown: Vec<_> = unknown_events(&config).map(|unknown| unknown.to_string()).collect();
        assert_eq!(unknown.len(), 2, "{unknown:?}");
        let said = "webhooks[0].events[3]: there is no event `sesion.*`; events begin with anchor, api, ";
        assert!(unknown[0].starts_with(said), "{unknown:?}");
        assert!(unknown[1].starts_with("webhooks[0].events[5]: "), "{unknown:?}");
    }
}
