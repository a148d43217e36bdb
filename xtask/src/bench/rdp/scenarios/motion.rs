//! A busy screen: what it costs, and with which of the viewer's flags it works.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Bench, less, more};
use crate::bench::clock;
use crate::bench::content::Content;
use crate::bench::figures::quantile;
use crate::bench::peer::Peer;
use crate::bench::rdp::display::Area;
use crate::bench::rdp::meter::Meter;
use crate::bench::rdp::peers::Endpoint;
use crate::bench::rdp::servers::Target;
use crate::bench::rdp::viewer::{Viewer, through};

/// Frames a second.
const RATE: u32 = 10;
/// A part of the moving picture in which every frame differs from the one before.
const MOVING: Area = Area { x: 0, y: 0, width: 400, height: 300 };
/// A picture is drawn in pieces. Changes that are closer together than this are one picture: frames are 100 ms
/// apart.
const DRAWING: Duration = Duration::from_millis(45);
const MEBIBYTE: f64 = (1 << 20) as f64;

/// What viewers are told beside their default flags, and what that is called.
type Flags = (&'static [&'static str], &'static str);

/// What is measured in full. xrdp 0.9 has no graphics pipeline.
const BUSY: [(Target, Flags); 3] = [
    (Target::Motion, (&[], "default flags")),
    (Target::Motion, (&["/gfx"], "/gfx")),
    (Target::Xrdp, (&[], "default flags")),
];

/// What has to work besides. Recorded sessions are kept from drawing orders and NSCodec, which xrdp and the
/// shadow server may use otherwise: unrecorded ones show what that changes.
const FLAGS: [Flags; 6] = [
    (&["/bpp:16"], "/bpp:16"),
    (&["/bpp:24"], "/bpp:24"),
    (&["/bpp:32"], "/bpp:32"),
    (&["/gfx"], "/gfx"),
    (&["/rfx"], "/rfx"),
    (&["/network:lan"], "/network:lan"),
];

/// What was seen of a session for a while.
struct Seen {
    minutes: f64,
    pictures: f64,
    bytes: f64,
}

impl Bench {
    /// CPU, bytes, memory and recording of a session with 1280x720 pixels that move.
    pub(super) fn motion(&mut self) -> Result<()> {
        if !self.options.wants("motion") {
            return Ok(());
        }
        let (rounds, seconds) = (self.options.pick(3, 1), self.options.pick(20, 5));
        let (peers, during) = (self.peers.running(), Duration::from_secs(seconds));
        let xrdp = self.servers.xrdp.is_some();
        for (target, flags) in BUSY.into_iter().filter(|(target, _)| xrdp || *target != Target::Xrdp) {
            self.servers.show(target, Some(Content::Motion(RATE)))?;
            let case = case(target, flags);
            let what = format!("1280x720 at {RATE}/s for {seconds} s, {case}");
            self.interleave(&what, rounds, &peers, |bench, peer| {
                bench.watch(peer, target, flags, &case, during)
            })?;
            self.servers.show(target, None)?;
        }
        Ok(())
    }

    /// Bytes to the viewer with each of the flags, which have to work.
    pub(super) fn flags(&mut self) -> Result<()> {
        if !self.options.wants("flags") {
            return Ok(());
        }
        let (rounds, seconds) = (self.options.pick(2, 1), self.options.pick(6, 2));
        let during = Duration::from_secs(seconds);
        let peers: Vec<Peer> =
            self.peers.running().into_iter().filter(|peer| *peer != Peer::Haproxy).collect();
        let xrdp = self.servers.xrdp.is_some().then_some(Target::Xrdp);
        for target in [Target::Motion].into_iter().chain(xrdp) {
            self.servers.show(target, Some(Content::Motion(RATE)))?;
            for flags in besides(target) {
                let case = case(target, flags);
                self.interleave(&format!("works with {case}"), rounds, &peers, |bench, peer| {
                    let (mut viewer, meter) = bench.busy(peer, target, flags)?;
                    thread::sleep(Duration::from_secs(1));
                    let seen = bench.look(&meter, during, |_| Ok(()))?;
                    viewer.must_run()?;
                    bench.figures.enter(less("flags", works(&case), "KiB"), peer, seen.kib_a_picture());
                    Ok(())
                })?;
            }
            self.servers.show(target, None)?;
        }
        Ok(())
    }

    /// A session on a screen that moves.
    fn busy(&self, peer: Peer, target: Target, flags: Flags) -> Result<(Viewer, Meter)> {
        let endpoint = self.peers.endpoint(peer, target)?;
        let meter = Meter::start(endpoint.address)?;
        let endpoint = Endpoint { flags: flags.0, ..through(endpoint, meter.address()) };
        Ok((Viewer::connect(&endpoint, &self.screen, &self.directory)?.0, meter))
    }

