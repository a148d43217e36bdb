//! x11vnc: shows a display that exists already.

use std::process::Command;

use super::super::Outcome;
use super::super::lab::Lab;
use super::super::net::{free_port, wait_listening};
use super::super::process::read;
use super::super::screen::{SIZE, Screen};
use super::{Credentials, Target, View, content};

const PASSWORD: &str = "x11vncpw";

pub(super) fn start(lab: &Lab) -> Outcome<Target> {
    let screen = Screen::xvfb(lab, "xvfb", SIZE)?;
    let typed = lab.path("typed");
    let terminal = content::x11(lab, &screen, &typed)?;
    let passwords = lab.path("x11vnc.passwd");
    read(Command::new("x11vnc").args(["-storepasswd", PASSWORD]).arg(&passwords))?;
    let port = free_port()?;
    let mut command = screen.command("x11vnc");
    // Shared memory of System V outlives a server that is killed, and the kernel has only so many segments.
    command
        .args(["-noshm", "-rfbport", &port.to_string(), "-listen", "127.0.0.1", "-no6", "-noipv6"])
        .args(["-forever", "-shared", "-noxdamage", "-noxrecord", "-wait", "10", "-defer", "10"])
        .arg("-rfbauth")
        .arg(passwords);
    let mut server = lab.start("x11vnc", &command)?;
    wait_listening(&mut server, port)?;
    let credentials = Credentials { password: Some(PASSWORD.to_owned()), ..Credentials::default() };
    Ok(Target {
        protocol: "vnc",
        port,
        credentials,
        typed,
        view: View::X(screen),
        processes: vec![server, terminal],
    })
}
