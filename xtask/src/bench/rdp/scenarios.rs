//! What is measured. Each scenario runs every peer once a round, in random order, so that a noisy minute
//! hits all of them alike.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::display::{Area, Display};
use super::meter::Meter;
use super::peers::{Endpoint, Peers, Target};
use super::server::Server;
use super::viewer::{Hands, Login, Viewer, fail_to_log_in, through};
use crate::bench::clock;
use crate::bench::content::Content;
use crate::bench::figures::{Figures, Key, quantile};
use crate::bench::options::Options;
use crate::bench::peer::{Line, Peer};
use crate::bench::progress::Progress;

/// The name of a figure that its target names too.
pub(crate) const LESS_HANDSHAKE: &str = "first picture less the second handshake";
/// Frames a second.
const RATE: u32 = 10;
/// The terminal, on the target's screen and the viewer's.
const TERMINAL: Area = Area { x: 100, y: 100, width: 484, height: 316 };
/// A part of the moving picture in which every frame differs from the one before.
const MOVING: Area = Area { x: 0, y: 0, width: 400, height: 300 };
/// A picture is drawn in pieces. Changes that are closer together than this are one picture: frames are 100 ms
/// apart.
const DRAWING: Duration = Duration::from_millis(45);
/// What viewers are told beside their default flags when the picture moves, and what that is called.
const FLAGS: [(&[&str], &str); 2] = [(&[], "default flags"), (&["/gfx"], "/gfx")];

/// Everything that a scenario needs.
pub(crate) struct Bench {
    /// The command line.
    pub(crate) options: Options,
    /// Where the viewers are.
    pub(crate) screen: Display,
    /// A target with a terminal.
    pub(crate) terminal: Server,
    /// A target with a moving picture, while a scenario needs one.
    pub(crate) motion: Server,
    /// The ways to them.
    pub(crate) peers: Peers,
    /// What was measured so far.
    pub(crate) figures: Figures,
    /// Where to say what is being done.
    pub(crate) progress: Progress,
    /// For the viewers' logs.
    pub(crate) directory: PathBuf,
}

fn less(scenario: &'static str, name: &str, unit: &'static str) -> Key {
    Key::less(scenario, name, unit, Line::Short)
}

impl Bench {
    /// Runs every scenario that is wanted.
    pub(crate) fn run(&mut self) -> Result<()> {
        self.terminal.show(Some(Content::Terminal))?;
        self.picture()?;
        self.key()?;
        self.motion()?;
        self.memory()
    }

    /// The time to the first picture, and what a login takes by itself. A gateway that ends both legs makes
    /// a second TLS and NLA handshake, which takes what the first one takes without it.
    fn picture(&mut self) -> Result<()> {
        if !self.options.wants("picture") {
            return Ok(());
        }
        let rounds = self.options.pick(15, 3);
        self.interleave("first picture", rounds, |bench, peer| {
            let direct = bench.peers.endpoint(Peer::Direct, Target::Terminal)?;
            let Login { start, handshake } = fail_to_log_in(direct, &bench.screen, &bench.directory)?;

            // The server is still busy with the viewer that it turned away.
            thread::sleep(Duration::from_secs(1));
            let endpoint = bench.peers.endpoint(peer, Target::Terminal)?;
            let (viewer, took) = Viewer::connect(&endpoint, &bench.screen, &bench.directory)?;
            drop(viewer);
            bench.figures.enter(less("picture", "first picture", "ms"), peer, took);
            let second = if bench.peers.gateway(peer).is_some() { handshake } else { 0.0 };
            bench.figures.enter(less("picture", LESS_HANDSHAKE, "ms"), peer, took - second);
            if peer == Peer::Direct {
                bench.figures.enter(less("picture", "start of the viewer", "ms"), peer, start);
                bench.figures.enter(less("picture", "TLS and NLA handshake", "ms"), peer, handshake);
            }
            Ok(())
        })
    }

