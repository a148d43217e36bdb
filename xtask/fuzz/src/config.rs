//! The configuration.

use std::io::{Error, ErrorKind};
use std::path::Path;

use passerelle_config::{Config, FileError, FragmentFile, Resolver};

/// A world with one variable and no files.
struct Nowhere;

impl Resolver for Nowhere {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "SECRET").then(|| "secret".to_owned())
    }

    fn secret_file(&self, path: &Path) -> Result<Contents, FileError> {
        self.file(path).map(Contents::from)
    }

    fn file(&self, _: &Path) -> Result<Vec<u8>, FileError> {
        Err(FileError::Io(Error::from(ErrorKind::NotFound)))
    }

    fn fragments(&self, _: &Path) -> Result<Vec<FragmentFile>, Error> {
        Err(Error::from(ErrorKind::NotFound))
    }
}

type Contents = zeroize::Zeroizing<Vec<u8>>;

/// Whatever is refused is refused with a reason.
pub(crate) fn parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(errors) = Config::parse(text, "fuzz.yaml", &Nowhere) {
        assert!(!errors.to_string().is_empty());
    }
}
