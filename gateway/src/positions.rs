//! How far each receiver of events has come in the audit log, over restarts.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::files;

/// Numbers of lines of the audit log by receiver, in a file.
pub(crate) struct Positions {
    path: PathBuf,
    kept: Mutex<BTreeMap<String, u64>>,
}

impl Positions {
    /// What is in the file at `path`, which need not be there.
    pub(crate) fn load(path: &Path) -> Self {
        let kept = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::error!(path = %path.display(), %error, "receivers of events begin with the next event");
                BTreeMap::new()
            }),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::error!(path = %path.display(), %error, "receivers of events begin with the next event");
                }
                BTreeMap::new()
            }
        };
        Self { path: path.to_owned(), kept: Mutex::new(kept) }
    }

    /// The last line that was dealt with for the receiver `name`, if there is one of this name.
    pub(crate) fn of(&self, name: &str) -> Option<u64> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    /// Keeps how far the receiver `name` has come. Writes the file, if that is something new.
    pub(crate) fn set(&self, name: &str, seq: u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.insert(name.to_owned(), seq) != Some(seq) {
            self.write(&kept);
        }
    }

    /// Forgets all others than these.
    pub(crate) fn retain(&self, known: impl Fn(&str) -> bool) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.len();
        kept.retain(|name, _| known(name));
        if kept.len() != before {
            self.write(&kept);
        }
    }

    /// What cannot be written is sent again after a restart; nothing is lost by that.
    fn write(&self, kept: &BTreeMap<String, u64>) {
        let written = serde_json::to_vec(kept)
            .map_err(io::Error::from)
            .and_then(|bytes| files::write_private(&self.path, &bytes));
        if let Err(error) = written {
            tracing::warn!(path = %self.path.display(), %error, "how far receivers of events have come cannot be written down");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_outlive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("webhooks.json");
        let positions = Positions::load(&path);
        assert_eq!(positions.of("a"), None);
        positions.set("a", 7);
        positions.set("b", 9);
        positions.set("a", 8);
        assert_eq!([positions.of("a"), Positions::load(&path).of("a")], [Some(8); 2]);
        positions.retain(|name| name == "b");
        let again = Positions::load(&path);
        assert_eq!((again.of("a"), again.of("b")), (None, Some(9)));
        std::fs::write(&path, "{").unwrap();
        assert_eq!(Positions::load(&path).of("b"), None);
    }
}
