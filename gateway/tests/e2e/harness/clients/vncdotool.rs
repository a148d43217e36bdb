//! vncdotool, which does its commands and ends.

use std::process::Command;
use std::time::Duration;

use super::super::Outcome;
use super::super::lab::{Lab, tools};
use super::{Login, MIDDLE, Viewer, Window};

pub(super) fn connect(lab: &Lab, login: &Login, line: &str) -> Outcome<Viewer> {
    let shot = lab.path("vncdotool.png");
    let mut command = Command::new(tools().join("venv/bin/vncdo"));
    command.args(["-s", &format!("127.0.0.1::{}", login.port), "-p", &login.password]);
    if let Some(username) = &login.username {
        command.args(["-u", username]);
    }
    command
        .args(["--delay", "20"])
        .args(["move", &MIDDLE.0.to_string(), &MIDDLE.1.to_string(), "pause", "0.3"])
        .args(["type", line, "key", "enter", "pause", "1.5", "capture"])
        .arg(&shot)
        .env("HOME", lab.subfolder("vncdotool-home")?);
    let mut process = lab.start("vncdotool", &command)?;
    let status = process.wait(Duration::from_secs(30))?;
    if !status.success() {
        return Err(format!("vncdotool ended with {status}"));
    }
    Ok(Viewer { window: Window::File { path: shot, _toolkit: None }, processes: vec![process] })
}
