//! Desktops to be helped: real VNC servers, each with something to look at and somewhere to type.

mod content;
mod wayvnc;
mod x11vnc;
mod xvnc;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::lab::Lab;
use super::picture::Picture;
use super::process::{read, Process};
use super::screen::Screen;
use super::wait::wait_for;
use super::Outcome;

pub(crate) use content::BACKGROUND;

/// A kind of VNC server and of login.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Server {
    /// TigerVNC's Xvnc without a login.
    XvncNone,
    /// Xvnc with a password.
    XvncVncAuth,
    /// Xvnc with TLS and no login.
    XvncX509None,
    /// Xvnc with TLS and a password.
    XvncX509Vnc,
    /// Xvnc with TLS and an account of the system.
    XvncX509Plain,
    /// x11vnc with a password, on an existing display.
    X11vnc,
    /// wayvnc without a login, on a Wayland desktop.
    Wayvnc,
    /// wayvnc with TLS, user name and password.
    WayvncX509Plain,
}

/// How to log in to a target.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    /// User name, if it has such a thing.
    pub(crate) username: Option<String>,
    /// Password, if it has such a thing.
    pub(crate) password: Option<String>,
    /// The certificate that the target shows, if it speaks TLS.
    pub(crate) certificate: Option<PathBuf>,
}

/// A running desktop.
pub(crate) struct Target {
    /// The port on the loopback interface that speaks RFB.
    pub(crate) port: u16,
    /// How to log in.
    pub(crate) credentials: Credentials,
    typed: PathBuf,
    view: View,
    /// The server first, so that it ends before what it shows.
    processes: Vec<Process>,
}

enum View {
    X(Screen),
    Wayland(wayvnc::Compositor),
}

impl Target {
    /// Starts a desktop and waits until it listens and shows its content.
    pub(crate) fn start(lab: &Lab, server: Server) -> Outcome<Self> {
        match server {
            Server::XvncNone => xvnc::start(lab, "None"),
            Server::XvncVncAuth => xvnc::start(lab, "VncAuth"),
            Server::XvncX509None => xvnc::start(lab, "X509None"),
            Server::XvncX509Vnc => xvnc::start(lab, "X509Vnc"),
            Server::XvncX509Plain => xvnc::start(lab, "X509Plain"),
            Server::X11vnc => x11vnc::start(lab),
            Server::Wayvnc => wayvnc::start(lab, false),
            Server::WayvncX509Plain => wayvnc::start(lab, true),
        }
    }

    /// What the desktop itself shows now.
    pub(crate) fn picture(&self) -> Outcome<Picture> {
        match &self.view {
            View::X(screen) => screen.picture(),
            View::Wayland(compositor) => compositor.picture(),
        }
    }

    /// Waits until this line has been typed on the desktop.
    pub(crate) fn wait_typed(&self, line: &str) -> Outcome {
        let typed = || fs::read_to_string(&self.typed).unwrap_or_default();
        wait_for("text typed in the viewer arriving on the target", Duration::from_secs(15), || {
            typed().lines().any(|typed| typed == line).then_some(())
        })
        .map_err(|error| format!("{error}: {line:?} was typed, {:?} arrived", typed()))
    }

    /// What has been typed on the desktop so far.
    pub(crate) fn typed(&self) -> String {
        fs::read_to_string(&self.typed).unwrap_or_default()
    }

    /// The process that speaks RFB.
    pub(crate) fn server(&mut self) -> Option<&mut Process> {
        match &mut self.view {
            View::X(screen) if self.processes.is_empty() => Some(screen.server()),
            _ => self.processes.first_mut(),
        }
    }
}

/// Makes an RSA certificate for the loopback interface, which the GnuTLS of Debian 12 accepts, and its
/// key. Both are readable by every account, as servers that do not run as root must read them.
pub(crate) fn certificate(lab: &Lab, name: &str) -> Outcome<(PathBuf, PathBuf)> {
    let (certificate, key) = (lab.path(&format!("{name}.crt")), lab.path(&format!("{name}.key")));
    read(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate),
    )?;
    Ok((certificate, key))
}

fn make_readable(path: &Path) -> Outcome {
    read(Command::new("chmod").arg("a+r").arg(path)).map(drop)
}
