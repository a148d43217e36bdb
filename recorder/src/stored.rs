//! What of a recording an object store has, and recordings that only it has.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::files;
use crate::header::{HEADER_FILE, encode, is_keys_file};
use crate::list::State;
use crate::walk::segment_number;
use crate::writer::segment_path;

/// The file that says what of a recording is in the object store, and at last in the object store itself. No part of what
/// signatures cover.
pub const STORED: &str = "stored.json";
/// The file of a recording that says what it is.
pub const HEADER: &str = HEADER_FILE;
const MAX_STORED: u64 = 64 * 1024;
/// The longest file in clear that is read whole.
const MAX_CLEAR: u64 = 1 << 20;

/// How much of a recording is in the object store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Segments, from the first on.
    pub segments: u32,
    /// Their bytes.
    pub bytes: u64,
    /// The files in clear and the SHA-256 of what is there of each, in hex.
    pub clear: BTreeMap<String, String>,
    /// It is all there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<Complete>,
    /// What is there is not what is here; nothing more is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<String>,
}

/// A recording that is in the object store as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Complete {
    /// Since when, RFC 3339 in UTC.
    pub at: String,
    /// The recording's root when it was sent, in hex; `None` when it did not verify.
    pub root: Option<String>,
    /// Whether and how it is over.
    pub state: State,
    /// Time from its start to its last record, in milliseconds.
    pub duration_ms: u64,
}

/// What of a recording is here and could be in the object store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The files in clear: the header, then keys.
    pub clear: Vec<(String, Vec<u8>)>,
    /// Numbers and bytes of the segments, in order. The last one changes as long as the recording is written.
    pub segments: Vec<(u32, u64)>,
}

impl Stored {
    /// What is known of the recording in `dir`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(dir: &Path) -> io::Result<Self> {
        match files::read_bounded(&dir.join(STORED), MAX_STORED) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Keeps this. After a power cut an older state may be there, so that something is sent again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, dir: &Path) -> io::Result<()> {
        files::replace_soon(&dir.join(STORED), &encode(self))
    }

    /// As it is written.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Keeps this for good.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_durably(&self, dir: &Path) -> io::Result<()> {
        files::replace(&dir.join(STORED), &encode(self))
    }
}

/// SHA-256 in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

/// What of the recording in `dir` is here.
///
/// # Errors
/// The directory cannot be read.
pub fn parts(dir: &Path) -> io::Result<Parts> {
    let mut parts = Parts::default();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if let Some(number) = segment_number(&name) {
            parts.segments.push((number, entry.metadata()?.len()));
        } else if name == HEADER_FILE || is_keys_file(&name) {
            let bytes = files::read_bounded(&entry.path(), MAX_CLEAR)?;
            parts.clear.push((name, bytes));
        }
    }
    parts.segments.sort_unstable();
    // "header.json" comes before "keys…".
    parts.clear.sort();
    Ok(parts)
}

/// The file name of a segment.
#[must_use]
pub fn segment_name(number: u32) -> String {
    format!("{number:06}.seg")
}

/// Whether a file of this name belongs to a recording in an object store.
#[must_use]
pub fn is_part(name: &str) -> bool {
    name == HEADER_FILE || is_keys_file(name) || segment_number(name).is_some()
}

/// Reads a segment of the recording in `dir`.
///
/// # Errors
/// It cannot be read.
pub fn read_segment(dir: &Path, number: u32) -> io::Result<Vec<u8>> {
    std::fs::read(segment_path(dir, number))
}

/// Whether the segments of the recording in `dir` are in the object store and not here.
#[must_use]
pub fn is_offloaded(dir: &Path) -> bool {
    Stored::load(dir).is_ok_and(|stored| {
        let last = crate::walk::last_segment(dir).unwrap_or_default();
        stored.complete.is_some() && last.is_none_or(|last| last < stored.segments)
    })
}

/// Removes the segments of the recording in `dir`, which the object store has.
///
/// # Errors
/// One cannot be removed, or the object store does not have them.
pub fn offload(dir: &Path) -> io::Result<()> {
    if Stored::load(dir)?.complete.is_none_or(|complete| complete.root.is_none()) {
        return Err(io::Error::other("the object store does not have it as a whole"));
    }
    let mut segments = parts(dir)?.segments;
    // From the end, so that an interrupted removal does not leave a recording whose beginning is missing.
    segments.reverse();
    for (number, _) in segments {
        std::fs::remove_file(segment_path(dir, number))?;
    }
    files::sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_stored_as_a_whole_is_removed_here() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        for name in ["header.json", "keys.json", "000002.seg", "000001.seg", "hold.json", "other"] {
            std::fs::write(path.join(name), name).unwrap();
        }
        let found = parts(path).unwrap();
        assert_eq!(found.segments, [(1, 10), (2, 10)]);
        let names: Vec<_> = found.clear.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["header.json", "keys.json"]);

        assert!(offload(path).is_err(), "nothing is stored");
        let complete = Complete {
            at: "2026-11-23T06:00:00Z".into(),
            root: None,
            state: State::Sealed { end: "closed".into() },
            duration_ms: 7,
        };
        let mut stored = Stored { segments: 2, bytes: 20, complete: Some(complete), ..Stored::default() };
        stored.save(path).unwrap();
        assert!(offload(path).is_err(), "it did not verify when it was sent");
        stored.complete.as_mut().unwrap().root = Some("00".into());
        stored.save_durably(path).unwrap();
        assert_eq!(Stored::load(path).unwrap(), stored);
        assert!(!is_offloaded(path));
        offload(path).unwrap();
        assert!(is_offloaded(path));
        assert_eq!(crate::list::state(path).unwrap(), State::Sealed { end: "closed".into() });
    }
}
