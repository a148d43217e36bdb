//! Targets: stock servers with something to look at.

mod shadow;
mod xrdp;

use std::net::SocketAddr;

use anyhow::Result;

use crate::bench::content::Content;

pub(crate) use shadow::Shadow;
pub(crate) use xrdp::Xrdp;

/// A server behind the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// FreeRDP's shadow server with NLA, which shows a terminal.
    Terminal,
    /// One more, with a moving picture.
    Motion,
    /// xrdp with TLS.
    Xrdp,
}

impl Target {
    /// Its name in configurations.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Target::Terminal => "terminal",
            Target::Motion => "motion",
            Target::Xrdp => "xrdp",
        }
    }

    /// What it is called in figures.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Target::Terminal | Target::Motion => "freerdp-shadow",
            Target::Xrdp => "xrdp",
        }
    }

    /// The only security that it accepts, which its viewers use on every way, as viewer and as configuration
    /// call it.
    pub(crate) fn security(self) -> &'static str {
        match self {
            Target::Terminal | Target::Motion => "nla",
            Target::Xrdp => "tls",
        }
    }

    /// Whom it lets in, and with which password.
    pub(crate) fn login(self) -> (&'static str, &'static str) {
        match self {
            Target::Terminal | Target::Motion => (shadow::USERNAME, shadow::PASSWORD),
            Target::Xrdp => (xrdp::USERNAME, xrdp::PASSWORD),
        }
    }
}

/// The servers of a run.
pub(crate) struct Servers {
    /// A target with a terminal.
    pub(crate) terminal: Shadow,
    /// A target with a moving picture, while a scenario needs one.
    pub(crate) motion: Shadow,
    /// A target with drives and a clipboard, unless this process may not start it.
    pub(crate) xrdp: Option<Xrdp>,
}

impl Servers {
    /// Where each of them listens.
    pub(crate) fn addresses(&self) -> Vec<(Target, SocketAddr)> {
        let mut addresses =
            vec![(Target::Terminal, self.terminal.address()), (Target::Motion, self.motion.address())];
        addresses.extend(self.xrdp.iter().map(|xrdp| (Target::Xrdp, xrdp.address())));
        addresses
    }

    /// Replaces what is on the screen of `target`.
    pub(crate) fn show(&mut self, target: Target, content: Option<Content>) -> Result<()> {
        match (target, &mut self.xrdp) {
            (Target::Terminal, _) => self.terminal.show(content),
            (Target::Motion, _) => self.motion.show(content),
            (Target::Xrdp, Some(xrdp)) => xrdp.show(content),
            (Target::Xrdp, None) => Ok(()),
        }
    }
}
