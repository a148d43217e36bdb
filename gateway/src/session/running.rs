//! What a session holds, and giving all of it back.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use passerelle_auth::{self as auth, Grant, Lease, SessionId};
use passerelle_config::{self as config, RecordingPolicy, RenderMode};
use passerelle_desktop::{Permissions, Relay, TargetLog};
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use passerelle_recorder::{Lane, Recording};
use passerelle_transport::Transport;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::target::Refused;
use super::{BlackoutEnding, Blackouts, CloseReason, Entry, Facts, Observer, Phase, Registered, lease};
use crate::gateway::{Gateway, recording_policy, with_context};
use crate::metrics::{Handshake, Step};
use crate::policy::Policy;
use crate::{ambient, blackouts, relay, views};

/// How long a session that somebody ended may go on for a store that does not answer. Nobody comes back by a ticket
/// while it does not.
const WITHDRAWAL: Duration = Duration::from_secs(1);

/// Somebody who may have a session.
pub(crate) struct Admitted {
    pub(crate) entry: auth::Entry,
    pub(crate) target: Arc<config::Target>,
    pub(crate) grant: Grant,
    pub(crate) protocol: &'static str,
    pub(crate) viewer_security: &'static str,
    pub(crate) peer: SocketAddr,
    pub(crate) handshake: Handshake,
}

/// A session from its admission to its end: leased, listed, recorded, audited.
pub(crate) struct Running {
    gateway: Arc<Gateway>,
    policy: Arc<Policy>,
    target: Arc<config::Target>,
    registered: Registered,
    observer: Observer,
    /// When its recording is rendered.
    render: RenderMode,
}

impl Running {
    /// Takes all that a session needs before anybody sees anything: a lease, a recording, its start in
    /// the audit log, in this order.
    ///
    /// # Errors
    /// A sentence for the technician; the log and the audit log have the details.
    pub(crate) async fn begin(
        gateway: &Arc<Gateway>,
        policy: Arc<Policy>,
        admitted: Admitted,
    ) -> Result<Self, String> {
        let now = ambient::now();
        let Admitted { entry, target, grant, protocol, viewer_security, peer, mut handshake } = admitted;
        let wanted = recording_policy(&policy.config, &grant);
        let mut facts = Facts {
            id: SessionId::new(now, &mut ambient::random),
            node: gateway.node.clone(),
            technician: entry.identity.technician.clone(),
            target: target.name.clone(),
            protocol: protocol.to_owned(),
            method: entry.identity.method,
            ticket: entry.ticket.as_ref().map(|ticket| ticket.id),
            approved_by: entry.ticket.as_ref().and_then(|ticket| ticket.context.approved_by.clone()),
            address: peer,
            viewer_security: viewer_security.to_owned(),
            started: now,
            recorded: wanted != RecordingPolicy::Off,
        };
        // Whatever is logged of the connection from here on is about this session.
        tracing::Span::current().record("session", tracing::field::display(facts.id));
        let refused = |message: &str| {
            facts_event(&facts, AuditKind::LoginRefused).outcome(Outcome::Refused).message(message)
        };
        let request = lease::request(&facts, policy.session_limits());
        let fence = match gateway.store.lease(&request, now).await {
            Ok(Lease::Leased { fence }) => fence,
            Ok(Lease::Refused { limit, allowed, .. }) => {
                let message = format!("There are already {allowed} {limit}. Try again when one has ended.");
                gateway.audit.note(refused(&message).detail("code", "session_limit"));
                return Err(message);
            }
            Ok(Lease::Revoked(revocation)) => {
                return Err(format!("The session was ended by {}.", revocation.by));
            }
            Err(error) => {
                tracing::error!(%error, "no session can be leased");
                return Err(
                    "The gateway cannot start sessions at the moment. Try again in a minute.".to_owned()
                );
            }
        };
        let recording = match open_recording(gateway, &policy, &facts, &grant, wanted).await {
            Ok(recording) => recording,
            Err(error) if wanted == RecordingPolicy::Required => {
                gateway.metrics.recording_failed();
                tracing::error!(error, "a session that must be recorded was refused");
                gateway.audit.note(
                    facts_event(&facts, AuditKind::RecordingFailed).outcome(Outcome::Failed).message(error),
                );
                release(gateway, facts.id, fence).await;
                return Err("This session must be recorded and the gateway cannot record it at the moment. \
                            Tell the administrator."
                    .to_owned());
            }
            Err(error) => {
                gateway.metrics.recording_failed();
                tracing::warn!(error, "a session goes unrecorded");
                None
            }
        };
        facts.recorded = recording.is_some();
        if facts.recorded {
            gateway.audit.note(facts_event(&facts, AuditKind::RecordingOpened).outcome(Outcome::Success));
        }

        if let Some(recording) = &recording {
            // So that the session is found by it. A recording that fails here says so when it is written to next.
            let context = entry.context();
            let why = json!({
                "reason": context.reason, "ticket_id": context.ticket_id, "approved_by": context.approved_by,
            });
            recording.event("session.started", why).ok();
        }
        let started = facts_event(&facts, AuditKind::SessionStarted)
            .outcome(Outcome::Success)
            .detail("viewer_security", &*facts.viewer_security)
            .detail("recorded", facts.recorded)
            .detail("permissions", json!(grant.permissions))
            .detail("rules", json!(grant.rules))
            .detail("requirements", json!(grant.requirements));
        let started = with_context(started, &entry.context());
        gateway.metrics.login(viewer_security, "accepted");
        gateway.audit.note(facts_event(&facts, AuditKind::LoginAccepted).outcome(Outcome::Success));
        if let Err(error) = gateway.audit.append(started).await {
            tracing::error!(%error, "a session that cannot be audited was refused");
            if let Some(recording) = recording {
                recording.close("audit_failed").await.ok();
            }
            release(gateway, facts.id, fence).await;
            return Err(
                "The gateway cannot write its audit log at the moment. Tell the administrator.".to_owned()
            );
        }
        tracing::info!(
            technician = facts.technician,
            target = facts.target,
            recorded = facts.recorded,
            "session started"
        );

        let blackouts = Blackouts::new(blackouts::longest(&policy.config, &grant));
        let registered =
            gateway.registry.enter(Entry::new(facts, grant.permissions, fence, recording.clone(), blackouts));
        let render = views::mode(&policy.config, &grant.rules);
        if recording.is_some() {
            views::session_began(gateway, &registered.entry.facts.id.to_string(), render).await;
        }
        handshake.done(Step::Admission);
        let observer = Observer::new(
            registered.entry.clone(),
            gateway.metrics.traffic(protocol),
            handshake,
            gateway.audit.clone(),
            recording,
            wanted == RecordingPolicy::Required,
            policy.config.recording.clipboard,
        );
        Ok(Self { gateway: gateway.clone(), policy, target, registered, observer, render })
    }

