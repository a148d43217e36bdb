//! TigerVNC's viewer.

use std::time::Duration;

use super::super::Outcome;
use super::super::lab::Lab;
use super::super::process::read;
use super::super::screen::{SIZE, Screen};
use super::super::wait::wait_for;
use super::{Login, MIDDLE, Viewer, Window};

/// A colour that no target shows, so that another one means that the viewer drew.
const BLANK: &str = "#ff00ff";

pub(super) fn connect(lab: &Lab, login: &Login, security: &str, line: &str) -> Outcome<Viewer> {
    let screen = Screen::xvfb(lab, "tigervnc-screen", SIZE)?;
    read(screen.command("xsetroot").args(["-solid", BLANK]))?;
    let mut command = screen.command("xtigervncviewer");
    command
        .arg(format!("127.0.0.1::{}", login.port))
        .args(["-SecurityTypes", security, "-FullScreen=1", "-ReconnectOnError=0", "-AlertOnFatalError=0"])
        .arg("-X509CA")
        .arg(&login.authority)
        .env("HOME", lab.subfolder("tigervnc-home")?)
        .env("VNC_PASSWORD", &login.password)
        .env_remove("VNC_USERNAME");
    if let Some(username) = &login.username {
        command.env("VNC_USERNAME", username);
    }
    let mut process = lab.start("tigervnc", &command)?;
    wait_for("TigerVNC's viewer drawing", Duration::from_secs(20), || match process.ended() {
        Some(status) => Some(Err(format!("TigerVNC's viewer ended with {status} before it drew"))),
        None => {
            let picture = screen.picture().ok()?;
            (picture.share([0xff, 0, 0xff]) < 5.0 && picture.share([0, 0, 0]) < 60.0).then_some(Ok(()))
        }
    })??;
    screen.type_line(MIDDLE, line)?;
    Ok(Viewer { window: Window::Screen(screen), processes: vec![process] })
}
