//! Bringing a webhook through the audit log.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use passerelle_auth::Timestamp;
use passerelle_config::Webhook;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Cursor, EventLine, Outcome};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::message::{Message, pause};
use super::sender::{Attempt, Sender};
use super::status::{State, Status};
use crate::ambient;
use crate::gateway::{Gateway, data};

/// So many events are in memory at most.
const TOGETHER: usize = 32;

/// How long to wait when the log cannot be read.
const UNREADABLE: Duration = Duration::from_secs(5);

/// How long the gateway waits for the last events to be delivered when it stops.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// While events are given up all the time, the audit log tells of it so often.
const TELL: Duration = Duration::from_secs(60 * 60);

/// Brings one webhook through the log.
pub(super) struct Delivery {
    gateway: Arc<Gateway>,
    hook: Webhook,
    sender: Sender,
    status: Arc<Status>,
    written: watch::Receiver<u64>,
    /// Attempts that failed in a row.
    failures: u32,
    /// When to try again.
    pause: Duration,
    dropped: Dropped,
}

/// Events that were given up and not told of yet.
#[derive(Default)]
struct Dropped {
    count: u64,
    first: u64,
    last: u64,
    told: Option<Timestamp>,
}

impl Delivery {
    /// Goes on from where `status` is.
    pub(super) fn new(gateway: Arc<Gateway>, hook: Webhook, sender: Sender, status: Arc<Status>) -> Self {
        Self {
            written: gateway.audit.written(),
            gateway,
            hook,
            sender,
            status,
            failures: 0,
            pause: Duration::ZERO,
            dropped: Dropped::default(),
        }
    }

