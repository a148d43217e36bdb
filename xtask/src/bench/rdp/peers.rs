//! The ways from the viewer to a target, started.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use super::servers::Target;
use crate::bench::gateway::{Gateway, Recording, Site};
use crate::bench::peer::Peer;
use crate::bench::process::{Process, command, free_address};

/// Where a viewer connects, as whom, and how.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) username: String,
    pub(crate) password: String,
    /// The only security that the viewer offers.
    pub(crate) security: &'static str,
    /// Flags of the viewer beside its default ones.
    pub(crate) flags: &'static [&'static str],
}

impl Endpoint {
    /// `target` itself, which listens at `address`.
    pub(crate) fn direct(target: Target, address: SocketAddr) -> Self {
        let (username, password) = target.login();
        let (username, password) = (username.to_owned(), password.to_owned());
        Self { address, username, password, security: target.security(), flags: &[] }
    }
}

/// Every peer, started.
pub(crate) struct Peers {
    haproxy: Process,
    gateways: HashMap<Peer, Gateway>,
    addresses: HashMap<(Peer, Target), SocketAddr>,
}

impl Peers {
    /// Starts HAProxy in front of `targets`, and the gateways when there is a `passerelle` to run.
    pub(crate) fn start(
        targets: &[(Target, SocketAddr)],
        passerelle: Option<&Path>,
        directory: &Path,
    ) -> Result<Self> {
        let mut addresses: HashMap<_, _> =
            targets.iter().map(|(target, address)| ((Peer::Direct, *target), *address)).collect();
        let mut configuration =
            "global\n nbthread 1\n maxconn 2000\ndefaults\n mode tcp\n timeout connect 5s\n \
             timeout client 1h\n timeout server 1h\n"
                .to_owned();
        let mut fronts = Vec::new();
        for (target, address) in targets {
            let front = free_address()?;
            writeln!(configuration, "listen {}\n bind {front}\n server s {address}", target.name())?;
            addresses.insert((Peer::Haproxy, *target), front);
            fronts.push(front);
        }
        let file = directory.join("haproxy.cfg");
        fs::write(&file, configuration)?;
        let mut program = command("haproxy", ["-db", "-f"]);
        program.arg(&file);
        let mut haproxy = Process::start("haproxy", program, directory)?;
        for front in fronts {
            haproxy.wait_listening(front)?;
        }

        let mut gateways = HashMap::new();
        if let Some(program) = passerelle {
            let site = site(targets);
            for (peer, recording) in
                [(Peer::Plain, Recording::Off), (Peer::Recorded, Recording::On(directory.to_owned()))]
            {
                let gateway = Gateway::start(program, &site, &recording, directory)
                    .with_context(|| format!("starting {peer}"))?;
                addresses.extend(targets.iter().map(|(target, _)| ((peer, *target), gateway.address())));
                gateways.insert(peer, gateway);
            }
        }
        Ok(Self { haproxy, gateways, addresses })
    }

    /// The peers that run.
    pub(crate) fn running(&self) -> Vec<Peer> {
        let mut peers = vec![Peer::Direct, Peer::Haproxy];
        peers.extend([Peer::Plain, Peer::Recorded].iter().filter(|peer| self.gateways.contains_key(peer)));
        peers
    }

    /// Where a viewer connects to reach `target`, with a fresh ticket where one is needed.
    pub(crate) fn endpoint(&self, peer: Peer, target: Target) -> Result<Endpoint> {
        let address = self.addresses.get(&(peer, target)).with_context(|| format!("{peer} does not run"))?;
        let direct = Endpoint::direct(target, *address);
        match self.gateways.get(&peer) {
            Some(gateway) => {
                let ticket = gateway.ticket(target.name())?;
                Ok(Endpoint { username: ticket.username, password: ticket.ticket, ..direct })
            }
            None => Ok(direct),
        }
    }

    /// Starts the process between viewer and targets anew, so that it holds no memory of earlier sessions.
    pub(crate) fn restart(&mut self, peer: Peer) -> Result<()> {
        match (peer, self.gateways.get_mut(&peer)) {
            (_, Some(gateway)) => gateway.restart(),
            (Peer::Haproxy, None) => {
                let front = self.addresses.get(&(Peer::Haproxy, Target::Terminal));
                self.haproxy.restart(*front.context("HAProxy listens nowhere")?)
            }
            _ => Ok(()),
        }
    }

    /// The process that stands between viewer and target; none for the direct way.
    pub(crate) fn process(&self, peer: Peer) -> Option<&Process> {
        match peer {
            Peer::Haproxy => Some(&self.haproxy),
            gateway => self.gateways.get(&gateway).map(Gateway::process),
        }
    }

    /// The gateway behind `peer`, if it is one.
    pub(crate) fn gateway(&self, peer: Peer) -> Option<&Gateway> {
        self.gateways.get(&peer)
    }
}

/// What a gateway in front of `targets` has in its configuration. It logs in to each as a viewer would, and
/// viewers log in to it as they do without it. The servers' certificates are as good as any here.
fn site(targets: &[(Target, SocketAddr)]) -> Site {
    let entry = |(target, address): &(Target, SocketAddr)| {
        let (username, password) = target.login();
        format!(
            "{{ name: {}, protocol: rdp, address: \"{address}\", security: [{}], \
             credentials: {{ username: {username}, password: \"insecure-inline:{password}\" }}, \
             tls: {{ verify: insecure }} }}",
            target.name(),
            target.security()
        )
    };
    Site {
        protocol: "rdp",
        viewers: "tls: { self_signed: true }\nrdp: { security: [nla, tls] }\n".to_owned(),
        targets: targets.iter().map(entry).collect(),
        permissions: "view, pointer, keyboard, resize, clipboard.to_target, clipboard.from_target, \
                      files.to_target, files.from_target, drives, audio.out",
    }
}
