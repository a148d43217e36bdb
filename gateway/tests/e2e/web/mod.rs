//! The web application in a stock browser: Chromium, driven by Playwright.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::Outcome;
use crate::harness::clients::{Client, Login};
use crate::harness::lab::{Lab, tools};
use crate::harness::net::free_port;
use crate::harness::picture::Picture;
use crate::harness::process::{Process, read};
use crate::harness::servers::{Server, Target};
use crate::harness::wait::wait_for;
use crate::peers::site::{Setup, Site};

/// What everybody logs in with.
const PASSWORD: &str = "correct horse battery staple";

/// What the technician types.
const LINE: &str = "seen in a browser";

/// What they type while somebody watches.
const MORE: &str = "and watched";

/// A browser starts slowly on a machine that does other things, too.
const LONG: Duration = Duration::from_secs(120);

/// How many percent of the pixels may differ: the technician's pointer, which is drawn beside the picture.
const DIFFERENCE: f64 = 1.0;

/// A gateway with an administrator for each kind of work, and a desktop.
fn site<'lab>(lab: &'lab Lab, desk: &Target, https: u16) -> Outcome<Site<'lab>> {
    let file = lab.write_secret("password", PASSWORD)?;
    let command = format!("{} hash-password < {}", env!("CARGO_BIN_EXE_passerelle"), file.display());
    let hash = lab.write_secret("hash", read(Command::new("sh").args(["-c", &command]))?)?;
    let user = |name: &str, group: &str| {
        format!("{{ name: {name}, groups: [{group}], password_hash: 'file:{}' }}", hash.display())
    };
    let setup = Setup::vnc()
        .target("desk", desk.port, "")
        .listen(&format!("https: 127.0.0.1:{https}"))
        .user(&user("erin", "revision"))
        .user(&user("chief", "chiefs"))
        .user(&user("carol", "helpdesk"))
        .with("tls: { self_signed: true }")
        .with("roles: { supervisor: [chiefs], auditor: [revision] }");
    Site::start(lab, setup)
}

/// A part of the test that runs in a browser, and asks by files for what it cannot do itself.
pub(crate) struct Browser<'lab> {
    lab: &'lab Lab,
    process: Process,
    folder: PathBuf,
}

impl<'lab> Browser<'lab> {
    /// Starts a part at this address, for whoever knows the secret.
    pub(crate) fn start(
        lab: &'lab Lab,
        part: &str,
        base: &str,
        recording: &str,
        secret: &str,
    ) -> Outcome<Self> {
        let folder = lab.subfolder(part)?;
        for (name, text) in
            [("browser.mjs", include_str!("browser.mjs")), ("parts.mjs", include_str!("parts.mjs"))]
        {
            lab.write(&format!("{part}/{name}"), text)?;
        }
        let mut node = Command::new("node");
        node.arg(folder.join("parts.mjs"))
            .args([part, base, recording])
            .current_dir(&folder)
            .env("HOME", &folder)
            .env("E2E_MODULES", tools().join("npm/node_modules"))
            .env("E2E_PASSWORD", secret);
        Ok(Self { lab, process: lab.start(part, &node)?, folder })
    }

    /// Waits until the browser has written this file.
    fn wait(&mut self, name: &str) -> Outcome<PathBuf> {
        let path = self.folder.join(name);
        wait_for(&format!("{name} from the browser"), LONG, || match self.process.ended() {
            Some(status) if !path.exists() => {
                Some(Err(format!("the browser ended with {status} before {name}")))
            }
            _ => path.exists().then_some(Ok(())),
        })??;
        Ok(path)
    }

    /// Waits until what it shows is what the desktop shows.
    pub(crate) fn wait_same(&mut self, name: &str, wanted: impl Fn() -> Outcome<Picture>) -> Outcome {
        let path = self.wait(name)?;
        let mut difference = 100.0;
        wait_for("the desktop's picture in the browser", LONG, || {
            difference = Picture::png(&path).ok()?.difference_within(&wanted().ok()?);
            (difference < DIFFERENCE).then_some(())
        })
        .map_err(|error| format!("{error}: {difference:.2} % of the pixels differ in {}", path.display()))
    }

    /// Tells it that what it asked for is done.
    pub(crate) fn answer(&self, name: &str) -> Outcome {
        fs::write(self.folder.join(name), "").map_err(|error| format!("{name}: {error}"))
    }

    pub(crate) fn finish(mut self) -> Outcome {
        let status = self.process.wait(LONG)?;
        if status.success() {
            return Ok(());
        }
        let part = self.process.name().to_owned();
        Err(format!("the part {part:?} ended with {status}:\n{}", self.lab.log_of(&part)?))
    }
}

/// Changes a byte in the middle of the recording's first segment.
fn tamper(recording: &Path) -> Outcome {
    let path = recording.join("000001.seg");
    let mut bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// A supervisor watches a session and ends it. An auditor finds its recording, says why, plays it, and verifies it
/// before and after somebody has changed it. A technician sees nothing of it.
#[test]
fn a_session_is_watched_and_its_recording_found_played_and_verified() {
    Lab::run(|lab| {
        let desk = Target::start(lab, Server::XvncNone)?;
        let https = free_port()?;
        let base = format!("https://localhost:{https}");
        let site = site(lab, &desk, https)?;
        let ticket = site.ticket()?;
        let login = Login {
            port: site.port,
            username: None,
            password: ticket.vnc_password,
            authority: site.data().join("self-signed.crt"),
        };
        let viewer = Client::TigervncVncAuth.connect(lab, &login, LINE)?;
        desk.wait_typed(LINE)?;
        let id = site.wait_sessions(1)?.remove(0);

        let mut watching = Browser::start(lab, "watch", &base, &id, PASSWORD)?;
        watching.wait("live.png")?;
        viewer.type_line(MORE)?;
        desk.wait_typed(MORE)?;
        watching.wait_same("live.png", || desk.picture())?;
        let last = desk.picture()?;
        watching.answer("same")?;
        watching.finish()?;
        site.expect_end(1, "killed")?;
        drop(viewer);

        let mut playing = Browser::start(lab, "play", &base, &id, PASSWORD)?;
        playing.wait_same("last.png", || Ok(last.clone()))?;
        playing.wait("untouched")?;
        tamper(&site.data().join("recordings").join(&id))?;
        playing.answer("tampered")?;
        playing.finish()?;
        let found = site.run(&["recordings", "verify", &id])?;
        if found.success || !String::from_utf8_lossy(&found.stdout).contains("tampered with") {
            return Err(format!("the command line says something else than the badge: {}", found.stderr));
        }

        let viewings = site.audit_of("recording.viewing")?;
        let told: Vec<_> =
            viewings.iter().map(|event| (&event["detail"]["by"], &event["detail"]["reason"])).collect();
        if told != [(&"chief".into(), &"ticket 17".into()), (&"erin".into(), &"ticket 18".into())] {
            return Err(format!("the audit log tells of other viewings: {told:?}"));
        }
        Ok(())
    });
}
