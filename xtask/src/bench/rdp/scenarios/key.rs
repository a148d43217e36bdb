//! Input latency.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Bench, TERMINAL, less};
use crate::bench::figures::quantile;
use crate::bench::rdp::viewer::{Hands, Viewer};

impl Bench {
    /// From a key to its pixels in a terminal.
    pub(super) fn key(&mut self) -> Result<()> {
        if !self.options.wants("key") {
            return Ok(());
        }
        let (rounds, keys) = (self.options.pick(5, 1), self.options.pick(60, 15));
        let peers = self.peers.running();
        for target in self.terminals() {
            let title = target.title();
            self.interleave(&format!("{keys} keys, {title}"), rounds, &peers, |bench, peer| {
                let endpoint = bench.peers.endpoint(peer, target)?;
                let (_viewer, _) = Viewer::connect(&endpoint, &bench.screen, &bench.directory)?;
                let mut hands = Hands::start(&bench.screen)?;
                thread::sleep(Duration::from_secs(1));
                let mut times = Vec::new();
                for pause in (0..keys).map(|key| 150 + key * 7919 % 60) {
                    thread::sleep(Duration::from_millis(pause));
                    times.extend(hands.press(&bench.screen, TERMINAL)?);
                }
                ensure!(times.len() as u64 * 10 >= keys * 9, "only {} of {keys} keys showed", times.len());
                for (name, q) in [("p50", 0.5), ("p90", 0.9)] {
                    let time = quantile(&times, q).context("no keys")?;
                    let key = less("key", format!("key to pixel {name}, {title}"), "ms");
                    bench.figures.enter(key, peer, time);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}
