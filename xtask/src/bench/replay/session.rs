//! A session over the gateway, which is recorded.

use std::fmt;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::capture::{Capture, Captured};
use super::lab::Lab;
use crate::bench::clock;
use crate::bench::content::Content;
use crate::bench::process::{Process, command};
use crate::bench::rdp::meter::Meter;
use crate::bench::rdp::peers::Endpoint;
use crate::bench::rdp::viewer::Viewer;

/// How long a viewer may take for its first picture, and the gateway to seal a recording.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is typed, eight characters a second.
const TEXT: &str =
    "the quick brown fox jumps over the lazy dog while somebody looks at what it does to the picture. ";
const BETWEEN_KEYS: &str = "120";

/// How the viewer reaches its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Vnc,
    Rdp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vnc => "VNC",
            Self::Rdp => "RDP",
        })
    }
}

/// What is done in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Workload {
    Typing,
    Scrolling,
    Browsing,
    Video,
}

impl Workload {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Typing, Self::Scrolling, Self::Browsing, Self::Video];
    /// Those of an office.
    pub(super) const OFFICE: [Self; 3] = [Self::Typing, Self::Scrolling, Self::Browsing];

    /// The scenario's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Typing => "typing",
            Self::Scrolling => "scrolling",
            Self::Browsing => "browsing",
            Self::Video => "video",
        }
    }

    /// How long its session lasts.
    pub(super) fn seconds(self, quick: bool) -> u64 {
        match (self, quick) {
            (Self::Video, false) => 60,
            (Self::Video, true) => 20,
            (_, false) => 45,
            (_, true) => 10,
        }
    }

    /// What the target's screen shows.
    fn content(self) -> Content {
        match self {
            Self::Typing => Content::Terminal,
            Self::Scrolling => Content::Scrolling,
            Self::Browsing => Content::Browsing,
            Self::Video => Content::Motion(10),
        }
    }
}

/// What recording a session came to.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The recording's name.
    pub(super) id: String,
    /// Its length in seconds.
    pub(super) seconds: f64,
    /// Bytes that the gateway sent to the viewer.
    pub(super) wire: u64,
    /// Bytes of the recording.
    pub(super) log: u64,
    /// CPU seconds of the threads that seal, hash and write.
    pub(super) recorder_cpu: f64,
    /// CPU seconds of the whole gateway.
    pub(super) gateway_cpu: f64,
    /// The screen recordings beside it.
    pub(super) video: Option<Captured>,
    pub(super) pictures: Option<Captured>,
}

impl Lab {
    /// Records a session in which the workloads follow each other, each for so many seconds. `flags` are the VNC viewer's
    /// besides its default ones. With `captured` ffmpeg records the viewer's screen meanwhile.
    pub(super) fn record(
        &mut self,
        protocol: Protocol,
        workloads: &[(Workload, u64)],
        flags: &[&str],
        captured: bool,
    ) -> Result<Session> {
        let first = workloads.first().context("nothing is to be done")?.0;
        self.show(protocol, Some(first.content()))?;
        let cpu = |lab: &Self| {
            (lab.gateway.process().thread_seconds("recorder"), lab.gateway.process().cpu_seconds())
        };
        let before = cpu(self);
        let (viewer, meter) = self.connect(protocol, flags)?;
        let id = self.running_session()?;
        let mut captures = if captured {
            let (video, pictures) = (
                Capture::video(&self.screen, &self.directory)?,
                Capture::pictures(&self.screen, &self.directory)?,
            );
            vec![video, pictures]
        } else {
            Vec::new()
        };
        thread::sleep(Duration::from_secs(1));
        captures.iter_mut().for_each(Capture::count);
        for (index, (workload, seconds)) in workloads.iter().enumerate() {
            if index > 0 {
                self.show(protocol, Some(workload.content()))?;
            }
            let _typing = (*workload == Workload::Typing).then(|| self.type_text()).transpose()?;
            thread::sleep(Duration::from_secs(*seconds));
        }
        let mut captured = captures.into_iter().map(Capture::finish);
        let video = captured.next().transpose()?;
        let pictures = captured.next().transpose()?;
        self.show(protocol, None)?;
        // Nothing goes on at the end, so that what is under way has come.
        thread::sleep(Duration::from_secs(1));
        drop(viewer);
        let facts = self.sealed(&id)?;
        let after = cpu(self);
        let number = |name: &str| {
            facts.get(name).and_then(Value::as_u64).with_context(|| format!("no {name}: {facts}"))
        };
        Ok(Session {
            seconds: number("duration_ms")? as f64 / 1e3,
            log: self.size_of(&id)?,
            id,
            wire: meter.to_viewer(),
            recorder_cpu: after.0 - before.0,
            gateway_cpu: after.1 - before.1,
            video,
            pictures,
        })
    }

