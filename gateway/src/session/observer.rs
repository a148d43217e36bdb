//! What becomes of the things that a relay reports: recording, audit log, counters.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use passerelle_desktop::{Blackout, Notice, Permissions, Side, TargetLog};
use passerelle_recorder::audit::{AuditEvent, AuditKind, AuditLog, Outcome};
use passerelle_recorder::{Lane, Recording, RecordingFailed};
use serde_json::json;

use super::denials::{Denials, Kind, Line};
use super::{CloseReason, Entry};
use crate::ambient;
use crate::metrics::{Handshake, Step, Traffic};
use crate::relay::Observe;

/// From so many bytes on that went to the viewer and are not yet recorded, no more are received.
const BEHIND: usize = 64 * 1024;

/// About how many bytes are recorded in one go.
const TURN: usize = 256 * 1024;

/// The session's witness.
pub(crate) struct Observer {
    entry: Arc<Entry>,
    traffic: Traffic,
    /// Until there is something to see, or as long as can be known.
    handshake: Option<Handshake>,
    audit: AuditLog,
    recording: Option<Recording>,
    /// What the target's messages go through on their way to the recording, if they are not kept as they came.
    log: Option<Box<dyn TargetLog>>,
    /// Whether `log` may have something to work on.
    unsettled: bool,
    /// Whether the session ends when its recording fails.
    required: bool,
    /// Whether the recording keeps clipboard content.
    clipboard: bool,
    input: bool,
    failure: Option<CloseReason>,
    denials: Denials,
    /// The blackout that there is, and why it ends.
    blackout: Option<(Blackout, BlackoutEnding)>,
}

/// Why a blackout ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BlackoutEnding {
    /// Somebody wanted it to.
    Asked {
        /// Who.
        by: String,
    },
    /// It was as long as it may be.
    Time,
    /// With its session.
    Session,
}

impl Observer {
    pub(crate) fn new(
        entry: Arc<Entry>,
        traffic: Traffic,
        handshake: Handshake,
        audit: AuditLog,
        recording: Option<Recording>,
        required: bool,
        clipboard: bool,
    ) -> Self {
        Self {
            entry,
            traffic,
            handshake: Some(handshake),
            audit,
            recording,
            log: None,
            unsettled: false,
            required,
            clipboard,
            input: false,
            failure: None,
            denials: Denials::new(ambient::now()),
            blackout: None,
        }
    }

    /// A part of the connection's beginning is over.
    pub(crate) fn done(&mut self, step: Step) {
        if let Some(handshake) = &mut self.handshake {
            handshake.done(step);
        }
        self.handshake.take_if(|handshake| step == Step::Viewer && !handshake.knows_pictures());
    }

    /// Where the session is recorded, if it is and the recording works.
    pub(crate) fn recording(&self) -> Option<Recording> {
        self.recording.clone()
    }

    /// Lets what the target sends go through `log` on its way to the recording.
    pub(crate) fn record_through(&mut self, log: Box<dyn TargetLog>) {
        self.log = self.recording.is_some().then_some(log);
    }

    /// Whether something passed that is still to be recorded, by [`settle`](Self::settle).
    pub(crate) fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// Whether so much of that waits that nothing more may pass.
    pub(crate) fn is_behind(&self) -> bool {
        self.unsettled && self.log.as_ref().is_some_and(|log| log.waiting() >= BEHIND)
    }

    /// Records some of what passed and was not recorded at once. To be called when it has been sent, so that nobody
    /// waits for it.
    pub(crate) fn settle(&mut self) {
        let mut recorded = 0;
        while self.unsettled && recorded < TURN {
            let Some(log) = &mut self.log else { break };
            let mut message = Vec::new();
            self.unsettled = log.advance(&mut message);
            recorded += message.len();
            self.keep(&message);
        }
    }

    /// Whether the technician did something since the last call.
    pub(crate) fn take_input(&mut self) -> bool {
        std::mem::take(&mut self.input)
    }

    /// Why the session must end, if it must.
    pub(crate) fn take_failure(&mut self) -> Option<CloseReason> {
        self.failure.take()
    }

    /// The recording does not go on. Says why the session must end, if that is the policy.
    pub(crate) fn recording_failed(&mut self, error: &RecordingFailed) -> Option<CloseReason> {
        self.recording.take()?;
        self.log = None;
        self.unsettled = false;
        let error = error.to_string();
        tracing::error!(error, required = self.required, "the recording failed");
        self.traffic.failed_recordings.inc();
        self.audit.note(self.event(AuditKind::RecordingFailed).outcome(Outcome::Failed).message(&*error));
        self.required.then_some(CloseReason::RecordingFailed { error })
    }