    /// Counts pictures and bytes, and calls `every_second`.
    fn look(
        &self,
        meter: &Meter,
        during: Duration,
        mut every_second: impl FnMut(&Self) -> Result<()>,
    ) -> Result<Seen> {
        let (received, began) = (meter.to_viewer(), clock::now());
        let (mut pictures, mut sample) = (0u32, began);
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
                every_second(self)?;
                sample += Duration::from_secs(1);
            }
        }
        ensure!(pictures > 0, "nothing moved");
        let minutes = clock::now().duration_since(began).as_secs_f64() / 60.0;
        Ok(Seen { minutes, pictures: pictures.into(), bytes: (meter.to_viewer() - received) as f64 })
    }

    /// One session, measured in full.
    fn watch(
        &mut self,
        peer: Peer,
        target: Target,
        flags: Flags,
        case: &str,
        during: Duration,
    ) -> Result<()> {
        self.peers.restart(peer)?;
        let between = self.peers.process(peer).is_some();
        // A session at rest brings to memory what all sessions share, so that only this one's own is measured.
        let resting = between.then(|| self.resting(peer)).transpose()?;
        let idle = between.then(|| self.resident(peer)).transpose()?;
        let recorded_before = self.peers.gateway(peer).and_then(|gateway| gateway.recorded_bytes());
        let (mut viewer, meter) = self.busy(peer, target, flags)?;
        let connected = clock::now();
        thread::sleep(Duration::from_secs(2));

        let cpu = |bench: &Self| bench.peers.process(peer).map(|process| process.cpu_seconds());
        let (used, mut memory) = (cpu(self), Vec::new());
        let seen = self.look(&meter, during, |bench| {
            memory.extend(between.then(|| bench.resident(peer)).transpose()?);
            Ok(())
        })?;
        let used = used.zip(cpu(self)).map(|(before, after)| after - before);
        viewer.must_run()?;
        drop(viewer);
        let session = clock::now().duration_since(connected).as_secs_f64() / 60.0;

        let minutes = seen.minutes;
        let mut enter = |name: String, unit, value| {
            self.figures.enter(less("motion", name, unit), peer, value);
        };
        enter(bytes_a_picture(case), "KiB", seen.kib_a_picture());
        enter(format!("to the viewer, {case}"), "MiB/min", seen.bytes / minutes / MEBIBYTE);
        if let Some(used) = used {
            enter(cpu_of_proxy(case), "s/min", used / minutes);
        }
        if let (Some(idle), Some(busy)) = (idle, quantile(&memory, 0.5)) {
            enter(memory_of_busy(case), "KiB", busy - idle);
        }
        if let (Some(before), Some(gateway)) = (recorded_before, self.peers.gateway(peer)) {
            // The recording is sealed when the gateway has seen the viewer go.
            thread::sleep(Duration::from_millis(700));
            let recorded = gateway.recorded_bytes().context("recordings vanished")?.saturating_sub(before);
            enter(format!("recording, {case}"), "MiB/min", recorded as f64 / session / MEBIBYTE);
        }
        let pictures = more("motion", format!("pictures, {case}"), "1/s");
        self.figures.enter(pictures, peer, seen.pictures / minutes / 60.0);
        drop(resting);
        Ok(())
    }
}

impl Seen {
    fn kib_a_picture(&self) -> f64 {
        self.bytes / self.pictures / 1024.0
    }
}

/// A server and flags, in words.
fn case(target: Target, flags: Flags) -> String {
    format!("{}, {}", target.title(), flags.1)
}

/// The cases of [`Bench::motion`].
pub(crate) fn busy() -> impl Iterator<Item = String> {
    BUSY.into_iter().map(|(target, flags)| case(target, flags))
}

/// The cases of [`Bench::flags`].
pub(crate) fn flagged() -> impl Iterator<Item = String> {
    let targets = [Target::Motion, Target::Xrdp].into_iter();
    targets.flat_map(|target| besides(target).map(move |flags| case(target, flags)))
}

/// The flags that are not measured in full.
fn besides(target: Target) -> impl Iterator<Item = Flags> {
    FLAGS.into_iter().filter(move |flags| !BUSY.contains(&(target, *flags)))
}

/// The name of a figure that its aim names too, as are those below.
pub(crate) fn cpu_of_proxy(case: &str) -> String {
    format!("CPU of the proxy, {case}")
}

pub(crate) fn memory_of_busy(case: &str) -> String {
    format!("memory of a busy session, {case}")
}

pub(crate) fn bytes_a_picture(case: &str) -> String {
    format!("bytes a picture, {case}")
}

pub(crate) fn works(case: &str) -> String {
    format!("bytes a picture with {case}")
}
