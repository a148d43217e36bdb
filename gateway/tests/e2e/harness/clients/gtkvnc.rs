//! gtk-vnc, the widget in GNOME's VNC clients, driven from Python.

use std::time::Duration;

use super::super::Outcome;
use super::super::lab::Lab;
use super::super::screen::{SIZE, Screen};
use super::super::wait::wait_for;
use super::{Login, MIDDLE, Viewer, Window};

pub(super) fn connect(lab: &Lab, login: &Login, line: &str) -> Outcome<Viewer> {
    let screen = Screen::xvfb(lab, "gtkvnc-screen", SIZE)?;
    let home = lab.subfolder("gtkvnc-home")?;
    let shot = lab.path("gtkvnc.png");
    // Not the `python3` of the path: GTK's bindings belong to the system's.
    let mut command = screen.command("/usr/bin/python3");
    command
        .arg(lab.write("gtkvnc.py", include_str!("gtkvnc.py"))?)
        .args([login.port.to_string(), MIDDLE.0.to_string(), MIDDLE.1.to_string(), line.to_owned()])
        .arg(&shot)
        .env("HOME", home)
        .env("NO_AT_BRIDGE", "1")
        .env("E2E_PASSWORD", &login.password)
        .env("E2E_USERNAME", login.username.as_deref().unwrap_or_default());
    let mut process = lab.start("gtkvnc", &command)?;
    wait_for("gtk-vnc drawing", Duration::from_secs(20), || match process.ended() {
        Some(status) => Some(Err(format!("gtk-vnc ended with {status} before it drew"))),
        None => shot.exists().then_some(Ok(())),
    })??;
    Ok(Viewer { window: Window::File { path: shot, _toolkit: Some(screen) }, processes: vec![process] })
}