    /// An audit event of this session.
    pub(crate) fn event(&self, kind: AuditKind) -> AuditEvent {
        self.entry.facts.event(kind)
    }

    /// Writes an event to the recording.
    pub(crate) fn record_event(&mut self, kind: &str, detail: serde_json::Value) {
        self.recorded(|recording| recording.event(kind, detail));
    }

    /// Writes bytes to a lane of the recording.
    pub(crate) fn record(&mut self, lane: Lane, bytes: &[u8]) {
        self.recorded(|recording| recording.append(lane, bytes));
    }

    /// The permissions have changed, and these take full effect only when the viewer connects anew.
    pub(crate) fn deferred(&mut self, permissions: Permissions) {
        if permissions != Permissions::NONE {
            self.record_event("permission.deferred", json!({ "permissions": permissions }));
            let event = self.event(AuditKind::PermissionDeferred).outcome(Outcome::Success);
            self.audit.note(event.detail("permissions", json!(permissions)));
        }
    }

    /// The blackout is about to end, for this reason.
    pub(crate) fn blackout_ends(&mut self, why: BlackoutEnding) {
        if let Some((_, ending)) = &mut self.blackout {
            *ending = why;
        }
    }

    /// Writes down that the blackout has ended, if there is one.
    pub(crate) fn end_of_blackout(&mut self, why: BlackoutEnding) {
        self.blackout_ends(why);
        let Some((Blackout { whose, by, reason }, ending)) = self.blackout.take() else { return };
        let (because, ended_by) = match ending {
            BlackoutEnding::Asked { by } => ("asked", Some(by)),
            BlackoutEnding::Time => ("time", None),
            BlackoutEnding::Session => ("session", None),
        };
        tracing::info!(because, "the blackout has ended");
        let detail = json!({
            "for": whose, "by": by, "reason": reason, "because": because, "ended_by": ended_by,
        });
        self.record_event("blackout.ended", detail);
        let mut event = self.event(AuditKind::BlackoutEnded).outcome(Outcome::Success).message(reason);
        event = event.detail("by", by).detail("for", whose.name()).detail("because", because);
        if let Some(ended_by) = ended_by {
            event = event.detail("ended_by", ended_by);
        }
        self.audit.note(event);
    }

    fn blackout_began(&mut self, asked: Blackout) {
        tracing::info!(by = asked.by, whose = %asked.whose, "a blackout has begun");
        self.record_event("blackout.began", json!(asked));
        let event = self.event(AuditKind::BlackoutBegan).outcome(Outcome::Success).message(&*asked.reason);
        self.audit.note(event.detail("by", &*asked.by).detail("for", asked.whose.name()));
        self.blackout = Some((asked, BlackoutEnding::Session));
    }

    /// Writes what is still held back. To be called once, when the relay has ended and nothing is unsettled.
    pub(crate) fn finish(&mut self) {
        if let Some(mut log) = self.log.take() {
            let mut rest = Vec::new();
            log.finish(&mut rest);
            self.keep(&rest);
        }
        let lines = self.denials.finish(ambient::now());
        self.report(lines);
    }

    /// Writes what became of the target's messages, and marks where they could not be rewritten.
    fn keep(&mut self, messages: &[u8]) {
        if let Some(what) = self.log.as_mut().and_then(|log| log.take_failure()) {
            tracing::warn!(what, "what the target sent is recorded as it came: it cannot be decompressed");
            self.write(|recording| recording.event("wire.undecompressed", json!({ "what": what })));
        }
        if !messages.is_empty() {
            self.write(|recording| recording.append(Lane::Target, messages));
        }
    }

    /// Writes what comes after all that passed before.
    fn recorded(&mut self, write: impl FnOnce(&Recording) -> Result<(), RecordingFailed>) {
        while self.unsettled {
            self.settle();
        }
        self.write(write);
    }

    fn write(&mut self, write: impl FnOnce(&Recording) -> Result<(), RecordingFailed>) {
        if let Some(Err(error)) = self.recording.as_ref().map(write) {
            self.failure = self.recording_failed(&error);
        }
    }

    fn report(&mut self, lines: Vec<Line>) {
        for line in lines {
            match line {
                Line::Denied { kind, by, count } => self.report_denied(&kind, by, count),
                Line::Untold { count } => {
                    self.record_event("events.suppressed", json!({ "count": count }));
                    let message = format!(
                        "{count} denied actions and channels were not written down one by one: there were too many"
                    );
                    let event = self.event(AuditKind::EventsSuppressed).outcome(Outcome::Refused);
                    self.audit.note(event.message(message).detail("count", count));
                }
            }
        }
    }

