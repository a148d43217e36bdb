//! Technicians with stock RDP clients.

mod aardwolf;
mod rdesktop;
mod xfreerdp;

use std::path::Path;
use std::time::Duration;

use super::super::Outcome;
use super::super::lab::Lab;
use super::super::picture::Picture;
use super::super::process::{Process, read};
use super::super::screen::Screen;
use super::super::servers::BACKGROUND;
use super::super::wait::wait_for;
use super::{Login, MIDDLE, Viewer, Window};

pub(crate) use aardwolf::prove;
pub(crate) use xfreerdp::{attempt, connect_file};

/// A colour that no desktop shows, so that another one means that the client drew.
const BLANK: &str = "#ff00ff";

/// A kind of client, of login and of options.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rdp {
    /// xfreerdp with NLA and these options.
    XfreerdpNla(&'static [&'static str]),
    /// xfreerdp with TLS and these options.
    XfreerdpTls(&'static [&'static str]),
    /// rdesktop, which knows NLA with Kerberos only, with TLS and these options.
    Rdesktop(&'static [&'static str]),
}

impl Rdp {
    /// The way in which it logs in, by the name that the gateway's configuration uses.
    pub(crate) fn security(self) -> &'static str {
        match self {
            Self::XfreerdpNla(_) => "nla",
            Self::XfreerdpTls(_) | Self::Rdesktop(_) => "tls",
        }
    }

    /// rdesktop with a drive, `share`. FreeRDP 2.11 waits for a message before it shows drives that xrdp 0.9 does
    /// not announce.
    pub(crate) fn drive(folder: &Path) -> Self {
        let option: &'static str = Box::leak(format!("disk:share={}", folder.display()).into_boxed_str());
        Self::Rdesktop(Box::leak(Box::new(["-r", option])))
    }

    /// Connects, logs in and types a line in the middle of the desktop.
    pub(crate) fn connect(self, lab: &Lab, login: &Login, line: &str) -> Outcome<Viewer> {
        match self {
            Self::XfreerdpNla(options) | Self::XfreerdpTls(options) => {
                xfreerdp::connect(lab, login, self.security(), options, line)
            }
            Self::Rdesktop(options) => rdesktop::connect(lab, login, options, line),
        }
    }
}

/// Types a line in the middle of the desktop.
fn type_line(screen: &Screen, line: &str) -> Outcome {
    // A Wayland desktop makes its keyboard with the first key, and programs miss that one.
    read(screen.command("xdotool").args([
        "mousemove",
        &MIDDLE.0.to_string(),
        &MIDDLE.1.to_string(),
        "key",
        "Shift_L",
    ]))?;
    screen.type_line(MIDDLE, line)
}

/// Waits until the client shows the desktop and its terminal, not just a frame or a login screen.
fn wait_desktop(screen: &Screen, client: &mut Process) -> Outcome {
    let shows = |picture: Picture| picture.share(BACKGROUND) > 20.0 && picture.share([0, 0, 0]) > 10.0;
    let name = client.name().to_owned();
    wait_for(&format!("{name} drawing"), Duration::from_secs(20), || match client.ended() {
        Some(status) => Some(Err(format!("{name} ended with {status} before it drew"))),
        None => screen.picture().is_ok_and(shows).then_some(Ok(())),
    })?
}
