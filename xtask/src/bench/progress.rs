//! A line for each step, with the time since the start.

use std::time::Instant;

use super::clock;

/// Says what is being done.
pub(crate) struct Progress {
    began: Instant,
}

impl Progress {
    /// Starts the time.
    pub(crate) fn new() -> Self {
        Self { began: clock::now() }
    }

    /// Prints `text`, on standard error so that the result can be redirected.
    pub(crate) fn say(&self, text: &str) {
        let elapsed = clock::now().duration_since(self.began).as_secs();
        eprintln!("[{:2}:{:02}] {text}", elapsed / 60, elapsed % 60);
    }
}
