//! X displays: to draw on, to look at, to type on.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::Outcome;
use super::lab::Lab;
use super::picture::Picture;
use super::process::{Process, read};
use super::wait::wait_for;

/// The size of every desktop in these tests.
pub(crate) const SIZE: (usize, usize) = (800, 600);

/// An X display and the server that serves it.
pub(crate) struct Screen {
    /// Its name, `:7`.
    pub(crate) name: String,
    server: Process,
}

impl Screen {
    /// A display that only exists in memory.
    pub(crate) fn xvfb(lab: &Lab, name: &str, (width, height): (usize, usize)) -> Outcome<Self> {
        let mut command = Command::new("Xvfb");
        command.args(["-screen", "0", &format!("{width}x{height}x24"), "-noreset"]);
        Self::start(lab, name, command)
    }

    /// A display that is a window, as large as the screen, of a Wayland desktop.
    pub(crate) fn xwayland(lab: &Lab, runtime: &Path, socket: &Path) -> Outcome<Self> {
        let mut command = Command::new("Xwayland");
        command.arg("-noreset").env("XDG_RUNTIME_DIR", runtime).env("WAYLAND_DISPLAY", socket);
        Self::start(lab, "xwayland", command)
    }

    /// Starts an X server that chooses its own display number, with `command` as its program and
    /// particular arguments.
    pub(crate) fn start(lab: &Lab, name: &str, mut command: Command) -> Outcome<Self> {
        // Without auto-repeat (`-r`): on a machine that stalls, a key that was held for a moment would repeat.
        command.args(["-displayfd", "1", "-nolisten", "tcp", "-ac", "-r"]);
        let number = lab.path(&format!("{name}.display"));
        let mut server = lab.start_with_output(name, &command, &number)?;
        let number = wait_for("an X server choosing its display", Duration::from_secs(20), || {
            if let Some(status) = server.ended() {
                return Some(Err(format!("{name} ended with {status}")));
            }
            let text = fs::read_to_string(&number).ok()?;
            text.ends_with('\n').then(|| Ok(text.trim().to_owned()))
        })??;
        Ok(Self { name: format!(":{number}"), server })
    }

    /// The server's process.
    pub(crate) fn server(&mut self) -> &mut Process {
        &mut self.server
    }

    /// A command that finds this display.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DISPLAY", &self.name);
        command
    }

    /// What the display shows now, without its cursor.
    pub(crate) fn picture(&self) -> Outcome<Picture> {
        picture_of(&self.name)
    }

    /// Puts the pointer somewhere, clicks and types a line there.
    pub(crate) fn type_line(&self, at: (usize, usize), text: &str) -> Outcome {
        read(self.command("xdotool").args([
            "mousemove",
            &at.0.to_string(),
            &at.1.to_string(),
            "click",
            "1",
        ]))?;
        // Toolkits move the focus in their own time, and what is typed before is lost.
        sleep(Duration::from_millis(400));
        read(self.command("xdotool").args(["type", "--delay", "40", "--", text]))?;
        read(self.command("xdotool").args(["key", "Return"])).map(drop)
    }
}

/// What a display shows now, without its cursor.
pub(crate) fn picture_of(display: &str) -> Outcome<Picture> {
    Picture::xwd(&read(Command::new("xwd").args(["-root", "-silent", "-display", display]))?)
}
