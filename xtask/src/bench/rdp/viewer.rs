//! The viewers: xfreerdp with its default flags, on a display whose pixels are read, and rdesktop with a drive.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::display::{Area, Display, SIZE};
use super::meter::Meter;
use super::peers::Endpoint;
use crate::bench::clock::{self, milliseconds};
use crate::bench::process::{Process, command};

/// How long a viewer may take for its first picture, or to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a key may take to show.
const KEY_PATIENCE: Duration = Duration::from_secs(3);
/// Lets the viewer trust no certificate.
const DENY: &str = "/cert:deny";
/// How often pixels are looked at.
const GLANCE: Duration = Duration::from_micros(300);

/// A running viewer.
pub(crate) struct Viewer {
    process: Process,
}

impl Viewer {
    /// Starts it, to connect to `endpoint`.
    pub(crate) fn start(endpoint: &Endpoint, display: &Display, directory: &Path) -> Result<Self> {
        Ok(Self { process: Process::start("xfreerdp", xfreerdp(endpoint, display, directory), directory)? })
    }

    /// Starts it on a black screen and returns it with the milliseconds after which the screen was filled.
    pub(crate) fn connect(endpoint: &Endpoint, display: &Display, directory: &Path) -> Result<(Self, f64)> {
        let deadline = clock::now() + PATIENCE;
        while display.corners_black()? != Some(true) {
            ensure!(clock::now() < deadline, "the last viewer's window does not go away");
            thread::sleep(Duration::from_millis(5));
        }
        let began = clock::now();
        let mut viewer = Self::start(endpoint, display, directory)?;
        while display.corners_black()? != Some(false) {
            viewer.must_run()?;
            ensure!(clock::now() < began + PATIENCE, "there is no picture after {PATIENCE:?}");
            thread::sleep(GLANCE);
        }
        Ok((viewer, milliseconds(clock::now().duration_since(began))))
    }

    /// Starts rdesktop instead, with `folder` as the drive `share`. FreeRDP 2.11 waits for a message before it
    /// shows drives that xrdp 0.9 does not announce.
    pub(crate) fn with_drive(
        endpoint: &Endpoint,
        folder: &Path,
        display: &Display,
        directory: &Path,
    ) -> Result<Self> {
        // It asks on its terminal whether to trust a certificate, again for each that it finds changed.
        let answers = directory.join("rdesktop-answers");
        fs::write(&answers, "yes\n".repeat(4))?;
        let mut rdesktop = command("sh", ["-c", "exec rdesktop \"$@\" <\"$0\""]);
        rdesktop
            .arg(answers)
            .args(["-g", &format!("{}x{}", SIZE.0, SIZE.1), "-D", "-K"])
            .args(["-u", &endpoint.username, "-p", &endpoint.password, "-r"])
            .arg(format!("disk:share={}", folder.display()))
            .arg(endpoint.address.to_string())
            .env("DISPLAY", display.name())
            .env("HOME", directory)
            .env("XDG_DATA_HOME", directory);
        Ok(Self { process: Process::start("rdesktop", rdesktop, directory)? })
    }

    /// Its process.
    pub(crate) fn into_process(self) -> Process {
        self.process
    }

    /// An error when it has ended.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        match self.process.ended()? {
            Some(status) => bail!("the viewer ended with {status}: {}", self.process.log_tail()),
            None => Ok(()),
        }
    }
}

/// What a login is made of, in milliseconds.
pub(crate) struct Login {
    /// From starting the viewer to its connection.
    pub(crate) start: f64,
    /// From there to the end of TLS, and of NLA where there is one.
    pub(crate) handshake: f64,
}

/// Times a login that ends where security does, and after as many messages as one that succeeds: with NLA by
/// a wrong password, with TLS by not trusting the certificate, which the viewer decides about last.
pub(crate) fn fail_to_log_in(endpoint: Endpoint, display: &Display, directory: &Path) -> Result<Login> {
    let meter = Meter::start(endpoint.address)?;
    let endpoint = through(endpoint, meter.address());
    let endpoint = match endpoint.security {
        "nla" => Endpoint { password: "wrong".to_owned(), ..endpoint },
        _ => Endpoint { flags: &[DENY], ..endpoint },
    };
    let began = clock::now();
    let mut viewer = Viewer::start(&endpoint, display, directory)?;
    while viewer.process.ended()?.is_none() {
        ensure!(clock::now() < began + PATIENCE, "the viewer does not end after a refused login");
        thread::sleep(GLANCE);
    }
    let accepted = meter.accepted().context("the viewer did not connect")?;
    Ok(Login { start: milliseconds(accepted.duration_since(began)), handshake: milliseconds(meter.lasted()) })
}

fn xfreerdp(endpoint: &Endpoint, display: &Display, directory: &Path) -> Command {
    let Endpoint { address, username, password, security, flags } = endpoint;
    let mut xfreerdp = command("xfreerdp", [format!("/v:{address}"), format!("/u:{username}")]);
    xfreerdp
        .args([format!("/p:{password}"), format!("/size:{}x{}", SIZE.0, SIZE.1)])
        .args([&format!("/sec:{security}"), "-decorations", "/log-level:ERROR"])
        .args(*flags)
        .args((!flags.contains(&DENY)).then_some("/cert:ignore"))
        .env("DISPLAY", display.name())
        .env("HOME", directory)
        .env("XDG_CONFIG_HOME", directory);
    xfreerdp
}

/// An endpoint that leads through `address`.
pub(crate) fn through(endpoint: Endpoint, address: SocketAddr) -> Endpoint {
    Endpoint { address, ..endpoint }
}

/// Keys and a pointer on a display: xdotool, which does each line that it is given at once.
pub(crate) struct Hands {
    child: Child,
    lines: ChildStdin,
}

impl Hands {
    /// Puts the pointer over the terminal.
    pub(crate) fn start(display: &Display) -> Result<Self> {
        let mut child = Command::new("xdotool")
            .arg("-")
            .env("DISPLAY", display.name())
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start xdotool")?;
        let lines = child.stdin.take().context("xdotool has no input")?;
        let mut hands = Self { child, lines };
        hands.act("mousemove 300 200")?;
        Ok(hands)
    }

    /// The milliseconds from pressing a key to a change within `area`; none when nothing changed.
    pub(crate) fn press(&mut self, display: &Display, area: Area) -> Result<Option<f64>> {
        let before = display.fingerprint(area)?;
        let began = clock::now();
        self.act("key --delay 0 a")?;
        while clock::now() < began + KEY_PATIENCE {
            if display.fingerprint(area)? != before {
                return Ok(Some(milliseconds(clock::now().duration_since(began))));
            }
            thread::sleep(GLANCE);
        }
        Ok(None)
    }

    fn act(&mut self, line: &str) -> Result<()> {
        writeln!(self.lines, "{line}").context("xdotool ended")
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        // It may have ended with its display.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
