//! Weston with its RDP backend: a Wayland desktop whose only screen is the RDP client's. It asks nobody
//! for a password.

use std::process::Command;
use std::time::Duration;

use super::super::Outcome;
use super::super::lab::Lab;
use super::super::net::{free_port, wait_listening};
use super::super::screen::{SIZE, Screen};
use super::super::wait::wait_for;
use super::{Certificate, Credentials, Target, View, content};

/// One window, in the corner, at once.
const CONFIGURATION: &str = "[core]\nshell=desktop-shell.so\nidle-time=0\n\
    [shell]\nlocking=false\npanel-position=none\nanimation=none\nstartup-animation=none\n\
    close-animation=none\nfocus-animation=none\n";

pub(super) fn start(lab: &Lab) -> Outcome<Target> {
    let certificate = Certificate::make(lab, "weston")?;
    let runtime = lab.private_folder("weston")?;
    let port = free_port()?;
    let mut command = Command::new("weston");
    command
        .args(["--backend=rdp-backend.so", "--address=127.0.0.1", "--socket=wayland-e2e"])
        .args([format!("--port={port}"), format!("--width={}", SIZE.0), format!("--height={}", SIZE.1)])
        .arg(format!("--rdp-tls-cert={}", certificate.file.display()))
        .arg(format!("--rdp-tls-key={}", certificate.key.display()))
        .arg(format!("--config={}", lab.write("weston.ini", CONFIGURATION)?.display()))
        .env("XDG_RUNTIME_DIR", &runtime);
    let mut server = lab.start("weston", &command)?;
    wait_listening(&mut server, port)?;
    let socket = runtime.join("wayland-e2e");
    wait_for("weston opening its socket", Duration::from_secs(10), || socket.exists().then_some(()))?;

    let screen = Screen::xwayland(lab, &runtime, &socket)?;
    let typed = lab.path("typed");
    let terminal = content::x11(lab, &screen, &typed)?;
    let credentials = Credentials { certificate: Some(certificate), ..Credentials::default() };
    Ok(Target {
        protocol: "rdp",
        port,
        credentials,
        typed,
        view: View::X(screen),
        processes: vec![server, terminal],
    })
}
