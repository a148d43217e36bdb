//! The time to the first picture, and what of it is the handshake that a gateway makes twice.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::{Bench, less};
use crate::bench::peer::Peer;
use crate::bench::rdp::servers::Target;
use crate::bench::rdp::viewer::{Login, Viewer, fail_to_log_in};

impl Bench {
    /// A gateway that ends both legs makes a second TLS handshake, and a second NLA where there is one, which
    /// takes what the first one takes without it: that is measured by itself, and shown.
    pub(super) fn picture(&mut self) -> Result<()> {
        if !self.options.wants("picture") {
            return Ok(());
        }
        let (rounds, peers) = (self.options.pick(15, 3), self.peers.running());
        for target in self.terminals() {
            let title = target.title();
            self.interleave(&format!("first picture, {title}"), rounds, &peers, |bench, peer| {
                let direct = bench.peers.endpoint(Peer::Direct, target)?;
                let Login { start, handshake } = fail_to_log_in(direct, &bench.screen, &bench.directory)?;

                // The server is still busy with the viewer that it turned away.
                thread::sleep(Duration::from_secs(1));
                let endpoint = bench.peers.endpoint(peer, target)?;
                let (viewer, took) = Viewer::connect(&endpoint, &bench.screen, &bench.directory)?;
                drop(viewer);

                let second = if bench.peers.gateway(peer).is_some() { handshake } else { 0.0 };
                let mut enter = |name: String, peer, value| {
                    bench.figures.enter(less("picture", name, "ms"), peer, value);
                };
                enter(format!("first picture, {title}"), peer, took);
                enter(format!("of it, start of the viewer, {title}"), Peer::Direct, start);
                enter(format!("of it, {} handshake, {title}", security(target)), Peer::Direct, handshake);
                enter(less_handshake(target), peer, took - second);
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The name of a figure that its aim names too.
pub(crate) fn less_handshake(target: Target) -> String {
    format!("first picture less a second {} handshake, {}", security(target), target.title())
}

fn security(target: Target) -> &'static str {
    if target.security() == "nla" { "TLS and NLA" } else { "TLS" }
}
