//! Real desktops: Xvnc with something on its screen.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::bench::content::{Content, free_display};

use crate::bench::clock;
use crate::bench::process::{Process, command, free_address};

/// An Xvnc that offers None and VNC authentication.
pub(crate) struct Desktop {
    // Fields are dropped in this order: the clients end before their server.
    content: Option<Process>,
    _server: Process,
    address: SocketAddr,
    display: u32,
    directory: PathBuf,
}

impl Desktop {
    /// Starts Xvnc with a desktop of this size, such as `1920x1080`, and `password` for VNC authentication.
    pub(crate) fn start(name: &str, password: &str, size: &str, directory: &Path) -> Result<Self> {
        let display = free_display()?;
        let address = free_address()?;
        let passwords = directory.join("vncpasswd");
        let obscured = Command::new("sh")
            .args(["-c", "printf '%s\\n' \"$0\" | vncpasswd -f", password])
            .output()
            .context("cannot run vncpasswd")?;
        ensure!(obscured.status.success(), "vncpasswd failed");
        std::fs::write(&passwords, obscured.stdout)?;
        let mut xvnc = command("Xvnc", [&format!(":{display}"), "-rfbport", &address.port().to_string()]);
        xvnc.args(["-interface", "127.0.0.1", "-geometry", size, "-depth", "24", "-nolisten", "tcp"])
            .args(["-SecurityTypes", "None,VncAuth", "-AlwaysShared", "-ac", "-desktop", name])
            // Many connections come from one address and none of them is an attack.
            .args(["-BlacklistThreshold", "1000000", "-PasswordFile"])
            .arg(&passwords);
        let mut server = Process::start(name, xvnc, directory)?;
        server.wait_listening(address)?;
        Ok(Self { content: None, _server: server, address, display, directory: directory.to_owned() })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces what is on the screen and gives it time to appear.
    pub(crate) fn show(&mut self, content: Option<Content>) -> Result<()> {
        self.content = None;
        let Some(content) = content else { return Ok(()) };
        self.content = Some(content.start(self.display, &self.directory)?);
        clock::sleep_until(clock::now() + Duration::from_secs(2));
        Ok(())
    }
}

/// What has to be installed for real desktops.
pub(crate) const PROGRAMS: [(&str, &str); 2] =
    [("Xvnc", "tigervnc-standalone-server"), ("vncpasswd", "tigervnc-tools")];
