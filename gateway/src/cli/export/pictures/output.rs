//! Where pictures go: a file that gets its name when it is whole, or standard output.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::matroska::Patch;
use crate::cli::CliError;

/// Bytes that are written at a time.
const BUFFER: usize = 256 << 10;

/// A file, or standard output. Dropping it before it is whole leaves nothing behind.
pub(super) enum Output {
    /// The file and what it is to be called.
    File(BufWriter<NamedTempFile>, PathBuf),
    /// Standard output.
    Standard(BufWriter<io::Stdout>),
}

impl Output {
    /// A file of this name, which must not be there yet; `-` is standard output. Only its owner may read it.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Standard(BufWriter::with_capacity(BUFFER, io::stdout())));
        }
        if path.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let file = tempfile::Builder::new()
            .prefix(".passerelle-")
            .tempfile_in(directory.unwrap_or_else(|| Path::new(".")))?;
        Ok(Self::File(BufWriter::with_capacity(BUFFER, file), path.to_owned()))
    }

    /// Puts `patches` into their places, if it can, and gives the file its name.
    pub(super) fn finish(self, patches: &[Patch]) -> io::Result<()> {
        match self {
            Self::Standard(mut out) => out.flush(),
            Self::File(out, path) => {
                let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                for (at, bytes) in patches {
                    let mut file: &File = file.as_file();
                    file.seek(SeekFrom::Start(*at))?;
                    file.write_all(bytes)?;
                }
                file.persist_noclobber(path).map(drop).map_err(|error| error.error)
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(out, _) => out.write(bytes),
            Self::Standard(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(out, _) => out.flush(),
            Self::Standard(out) => out.flush(),
        }
    }
}

/// What is told of a file that cannot be written.
pub(super) fn unwritable(path: &Path, error: io::Error) -> CliError {
    if path == Path::new("-") {
        return error.into();
    }
    let exists = error.kind() == io::ErrorKind::AlreadyExists;
    let error = CliError::new(format_args!("{} cannot be written: {error}", path.display()));
    if exists { error.hint("Choose another name with --output.") } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_get_their_names_when_they_are_whole_and_replace_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.webm");
        let names = || std::fs::read_dir(directory.path()).unwrap().count();
        let mut output = Output::new(&path).unwrap();
        output.write_all(b"0123456789").unwrap();
        assert!(!path.exists());
        let mut late = Output::new(&path).unwrap();
        late.write_all(b"late").unwrap();
        output.finish(&[(2, b"ab".to_vec()), (9, b"z".to_vec())]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"01ab45678z");
        assert_eq!(late.finish(&[]).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(Output::new(&path).map(drop).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        drop(Output::new(&directory.path().join("b.webm")).unwrap());
        assert_eq!(names(), 1);
    }
}
