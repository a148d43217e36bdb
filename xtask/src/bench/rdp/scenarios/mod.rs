//! What is measured. Each scenario runs every peer once a round, in random order, so that a noisy minute
//! hits all of them alike.

mod files;
mod key;
mod memory;
mod motion;
mod picture;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;

use anyhow::Result;

use super::display::{Area, Display};
use super::peers::Peers;
use super::servers::{Servers, Target};
use crate::bench::content::Content;
use crate::bench::figures::{Figures, Key};
use crate::bench::options::Options;
use crate::bench::peer::{Line, Peer};
use crate::bench::progress::Progress;

pub(crate) use memory::FURTHER_IDLE;
pub(crate) use motion::{busy, bytes_a_picture, cpu_of_proxy, flagged, memory_of_busy, works};
pub(crate) use picture::less_handshake;

/// How often something is tried.
const ATTEMPTS: u32 = 3;

/// The terminal, on the target's screen and the viewer's.
const TERMINAL: Area = Area { x: 100, y: 100, width: 484, height: 316 };

/// Everything that a scenario needs.
pub(crate) struct Bench {
    /// The command line.
    pub(crate) options: Options,
    /// Where the viewer is whose pixels are read.
    pub(crate) screen: Display,
    /// Where viewers are that nobody looks at.
    pub(crate) aside: Display,
    /// The targets.
    pub(crate) servers: Servers,
    /// The ways to them.
    pub(crate) peers: Peers,
    /// What was measured so far.
    pub(crate) figures: Figures,
    /// Where to say what is being done.
    pub(crate) progress: Progress,
    /// For the viewers' logs.
    pub(crate) directory: PathBuf,
    /// What could not be measured, and why.
    pub(crate) missed: Vec<String>,
}

fn less(scenario: &'static str, name: impl Into<String>, unit: &'static str) -> Key {
    Key::less(scenario, name, unit, Line::Short)
}

fn more(scenario: &'static str, name: impl Into<String>, unit: &'static str) -> Key {
    Key::more(scenario, name, unit, Line::Short)
}

impl Bench {
    /// Runs every scenario that is wanted.
    pub(crate) fn run(&mut self) -> Result<()> {
        self.servers.show(Target::Terminal, Some(Content::Terminal))?;
        self.servers.show(Target::Xrdp, Some(Content::Terminal))?;
        self.picture()?;
        self.key()?;
        self.files()?;
        self.memory()?;
        self.motion()?;
        self.flags()
    }

    /// The targets with a terminal that run.
    fn terminals(&self) -> Vec<Target> {
        let mut targets = vec![Target::Terminal];
        targets.extend(self.servers.xrdp.as_ref().map(|_| Target::Xrdp));
        targets
    }

    /// Calls `measure` once for each round and one of `peers`, and deletes recordings in between. Stock viewers
    /// crash now and then, and servers start late; what failed is measured again, and what fails
    /// [`ATTEMPTS`] times is missed without taking the rest along.
    fn interleave(
        &mut self,
        what: &str,
        rounds: usize,
        peers: &[Peer],
        mut measure: impl FnMut(&mut Self, Peer) -> Result<()>,
    ) -> Result<()> {
        for round in 1..=rounds {
            self.progress.say(&format!("{what}, round {round} of {rounds}"));
            let mut peers = peers.to_vec();
            peers.sort_by_cached_key(|_| RandomState::new().build_hasher().finish());
            for peer in peers {
                for attempt in 1..=ATTEMPTS {
                    let Err(error) = measure(self, peer) else { break };
                    let failure = format!("{what}, round {round}, {peer}: {error:#}");
                    self.progress.say(&failure);
                    if attempt == ATTEMPTS {
                        self.missed.push(failure);
                    }
                }
                if let Some(gateway) = self.peers.gateway(peer) {
                    gateway.discard_recordings();
                }
            }
        }
        Ok(())
    }
}
