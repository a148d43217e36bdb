//! Many sessions: what each takes, and how fast they begin.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Bench, encodings};
use crate::bench::clock;
use crate::bench::figures::Key;
use crate::bench::peer::{Line, Peer};
use crate::bench::vnc::client::{Endpoint, TIGHT, Viewer};
use crate::bench::vnc::peers::Target;

/// Active sessions at a time, and updates a second of each.
const ACTIVE: (usize, u32) = (10, 10);

impl Bench {
    /// Complete logins, one after the other, up to ServerInit.
    pub(super) fn connections(&mut self, line: Line) -> Result<()> {
        if !self.options.wants("connections") {
            return Ok(());
        }
        let (rounds, logins) = match line {
            Line::Short => (self.options.pick(3, 1), self.options.pick(100, 40)),
            Line::Long => (1, self.options.pick(10, 4)),
        };
        let peers = self.peers.running();
        self.interleave("logins", line, rounds, &peers, |bench, peer| {
            let endpoints: Vec<Endpoint> = (0..logins)
                .map(|_| bench.peers.endpoint_with_password(peer, Target::Source, line))
                .collect::<Result<_>>()?;
            let began = clock::now();
            for endpoint in &endpoints {
                Viewer::connect(endpoint, &encodings(TIGHT))?;
            }
            let elapsed = clock::now().duration_since(began).as_secs_f64();
            let key = Key::more("connections", "logins", "1/s", line);
            bench.figures.enter(key, peer, endpoints.len() as f64 / elapsed);
            Ok(())
        })
    }

    /// Memory and CPU of idle sessions, each after its first picture, and of active ones.
    pub(super) fn memory(&mut self) -> Result<()> {
        if !self.options.wants("memory") {
            return Ok(());
        }
        let sessions = self.options.pick(100, 30);
        let watched = Duration::from_secs(self.options.pick(10, 3));
        let peers: Vec<Peer> =
            self.peers.running().into_iter().filter(|peer| *peer != Peer::Direct).collect();
        self.interleave(&format!("{sessions} idle sessions"), Line::Short, 1, &peers, |bench, peer| {
            bench.peers.restart(peer, Target::Source)?;
            let before = bench.memory_of(peer, Target::Source).context("no process")?;
            let mut viewers = Vec::new();
            for _ in 0..sessions {
                let endpoint = bench.peers.endpoint(peer, Target::Source, Line::Short)?;
                let mut viewer = Viewer::connect(&endpoint, &encodings(TIGHT))?;
                viewer.request(false, viewer.screen())?;
                viewer.update()?;
                viewer.request(true, viewer.screen())?;
                viewer.rest();
                viewers.push(viewer);
            }
            // What the logins left to do is done before the idle time is watched.
            thread::sleep(Duration::from_millis(1500));
            let cpu = bench.cpu(peer, Target::Source).context("no process")?;
            thread::sleep(watched);
            let used = bench.cpu(peer, Target::Source).context("no process")? - cpu;
            let memory = bench.memory_of(peer, Target::Source).context("no process")? - before;
            drop(viewers);
            let count = f64::from(sessions);
            let key = Key::less("memory", "memory of an idle session", "KiB", Line::Short);
            bench.figures.enter(key, peer, memory / count);
            let key = Key::less("memory", "CPU of 100 idle sessions", "s/min", Line::Short);
            bench.figures.enter(key, peer, used / watched.as_secs_f64() * 60.0 * 100.0 / count);
            Ok(())
        })?;
        let (active, rate) = ACTIVE;
        let what = format!("{active} sessions with {rate} Tight updates a second");
        self.interleave(&what, Line::Short, 1, &peers, |bench, peer| {
            bench.peers.restart(peer, Target::Source)?;
            let endpoints: Vec<Endpoint> = (0..active)
                .map(|_| bench.peers.endpoint(peer, Target::Source, Line::Short))
                .collect::<Result<_>>()?;
            let before = bench.memory_of(peer, Target::Source).context("no process")?;
            let workers: Vec<_> = endpoints
                .into_iter()
                .map(|endpoint| thread::spawn(move || stay_active(&endpoint, rate, watched)))
                .collect();
            thread::sleep(watched * 3 / 4);
            let memory = bench.memory_of(peer, Target::Source).context("no process")? - before;
            for worker in workers {
                worker.join().map_err(|_| anyhow::anyhow!("a viewer's thread panicked"))??;
            }
            let key = Key::less("memory", "memory of an active session", "KiB", Line::Short);
            bench.figures.enter(key, peer, memory / active as f64);
            Ok(())
        })
    }
}

fn stay_active(endpoint: &Endpoint, rate: u32, during: Duration) -> Result<()> {
    let mut viewer = Viewer::connect(endpoint, &encodings(TIGHT))?;
    let mut next = clock::now();
    let until = next + during;
    while next < until {
        viewer.request(false, viewer.screen())?;
        viewer.update()?;
        next += Duration::from_secs(1) / rate;
        clock::sleep_until(next);
    }
    Ok(())
}
