//! What is measured.

mod api;
mod claims;
mod decide;
mod logins;
mod size;

use std::path::PathBuf;

use anyhow::Result;

use crate::bench::figures::{Figures, Key};
use crate::bench::options::Options;
use crate::bench::peer::{Line, Peer};
use crate::bench::progress::Progress;

/// Everything that a scenario needs.
pub(crate) struct Bench {
    /// The command line.
    pub(crate) options: Options,
    /// The gateway's binary.
    pub(crate) passerelle: PathBuf,
    /// For data, configurations and logs.
    pub(crate) directory: PathBuf,
    /// What was measured so far.
    pub(crate) figures: Figures,
    /// Where to say what is being done.
    pub(crate) progress: Progress,
}

impl Bench {
    /// Runs every scenario that is wanted.
    pub(crate) fn run(&mut self) -> Result<()> {
        self.logins()?;
        self.claims()?;
        self.api()?;
        self.size()?;
        self.decide()
    }

    /// Calls `measure` for each variant in each round, which each begin with another one, so that a noisy minute
    /// hits all of them alike.
    fn interleave<V>(
        &mut self,
        what: &str,
        rounds: usize,
        variants: &[V],
        mut measure: impl FnMut(&mut Self, &V) -> Result<()>,
    ) -> Result<()> {
        for round in 0..rounds {
            self.progress.say(&format!("{what}, round {} of {rounds}", round + 1));
            for turn in 0..variants.len() {
                if let Some(variant) = variants.get((turn + round) % variants.len()) {
                    measure(self, variant)?;
                }
            }
        }
        Ok(())
    }

    /// Enters how often something was done in a second.
    fn enter_rate(&mut self, scenario: &'static str, name: impl Into<String>, peer: Peer, value: f64) {
        self.figures.enter(Key::more(scenario, name, "1/s", Line::Short), peer, value);
    }
}