    /// Delivers until `stop`, and keeps how far it came.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.deliver_all(false)).await;
        if self.failures == 0 && self.status.state() == State::Working {
            // What sessions said at their end is already in the log.
            tokio::time::timeout(LAST_WORDS, self.deliver_all(true)).await.ok();
        }
        self.tell_dropped();
        self.keep().await;
    }

    /// Delivers what is in the log, and what comes unless that is the `last`.
    async fn deliver_all(&mut self, last: bool) {
        let directory = self.gateway.policy().config.data_dir.join(data::AUDIT);
        let mut cursor = Cursor::behind(&directory, self.status.at());
        loop {
            let until = *self.written.borrow_and_update();
            let read = tokio::task::spawn_blocking(move || {
                let lines = cursor.read(until, TOGETHER);
                (cursor, lines)
            });
            let lines = match read.await {
                Ok((back, Ok(lines))) => {
                    cursor = back;
                    lines
                }
                Ok((back, Err(error))) => {
                    cursor = back;
                    self.unreadable(&error).await;
                    continue;
                }
                Err(error) => {
                    cursor = Cursor::behind(&directory, self.status.at());
                    self.unreadable(&error.into()).await;
                    continue;
                }
            };
            let sent = self.through(&lines).await;
            self.status.advance(cursor.at());
            if sent {
                self.keep().await;
            }
            if lines.len() < TOGETHER {
                self.tell_if_due();
                if last || self.written.changed().await.is_err() {
                    return;
                }
            }
        }
    }

    async fn unreadable(&self, error: &io::Error) {
        tracing::error!(webhook = self.hook.name, %error, "the audit log cannot be read");
        tokio::time::sleep(UNREADABLE).await;
    }

    /// Delivers what is wanted of `lines`, or gives it up. Tells whether there was anything.
    async fn through(&mut self, lines: &[EventLine]) -> bool {
        let mut any = false;
        for line in lines {
            if self.hook.wants(line.event.kind.name()) {
                any = true;
                self.deliver(line).await;
            }
            self.status.advance(line.seq);
        }
        any
    }

    /// Tries until the receiver has it, or it is too old.
    async fn deliver(&mut self, line: &EventLine) {
        let message = Message::of(line, &self.gateway.signer);
        loop {
            if self.failures > 0 {
                if self.is_overdue(line) {
                    return self.give_up(line);
                }
                self.tell_if_due();
                self.keep().await;
                tokio::select! {
                    () = tokio::time::sleep(self.pause) => {}
                    () = self.status.resume.notified() => {}
                }
                // Tried even if it has grown too old meanwhile: a pause may be longer than `retry_for`.
            }
            match self.sender.attempt(&message).await {
                Attempt::Delivered(_) => return self.delivered(),
                Attempt::Gone => self.disabled().await,
                Attempt::Failed { why, retry_after } => self.failed(why, retry_after),
            }
        }
    }

    fn is_overdue(&self, line: &EventLine) -> bool {
        let made = line.time.parse::<Timestamp>().unwrap_or(Timestamp::MAX);
        ambient::now().since(made) >= self.hook.retry_for.get()
    }

    fn delivered(&mut self) {
        self.gateway.metrics.webhook(&self.hook.name, "delivered");
        if self.failures > 0 {
            tracing::info!(webhook = self.hook.name, "events are delivered again");
            self.failures = 0;
            self.status.set(State::Working);
            self.tell_dropped();
            self.dropped = Dropped::default();
        }
    }

    fn failed(&mut self, error: String, retry_after: Option<Duration>) {
        self.gateway.metrics.webhook(&self.hook.name, "failed");
        let since = match self.status.state() {
            State::Failing { since, .. } => since,
            State::Working | State::Disabled { .. } => {
                tracing::warn!(webhook = self.hook.name, error, "events are not delivered");
                ambient::now()
            }
        };
        self.failures = self.failures.saturating_add(1);
        let mut chance = [0; 2];
        ambient::random(&mut chance);
        self.pause = pause(self.failures, retry_after, u16::from_ne_bytes(chance));
        let (webhook, seconds) = (&self.hook.name, self.pause.as_secs_f64());
        tracing::debug!(webhook, error, seconds, "an event was not delivered; trying again");
        self.status.set(State::Failing { since, error });
    }

    /// Waits until somebody wants it to go on.
    async fn disabled(&mut self) {
        self.gateway.metrics.webhook(&self.hook.name, "failed");
        let message =
            "the receiver answers 410 Gone; `passerelle webhooks test` lets a webhook go on that is wanted";
        tracing::warn!(webhook = self.hook.name, "{message}");
        let event = AuditEvent::new(AuditKind::WebhookDisabled).outcome(Outcome::Failed);
        self.gateway.audit.note(event.message(message).detail("webhook", &*self.hook.name));
        self.status.set(State::Disabled { since: ambient::now() });
        self.tell_dropped();
        self.keep().await;
        self.status.resume.notified().await;
        // What has grown too old by then is given up.
        self.failures = self.failures.max(1);
        self.pause = Duration::ZERO;
    }

    fn give_up(&mut self, line: &EventLine) {
        self.gateway.metrics.webhook(&self.hook.name, "dropped");
        let dropped = &mut self.dropped;
        if dropped.count == 0 {
            dropped.first = line.seq;
        }
        dropped.count += 1;
        dropped.last = line.seq;
    }

    fn tell_if_due(&mut self) {
        if self.dropped.told.is_none_or(|told| ambient::now().since(told) >= TELL) {
            self.tell_dropped();
        }
    }

    /// Says what was given up since this was last said.
    fn tell_dropped(&mut self) {
        let Dropped { count, first, last, .. } = self.dropped;
        if count == 0 {
            return;
        }
        let webhook = &*self.hook.name;
        tracing::error!(webhook, count, first, last, "events that could not be delivered are given up");
        let message = format!("{count} events could not be delivered within {}", self.hook.retry_for);
        self.gateway.audit.note(
            AuditEvent::new(AuditKind::WebhookDropped)
                .outcome(Outcome::Failed)
                .message(message)
                .detail("webhook", webhook)
                .detail("count", count)
                .detail("first", first)
                .detail("last", last),
        );
        self.dropped = Dropped { told: Some(ambient::now()), ..Dropped::default() };
    }

    /// Keeps how far it has come.
    async fn keep(&self) {
        let (gateway, name, at) = (self.gateway.clone(), self.hook.name.clone(), self.status.at());
        let written = tokio::task::spawn_blocking(move || gateway.webhooks.positions.set(&name, at)).await;
        if let Err(error) = written {
            tracing::error!(webhook = self.hook.name, %error, "how far a webhook has come was not kept");
        }
    }
}
