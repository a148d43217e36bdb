//! What is measured. Each scenario runs every peer once a round, so that a noisy minute hits all of them
//! alike, and starts each round with another peer.

mod latency;
mod motion;
mod sessions;
mod throughput;

pub(crate) use throughput::load;

use std::time::Duration;

use anyhow::{Context, Result};

use super::client::{TIGHT, TIGHT_TUNING, Viewer, ZRLE};
use super::desktop::Desktop;
use super::peers::{Peers, Target};
use super::source::{Captured, Source};
use crate::bench::content::Content;
use crate::bench::figures::Figures;
use crate::bench::options::Options;
use crate::bench::peer::{Line, Peer};
use crate::bench::progress::Progress;

/// Everything that a scenario needs.
pub(crate) struct Bench {
    /// The command line.
    pub(crate) options: Options,
    /// Xvnc with a terminal.
    pub(crate) terminal: Desktop,
    /// Xvnc with a moving picture, while a scenario needs one.
    pub(crate) motion: Desktop,
    /// The synthetic source.
    pub(crate) source: Source,
    /// The ways to them.
    pub(crate) peers: Peers,
    /// What was measured so far.
    pub(crate) figures: Figures,
    /// Where to say what is being done.
    pub(crate) progress: Progress,
}

impl Bench {
    /// Runs every scenario that is wanted, over the short line and then over the long one.
    pub(crate) fn run(&mut self) -> Result<()> {
        self.terminal.show(Some(Content::Terminal))?;
        if ["compressed", "paced", "memory"].iter().any(|name| self.options.wants(name)) {
            self.capture()?;
        }
        let lines: &[Line] =
            if self.options.short_line { &[Line::Short] } else { &[Line::Short, Line::Long] };
        for line in lines {
            self.raw(*line)?;
            self.compressed(*line)?;
            self.paced(*line)?;
            self.round_trip(*line)?;
            self.key(*line)?;
            self.picture(*line)?;
            self.connections(*line)?;
            self.motion(*line)?;
        }
        self.memory()
    }

    /// Lets Xvnc make the compressed updates that the source repeats.
    fn capture(&mut self) -> Result<()> {
        self.progress.say("capturing ZRLE and Tight updates of Xvnc");
        self.motion.show(Some(Content::Motion(10)))?;
        let endpoint = self.peers.endpoint(Peer::Direct, Target::Motion, Line::Short)?;
        let mut captured = Captured::default();
        for (encoding, updates) in [(ZRLE, &mut captured.zrle), (TIGHT, &mut captured.tight)] {
            let mut viewer = Viewer::connect(&endpoint, &encodings(encoding))?;
            for _ in 0..20 {
                viewer.request(false, viewer.screen())?;
                updates.push(viewer.capture()?);
                std::thread::sleep(Duration::from_millis(70));
            }
        }
        self.motion.show(None)?;
        for (name, updates) in [("ZRLE", &captured.zrle), ("Tight", &captured.tight)] {
            let bytes: usize = updates.iter().map(Vec::len).sum();
            let mean = bytes.checked_div(updates.len()).context("nothing was captured")?;
            self.progress.say(&format!("a full {name} update has {} KiB", mean / 1024));
        }
        self.source.supply(captured);
        Ok(())
    }

    /// Calls `measure` once for each round and peer, and deletes recordings in between.
    fn interleave(
        &mut self,
        what: &str,
        line: Line,
        rounds: usize,
        peers: &[Peer],
        mut measure: impl FnMut(&mut Self, Peer) -> Result<()>,
    ) -> Result<()> {
        for round in 0..rounds {
            self.progress.say(&format!("{what}{}, round {} of {rounds}", over(line), round + 1));
            for turn in 0..peers.len() {
                let Some(peer) = peers.get((turn + round) % peers.len()) else { continue };
                measure(self, *peer).with_context(|| format!("{what}{}, {peer}", over(line)))?;
                if let Some(gateway) = self.peers.gateway(*peer) {
                    gateway.discard_recordings();
                }
            }
        }
        Ok(())
    }
}

/// The encodings that a viewer that prefers `encoding` asks for.
fn encodings(encoding: i32) -> Vec<i32> {
    let tuning = if encoding == TIGHT { TIGHT_TUNING.as_slice() } else { &[] };
    [encoding].iter().chain(tuning).copied().collect()
}

fn encoding_name(encoding: i32) -> &'static str {
    match encoding {
        TIGHT => "Tight",
        ZRLE => "ZRLE",
        _ => "Raw",
    }
}

fn over(line: Line) -> &'static str {
    match line {
        Line::Short => "",
        Line::Long => " over 40 ms",
    }
}