    /// From a key to its pixels in a terminal.
    fn key(&mut self) -> Result<()> {
        if !self.options.wants("key") {
            return Ok(());
        }
        let (rounds, keys) = (self.options.pick(5, 1), self.options.pick(60, 15));
        self.interleave(&format!("{keys} keys"), rounds, |bench, peer| {
            let endpoint = bench.peers.endpoint(peer, Target::Terminal)?;
            let (_viewer, _) = Viewer::connect(&endpoint, &bench.screen, &bench.directory)?;
            let mut hands = Hands::start(&bench.screen)?;
            thread::sleep(Duration::from_secs(1));
            let mut times = Vec::new();
            for pause in (0..keys).map(|key| 150 + key * 7919 % 60) {
                thread::sleep(Duration::from_millis(pause));
                times.extend(hands.press(&bench.screen, TERMINAL)?);
            }
            ensure!(times.len() as u64 * 10 >= keys * 9, "only {} of {keys} keys showed", times.len());
            for (name, q) in [("key to pixel, p50", 0.5), ("key to pixel, p90", 0.9)] {
                let time = quantile(&times, q).context("no keys")?;
                bench.figures.enter(less("key", name, "ms"), peer, time);
            }
            Ok(())
        })
    }

    /// CPU, bytes, recording and memory (beyond that of a process that has just been started) of a session
    /// with 1280x720 pixels that move.
    fn motion(&mut self) -> Result<()> {
        if !self.options.wants("motion") {
            return Ok(());
        }
        let (rounds, seconds) = (self.options.pick(3, 1), self.options.pick(20, 5));
        self.motion.show(Some(Content::Motion(RATE)))?;
        for (flags, name) in FLAGS {
            let what = format!("1280x720 at {RATE}/s for {seconds} s, {name}");
            let during = Duration::from_secs(seconds);
            self.interleave(&what, rounds, |bench, peer| bench.watch(peer, flags, name, during))?;
        }
        self.motion.show(None)
    }