    fn report_denied(&mut self, kind: &Kind, by: Side, count: u64) {
        let Kind { permission, action, reason } = kind;
        let message = match reason {
            Some(reason) => format!("the {by} may not {action}: {reason}"),
            None => format!("the {by} may not {action} without the permission {permission}"),
        };
        let detail = json!({
            "by": by.to_string(), "permission": permission, "action": action, "reason": reason, "count": count,
        });
        self.record_event("permission.denied", detail);
        self.audit.note(
            self.event(AuditKind::PermissionDenied)
                .outcome(Outcome::Refused)
                .message(message)
                .detail("by", by.to_string())
                .detail("permission", permission.name())
                .detail("action", &**action)
                .detail("count", count),
        );
    }
}

impl Observe for Observer {
    fn passed(&mut self, from: Side, forwarded: usize, recorded: &[u8]) {
        let (counter, total, lane) = match from {
            Side::Viewer => (&self.entry.bytes_from_viewer, &self.traffic.from_viewer, Lane::Viewer),
            Side::Target => (&self.entry.bytes_from_target, &self.traffic.from_target, Lane::Target),
        };
        counter.fetch_add(forwarded as u64, Relaxed);
        total.inc_by(forwarded as u64);
        if from == Side::Target
            && let Some(mut handshake) = self.handshake.take()
        {
            handshake.done(Step::FirstPicture);
        }
        // That something was left out is not told either.
        match &mut self.log {
            _ if recorded.is_empty() => {}
            Some(log) if from == Side::Target => {
                log.take(recorded, self.blackout.is_none());
                self.unsettled = true;
            }
            _ => self.record(lane, recorded),
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Input => self.input = true,
            Notice::Denied(denied) => {
                let lines = self.denials.denied(denied, ambient::now());
                self.report(lines);
            }
            Notice::Clipboard { from, kind, bytes, complete, message } => {
                if self.clipboard && self.blackout.is_none() {
                    self.record(Lane::Clipboard, &message);
                }
                let from = from.to_string();
                let detail = json!({ "from": from, "format": kind, "bytes": bytes, "complete": complete });
                self.record_event("clipboard.transferred", detail);
                self.audit.note(
                    self.event(AuditKind::ClipboardTransferred)
                        .detail("from", from)
                        .detail("format", kind)
                        .detail("bytes", bytes)
                        .detail("complete", complete),
                );
            }
            Notice::Resized { width, height } => {
                self.record_event("desktop.resized", json!({ "width": width, "height": height }));
                self.audit.note(
                    self.event(AuditKind::DesktopResized).detail("width", width).detail("height", height),
                );
            }
            Notice::Channel { name, dynamic, permission, opened } => {
                if !self.denials.may_tell(ambient::now()) {
                    return;
                }
                let detail = json!({ "channel": name, "dynamic": dynamic, "permission": permission });
                let (kind, event, outcome) = if opened {
                    (AuditKind::ChannelOpened, "channel.opened", Outcome::Success)
                } else {
                    (AuditKind::ChannelRefused, "channel.refused", Outcome::Refused)
                };
                self.record_event(event, detail);
                self.audit.note(
                    self.event(kind)
                        .outcome(outcome)
                        .detail("channel", name)
                        .detail("dynamic", dynamic)
                        .detail("permission", permission.name()),
                );
            }
            Notice::File { from, by, name, bytes, sha256 } => {
                let sha256 = sha256.map(hex);
                let from = from.to_string();
                let detail =
                    json!({ "from": from, "by": by, "name": name, "bytes": bytes, "sha256": sha256 });
                self.record_event("file.transferred", detail);
                self.audit.note(
                    self.event(AuditKind::FileTransferred)
                        .detail("from", from)
                        .detail("by", by)
                        .detail("name", name)
                        .detail("bytes", bytes)
                        .detail("sha256", json!(sha256)),
                );
            }
            Notice::Disconnecting { by, reason } => {
                let by = by.to_string();
                self.record_event("peer.disconnecting", json!({ "by": by, "reason": reason }));
                self.audit.note(self.event(AuditKind::PeerDisconnecting).message(reason).detail("by", by));
            }
            Notice::Redirected { to } => {
                self.record_event("session.redirected", json!({ "to": to }));
                self.audit.note(
                    self.event(AuditKind::SessionRedirected).outcome(Outcome::Refused).detail("to", to),
                );
            }
            Notice::Renamed(name) => self.record_event("desktop.renamed", json!({ "name": name })),
            Notice::Marker(marker) => self.record(Lane::State, &marker),
            Notice::BlackoutBegan(asked) => self.blackout_began(asked),
            Notice::BlackoutEnded => {
                let why = self.blackout.as_ref().map(|(_, ending)| ending.clone());
                self.end_of_blackout(why.unwrap_or(BlackoutEnding::Session));
            }
        }
    }
}

fn hex(digest: [u8; 32]) -> String {
    use std::fmt::Write as _;
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
