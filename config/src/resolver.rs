//! Where secrets and certificates come from.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The largest secret or certificate file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The outside world, as far as the configuration refers to it.
pub trait Resolver {
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// The contents of a file that only its owner may read.
    ///
    /// # Errors
    /// The file cannot be read, or others than its owner can.
    fn secret_file(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError>;

    /// The contents of a file that is no secret.
    ///
    /// # Errors
    /// The file cannot be read.
    fn file(&self, path: &Path) -> Result<Vec<u8>, FileError>;

    /// The files in a directory whose names end in `.yaml` and do not begin with a dot, by name.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn fragments(&self, directory: &Path) -> io::Result<Vec<FragmentFile>>;
}

/// A file with targets. Two that are equal have the same contents, as far as the file system tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FragmentFile {
    /// Where it is.
    pub path: PathBuf,
    /// What changes with its contents: device, inode, size, and when it was changed, in nanoseconds. Of the
    /// file that a symbolic link leads to.
    pub version: (u64, u64, u64, i128),
}

impl FragmentFile {
    fn of(path: PathBuf) -> Self {
        // One that vanished, or a link that leads nowhere, is found out when it is read.
        let version = fs::metadata(&path).map_or((0, 0, 0, 0), |file| {
            // The inode's own time: contents that are put back with their old time count as changed.
            let changed = i128::from(file.ctime()) * 1_000_000_000 + i128::from(file.ctime_nsec());
            (file.dev(), file.ino(), file.len(), changed)
        });
        Self { path, version }
    }
}

/// Why a file that the configuration refers to is not used. The sentence goes on from the file's path.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A directory, device or pipe.
    #[error("is not a regular file")]
    NotAFile,
    /// Larger than 1 MiB.
    #[error("is larger than 1 MiB")]
    TooLarge,
    /// Others than the owner may read it.
    #[error("holds a secret but others than its owner may read it (mode {mode:04o}); run `chmod 600` on it")]
    Exposed {
        /// The permission bits.
        mode: u32,
    },
    /// It belongs to somebody else, who could change it.
    #[error("holds a secret but belongs to user id {owner}; it must belong to the gateway's user or to root")]
    Owner {
        /// User id of the owner.
        owner: u32,
    },
}

/// The process's environment and the file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn secret_file(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let (file, metadata) = open(path)?;
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(FileError::Exposed { mode });
        }
        let owner = metadata.uid();
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            return Err(FileError::Owner { owner });
        }
        // Reserved in one piece, so that growing leaves no copies behind.
        let mut contents =
            Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
        read(file, &mut contents)?;
        Ok(contents)
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        let (file, _) = open(path)?;
        let mut contents = Vec::new();
        read(file, &mut contents)?;
        Ok(contents)
    }

    fn fragments(&self, directory: &Path) -> io::Result<Vec<FragmentFile>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
            if !hidden && path.extension().is_some_and(|extension| extension == "yaml") {
                files.push(FragmentFile::of(path));
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }
}

/// The file system, with something that looks like a secret in place of each.
///
/// For people who want to know what the configuration says and may not read its secrets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WithoutSecrets;

/// Passes for the hash of a password. What other secrets contain is not checked when it stands for them.
pub(crate) const STAND_IN: &str = "$argon2id$";

impl Resolver for WithoutSecrets {
    fn variable(&self, _: &str) -> Option<String> {
        Some(STAND_IN.to_owned())
    }

    fn secret_file(&self, _: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
        Ok(Zeroizing::new(STAND_IN.into()))
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        SystemResolver.file(path)
    }

    fn fragments(&self, directory: &Path) -> io::Result<Vec<FragmentFile>> {
        SystemResolver.fragments(directory)
    }
}

fn open(path: &Path) -> Result<(File, Metadata), FileError> {
    // Looked at before it is opened, since opening a pipe waits; and again, since it may have changed.
    if !fs::metadata(path)?.is_file() {
        return Err(FileError::NotAFile);
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile);
    }
    if metadata.len() > MAX_FILE {
        return Err(FileError::TooLarge);
    }
    Ok((file, metadata))
}

fn read(file: File, contents: &mut Vec<u8>) -> Result<(), FileError> {
    file.take(MAX_FILE).read_to_end(contents)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn files_that_others_may_read_hold_no_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        fs::write(&path, "hunter2\n").unwrap();
        for mode in [0o640, 0o604, 0o660, 0o777, 0o610] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(
                matches!(SystemResolver.secret_file(&path), Err(FileError::Exposed { mode: seen }) if seen == mode)
            );
            assert_eq!(SystemResolver.file(&path).unwrap(), b"hunter2\n");
        }
        for mode in [0o600, 0o400, 0o700] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(SystemResolver.secret_file(&path).unwrap().as_slice(), b"hunter2\n");
        }
    }

    #[test]
    fn what_is_no_ordinary_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(SystemResolver.secret_file(directory.path()), Err(FileError::NotAFile)));
        assert!(matches!(SystemResolver.file(&directory.path().join("none")), Err(FileError::Io(_))));
        let large = directory.path().join("large");
        File::create(&large).unwrap().set_len(MAX_FILE + 1).unwrap();
        assert!(matches!(SystemResolver.file(&large), Err(FileError::TooLarge)));
    }
}
