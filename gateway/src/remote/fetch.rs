//! Copies of recordings that are fetched back to be read.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use passerelle_recorder::{HEADER, Stored, parts};

use super::{Remote, RemoteError};
use crate::files;

/// Why a recording could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error("the object store lacks a part of the recording {0}: {1} of {2} bytes are there")]
    Incomplete(String, u64, u64),
    #[error(
        "the recording {0} is larger ({1} bytes) than the room for fetched ones (recording.object_store.cache)"
    )]
    TooLarge(String, u64),
    #[error("a fetched recording cannot be written to {}: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
}

impl Remote {
    /// Fetches a recording into a directory below `cache`, which it returns. The clear part comes from `local`, if it is
    /// there. What is fetched already is not fetched again. Whether it is what was recorded, only verifying tells.
    ///
    /// # Errors
    /// It is not there, not as a whole, or does not fit.
    pub(crate) async fn fetch(&self, id: &str, local: &Path, cache: &Path) -> Result<PathBuf, FetchError> {
        let dir = cache.join(id);
        let write = |path: &Path, error| FetchError::Write { path: path.to_owned(), error };
        let there = self.parts(id).await?;
        let segments = || there.iter().filter(|(name, _)| name.ends_with(".seg"));
        let (count, bytes) = (segments().count(), segments().map(|(_, bytes)| bytes).sum::<u64>());
        if !there.iter().any(|(name, _)| name == HEADER) {
            return Err(RemoteError::Missing(id.to_owned()).into());
        }
        let known = Stored::load(local).unwrap_or_default();
        if known.complete.is_some() && (known.segments as usize != count || known.bytes != bytes) {
            return Err(FetchError::Incomplete(id.to_owned(), bytes, known.bytes));
        }
        if bytes > self.cache {
            return Err(FetchError::TooLarge(id.to_owned(), bytes));
        }
        make_room(cache, id, self.cache - bytes).map_err(|error| write(cache, error))?;
        files::private_directory(&dir).map_err(|error| write(&dir, error))?;
        for (name, bytes) in &there {
            let path = dir.join(name);
            let clear = !name.ends_with(".seg");
            // Keys may have been destroyed or replaced since.
            if !clear && std::fs::metadata(&path).is_ok_and(|found| found.len() == *bytes) {
                continue;
            }
            let content = match std::fs::read(local.join(name)) {
                Ok(content) if clear => content,
                _ => self.read(id, name).await?.into(),
            };
            files::write_private(&path, &content).map_err(|error| write(&path, error))?;
        }
        let kept = |name: &str| there.iter().any(|(known, _)| known == name);
        for (name, _) in parts(&dir).map_err(|error| write(&dir, error))?.clear {
            if !kept(&name) {
                std::fs::remove_file(dir.join(&name)).map_err(|error| write(&dir, error))?;
            }
        }
        Ok(dir)
    }
}

/// Removes copies, those that were written longest ago first, until they take at most `room` bytes. That of `id` stays.
fn make_room(cache: &Path, id: &str, room: u64) -> io::Result<()> {
    let entries = match std::fs::read_dir(cache) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut copies: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name() == id {
            continue;
        }
        let usage = passerelle_recorder::usage(&entry.path())?;
        copies.push((entry.metadata()?.modified()?, usage.log + usage.views, entry.path()));
    }
    copies.sort();
    let mut total: u64 = copies.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, path) in copies {
        if total <= room {
            break;
        }
        std::fs::remove_dir_all(path)?;
        total -= bytes;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_copies_make_room() {
        let dir = tempfile::tempdir().unwrap();
        for (age, name) in [(3, "old"), (2, "wanted"), (1, "new")] {
            let copy = dir.path().join(name);
            std::fs::create_dir(&copy).unwrap();
            std::fs::write(copy.join("000001.seg"), [0; 100]).unwrap();
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000 - age);
            std::fs::File::open(&copy).unwrap().set_modified(at).unwrap();
        }
        let left = || {
            let mut names: Vec<_> =
                std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        make_room(dir.path(), "wanted", 200).unwrap();
        assert_eq!(left().len(), 3);
        make_room(dir.path(), "wanted", 150).unwrap();
        assert_eq!(left(), ["new", "wanted"]);
        make_room(dir.path(), "wanted", 0).unwrap();
        assert_eq!(left(), ["wanted"]);
        make_room(&dir.path().join("none"), "wanted", 0).unwrap();
    }
}
