//! What becomes of the things that a relay reports: recording, audit log, counters.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use passerelle_desktop::{Notice, Permissions, Side};
use passerelle_recorder::audit::{AuditEvent, AuditKind, AuditLog, Outcome};
use passerelle_recorder::{Lane, Recording, RecordingFailed};
use serde_json::json;

use super::denials::{Denials, Kind, Line};
use super::{CloseReason, Entry};
use crate::ambient;
use crate::metrics::{Handshake, Step, Traffic};
use crate::relay::Observe;

/// The session's witness.
pub(crate) struct Observer {
    entry: Arc<Entry>,
    traffic: Traffic,
    /// Until there is something to see, or as long as can be known.
    handshake: Option<Handshake>,
    audit: AuditLog,
    recording: Option<Recording>,
    /// Whether the session ends when its recording fails.
    required: bool,
    /// Whether the recording keeps clipboard content.
    clipboard: bool,
    input: bool,
    failure: Option<CloseReason>,
    denials: Denials,
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
            required,
            clipboard,
            input: false,
            failure: None,
            denials: Denials::new(ambient::now()),
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

    /// Writes what is still held back. To be called once, when the relay has ended.
    pub(crate) fn finish(&mut self) {
        let lines = self.denials.finish(ambient::now());
        self.report(lines);
    }

    fn recorded(&mut self, write: impl FnOnce(&Recording) -> Result<(), RecordingFailed>) {
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
        self.record(lane, recorded);
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Input => self.input = true,
            Notice::Denied(denied) => {
                let lines = self.denials.denied(denied, ambient::now());
                self.report(lines);
            }
            Notice::Clipboard { from, kind, bytes, complete, message } => {
                if self.clipboard {
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
