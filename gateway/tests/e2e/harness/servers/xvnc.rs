//! TigerVNC's Xvnc: an X display that is a VNC server.

use std::io::Write;
use std::process::{Command, Stdio};

use super::super::Outcome;
use super::super::lab::{Account, Lab};
use super::super::net::{free_port, wait_listening};
use super::super::screen::{SIZE, Screen};
use super::{Certificate, Credentials, Target, View, content};

const PASSWORD: &str = "xvncpass";

/// Starts Xvnc with one security type, by TigerVNC's name for it.
pub(super) fn start(lab: &Lab, security: &str) -> Outcome<Target> {
    let port = free_port()?;
    let mut command = Command::new("Xvnc");
    command
        .args(["-rfbport", &port.to_string(), "-interface", "127.0.0.1", "-depth", "24"])
        .args(["-geometry", &format!("{}x{}", SIZE.0, SIZE.1)])
        .args(["-SecurityTypes", security, "-AlwaysShared", "-desktop", "e2e-xvnc"]);
    let mut credentials = Credentials::default();
    if security.ends_with("VncAuth") || security.ends_with("Vnc") {
        command.arg("-PasswordFile").arg(lab.write_secret("xvnc.passwd", obfuscated(PASSWORD)?)?);
        credentials.password = Some(PASSWORD.to_owned());
    }
    if security.ends_with("Plain") {
        // Checked by the system's own accounts, so only root can run such a server.
        let account = Account::load()?;
        command.args(["-PAMService", "tigervnc", "-PlainUsers", &account.name]);
        credentials.username = Some(account.name);
        credentials.password = Some(account.password);
    }
    if security.starts_with("X509") {
        let certificate = Certificate::make(lab, "xvnc")?;
        command.arg("-X509Cert").arg(&certificate.file).arg("-X509Key").arg(&certificate.key);
        credentials.certificate = Some(certificate);
    }
    let mut screen = Screen::start(lab, "xvnc", command)?;
    wait_listening(screen.server(), port)?;
    let typed = lab.path("typed");
    let terminal = content::x11(lab, &screen, &typed)?;
    Ok(Target { protocol: "vnc", port, credentials, typed, view: View::X(screen), processes: vec![terminal] })
}

/// A password in the form in which TigerVNC keeps it.
fn obfuscated(password: &str) -> Outcome<Vec<u8>> {
    let mut tool = Command::new("vncpasswd")
        .arg("-f")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run vncpasswd: {error}"))?;
    let mut input = tool.stdin.take().ok_or("vncpasswd takes no input")?;
    writeln!(input, "{password}").map_err(|error| format!("vncpasswd: {error}"))?;
    drop(input);
    tool.wait_with_output().map(|output| output.stdout).map_err(|error| format!("vncpasswd: {error}"))
}
