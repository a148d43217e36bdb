//! Real desktops: Xvnc with something on its screen.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::clock;
use super::process::{Process, command, free_address};

/// X displays are tried from here on.
const FIRST_DISPLAY: u32 = 120;

/// An Xvnc of 1920x1080 that offers None and VNC authentication.
pub(crate) struct Desktop {
    // Fields are dropped in this order: the clients end before their server.
    content: Option<Process>,
    _server: Process,
    address: SocketAddr,
    display: u32,
    directory: PathBuf,
}

/// What is on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A terminal at 100,100 that shows what is typed.
    Terminal,
    /// A moving test picture of 1280x720 at so many frames a second.
    Motion(u32),
}

impl Desktop {
    /// Starts Xvnc with `password` for VNC authentication.
    pub(crate) fn start(name: &str, password: &str, directory: &Path) -> Result<Self> {
        let display = (FIRST_DISPLAY..FIRST_DISPLAY + 1000)
            .find(|display| {
                !Path::new(&format!("/tmp/.X{display}-lock")).exists()
                    && !Path::new(&format!("/tmp/.X11-unix/X{display}")).exists()
            })
            .context("there is no free X display")?;
        let address = free_address()?;
        let passwords = directory.join("vncpasswd");
        let obscured = Command::new("sh")
            .args(["-c", "printf '%s\\n' \"$0\" | vncpasswd -f", password])
            .output()
            .context("cannot run vncpasswd")?;
        ensure!(obscured.status.success(), "vncpasswd failed");
        std::fs::write(&passwords, obscured.stdout)?;
        let mut xvnc = command("Xvnc", [&format!(":{display}"), "-rfbport", &address.port().to_string()]);
        xvnc.args(["-interface", "127.0.0.1", "-geometry", "1920x1080", "-depth", "24", "-nolisten", "tcp"])
            .args(["-SecurityTypes", "None,VncAuth", "-AlwaysShared", "-ac", "-desktop", name])
            // Many connections come from one address and none of them is an attack.
            .args(["-BlacklistThreshold", "1000000", "-PasswordFile"])
            .arg(&passwords);
        let mut server = Process::start(name, xvnc, directory)?;
        server.wait_listening(address)?;
        Ok(Self { content: None, _server: server, address, display, directory: directory.to_owned() })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces what is on the screen and gives it time to appear.
    pub(crate) fn show(&mut self, content: Option<Content>) -> Result<()> {
        self.content = None;
        let Some(content) = content else { return Ok(()) };
        let mut program = match content {
            Content::Terminal => command(
                "xterm",
                [
                    "-bg",
                    "black",
                    "-fg",
                    "white",
                    "-cr",
                    "black",
                    "-geometry",
                    "80x24+100+100",
                    "-fn",
                    "fixed",
                ],
            ),
            Content::Motion(rate) => {
                let picture = format!("testsrc2=size=1280x720:rate={rate}");
                command(
                    "ffplay",
                    ["-hide_banner", "-loglevel", "error", "-an", "-noborder", "-left", "0", "-top", "0"]
                        .into_iter()
                        .chain(["-f", "lavfi", "-i", &picture]),
                )
            }
        };
        if content == Content::Terminal {
            program.args(["-e", "sh", "-c", "stty -icanon echo; exec cat >/dev/null"]);
        }
        program
            .env("DISPLAY", format!(":{}", self.display))
            .env("SDL_RENDER_DRIVER", "software")
            .env("SDL_AUDIODRIVER", "dummy");
        self.content = Some(Process::start("content", program, &self.directory)?);
        clock::sleep_until(clock::now() + Duration::from_secs(2));
        Ok(())
    }
}

/// What has to be installed for real desktops.
pub(crate) const PROGRAMS: [(&str, &str); 4] = [
    ("Xvnc", "tigervnc-standalone-server"),
    ("vncpasswd", "tigervnc-tools"),
    ("xterm", "xterm"),
    ("ffplay", "ffmpeg"),
];
