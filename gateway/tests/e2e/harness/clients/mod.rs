//! Technicians: stock VNC and RDP clients that log in, type a line and show what they see.

mod gtkvnc;
mod novnc;
pub(crate) mod rdp;
mod remmina;
mod tigervnc;
mod vncdotool;

use std::path::PathBuf;

use super::Outcome;
use super::lab::Lab;
use super::picture::Picture;
use super::process::{Process, read};
use super::screen::{SIZE, Screen};

/// Where a client points before it types: the middle, where the target's terminal is.
const MIDDLE: (usize, usize) = (SIZE.0 / 2, SIZE.1 / 2);

/// A kind of VNC client and of login.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Client {
    /// TigerVNC's viewer with a password.
    TigervncVncAuth,
    /// TigerVNC's viewer with a password inside TLS.
    TigervncX509Vnc,
    /// TigerVNC's viewer with user name and password inside TLS.
    TigervncX509Plain,
    /// vncdotool with a password.
    VncdotoolVncAuth,
    /// vncdotool with user name and password, Apple's way.
    VncdotoolArd,
    /// gtk-vnc, as in GNOME's clients, with a password.
    GtkvncVncAuth,
    /// gtk-vnc with user name and password, Apple's way.
    GtkvncArd,
    /// Remmina, which is libvncclient, with a password.
    RemminaVncAuth,
    /// Remmina with user name and password, Apple's way.
    RemminaArd,
    /// noVNC in Chromium through websockify, with a password.
    NovncVncAuth,
    /// noVNC with user name and password, Apple's way.
    NovncArd,
}

impl Client {
    /// The security type with which it logs in, by the name that the gateway's configuration uses.
    pub(crate) fn security(self) -> &'static str {
        match self {
            Self::TigervncVncAuth
            | Self::VncdotoolVncAuth
            | Self::GtkvncVncAuth
            | Self::RemminaVncAuth
            | Self::NovncVncAuth => "vnc_auth",
            Self::VncdotoolArd | Self::GtkvncArd | Self::RemminaArd | Self::NovncArd => "ard",
            Self::TigervncX509Vnc => "x509_vnc",
            Self::TigervncX509Plain => "x509_plain",
        }
    }

    /// Whether it gives a user name, so that the long ticket is its password.
    pub(crate) fn gives_username(self) -> bool {
        matches!(self.security(), "ard" | "x509_plain")
    }

    /// Connects, logs in and types a line in the middle of the desktop.
    pub(crate) fn connect(self, lab: &Lab, login: &Login, line: &str) -> Outcome<Viewer> {
        match self {
            Self::TigervncVncAuth => tigervnc::connect(lab, login, "VncAuth", line),
            Self::TigervncX509Vnc => tigervnc::connect(lab, login, "X509Vnc", line),
            Self::TigervncX509Plain => tigervnc::connect(lab, login, "X509Plain", line),
            Self::VncdotoolVncAuth | Self::VncdotoolArd => vncdotool::connect(lab, login, line),
            Self::GtkvncVncAuth | Self::GtkvncArd => gtkvnc::connect(lab, login, line),
            Self::RemminaVncAuth | Self::RemminaArd => remmina::connect(lab, login, line),
            Self::NovncVncAuth | Self::NovncArd => novnc::connect(lab, login, line),
        }
    }
}

/// What a technician knows.
pub(crate) struct Login {
    /// The port on the loopback interface.
    pub(crate) port: u16,
    /// What to give as the user name where one is asked for.
    pub(crate) username: Option<String>,
    /// What to give as the password.
    pub(crate) password: String,
    /// The certificate of the authority to trust.
    pub(crate) authority: PathBuf,
}

/// A connected client.
pub(crate) struct Viewer {
    window: Window,
    processes: Vec<Process>,
}

enum Window {
    /// It draws on an X display of its own.
    Screen(Screen),
    /// It writes what it sees to a file, again and again; the display is only there for its toolkit.
    File { path: PathBuf, _toolkit: Option<Screen> },
}

impl Viewer {
    /// What the technician sees now.
    pub(crate) fn picture(&self) -> Outcome<Picture> {
        match &self.window {
            Window::Screen(screen) => screen.picture(),
            Window::File { path, .. } => Picture::png(path),
        }
    }

    /// The X display on which the client draws.
    pub(crate) fn display(&self) -> Outcome<&str> {
        match &self.window {
            Window::Screen(screen) => Ok(&screen.name),
            Window::File { .. } => Err("the client has no display to look at".into()),
        }
    }

    /// Types another line in the middle of the desktop.
    pub(crate) fn type_line(&self, line: &str) -> Outcome {
        match &self.window {
            Window::Screen(screen) => screen.type_line(MIDDLE, line),
            Window::File { .. } => Err("the client has no display to type on".into()),
        }
    }

    /// Gives the client's window, which has this in its name, another size.
    pub(crate) fn resize(&self, name: &str, (width, height): (usize, usize)) -> Outcome {
        let Window::Screen(screen) = &self.window else {
            return Err("the client has no window".into());
        };
        let (width, height) = (width.to_string(), height.to_string());
        let search = ["search", "--onlyvisible", "--name", name, "windowsize", "%@", &width, &height];
        read(screen.command("xdotool").args(search)).map(drop)
    }

    /// The client's own process.
    pub(crate) fn client(&mut self) -> Option<&mut Process> {
        self.processes.first_mut()
    }
}
