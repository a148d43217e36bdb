//! Idle sessions.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Bench, less};
use crate::bench::clock;
use crate::bench::peer::Peer;
use crate::bench::rdp::meter::Meter;
use crate::bench::rdp::servers::Target;
use crate::bench::rdp::viewer::{Viewer, through};

/// The name of a figure that its aim names too.
pub(crate) const FURTHER_IDLE: &str = "memory of a further idle session";
/// How long viewers may take for their pictures.
const PATIENCE: Duration = Duration::from_secs(30);

impl Bench {
    /// Memory and CPU of idle sessions, each after its first picture. The first session of a process also brings
    /// code and tables to memory that all others share, so it counts by itself, and what a session takes is
    /// what each further one adds.
    pub(super) fn memory(&mut self) -> Result<()> {
        if !self.options.wants("memory") {
            return Ok(());
        }
        let (rounds, count) = (self.options.pick(2, 1), self.options.pick(10, 5));
        let watched = Duration::from_secs(self.options.pick(10, 4));
        let peers: Vec<Peer> =
            self.peers.running().into_iter().filter(|peer| *peer != Peer::Direct).collect();
        self.interleave(&format!("1 and {count} further idle sessions"), rounds, &peers, |bench, peer| {
            bench.peers.restart(peer)?;
            let fresh = bench.resident(peer)?;
            let mut viewers = vec![bench.resting(peer)?];
            let first = bench.resident(peer)?;
            bench.add(peer, count, &mut viewers)?;
            let cpu = bench.peers.process(peer).context("no process")?.cpu_seconds();
            thread::sleep(watched);
            let used = bench.peers.process(peer).context("no process")?.cpu_seconds() - cpu;
            let all = bench.resident(peer)?;
            for (viewer, _) in &mut viewers {
                viewer.must_run()?;
            }

            let further = count as f64;
            let per_minute = used / watched.as_secs_f64() * 60.0 / (further + 1.0);
            let mut enter = |name, unit, value| {
                bench.figures.enter(less("memory", name, unit), peer, value);
            };
            enter(FURTHER_IDLE, "KiB", (all - first) / further);
            enter("memory of the first idle session, with code", "KiB", first - fresh);
            enter("CPU of an idle session", "s/min", per_minute);
            Ok(())
        })
    }

    /// Resident KiB of what stands between viewer and targets.
    pub(super) fn resident(&self, peer: Peer) -> Result<f64> {
        Ok(self.peers.process(peer).context("no process")?.resident_kib())
    }

    /// A session that has its picture and came to rest, aside.
    pub(super) fn resting(&self, peer: Peer) -> Result<(Viewer, Meter)> {
        let endpoint = self.peers.endpoint(peer, Target::Terminal)?;
        let meter = Meter::start(endpoint.address)?;
        let endpoint = through(endpoint, meter.address());
        let (viewer, _) = Viewer::connect(&endpoint, &self.aside, &self.directory)?;
        thread::sleep(Duration::from_secs(2));
        Ok((viewer, meter))
    }

    /// Adds `count` sessions to the one in `viewers` and waits until they came to rest.
    fn add(&self, peer: Peer, count: usize, viewers: &mut Vec<(Viewer, Meter)>) -> Result<()> {
        // Windows hide each other, so a picture is known by what came for it.
        let picture = viewers.first().map_or(0, |(_, meter)| meter.to_viewer());
        for _ in 0..count {
            let endpoint = self.peers.endpoint(peer, Target::Terminal)?;
            let meter = Meter::start(endpoint.address)?;
            let endpoint = through(endpoint, meter.address());
            viewers.push((Viewer::start(&endpoint, &self.aside, &self.directory)?, meter));
        }
        let deadline = clock::now() + PATIENCE;
        while viewers.iter().any(|(_, meter)| meter.to_viewer() < picture / 2) {
            ensure!(clock::now() < deadline, "not every session got its picture");
            thread::sleep(Duration::from_millis(50));
        }
        thread::sleep(Duration::from_secs(2));
        Ok(())
    }
}
