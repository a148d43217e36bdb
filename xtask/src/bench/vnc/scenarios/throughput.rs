//! Updates per second, as fast as they come and at a pace.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, encoding_name, encodings};
use crate::bench::clock;
use crate::bench::content::Content;
use crate::bench::figures::Key;
use crate::bench::peer::{Line, Peer};
use crate::bench::vnc::client::{Endpoint, RAW, TIGHT, Viewer, ZRLE};
use crate::bench::vnc::peers::Target;

/// Updates a second of the paced runs.
const PACE: u32 = 25;

impl Bench {
    /// Full Raw updates of Xvnc and of the source.
    pub(super) fn raw(&mut self, line: Line) -> Result<()> {
        if !self.options.wants("raw") {
            return Ok(());
        }
        let seconds = self.options.pick(1.0, 0.6);
        let mut peers = self.peers.running();
        if line == Line::Short && self.peers.runs(Peer::RecordedInMemory) {
            peers.push(Peer::RecordedInMemory);
        }
        let rounds = match line {
            Line::Short => self.options.pick(5, 2),
            Line::Long => self.options.pick(2, 1),
        };
        for (target, of) in [(Target::Terminal, "Xvnc"), (Target::Source, "source")] {
            self.interleave(&format!("Raw updates of {of}"), line, rounds, &peers, |bench, peer| {
                let endpoint = bench.peers.endpoint(peer, target, line)?;
                let cpu = bench.cpu(peer, target);
                let seen = unpaced(&endpoint, RAW, seconds)?;
                bench.figures.enter(
                    Key::more("raw", format!("Raw, {of}"), "updates/s", line),
                    peer,
                    seen.rate,
                );
                if let (Some(before), Some(after)) = (cpu, bench.cpu(peer, target)) {
                    let key = Key::less("raw", format!("Raw, {of}: CPU of the proxy"), "s/GB", line);
                    bench.figures.enter(key, peer, (after - before) / seen.bytes * 1e9);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Full ZRLE and Tight updates of Xvnc and of the source.
    pub(super) fn compressed(&mut self, line: Line) -> Result<()> {
        if !self.options.wants("compressed") {
            return Ok(());
        }
        let seconds = self.options.pick(0.8, 0.4);
        let rounds = match line {
            Line::Short => self.options.pick(3, 1),
            Line::Long => 1,
        };
        self.motion.show(Some(Content::Motion(10)))?;
        for (target, of) in [(Target::Motion, "Xvnc"), (Target::Source, "source")] {
            if target == Target::Source {
                self.motion.show(None)?;
            }
            for encoding in [ZRLE, TIGHT] {
                let name = format!("{}, {of}", encoding_name(encoding));
                let peers = self.peers.running();
                self.interleave(&format!("updates in {name}"), line, rounds, &peers, |bench, peer| {
                    let endpoint = bench.peers.endpoint(peer, target, line)?;
                    let seen = unpaced(&endpoint, encoding, seconds)?;
                    let key = Key::more("compressed", name.clone(), "updates/s", line);
                    bench.figures.enter(key, peer, seen.rate);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// 25 requests a second for full ZRLE and Tight updates, whether the last one has come or not.
    pub(super) fn paced(&mut self, line: Line) -> Result<()> {
        if !self.options.wants("paced") {
            return Ok(());
        }
        let seconds = self.options.pick(2, 1);
        let rounds = match line {
            Line::Short => self.options.pick(2, 1),
            Line::Long => 1,
        };
        self.motion.show(Some(Content::Motion(10)))?;
        for (target, of) in [(Target::Motion, "Xvnc"), (Target::Source, "source")] {
            if target == Target::Source {
                self.motion.show(None)?;
            }
            for encoding in [ZRLE, TIGHT] {
                let name = format!("{} at {PACE}/s, {of}", encoding_name(encoding));
                let peers = self.peers.running();
                self.interleave(&name, line, rounds, &peers, |bench, peer| {
                    let endpoint = bench.peers.endpoint(peer, target, line)?;
                    let rate = paced(&endpoint, encoding, seconds)?;
                    bench.figures.enter(Key::more("paced", name.clone(), "updates/s", line), peer, rate);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// CPU seconds of what stands between the viewer and `target`.
    pub(super) fn cpu(&self, peer: Peer, target: Target) -> Option<f64> {
        Some(self.peers.process(peer, target)?.cpu_seconds())
    }
}

/// Loads what is at `endpoint` with Raw updates for `seconds`.
pub(crate) fn load(endpoint: &Endpoint, seconds: f64) -> Result<()> {
    unpaced(endpoint, RAW, seconds).map(|_| ())
}

struct Seen {
    rate: f64,
    bytes: f64,
}

/// Asks for the next full update when the last one has come, for `seconds`.
fn unpaced(endpoint: &Endpoint, encoding: i32, seconds: f64) -> Result<Seen> {
    let mut viewer = Viewer::connect(endpoint, &encodings(encoding))?;
    let screen = viewer.screen();
    viewer.request(false, screen)?;
    viewer.update()?;
    let (began, before) = (clock::now(), viewer.received());
    let mut updates = 0;
    loop {
        viewer.request(false, screen)?;
        let ended = viewer.update()?.ended;
        updates += 1;
        let elapsed = ended.duration_since(began).as_secs_f64();
        if elapsed >= seconds {
            let bytes = (viewer.received() - before) as f64;
            return Ok(Seen { rate: f64::from(updates) / elapsed, bytes });
        }
    }
}

/// Asks for [`PACE`] full updates a second and says how many came a second.
fn paced(endpoint: &Endpoint, encoding: i32, seconds: u32) -> Result<f64> {
    let mut viewer = Viewer::connect(endpoint, &encodings(encoding))?;
    let screen = viewer.screen();
    viewer.request(false, screen)?;
    let first = viewer.update()?.ended;
    let mut asking = viewer.asking()?;
    let asker = std::thread::spawn(move || -> Result<()> {
        for tick in 0..PACE * seconds {
            clock::sleep_until(first + Duration::from_secs(1) / PACE * tick);
            asking.request(false, screen)?;
        }
        Ok(())
    });
    // The first answer is late by a round trip, and so is the end.
    let began = viewer.update()?.ended;
    let mut updates = 0;
    let mut ended = began;
    while updates + 1 < PACE * seconds && ended.duration_since(began) < Duration::from_secs(seconds.into()) {
        if !viewer.waits_for(Duration::from_millis(500))? {
            break;
        }
        ended = viewer.update()?.ended;
        updates += 1;
    }
    // The asker ends when its requests are sent or the connection is closed, and both are well.
    drop(viewer);
    asker.join().map_err(|_| anyhow::anyhow!("the asking thread panicked"))?.ok();
    Ok(f64::from(updates)
        / ended.duration_since(began).as_secs_f64().max(f64::from(seconds) - 1.0 / f64::from(PACE)))
}
