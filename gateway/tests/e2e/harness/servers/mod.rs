//! Desktops to be helped: real VNC and RDP servers, each with something to look at and somewhere to type.

mod content;
mod grd;
mod shadow;
mod wayvnc;
mod weston;
mod x11vnc;
mod xrdp;
mod xvnc;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Outcome;
use super::lab::Lab;
use super::picture::Picture;
use super::process::{Process, read};
use super::screen::Screen;
use super::wait::wait_for;

pub(crate) use content::BACKGROUND;

/// A kind of server and of login.
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
    /// xrdp with TLS and an account of the system.
    Xrdp,
    /// FreeRDP's shadow server with NLA, on an existing display.
    ShadowNla,
    /// FreeRDP's shadow server with TLS and no login.
    ShadowTls,
    /// gnome-remote-desktop with NLA, on a Wayland desktop.
    Grd,
    /// Weston's own RDP, with TLS and no login.
    Weston,
}

/// How to log in to a target.
#[derive(Default)]
pub(crate) struct Credentials {
    /// User name, if it has such a thing.
    pub(crate) username: Option<String>,
    /// Password, if it has such a thing.
    pub(crate) password: Option<String>,
    /// The certificate that the target shows, if it speaks TLS.
    pub(crate) certificate: Option<Certificate>,
}

/// A running desktop.
pub(crate) struct Target {
    /// The protocol that it speaks, by the configuration's name for it.
    pub(crate) protocol: &'static str,
    /// The port on the loopback interface where viewers connect.
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
    Xrdp(xrdp::Session),
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
            Server::Xrdp => xrdp::start(lab),
            Server::ShadowNla => shadow::start(lab, true),
            Server::ShadowTls => shadow::start(lab, false),
            Server::Grd => grd::start(lab),
            Server::Weston => weston::start(lab),
        }
    }

    /// What the desktop itself shows now.
    pub(crate) fn picture(&self) -> Outcome<Picture> {
        match &self.view {
            View::X(screen) => screen.picture(),
            View::Wayland(compositor) => compositor.picture(),
            View::Xrdp(session) => session.picture(),
        }
    }

    /// The X display of the desktop.
    pub(crate) fn display(&self) -> Outcome<String> {
        match &self.view {
            View::X(screen) => Ok(screen.name.clone()),
            View::Xrdp(session) => session.display(),
            View::Wayland(_) => Err("the desktop is Wayland's".into()),
        }
    }

    /// Runs a shell command as the user of the desktop and returns what it printed.
    pub(crate) fn run(&self, script: &str) -> Outcome<String> {
        match (&self.view, self.processes.first()) {
            (View::Xrdp(session), Some(server)) => session.run(server, script),
            _ => Err("only xrdp's desktop has a user of its own".into()),
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

    /// The process that speaks RFB or RDP.
    pub(crate) fn server(&mut self) -> Option<&mut Process> {
        match &mut self.view {
            View::X(screen) if self.processes.is_empty() => Some(screen.server()),
            _ => self.processes.first_mut(),
        }
    }
}

/// A certificate for the loopback interface.
pub(crate) struct Certificate {
    /// The certificate.
    pub(crate) file: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
    /// The certificate of the authority that signed it.
    pub(crate) authority: PathBuf,
}

impl Certificate {
    /// Makes an authority and a certificate that it signed, whose key is RSA's: what every TLS library in
    /// Debian 12 takes.
    pub(crate) fn make(lab: &Lab, name: &str) -> Outcome<Self> {
        let path = |suffix: &str| lab.path(&format!("{name}{suffix}"));
        let (authority, authority_key) = (path("-ca.crt"), path("-ca.key"));
        // Without the system's configuration, which would add extensions of its own.
        let bare = lab.write("openssl.cnf", "[req]\ndistinguished_name = dn\n[dn]\n")?;
        let request = || {
            let mut command = Command::new("openssl");
            command.args(["req", "-x509", "-nodes", "-days", "2", "-config"]).arg(&bare);
            command
        };
        read(
            request()
                .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=e2e authority"])
                .args(["-addext", "basicConstraints=critical,CA:TRUE", "-keyout"])
                .arg(&authority_key)
                .arg("-out")
                .arg(&authority),
        )?;
        let (file, key) = (path(".crt"), path(".key"));
        read(
            request()
                .args(["-newkey", "rsa:2048", "-subj", "/CN=localhost"])
                .args(["-addext", "basicConstraints=critical,CA:FALSE"])
                .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-CA"])
                .arg(&authority)
                .arg("-CAkey")
                .arg(&authority_key)
                .arg("-keyout")
                .arg(&key)
                .arg("-out")
                .arg(&file),
        )?;
        Ok(Self { file, key, authority })
    }
}

fn make_readable(path: &Path) -> Outcome {
    read(Command::new("chmod").arg("a+r").arg(path)).map(drop)
}
