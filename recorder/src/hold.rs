//! Legal holds: what is held is neither deleted nor erased.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files;
use crate::header::encode;

/// Beside the recording, and no part of what its signatures cover.
pub(crate) const HOLD_FILE: &str = "hold.json";
const MAX_HOLD: u64 = 64 * 1024;

/// Why a recording must not be deleted or erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Why, in somebody's words.
    pub reason: String,
    /// Who ordered it.
    pub by: String,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
}

/// The hold on the recording in `dir`, if there is one.
///
/// # Errors
/// There is one that cannot be read. The recording must be treated as held.
pub fn hold(dir: &Path) -> io::Result<Option<Hold>> {
    match files::read_bounded(&dir.join(HOLD_FILE), MAX_HOLD) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Holds the recording in `dir`, in the place of a hold that there may be. It is on disk when this returns.
///
/// # Errors
/// The file cannot be written.
pub fn set_hold(dir: &Path, hold: &Hold) -> io::Result<()> {
    files::replace(&dir.join(HOLD_FILE), &encode(hold))
}

/// Ends the hold on the recording in `dir`. Returns whether there was one.
///
/// # Errors
/// The file cannot be removed.
pub fn release(dir: &Path) -> io::Result<bool> {
    match std::fs::remove_file(dir.join(HOLD_FILE)) {
        Ok(()) => files::sync_dir(dir).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_lasts_until_it_is_released() {
        let dir = tempfile::tempdir().unwrap();
        let one = Hold { reason: "case 7".into(), by: "alice".into(), since: "2026-11-23T06:00:00Z".into() };
        assert_eq!(hold(dir.path()).unwrap(), None);
        set_hold(dir.path(), &one).unwrap();
        let other = Hold { reason: "case 8".into(), ..one };
        set_hold(dir.path(), &other).unwrap();
        assert_eq!(hold(dir.path()).unwrap(), Some(other));
        assert!(release(dir.path()).unwrap());
        assert!(!release(dir.path()).unwrap());
        assert_eq!(hold(dir.path()).unwrap(), None);
    }

    #[test]
    fn a_hold_that_cannot_be_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(HOLD_FILE), "{").unwrap();
        assert!(hold(dir.path()).is_err());
    }
}