    pub(crate) fn id(&self) -> SessionId {
        self.registered.entry.facts.id
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn target(&self) -> &config::Target {
        &self.target
    }

    /// A part of the connection's beginning is over.
    pub(crate) fn done(&mut self, step: Step) {
        self.observer.done(step);
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.registered.entry.set_phase(phase);
    }

    /// An audit event of this session.
    pub(crate) fn event(&self, kind: AuditKind) -> AuditEvent {
        self.observer.event(kind)
    }

    /// Writes down that the target did not let us in.
    pub(crate) fn target_refused(&self, refused: &Refused) {
        tracing::warn!(error = %refused, target = self.target.name, "the target refused the session");
        let event =
            self.event(AuditKind::TargetRefused).outcome(Outcome::Failed).message(refused.to_string());
        self.gateway.audit.note(event);
    }

    /// Resolves with the reason when the session must end. What somebody ended must not come back in the moment in
    /// which clients may reconnect with the same ticket.
    fn stopped(&self) -> impl Future<Output = CloseReason> + use<> {
        let (gateway, entry) = (self.gateway.clone(), self.registered.entry.clone());
        async move {
            let reason = entry.stopped().await;
            if let (CloseReason::Killed { .. }, Some(ticket)) = (&reason, entry.facts.ticket) {
                let withdrawn = timeout(WITHDRAWAL, gateway.store.withdraw(ticket, ambient::now())).await;
                if let Ok(Err(error)) = withdrawn {
                    tracing::warn!(%error, %ticket, "the ticket of a session that was ended is not withdrawn");
                }
            }
            reason
        }
    }

    /// What `work` comes to, unless the session is stopped first.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, CloseReason> {
        tokio::select! {
            biased;
            reason = self.stopped() => Err(reason),
            done = work => Ok(done),
        }
    }

    /// Whether the session is recorded.
    pub(crate) fn is_recorded(&self) -> bool {
        self.registered.entry.facts.recorded
    }

    /// Whether the session is recorded and may be asked for blackouts.
    pub(crate) fn may_black_out(&self) -> bool {
        self.is_recorded() && self.registered.entry.blackouts.longest.is_some()
    }

    /// What the technician may do now.
    pub(crate) fn permissions(&self) -> Permissions {
        *self.registered.entry.permissions.borrow()
    }

    /// What the technician may ever do in this session.
    pub(crate) fn granted(&self) -> Permissions {
        self.registered.entry.granted
    }

    /// Writes an event to the recording, if there is one.
    pub(crate) fn record_event(&mut self, kind: &str, detail: serde_json::Value) {
        self.observer.record_event(kind, detail);
    }

    /// Writes bytes to a lane of the recording, if there is one.
    pub(crate) fn record(&mut self, lane: Lane, bytes: &[u8]) {
        self.observer.record(lane, bytes);
    }

    /// Lets what the target sends go through `log` on its way to the recording, if there is one.
    pub(crate) fn record_through(&mut self, log: Box<dyn TargetLog>) {
        self.observer.record_through(log);
    }

