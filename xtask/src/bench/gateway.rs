//! Passerelle as a peer: started from its binary with a configuration of its own.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::clock;
use super::process::{Process, command, free_address};

/// How long the gateway may take until commands can talk to it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether sessions are recorded, and in which directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recording {
    /// No.
    Off,
    /// Yes, in a new directory below this one.
    On(PathBuf),
}

/// What is in a gateway's configuration for one protocol.
pub(crate) struct Site {
    /// The protocol's name, as in `listen`.
    pub(crate) protocol: &'static str,
    /// Lines for viewers: their security, the gateway's certificate.
    pub(crate) viewers: String,
    /// A flow mapping for each target.
    pub(crate) targets: Vec<String>,
    /// What the technician may do, separated by commas.
    pub(crate) permissions: &'static str,
}

/// What a technician was given.
pub(crate) struct Ticket {
    /// The user name that names the technician and the target.
    pub(crate) username: String,
    /// The secret.
    pub(crate) ticket: String,
    /// The secret in the form that VNC authentication takes.
    pub(crate) vnc_password: String,
}

/// A running gateway.
pub(crate) struct Gateway {
    process: Process,
    program: PathBuf,
    configuration: PathBuf,
    control: PathBuf,
    address: SocketAddr,
    recordings: Option<PathBuf>,
    started_in: Duration,
}

impl Gateway {
    /// Starts `program serve` for `site`.
    pub(crate) fn start(program: &Path, site: &Site, recording: &Recording, parent: &Path) -> Result<Self> {
        let mut recordings = None;
        let mut gateway = Self::configured(program, parent, |address, directory| {
            if let Recording::On(parent) = recording {
                let path = parent.join(format!("passerelle-{}-recordings", address.port()));
                fs::create_dir(&path)?;
                recordings = Some(path);
            }
            Ok(yaml(address, site, recordings.as_deref(), directory))
        })?;
        gateway.recordings = recordings;
        Ok(gateway)
    }

    /// Starts `program serve` with the configuration that `yaml` makes of an address for viewers and a directory
    /// of the gateway's own, in which its data is to be in `data`.
    pub(crate) fn configured(
        program: &Path,
        parent: &Path,
        yaml: impl FnOnce(SocketAddr, &Path) -> Result<String>,
    ) -> Result<Self> {
        let address = free_address()?;
        let name = format!("passerelle-{}", address.port());
        let directory = parent.join(&name);
        fs::create_dir(&directory)?;
        let configuration = directory.join("passerelle.yaml");
        fs::write(&configuration, yaml(address, &directory)?)?;
        let mut serve = command(program, ["serve", "--config"]);
        serve.arg(&configuration);
        let began = clock::now();
        let mut gateway = Self {
            process: Process::start(&name, serve, parent)?,
            program: program.to_owned(),
            configuration,
            control: directory.join("data").join("control.sock"),
            address,
            recordings: None,
            started_in: Duration::ZERO,
        };
        gateway.process.wait_listening(address)?;
        gateway.wait_answering()?;
        gateway.started_in = clock::now().duration_since(began);
        Ok(gateway)
    }

    /// How long it took to start, until viewers and commands could connect.
    pub(crate) fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Its control socket.
    pub(crate) fn control(&self) -> &Path {
        &self.control
    }

    /// Waits until commands can talk to it.
    fn wait_answering(&self) -> Result<()> {
        let deadline = clock::now() + PATIENCE;
        while UnixStream::connect(&self.control).is_err() {
            ensure!(clock::now() < deadline, "the gateway's control socket does not answer");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Ends it and starts it anew with the same state.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.process.restart(self.address)?;
        self.wait_answering()
    }

    /// Where it listens for viewers.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// A fresh ticket for `target`.
    pub(crate) fn ticket(&self, target: &str) -> Result<Ticket> {
        let output = Command::new(&self.program)
            .args(["ticket", "alice", target, "--json", "--config"])
            .arg(&self.configuration)
            .output()
            .context("cannot run `passerelle ticket`")?;
        ensure!(
            output.status.success(),
            "`passerelle ticket` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let printed: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let text = |name: &str| {
            let text = printed.get(name).and_then(serde_json::Value::as_str);
            text.map(str::to_owned).with_context(|| format!("`passerelle ticket --json` printed no `{name}`"))
        };
        Ok(Ticket {
            username: text("username")?,
            ticket: text("ticket")?,
            vnc_password: text("vnc_password")?,
        })
    }

    /// Bytes that its recordings take so far, if it records.
    pub(crate) fn recorded_bytes(&self) -> Option<u64> {
        self.recordings.as_deref().map(size)
    }

    /// Deletes the recordings of sessions that have ended, to give the disk back.
    pub(crate) fn discard_recordings(&self) {
        let Some(recordings) = &self.recordings else { return };
        for entry in fs::read_dir(recordings).into_iter().flatten().flatten() {
            // What cannot be deleted now is deleted at the end.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

fn yaml(address: SocketAddr, site: &Site, recordings: Option<&Path>, directory: &Path) -> String {
    let Site { protocol, viewers, targets, permissions } = site;
    let targets: String = targets.iter().map(|target| format!("  - {target}\n")).collect();
    let recording = match recordings {
        None => "{ policy: off }".to_owned(),
        Some(recordings) => format!("{{ policy: required, directory: \"{}\" }}", recordings.display()),
    };
    format!(
        "data_dir: \"{}\"\n\
         listen: {{ {protocol}: \"{address}\" }}\n\
         {viewers}\
         users:\n  - {{ name: alice, groups: [helpdesk] }}\n\
         targets:\n{targets}\
         rules:\n  - {{ name: bench, groups: [helpdesk], targets: [\"*\"], permissions: [{permissions}] }}\n\
         tickets: {{ life: 10m }}\n\
         recording: {recording}\n\
         limits: {{ per_technician: 1000, per_target: 1000, sessions: 1000 }}\n\
         log: {{ level: warn }}\n",
        directory.join("data").display()
    )
}

/// Bytes in the files below `path`.
pub(crate) fn size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            // Deleted since it was listed.
            Err(_) => 0,
        })
        .sum()
}
