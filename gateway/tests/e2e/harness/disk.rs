//! A disk that is soon full.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Outcome;
use super::lab::Lab;
use super::process::read;

/// A small file system in memory, as long as the value lives.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// One that holds so many MiB.
    pub(crate) fn mount(lab: &Lab, mebibytes: u32) -> Outcome<Self> {
        let path = lab.subfolder("small")?;
        let options = format!("size={mebibytes}m,mode=700");
        read(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path))
            .map_err(|error| format!("{error}\nthis test has to mount a tmpfs, which takes root"))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, since a gateway that fails to end may still write to it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
