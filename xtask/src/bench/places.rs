//! The directories of a run, which go with it, also when it is interrupted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// A memory file system.
pub(crate) const MEMORY: &str = "/dev/shm";

/// A directory on disk and one in memory.
pub(crate) struct Places {
    /// For configurations, logs, data and recordings.
    pub(crate) disk: PathBuf,
    /// For recordings in memory.
    pub(crate) memory: PathBuf,
}

impl Places {
    /// Creates both, the one on disk below `parent`. From now on an interrupted process deletes them before
    /// it ends; the processes that it started end with it.
    pub(crate) fn create(parent: &Path) -> Result<Self> {
        let name = format!("passerelle-bench-{}", process::id());
        let places = Self { disk: parent.join(&name), memory: Path::new(MEMORY).join(&name) };
        for path in [&places.disk, &places.memory] {
            fs::create_dir(path).with_context(|| format!("cannot create {}", path.display()))?;
        }
        let paths = [places.disk.clone(), places.memory.clone()];
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                delete(&paths);
                process::exit(128 + signal);
            }
        });
        Ok(places)
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        delete(&[self.disk.clone(), self.memory.clone()]);
    }
}

fn delete(paths: &[PathBuf]) {
    for path in paths {
        if let Err(error) = fs::remove_dir_all(path) {
            eprintln!("cannot delete {}: {error}", path.display());
        }
    }
}
