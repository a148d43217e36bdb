//! Where segments are written.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::files;

/// Creates segments. The default is the local disk.
pub trait SegmentSink: Send + Sync {
    /// Creates the segment `path`, which must not exist.
    ///
    /// # Errors
    /// The segment cannot be created.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Segment>>;
}

/// A segment that is being written. One thread appends while another may sync.
pub trait Segment: Send + Sync {
    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// Not everything was written; some of it may have been.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts off everything behind `len` bytes.
    ///
    /// # Errors
    /// The segment keeps its length.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Returns when what was appended would survive a power cut.
    ///
    /// # Errors
    /// That cannot be promised.
    fn sync(&self) -> io::Result<()>;
}

/// Segments as files of the local disk, for the owner only.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDisk;

impl SegmentSink for LocalDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Segment>> {
        Ok(Arc::new(files::create_new(path)?))
    }
}

impl Segment for File {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(bytes)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
