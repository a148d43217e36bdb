//! What the desktops show: a pattern in known colours and a terminal that keeps what is typed.

use std::path::Path;
use std::time::Duration;

use super::super::Outcome;
use super::super::lab::Lab;
use super::super::process::{Process, read};
use super::super::screen::Screen;
use super::super::wait::wait_for;

/// The colour of most of the desktop.
pub(crate) const BACKGROUND: [u8; 3] = [0x33, 0x66, 0x99];

/// The shell command of the terminal. It says when it is ready, so that nothing is typed too early.
pub(super) fn terminal_script(typed: &Path) -> String {
    format!("echo ready; exec cat >'{}'", typed.display())
}

/// Fills an X display. The terminal covers the middle, where the pointer of a new display is, so that it
/// has the focus.
pub(super) fn x11(lab: &Lab, screen: &Screen, typed: &Path) -> Outcome<Process> {
    read(screen.command("xsetroot").args(["-mod", "40", "40", "-fg", "#cc3300", "-bg", "#336699"]))?;
    let mut xterm = screen.command("xterm");
    xterm.args([
        "-geometry",
        "60x20+180+140",
        "-fn",
        "fixed",
        "-bg",
        "black",
        "-fg",
        "white",
        "-cr",
        "black",
        "-e",
    ]);
    xterm.args(["sh", "-c", &terminal_script(typed)]);
    let terminal = lab.start("xterm", &xterm)?;
    wait_for("the terminal opening", Duration::from_secs(15), || typed.exists().then_some(()))?;
    wait_for("the terminal showing itself", Duration::from_secs(15), || {
        screen.picture().ok().filter(|picture| picture.share([0, 0, 0]) > 10.0)
    })?;
    Ok(terminal)
}
