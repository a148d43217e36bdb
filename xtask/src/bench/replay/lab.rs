//! What the sessions go through: targets, the gateway, the viewer's display.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use passerelle_auth::{Secret, hash_password};

use super::session::Protocol;
use crate::bench::auth::control::Control;
use crate::bench::content::Content;
use crate::bench::gateway::{Gateway, size};
use crate::bench::process::free_address;
use crate::bench::rdp::display::Display;
use crate::bench::rdp::servers::{Shadow, Target, Xrdp};
use crate::bench::vnc::desktop::Desktop;

/// What the auditor logs in with.
pub(super) const PASSWORD: &str = "correct horse battery staple";
/// Who views recordings.
pub(super) const AUDITOR: &str = "erin";

/// Everything that runs.
pub(super) struct Lab {
    // Fields are dropped in this order: what needs another ends before it.
    pub(super) gateway: Gateway,
    vnc: Desktop,
    pub(super) rdp: Rdp,
    /// Where the viewer is.
    pub(super) screen: Display,
    _aside: Display,
    vnc_address: SocketAddr,
    rdp_address: SocketAddr,
    /// Where the API and the web application are.
    pub(super) https: SocketAddr,
    /// For logs and other files.
    pub(super) directory: PathBuf,
    /// The gateway's data.
    pub(super) data: PathBuf,
}

/// The target of RDP: xrdp, or what takes no root to start.
pub(super) enum Rdp {
    Xrdp(Box<Xrdp>),
    Shadow(Box<Shadow>),
}

impl Rdp {
    fn target(&self) -> (Target, SocketAddr) {
        match self {
            Self::Xrdp(xrdp) => (Target::Xrdp, xrdp.address()),
            Self::Shadow(shadow) => (Target::Motion, shadow.address()),
        }
    }

    /// The only security that it accepts.
    pub(super) fn security(&self) -> &'static str {
        self.target().0.security()
    }

    fn show(&mut self, content: Option<Content>) -> Result<()> {
        match self {
            Self::Xrdp(xrdp) => xrdp.show(content),
            Self::Shadow(shadow) => shadow.show(content),
        }
    }
}

impl Lab {
    /// Starts all of it.
    pub(super) fn start(passerelle: &Path, directory: &Path) -> Result<Self> {
        let screen = Display::start("viewer", directory)?;
        let aside = Display::start("aside", directory)?;
        let rdp = if Xrdp::possible() {
            Rdp::Xrdp(Box::new(Xrdp::start(directory, &aside)?))
        } else {
            Rdp::Shadow(Box::new(Shadow::start("target", directory)?))
        };
        let vnc = Desktop::start("xvnc", "unusedpw", "1280x720", directory)?;
        let (rdp_address, https) = (free_address()?, free_address()?);
        let mut data = PathBuf::new();
        let gateway = Gateway::configured(passerelle, directory, |vnc_address, own| {
            data = own.join("data");
            yaml([vnc_address, rdp_address, https], vnc.address(), &rdp, own)
        })?;
        let vnc_address = gateway.address();
        let directory = directory.to_owned();
        Ok(Self {
            gateway,
            vnc,
            rdp,
            screen,
            _aside: aside,
            vnc_address,
            rdp_address,
            https,
            directory,
            data,
        })
    }

    /// The API, on a connection of its own.
    pub(super) fn control(&self) -> Result<Control> {
        Control::connect(self.gateway.control())
    }

    /// Replaces what the target's screen shows.
    pub(super) fn show(&mut self, protocol: Protocol, content: Option<Content>) -> Result<()> {
        match protocol {
            Protocol::Vnc => self.vnc.show(content),
            Protocol::Rdp => self.rdp.show(content),
        }
    }

    /// Where viewers connect, and the target's name.
    pub(super) fn way(&self, protocol: Protocol) -> (SocketAddr, &'static str) {
        match protocol {
            Protocol::Vnc => (self.vnc_address, "vnc"),
            Protocol::Rdp => (self.rdp_address, "rdp"),
        }
    }

    /// The directory of a recording.
    pub(super) fn recording(&self, id: &str) -> PathBuf {
        self.data.join("recordings").join(id)
    }

    /// Bytes of a recording.
    pub(super) fn size_of(&self, id: &str) -> Result<u64> {
        Ok(size(&self.recording(id)))
    }
}

fn yaml(
    [vnc_address, rdp_address, https]: [SocketAddr; 3],
    vnc: SocketAddr,
    rdp: &Rdp,
    directory: &Path,
) -> Result<String> {
    let hash = directory.join("password-hash");
    fs::write(&hash, hash_password(&Secret::new(PASSWORD.to_owned()), [7; 16])?.to_string())?;
    fs::set_permissions(&hash, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let (target, address) = rdp.target();
    let (username, password) = target.login();
    Ok(format!(
        "data_dir: \"{}\"\n\
         listen: {{ vnc: \"{vnc_address}\", rdp: \"{rdp_address}\", https: \"{https}\" }}\n\
         tls: {{ self_signed: true }}\n\
         vnc: {{ security: [vnc_auth] }}\n\
         rdp: {{ security: [nla, tls] }}\n\
         users:\n  - {{ name: alice, groups: [helpdesk] }}\n  \
         - {{ name: {AUDITOR}, groups: [revision], password_hash: \"file:{}\" }}\n\
         roles: {{ auditor: [revision] }}\n\
         targets:\n  - {{ name: vnc, protocol: vnc, address: \"{vnc}\" }}\n  \
         - {{ name: rdp, protocol: rdp, address: \"{address}\", security: [{}], \
         credentials: {{ username: {username}, password: \"insecure-inline:{password}\" }}, tls: {{ verify: insecure }} }}\n\
         rules:\n  - {{ name: bench, groups: [helpdesk], targets: [\"*\"], permissions: [view, pointer, keyboard] }}\n\
         tickets: {{ life: 10m }}\n\
         api: {{ requests_per_minute: 1000000 }}\n\
         recording: {{ policy: required }}\n\
         log: {{ level: warn }}\n",
        directory.join("data").display(),
        hash.display(),
        target.security(),
    ))
}
