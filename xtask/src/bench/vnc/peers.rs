//! The ways from the viewer to a target, started.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use super::client::{Endpoint, Login, Wire};
use super::delay;
use crate::bench::gateway::{Gateway, Recording, Site};
use crate::bench::peer::{LONG_LINE, Line, Peer};
use crate::bench::places::Places;
use crate::bench::process::{Process, command, free_address};

/// A server behind the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// Xvnc with a terminal.
    Terminal,
    /// Xvnc with a moving picture.
    Motion,
    /// The synthetic source.
    Source,
}

impl Target {
    const ALL: [Target; 3] = [Target::Terminal, Target::Motion, Target::Source];

    /// Its name in the gateway's configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Target::Terminal => "terminal",
            Target::Motion => "motion",
            Target::Source => "source",
        }
    }
}

/// Every peer, started.
pub(crate) struct Peers {
    haproxy: Process,
    websockify: HashMap<Target, Process>,
    gateways: HashMap<Peer, Gateway>,
    addresses: HashMap<(Peer, Target), SocketAddr>,
    delayed: HashMap<SocketAddr, SocketAddr>,
    password: String,
}

impl Peers {
    /// Starts the proxies in front of `targets`, which ask for `password` when a viewer chooses VNC
    /// authentication, and the gateways when there is a `passerelle` to run.
    pub(crate) fn start(
        targets: &[(Target, SocketAddr)],
        password: &str,
        passerelle: Option<&Path>,
        places: &Places,
    ) -> Result<Self> {
        let directory = places.disk.as_path();
        let mut addresses: HashMap<_, _> =
            targets.iter().map(|(target, address)| ((Peer::Direct, *target), *address)).collect();

        let mut configuration =
            "global\n nbthread 1\n maxconn 2000\ndefaults\n mode tcp\n timeout connect 5s\n \
             timeout client 1h\n timeout server 1h\n"
                .to_owned();
        for (target, address) in targets {
            let front = free_address()?;
            writeln!(configuration, "listen {}\n bind {front}\n server s {address}", target.name())?;
            addresses.insert((Peer::Haproxy, *target), front);
        }
        let file = directory.join("haproxy.cfg");
        fs::write(&file, configuration)?;
        let file = file.to_str().context("the directory's name is not UTF-8")?;
        let mut haproxy = Process::start("haproxy", command("haproxy", ["-db", "-f", file]), directory)?;

        let mut websockify = HashMap::new();
        for (target, address) in targets {
            let front = free_address()?;
            let program = command("websockify", [front.to_string(), address.to_string()]);
            let mut process = Process::start(&format!("websockify-{}", target.name()), program, directory)?;
            process.wait_listening(front)?;
            websockify.insert(*target, process);
            addresses.insert((Peer::Websockify, *target), front);
        }
        for ((peer, _), address) in &addresses {
            if *peer == Peer::Haproxy {
                haproxy.wait_listening(*address)?;
            }
        }

        let mut gateways = HashMap::new();
        if let Some(program) = passerelle {
            let site = site(targets);
            for (peer, recording) in [
                (Peer::Plain, Recording::Off),
                (Peer::Recorded, Recording::On(places.disk.clone())),
                (Peer::RecordedInMemory, Recording::On(places.memory.clone())),
            ] {
                let gateway = Gateway::start(program, &site, &recording, directory)
                    .with_context(|| format!("starting {peer}"))?;
                addresses.extend(Target::ALL.map(|target| ((peer, target), gateway.address())));
                gateways.insert(peer, gateway);
            }
        }

        let mut delayed = HashMap::new();
        for address in addresses.values() {
            if !delayed.contains_key(address) {
                delayed.insert(*address, delay::start(*address, LONG_LINE)?);
            }
        }
        Ok(Self { haproxy, websockify, gateways, addresses, delayed, password: password.to_owned() })
    }

    /// The peers that run, in the order in which they are compared.
    pub(crate) fn running(&self) -> Vec<Peer> {
        let runs = |peer: &Peer| {
            matches!(peer, Peer::Direct | Peer::Haproxy | Peer::Websockify)
                || self.gateways.contains_key(peer)
        };
        Peer::ALL.into_iter().filter(runs).collect()
    }

    /// Whether `peer` runs.
    pub(crate) fn runs(&self, peer: Peer) -> bool {
        self.running().contains(&peer) || self.gateways.contains_key(&peer)
    }

    /// Where a viewer connects to reach `target`, with a fresh ticket where one is needed. The other
    /// peers hand the viewer's login to the target, which then asks for nothing.
    pub(crate) fn endpoint(&self, peer: Peer, target: Target, line: Line) -> Result<Endpoint> {
        let endpoint = self.endpoint_with_password(peer, target, line)?;
        let login = if self.gateways.contains_key(&peer) { endpoint.login } else { Login::None };
        Ok(Endpoint { login, ..endpoint })
    }

    /// The same with VNC authentication everywhere, for scenarios that measure the login.
    pub(crate) fn endpoint_with_password(&self, peer: Peer, target: Target, line: Line) -> Result<Endpoint> {
        let near = self.addresses.get(&(peer, target)).with_context(|| format!("{peer} does not run"))?;
        let address = match line {
            Line::Short => near,
            Line::Long => self.delayed.get(near).context("there is no long line")?,
        };
        let login = match self.gateways.get(&peer) {
            Some(gateway) => Login::Password(gateway.ticket(target.name())?.vnc_password),
            None => Login::Password(self.password.clone()),
        };
        let wire = if peer == Peer::Websockify { Wire::WebSocket } else { Wire::Tcp };
        Ok(Endpoint { address: *address, wire, login })
    }

    /// Starts the process between the viewer and `target` anew, so that it holds no memory of earlier
    /// sessions.
    pub(crate) fn restart(&mut self, peer: Peer, target: Target) -> Result<()> {
        let Some(address) = self.addresses.get(&(peer, target)).copied() else { return Ok(()) };
        match peer {
            Peer::Direct => Ok(()),
            Peer::Haproxy => self.haproxy.restart(address),
            Peer::Websockify => match self.websockify.get_mut(&target) {
                Some(process) => process.restart(address),
                None => Ok(()),
            },
            gateway => match self.gateways.get_mut(&gateway) {
                Some(gateway) => gateway.restart(),
                None => Ok(()),
            },
        }
    }

    /// The process that stands between the viewer and `target`; none for the direct way.
    pub(crate) fn process(&self, peer: Peer, target: Target) -> Option<&Process> {
        match peer {
            Peer::Direct => None,
            Peer::Haproxy => Some(&self.haproxy),
            Peer::Websockify => self.websockify.get(&target),
            gateway => self.gateways.get(&gateway).map(Gateway::process),
        }
    }

    /// The gateway behind `peer`, if it is one.
    pub(crate) fn gateway(&self, peer: Peer) -> Option<&Gateway> {
        self.gateways.get(&peer)
    }
}

/// What a gateway in front of `targets` has in its configuration.
fn site(targets: &[(Target, SocketAddr)]) -> Site {
    Site {
        protocol: "vnc",
        viewers: "vnc: { security: [vnc_auth] }\n".to_owned(),
        targets: targets
            .iter()
            .map(|(target, address)| {
                format!("{{ name: {}, protocol: vnc, address: \"{address}\" }}", target.name())
            })
            .collect(),
        permissions: "view, pointer, keyboard",
    }
}
