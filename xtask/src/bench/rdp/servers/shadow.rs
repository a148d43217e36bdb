//! FreeRDP's shadow server, which shows an X display and asks for NLA. It has neither clipboard nor drives.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::bench::content::Content;
use crate::bench::process::{Process, command, free_address};
use crate::bench::rdp::display::Display;

/// Whom it lets in.
pub(super) const USERNAME: &str = "helper";
/// With this password.
pub(super) const PASSWORD: &str = "shadowpass1";

/// A running server.
pub(crate) struct Shadow {
    // Fields are dropped in this order: the server ends before its display.
    _process: Process,
    display: Display,
    address: SocketAddr,
}

impl Shadow {
    /// Starts it with nothing but a coloured ground on its screen.
    pub(crate) fn start(name: &str, parent: &Path) -> Result<Self> {
        let mut display = Display::start(name, parent)?;
        display.show(None)?;
        let home = parent.join(format!("{name}-server"));
        fs::create_dir(&home)?;
        let hash = Command::new("winpr-hash")
            .args(["-u", USERNAME, "-p", PASSWORD, "-f", "sam"])
            .output()
            .context("cannot run winpr-hash")?;
        ensure!(hash.status.success(), "winpr-hash failed");
        let accounts = home.join("sam");
        fs::write(&accounts, hash.stdout)?;
        let address = free_address()?;
        let mut shadow = command("freerdp-shadow-cli", ["/bind-address:127.0.0.1", "/sec:nla"]);
        shadow
            .arg(format!("/port:{}", address.port()))
            .arg(format!("/sam-file:{}", accounts.display()))
            .env("DISPLAY", display.name())
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", &home);
        let mut process = Process::start("shadow", shadow, &home)?;
        process.wait_listening(address)?;
        Ok(Self { _process: process, display, address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces what is on its screen.
    pub(crate) fn show(&mut self, content: Option<Content>) -> Result<()> {
        self.display.show(content)
    }
}
