//! Removing recordings, and what they take up.

use std::io;
use std::path::Path;

use serde::Serialize;

use crate::files;
use crate::header::{HEADER_FILE, KEYS_FILE};
use crate::walk::segment_number;

/// Where a recording is while its files are removed: out of sight at once, so that nobody takes a recording that is
/// half removed for one that somebody tampered with.
const REMOVED: &str = ".removed";

/// Whether a directory of this name beside the recordings is no recording.
#[must_use]
pub fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// Removes the recording `id` from `directory`, with everything that lies with it.
///
/// # Errors
/// A file cannot be removed. The recording is gone from the list all the same, unless it could not be moved;
/// [`sweep`] removes the rest.
pub fn remove(directory: &Path, id: &str) -> io::Result<()> {
    let removed = directory.join(REMOVED);
    files::create_dirs(&removed)?;
    let dir = removed.join(id);
    match std::fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::rename(directory.join(id), &dir)?;
    files::sync_dir(directory)?;
    std::fs::remove_dir_all(&dir)
}

/// Removes what an interrupted [`remove`] left in `directory`.
///
/// # Errors
/// It cannot be removed.
pub fn sweep(directory: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(directory.join(REMOVED)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a recording takes up on the local disk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// The recording itself.
    pub log: u64,
    /// What was made of it for people to look at, and can be made again.
    pub views: u64,
}

/// What the recording in `dir` takes up.
///
/// # Errors
/// The directory cannot be read.
pub fn usage(dir: &Path) -> io::Result<Usage> {
    let mut usage = Usage::default();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if kind.is_dir() {
            usage.views += tree(&entry.path())?;
        } else if kind.is_file() {
            let bytes = length(&entry)?;
            let log = segment_number(&name).is_some() || name == HEADER_FILE || name == KEYS_FILE;
            *(if log { &mut usage.log } else { &mut usage.views }) += bytes;
        }
    }
    Ok(usage)
}

/// Removes what was made of the recording in `dir` for people to look at.
///
/// # Errors
/// Something of it cannot be removed.
pub fn remove_views(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    files::sync_dir(dir)
}

/// Bytes of all files below `dir`.
fn tree(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                bytes += length(&entry)?;
            }
        }
    }
    Ok(bytes)
}

/// A file that is removed meanwhile counts as nothing.
fn length(entry: &std::fs::DirEntry) -> io::Result<u64> {
    match entry.metadata() {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_recording_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let recording = dir.path().join("one");
        std::fs::create_dir_all(recording.join("view")).unwrap();
        std::fs::write(recording.join("000001.seg"), [0; 7]).unwrap();
        std::fs::write(recording.join("header.json"), [0; 3]).unwrap();
        std::fs::write(recording.join("view/chunk"), [0; 11]).unwrap();
        assert_eq!(usage(&recording).unwrap(), Usage { log: 10, views: 11 });
        remove_views(&recording).unwrap();
        assert_eq!(usage(&recording).unwrap(), Usage { log: 10, views: 0 });

        remove(dir.path(), "one").unwrap();
        assert!(!recording.exists());
        // What an interrupted removal left is in the way of nobody.
        std::fs::create_dir_all(dir.path().join(".removed/two")).unwrap();
        std::fs::create_dir_all(dir.path().join("two")).unwrap();
        remove(dir.path(), "two").unwrap();
        std::fs::create_dir_all(dir.path().join(".removed/three")).unwrap();
        assert!(is_hidden(".removed"));
        sweep(dir.path()).unwrap();
        sweep(dir.path()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