    /// A viewer that shows a picture, through something that counts its bytes.
    fn connect(&self, protocol: Protocol, flags: &[&str]) -> Result<(Process, Meter)> {
        let (address, target) = self.way(protocol);
        let meter = Meter::start(address)?;
        let ticket = self.gateway.ticket(target)?;
        if protocol == Protocol::Rdp {
            let endpoint = Endpoint {
                address: meter.address(),
                username: ticket.username,
                password: ticket.ticket,
                security: self.rdp.security(),
                flags: &[],
            };
            let (viewer, _) = Viewer::connect(&endpoint, &self.screen, &self.directory)?;
            return Ok((viewer.into_process(), meter));
        }
        let mut viewer = command("xtigervncviewer", [format!("127.0.0.1::{}", meter.address().port())]);
        viewer
            .args([
                "-SecurityTypes",
                "VncAuth",
                "-FullScreen=1",
                "-ReconnectOnError=0",
                "-AlertOnFatalError=0",
            ])
            .args(["-RemoteResize=0"])
            .args(flags)
            .env("DISPLAY", self.screen.name())
            .env("HOME", &self.directory)
            .env("VNC_PASSWORD", &ticket.vnc_password);
        let deadline = clock::now() + PATIENCE;
        while self.screen.corners_black()? != Some(true) {
            ensure!(clock::now() < deadline, "the last viewer's window does not go away");
            thread::sleep(Duration::from_millis(10));
        }
        let mut viewer = Process::start("viewer", viewer, &self.directory)?;
        while self.screen.corners_black()? != Some(false) {
            if let Some(status) = viewer.ended()? {
                anyhow::bail!("the viewer ended with {status}: {}", viewer.log_tail());
            }
            ensure!(clock::now() < deadline, "there is no picture after {PATIENCE:?}");
            thread::sleep(Duration::from_millis(10));
        }
        Ok((viewer, meter))
    }

    /// Types into the viewer for as long as the process lives.
    fn type_text(&self) -> Result<Process> {
        let mut hands = command("xdotool", ["mousemove", "300", "200", "type", "--delay", BETWEEN_KEYS]);
        hands.arg(TEXT.repeat(10)).env("DISPLAY", self.screen.name());
        Process::start("hands", hands, &self.directory)
    }

    /// The session that runs.
    fn running_session(&self) -> Result<String> {
        let sessions: Value = serde_json::from_slice(&self.control()?.get("/api/v1/sessions", None)?)?;
        let first = sessions.pointer("/items/0/id").and_then(Value::as_str);
        first.map(str::to_owned).with_context(|| format!("there is no session: {sessions}"))
    }

    /// What is known of a recording, once it is sealed.
    fn sealed(&self, id: &str) -> Result<Value> {
        let deadline = clock::now() + PATIENCE;
        loop {
            let facts: Value =
                serde_json::from_slice(&self.control()?.get(&format!("/api/v1/recordings/{id}"), None)?)?;
            if facts.get("state").and_then(Value::as_str) == Some("sealed") {
                return Ok(facts);
            }
            ensure!(clock::now() < deadline, "the recording is not sealed: {facts}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}
