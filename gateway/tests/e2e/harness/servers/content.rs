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

/// The pattern, as arguments of `xsetroot`.
const PATTERN: [&str; 7] = ["-mod", "40", "40", "-fg", "#cc3300", "-bg", "#336699"];

/// The terminal, as arguments of `xterm`.
const TERMINAL: [&str; 11] =
    ["-geometry", "60x20+180+140", "-fn", "fixed", "-bg", "black", "-fg", "white", "-cr", "black", "-e"];

/// A script that fills the X display of a session of its own and ends it with the terminal. It writes
/// the display's name to `display` in the session's home.
pub(super) fn x11_session(home: &Path, typed: &Path) -> String {
    let quoted = |words: &[&str]| words.iter().map(|word| format!(" '{word}'")).collect::<String>();
    format!(
        "#!/bin/sh\nset -eu\nxhost +local: >&2\nxsetroot{}\n\
         echo \"$DISPLAY\" >'{display}.new'\nmv '{display}.new' '{display}'\n\
         exec xterm{} sh -c \"{}\"\n",
        quoted(&PATTERN),
        quoted(&TERMINAL),
        terminal_script(typed),
        display = home.join("display").display(),
    )
}

/// Fills an X display. The terminal covers the middle, where the pointer of a new display is, so that it
/// has the focus.
pub(super) fn x11(lab: &Lab, screen: &Screen, typed: &Path) -> Outcome<Process> {
    read(screen.command("xsetroot").args(PATTERN))?;
    let mut xterm = screen.command("xterm");
    xterm.args(TERMINAL);
    xterm.args(["sh", "-c", &terminal_script(typed)]);
    let terminal = lab.start("xterm", &xterm)?;
    wait_for("the terminal opening", Duration::from_secs(15), || typed.exists().then_some(()))?;
    wait_for("the terminal showing itself", Duration::from_secs(15), || {
        screen.picture().ok().filter(|picture| picture.share([0, 0, 0]) > 10.0)
    })?;
    Ok(terminal)
}
