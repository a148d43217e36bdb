//! FreeRDP's client for X.

use std::path::Path;
use std::time::Duration;

use super::super::super::Outcome;
use super::super::super::lab::Lab;
use super::super::super::process::{Process, read};
use super::super::super::screen::{SIZE, Screen};
use super::{BLANK, Login, Viewer, Window, type_line, wait_desktop};

/// How an attempt ended that was not let in.
pub(crate) struct Ended {
    /// The client's exit status; FreeRDP has one for each kind of failure.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) said: String,
}

pub(super) fn connect(
    lab: &Lab,
    login: &Login,
    security: &str,
    options: &[&str],
    line: &str,
) -> Outcome<Viewer> {
    let arguments = [arguments(login, security), owned(options)].concat();
    let (screen, process) = start(lab, &arguments, &login.authority)?;
    begin(screen, process, line)
}

/// Connects as a `.rdp` file says.
pub(crate) fn connect_file(lab: &Lab, file: &Path, authority: &Path, line: &str) -> Outcome<Viewer> {
    let (screen, process) = start(lab, &[file.to_string_lossy().into_owned()], authority)?;
    begin(screen, process, line)
}

/// Tries to connect and waits for the client's end.
pub(crate) fn attempt(lab: &Lab, login: &Login, security: &str) -> Outcome<Ended> {
    let (_screen, mut process) = start(lab, &arguments(login, security), &login.authority)?;
    let code = process.wait(Duration::from_secs(20))?.code();
    Ok(Ended { code, said: lab.log_of("xfreerdp")? })
}

fn begin(screen: Screen, mut process: Process, line: &str) -> Outcome<Viewer> {
    wait_desktop(&screen, &mut process)?;
    type_line(&screen, line)?;
    Ok(Viewer { window: Window::Screen(screen), processes: vec![process] })
}

fn arguments(login: &Login, security: &str) -> Vec<String> {
    // By the name in the certificate, which it checks against the authority.
    let mut arguments = vec![
        format!("/v:localhost:{}", login.port),
        format!("/sec:{security}"),
        format!("/p:{}", login.password),
    ];
    arguments.extend(login.username.iter().map(|name| format!("/u:{name}")));
    arguments
}

fn owned(options: &[&str]) -> Vec<String> {
    options.iter().map(|&option| option.to_owned()).collect()
}

fn start(lab: &Lab, arguments: &[String], authority: &Path) -> Outcome<(Screen, Process)> {
    let screen = Screen::xvfb(lab, "xfreerdp-screen", SIZE)?;
    read(screen.command("xsetroot").args(["-solid", BLANK]))?;
    let mut command = screen.command("xfreerdp");
    command
        .args(arguments)
        .args(["/cert:deny", "/log-level:INFO", "-decorations", &format!("/size:{}x{}", SIZE.0, SIZE.1)])
        .env("SSL_CERT_FILE", authority)
        .env("HOME", lab.subfolder("xfreerdp-home")?)
        .env_remove("XDG_CONFIG_HOME");
    let process = lab.start("xfreerdp", &command)?;
    Ok((screen, process))
}
