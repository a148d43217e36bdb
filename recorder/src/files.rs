//! Files that only their owner may read, and directories whose changes survive a power cut.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Creates `path` and what is missing above it, for the owner only.
pub(crate) fn create_dirs(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Creates the directory `path`; it must not exist.
pub(crate) fn create_new_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Creates the file `path` for the owner only; it must not exist.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(path)
}

/// Creates the file `path` with `content` and syncs it; it must not exist.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Puts `content` in the place of the file `path`, whole or not at all.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (file, temporary) = write_beside(path, content)?;
    file.sync_all()?;
    std::fs::rename(temporary, path)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// As [`replace`], but after a power cut the file before it may be there again, as a whole.
pub(crate) fn replace_soon(path: &Path, content: &[u8]) -> io::Result<()> {
    let (file, temporary) = write_beside(path, content)?;
    file.sync_data()?;
    std::fs::rename(temporary, path)
}

fn write_beside(path: &Path, content: &[u8]) -> io::Result<(File, PathBuf)> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    Ok((file, temporary))
}

/// Makes created, renamed and removed names in `path` durable.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Reads a file that must hold at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {limit} bytes")));
    }
    Ok(content)
}

/// Takes the lock that the file `path` stands for, for as long as the answer lives. `None`: another
/// process has it.
pub(crate) fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether someone other than the owner may read or write the file.
pub(crate) fn is_exposed(path: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

/// How much room a file system has, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What an unprivileged process may still write.
    pub free: u64,
    /// The size of the whole.
    pub total: u64,
}

/// How much room the file system of `path` has.
pub(crate) fn space(path: &Path) -> io::Result<Space> {
    let facts = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(facts.f_frsize);
    Ok(Space { free: bytes(facts.f_bavail), total: bytes(facts.f_blocks) })
}

/// Whether the error says that the disk, the quota or the file size limit is exhausted.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