    /// Relays between the two peers, as `relay` decides, until the session is over.
    pub(crate) async fn relay(
        &mut self,
        viewer: Transport<TcpStream>,
        target: Transport<TcpStream>,
        relay: &mut dyn Relay,
    ) -> CloseReason {
        let config = &self.policy.config.limits;
        let entry = self.registered.entry.clone();
        let limits = relay::Limits { idle: config.idle.get(), session: config.session.get() };
        let controls = relay::Controls {
            killed: self.stopped(),
            permissions: entry.permissions.subscribe(),
            in_force: entry.in_force.clone(),
            entry,
        };
        relay::run(viewer, target, relay, &mut self.observer, limits, controls).await
    }

    /// Runs the session's work; a defect in it becomes a reason to end like any other.
    pub(crate) async fn contain<'a, F>(&'a mut self, work: impl FnOnce(&'a mut Self) -> F) -> CloseReason
    where
        F: Future<Output = CloseReason>,
    {
        AssertUnwindSafe(work(self)).catch_unwind().await.unwrap_or_else(|panic| {
            let error = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("panic")
                .to_owned();
            tracing::error!(error, "a defect ended the session");
            CloseReason::Internal { error }
        })
    }

    /// Seals, audits and gives back everything.
    pub(crate) async fn end(mut self, reason: CloseReason) {
        let entry = self.registered.entry.clone();
        entry.set_phase(Phase::Ending);
        while self.observer.is_unsettled() {
            if let Some(recording) = self.observer.recording() {
                // What does not work is found by writing.
                recording.ready().await.ok();
            }
            self.observer.settle();
        }
        self.observer.end_of_blackout(BlackoutEnding::Session);
        self.observer.finish();
        self.observer
            .record_event("session.ended", json!({ "reason": reason, "message": reason.to_string() }));
        if let CloseReason::ViewerViolation { error } | CloseReason::TargetViolation { error } = &reason {
            let event = self.event(AuditKind::ProtocolViolation).outcome(Outcome::Failed).message(&**error);
            self.gateway.audit.note(event);
        }
        if let Some(recording) = self.observer.recording() {
            match recording.close(reason.name()).await {
                Ok(sealed) => {
                    self.gateway.index.changed();
                    self.gateway.metrics.recording_sealed();
                    self.gateway.audit.note(
                        self.event(AuditKind::RecordingSealed)
                            .outcome(Outcome::Success)
                            .detail("root", sealed.root)
                            .detail("bytes", sealed.bytes)
                            .detail("segments", sealed.segments),
                    );
                }
                Err(error) => drop(self.observer.recording_failed(&error)),
            }
        }
        let view = entry.view(ambient::now());
        let event = self
            .event(AuditKind::SessionEnded)
            .outcome(Outcome::Success)
            .message(reason.to_string())
            .detail("reason", reason.name())
            .detail("seconds", view.seconds)
            .detail("bytes_from_target", view.bytes_from_target)
            .detail("bytes_from_viewer", view.bytes_from_viewer);
        tracing::info!(
            reason = %reason, seconds = view.seconds, bytes_from_target = view.bytes_from_target,
            "session ended"
        );
        self.gateway.metrics.session_ended(&entry.facts.protocol, reason.name(), view.seconds);
        if let Err(error) = self.gateway.audit.append(event).await {
            tracing::error!(%error, "the end of a session is not in the audit log; the next start adds it");
        }
        release(&self.gateway, self.id(), entry.fence()).await;
        let (gateway, id, render) = (self.gateway.clone(), self.id().to_string(), self.render);
        if self.is_recorded() {
            // Whoever renders it shall see that it is over.
            drop(self);
            views::session_ended(&gateway, &id, render).await;
        }
    }
}

async fn open_recording(
    gateway: &Gateway,
    policy: &Policy,
    facts: &Facts,
    grant: &Grant,
    wanted: RecordingPolicy,
) -> Result<Option<Recording>, String> {
    if wanted == RecordingPolicy::Off {
        return Ok(None);
    }
    let recorder = gateway.recorder.clone();
    let id = facts.id.to_string();
    let mut header = json!(facts);
    header["permissions"] = json!(grant.permissions);
    header["rules"] = json!(grant.rules);
    // Says how the keys in it are to be read.
    header["keystrokes"] = json!(policy.config.recording.keystrokes);
    let opened = tokio::task::spawn_blocking(move || recorder.open(&id, &header)).await;
    match opened {
        Ok(Ok(recording)) => Ok(Some(recording)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn facts_event(facts: &Facts, kind: AuditKind) -> AuditEvent {
    let event = facts.event(kind).detail("method", json!(facts.method));
    match facts.ticket {
        Some(ticket) => event.detail("ticket", ticket.to_string()),
        None => event,
    }
}

async fn release(gateway: &Gateway, id: SessionId, fence: passerelle_auth::Fence) {
    if let Err(error) = gateway.store.release(id, fence, ambient::now()).await {
        tracing::warn!(%error, "a lease could not be released; it will run out by itself");
    }
}
