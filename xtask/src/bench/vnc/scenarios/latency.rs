//! How long a viewer waits.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Bench, encodings};
use crate::bench::clock::{self, milliseconds};
use crate::bench::figures::{Key, quantile};
use crate::bench::peer::Line;
use crate::bench::vnc::client::{Endpoint, RAW, TIGHT, Viewer};
use crate::bench::vnc::peers::Target;

/// The key that is typed: `a`.
const KEY: u32 = 0x61;
/// A point in the terminal, which has the keyboard where the pointer is.
const TERMINAL: (u16, u16) = (300, 200);

impl Bench {
    /// Updates of one pixel: the line's and the proxy's share of every latency.
    pub(super) fn round_trip(&mut self, line: Line) -> Result<()> {
        if !self.options.wants("round-trip") {
            return Ok(());
        }
        let (rounds, trips) = match line {
            Line::Short => (self.options.pick(5, 2), self.options.pick(600, 400)),
            Line::Long => (self.options.pick(2, 1), self.options.pick(50, 25)),
        };
        let peers = self.peers.running();
        self.interleave("1x1 updates", line, rounds, &peers, |bench, peer| {
            let endpoint = bench.peers.endpoint(peer, Target::Terminal, line)?;
            let times = round_trips(&endpoint, trips)?;
            for (name, q) in [("1x1 round trip, p50", 0.5), ("1x1 round trip, p99", 0.99)] {
                let value = quantile(&times, q).context("nothing was measured")?;
                bench.figures.enter(Key::less("round-trip", name, "ms", line), peer, value);
            }
            Ok(())
        })
    }

    /// From a key to its pixels.
    pub(super) fn key(&mut self, line: Line) -> Result<()> {
        if !self.options.wants("key") {
            return Ok(());
        }
        let (rounds, keys) = match line {
            Line::Short => (self.options.pick(2, 1), self.options.pick(40, 20)),
            Line::Long => (1, self.options.pick(30, 10)),
        };
        let peers = self.peers.running();
        self.interleave("keys to pixels", line, rounds, &peers, |bench, peer| {
            let endpoint = bench.peers.endpoint(peer, Target::Terminal, line)?;
            let times = keys_to_pixels(&endpoint, keys)?;
            for (name, q) in [("key to pixel, p50", 0.5), ("key to pixel, p99", 0.99)] {
                let value = quantile(&times, q).context("nothing was measured")?;
                bench.figures.enter(Key::less("key", name, "ms", line), peer, value);
            }
            Ok(())
        })
    }

    /// From connecting to the last byte of the first full picture, with the same login everywhere.
    pub(super) fn picture(&mut self, line: Line) -> Result<()> {
        if !self.options.wants("picture") {
            return Ok(());
        }
        let rounds = match line {
            Line::Short => self.options.pick(25, 7),
            Line::Long => self.options.pick(5, 2),
        };
        let peers = self.peers.running();
        self.interleave("first pictures", line, rounds, &peers, |bench, peer| {
            let endpoint = bench.peers.endpoint_with_password(peer, Target::Terminal, line)?;
            let began = clock::now();
            let mut viewer = Viewer::connect(&endpoint, &encodings(TIGHT))?;
            viewer.request(false, viewer.screen())?;
            let ended = viewer.update()?.ended;
            let key = Key::less("picture", "first picture", "ms", line);
            bench.figures.enter(key, peer, milliseconds(ended.duration_since(began)));
            Ok(())
        })
    }
}

fn round_trips(endpoint: &Endpoint, trips: u32) -> Result<Vec<f64>> {
    let mut viewer = Viewer::connect(endpoint, &encodings(RAW))?;
    let mut times = Vec::new();
    for _ in 0..trips {
        thread::sleep(Duration::from_millis(2));
        let began = clock::now();
        viewer.request(false, (5, 5, 1, 1))?;
        let update = viewer.update()?;
        ensure!(update.pixels == 1, "asked for one pixel, got {}", update.pixels);
        times.push(milliseconds(update.began.duration_since(began)));
    }
    Ok(times)
}

fn keys_to_pixels(endpoint: &Endpoint, keys: u32) -> Result<Vec<f64>> {
    let mut viewer = Viewer::connect(endpoint, &encodings(RAW))?;
    let screen = viewer.screen();
    viewer.request(false, screen)?;
    viewer.update()?;
    viewer.point(TERMINAL.0, TERMINAL.1)?;
    viewer.request(true, screen)?;
    let mut times = Vec::new();
    for turn in 0..keys {
        // Not in step with any timer of the server's. What the last key left behind is read meanwhile.
        let rest = clock::now() + Duration::from_millis(u64::from(100 + turn * 37 % 40));
        while viewer.waits_for(rest.saturating_duration_since(clock::now()))? {
            viewer.update()?;
            viewer.request(true, screen)?;
        }
        let began = clock::now();
        viewer.press(KEY)?;
        ensure!(viewer.waits_for(Duration::from_secs(3))?, "the terminal did not show a key within 3 s");
        times.push(milliseconds(viewer.update()?.began.duration_since(began)));
        viewer.request(true, screen)?;
    }
    Ok(times)
}