    fn watch(
        &mut self,
        peer: Peer,
        flags: &'static [&'static str],
        name: &str,
        during: Duration,
    ) -> Result<()> {
        self.peers.restart(peer)?;
        let endpoint = self.peers.endpoint(peer, Target::Motion)?;
        let idle = self.peers.process(peer).map(|process| process.resident_kib());
        let recorded_before = self.peers.gateway(peer).and_then(|gateway| gateway.recorded_bytes());
        let meter = Meter::start(endpoint.address)?;
        let endpoint = Endpoint { flags, ..through(endpoint, meter.address()) };
        let (mut viewer, _) = Viewer::connect(&endpoint, &self.screen, &self.directory)?;
        let connected = clock::now();
        thread::sleep(Duration::from_secs(2));

        let cpu = |bench: &Self| bench.peers.process(peer).map(|process| process.cpu_seconds());
        let (received, used, began) = (meter.to_viewer(), cpu(self), clock::now());
        let (mut pictures, mut memory, mut sample) = (0u32, Vec::new(), began);
        let (mut shown, mut drawn) = (self.screen.fingerprint(MOVING)?, began);
        while clock::now() < began + during {
            thread::sleep(Duration::from_millis(5));
            let now = self.screen.fingerprint(MOVING)?;
            if now != shown && clock::now() >= drawn {
                pictures += 1;
                drawn = clock::now() + DRAWING;
            }
            shown = now;
            if clock::now() >= sample {
                memory.extend(self.peers.process(peer).map(|process| process.resident_kib()));
                sample += Duration::from_secs(1);
            }
        }
        let minutes = clock::now().duration_since(began).as_secs_f64() / 60.0;
        let received = (meter.to_viewer() - received) as f64;
        let used = used.zip(cpu(self)).map(|(before, after)| after - before);
        viewer.must_run()?;
        drop(viewer);
        let session = clock::now().duration_since(connected).as_secs_f64() / 60.0;
        ensure!(pictures > 0, "nothing moved");

        let mut enter = |key: Key, value: f64| self.figures.enter(key, peer, value);
        let mebibyte = f64::from(1 << 20);
        let pictures = f64::from(pictures);
        enter(
            Key::more("motion", format!("motion, {name}: pictures"), "1/s", Line::Short),
            pictures / minutes / 60.0,
        );
        enter(
            less("motion", &format!("motion, {name}: to the viewer"), "MiB/min"),
            received / minutes / mebibyte,
        );
        enter(
            less("motion", &format!("motion, {name}: bytes a picture"), "KiB"),
            received / pictures / 1024.0,
        );
        if let Some(used) = used {
            enter(less("motion", &format!("motion, {name}: CPU of the proxy"), "s/min"), used / minutes);
        }
        if let (Some(idle), Some(busy)) = (idle, quantile(&memory, 0.5)) {
            enter(less("motion", &format!("motion, {name}: memory"), "KiB"), busy - idle);
        }
        if let (Some(before), Some(gateway)) = (recorded_before, self.peers.gateway(peer)) {
            // The recording is sealed when the gateway has seen the viewer go.
            thread::sleep(Duration::from_millis(700));
            let recorded = gateway.recorded_bytes().context("recordings vanished")?.saturating_sub(before);
            enter(
                less("motion", &format!("motion, {name}: recording"), "MiB/min"),
                recorded as f64 / session / mebibyte,
            );
        }
        Ok(())
    }

    /// Memory and CPU of idle sessions, each after its first picture.
    fn memory(&mut self) -> Result<()> {
        if !self.options.wants("memory") {
            return Ok(());
        }
        let (rounds, sessions) = (self.options.pick(2, 1), self.options.pick(8, 3));
        let watched = Duration::from_secs(self.options.pick(10, 3));
        self.interleave(&format!("{sessions} idle sessions"), rounds, |bench, peer| {
            bench.peers.restart(peer)?;
            let Some(before) = bench.peers.process(peer).map(|process| process.resident_kib()) else {
                return Ok(());
            };
            let mut viewers = Vec::new();
            for session in 0..sessions {
                let endpoint = bench.peers.endpoint(peer, Target::Terminal)?;
                let meter = Meter::start(endpoint.address)?;
                let endpoint = through(endpoint, meter.address());
                let viewer = if session == 0 {
                    Viewer::connect(&endpoint, &bench.screen, &bench.directory)?.0
                } else {
                    Viewer::start(&endpoint, &bench.screen, &bench.directory)?
                };
                viewers.push((viewer, meter));
            }
            // Windows hide each other, so a picture is known by what came for it.
            let deadline = clock::now() + Duration::from_secs(30);
            let picture = viewers.first().map_or(0, |(_, meter)| meter.to_viewer());
            while viewers.iter().any(|(_, meter)| meter.to_viewer() < picture / 2) {
                ensure!(clock::now() < deadline, "not every session got its picture");
                thread::sleep(Duration::from_millis(50));
            }
            thread::sleep(Duration::from_secs(2));
            let process = bench.peers.process(peer).context("no process")?;
            let cpu = process.cpu_seconds();
            thread::sleep(watched);
            let used = (process.cpu_seconds() - cpu) / watched.as_secs_f64() * 60.0;
            let memory = process.resident_kib() - before;
            for (viewer, _) in &mut viewers {
                viewer.must_run()?;
            }
            let count = f64::from(sessions);
            bench.figures.enter(less("memory", "memory of an idle session", "KiB"), peer, memory / count);
            bench.figures.enter(less("memory", "CPU of an idle session", "s/min"), peer, used / count);
            Ok(())
        })
    }

    /// Calls `measure` once for each round and peer, and deletes recordings in between.
    fn interleave(
        &mut self,
        what: &str,
        rounds: usize,
        mut measure: impl FnMut(&mut Self, Peer) -> Result<()>,
    ) -> Result<()> {
        for round in 1..=rounds {
            self.progress.say(&format!("{what}, round {round} of {rounds}"));
            let mut peers = self.peers.running();
            peers.sort_by_cached_key(|_| RandomState::new().build_hasher().finish());
            for peer in peers {
                measure(self, peer).with_context(|| format!("{what}, {peer}"))?;
                if let Some(gateway) = self.peers.gateway(peer) {
                    gateway.discard_recordings();
                }
            }
        }
        Ok(())
    }
}
