//! A session as it is: a region that moves, watched by a viewer that takes what it gets.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Bench, encoding_name, encodings};
use crate::bench::clock;
use crate::bench::content::Content;
use crate::bench::figures::{Key, quantile};
use crate::bench::peer::{Line, Peer};
use crate::bench::vnc::client::{TIGHT, Viewer, ZRLE};
use crate::bench::vnc::peers::Target;

/// Frames a second.
const RATE: u32 = 10;

impl Bench {
    /// CPU, bytes, recording and memory (beyond that of a process that has just been started) of a session with 1280x720 pixels that move.
    pub(super) fn motion(&mut self, line: Line) -> Result<()> {
        if !self.options.wants("motion") {
            return Ok(());
        }
        let (rounds, seconds) = match line {
            Line::Short => (self.options.pick(2, 1), self.options.pick(20, 4)),
            Line::Long => (1, self.options.pick(10, 2)),
        };
        self.motion.show(Some(Content::Motion(RATE)))?;
        let peers = self.peers.running();
        let tight = format!("1280x720 at {RATE}/s in Tight for {seconds} s");
        self.interleave(&tight, line, rounds, &peers, |bench, peer| bench.watch(peer, line, TIGHT, seconds))?;
        if line == Line::Short {
            let zrle = format!("1280x720 at {RATE}/s in ZRLE for {seconds} s");
            self.interleave(&zrle, line, 1, &peers, |bench, peer| bench.watch(peer, line, ZRLE, seconds))?;
        }
        self.motion.show(None)
    }

    fn watch(&mut self, peer: Peer, line: Line, encoding: i32, seconds: u64) -> Result<()> {
        self.peers.restart(peer, Target::Motion)?;
        let endpoint = self.peers.endpoint(peer, Target::Motion, line)?;
        let idle_memory = self.memory_of(peer, Target::Motion);
        let recorded_before = self.peers.gateway(peer).and_then(|gateway| gateway.recorded_bytes());
        let mut viewer = Viewer::connect(&endpoint, &encodings(encoding))?;
        let screen = viewer.screen();
        viewer.request(false, screen)?;
        viewer.update()?;
        viewer.request(true, screen)?;

        let (received, cpu, began) = (viewer.received(), self.cpu(peer, Target::Motion), clock::now());
        let until = began + Duration::from_secs(seconds);
        let mut updates = 0u32;
        let mut memory = Vec::new();
        let mut sample = began + Duration::from_secs(1);
        while clock::now() < until {
            viewer.update()?;
            updates += 1;
            viewer.request(true, screen)?;
            if clock::now() >= sample {
                memory.extend(self.memory_of(peer, Target::Motion));
                sample += Duration::from_secs(1);
            }
        }
        let minutes = clock::now().duration_since(began).as_secs_f64() / 60.0;
        let received = (viewer.received() - received) as f64;
        let cpu = cpu.zip(self.cpu(peer, Target::Motion)).map(|(before, after)| after - before);
        drop(viewer);

        let name = encoding_name(encoding);
        let mut enter = |key: Key, value: f64| self.figures.enter(key, peer, value);
        let updates = f64::from(updates);
        enter(Key::more("motion", format!("motion, {name}: updates"), "1/s", line), updates / minutes / 60.0);
        enter(
            Key::less("motion", format!("motion, {name}: to the viewer"), "MiB/min", line),
            received / minutes / f64::from(1 << 20),
        );
        enter(
            Key::less("motion", format!("motion, {name}: bytes an update"), "KiB", line),
            received / updates / 1024.0,
        );
        if let Some(cpu) = cpu {
            enter(
                Key::less("motion", format!("motion, {name}: CPU of the proxy"), "s/min", line),
                cpu / minutes,
            );
        }
        if let (Some(idle), Some(busy)) = (idle_memory, quantile(&memory, 0.5)) {
            enter(Key::less("motion", format!("motion, {name}: memory"), "KiB", line), busy - idle);
        }
        if let (Some(before), Some(gateway)) = (recorded_before, self.peers.gateway(peer)) {
            // The recording is sealed when the gateway has seen the viewer go.
            thread::sleep(Duration::from_millis(700));
            let recorded = gateway.recorded_bytes().context("recordings vanished")?.saturating_sub(before);
            enter(
                Key::less("motion", format!("motion, {name}: recording"), "MiB/min", line),
                recorded as f64 / minutes / f64::from(1 << 20),
            );
        }
        Ok(())
    }

    /// Resident KiB of what stands between the viewer and `target`.
    pub(super) fn memory_of(&self, peer: Peer, target: Target) -> Option<f64> {
        Some(self.peers.process(peer, target)?.resident_kib())
    }
}
