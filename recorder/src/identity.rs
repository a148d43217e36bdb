//! Who can open recordings: age recipients, identities, and the wrapping of data keys.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::files;

const MAX_IDENTITY_FILE: u64 = 64 * 1024;
/// A wrapped key for a thousand recipients still fits.
const MAX_WRAPPED: usize = 256 * 1024;

/// What encrypted files begin with, in both forms.
const AGE_FILES: [&[u8]; 2] = [b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----"];

/// Secret keys that open recordings: the `AGE-SECRET-KEY-1…` lines of a file as `age-keygen` writes it.
#[derive(Clone)]
pub struct Identity {
    keys: Vec<age::x25519::Identity>,
}

/// An identity file could not be loaded or made.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read.
    #[error("cannot read the identity file {path}: {error}")]
    Read {
        /// The identity file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file cannot be created.
    #[error("cannot create the identity file {path}: {error}")]
    Create {
        /// The identity file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others than the owner may read or write the file.
    #[error("the identity file {0} is open to others than its owner; run `chmod 600` on it")]
    Exposed(PathBuf),
    /// The file has to be decrypted with a passphrase first.
    #[error(
        "the identity file {path} is protected with a passphrase, which cannot be asked for here; \
         run `(umask 077; age -d {path} > key.txt)` and name key.txt"
    )]
    Protected {
        /// The identity file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("{0} holds no age identity (a line that begins with AGE-SECRET-KEY-1)")]
    Malformed(PathBuf),
}

impl Identity {
    /// Reads an identity file.
    ///
    /// # Errors
    /// The file cannot be read, is open to others than its owner, or holds no identity.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let read = |error| IdentityError::Read { path: path.to_owned(), error };
        let content = Zeroizing::new(files::read_bounded(path, MAX_IDENTITY_FILE).map_err(read)?);
        if files::is_exposed(path).map_err(read)? {
            return Err(IdentityError::Exposed(path.to_owned()));
        }
        if AGE_FILES.iter().any(|beginning| content.trim_ascii_start().starts_with(beginning)) {
            return Err(IdentityError::Protected { path: path.to_owned() });
        }
        let malformed = || IdentityError::Malformed(path.to_owned());
        let keys = std::str::from_utf8(&content)
            .map_err(|_| malformed())?
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| line.parse::<age::x25519::Identity>().map_err(|_| malformed()))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(malformed()) } else { Ok(Self { keys }) }
    }

    /// A new identity that is kept nowhere.
    #[must_use]
    pub fn generate() -> Self {
        Self { keys: vec![age::x25519::Identity::generate()] }
    }

    /// Reads an identity file, or makes a new identity and stores it there (mode 0600, synced).
    ///
    /// # Errors
    /// As [`load`](Self::load), or the file cannot be created.
    pub fn load_or_create(path: &Path) -> Result<Self, IdentityError> {
        match Self::load(path) {
            Err(IdentityError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
            outcome => return outcome,
        }
        let key = age::x25519::Identity::generate();
        let secret = key.to_string();
        let content =
            Zeroizing::new(format!("# public key: {}\n{}\n", key.to_public(), secret.expose_secret()));
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent
            .map_or(Ok(()), files::create_dirs)
            .and_then(|()| files::write_new(path, content.as_bytes()))
            .and_then(|()| parent.map_or(Ok(()), files::sync_dir))
            .map_err(|error| IdentityError::Create { path: path.to_owned(), error })?;
        Ok(Self { keys: vec![key] })
    }

    /// The recipients that this identity can open recordings for, as `age1…` texts.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.to_public().to_string()).collect()
    }

    /// Opens a wrapped key; `None` when it was wrapped for others only or is damaged.
    pub(crate) fn unwrap_key(&self, wrapped: &str) -> Option<Zeroizing<[u8; 32]>> {
        if wrapped.len() > MAX_WRAPPED {
            return None;
        }
        let decryptor = age::Decryptor::new(ArmoredReader::new(wrapped.as_bytes())).ok()?;
        let mut reader = decryptor.decrypt(self.keys.iter().map(|key| key as &dyn age::Identity)).ok()?;
        let mut key = Zeroizing::new([0; 32]);
        reader.read_exact(key.as_mut_slice()).ok()?;
        let mut rest = [0; 1];
        matches!(reader.read(&mut rest), Ok(0)).then_some(key)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("recipients", &self.recipients()).finish_non_exhaustive()
    }
}

/// The recipients that new recordings are readable for.
#[derive(Clone)]
pub(crate) struct Recipients(Vec<age::x25519::Recipient>);

impl Recipients {
    /// Parses `age1…` texts. The error is the text that is none.
    pub(crate) fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut recipients: Vec<age::x25519::Recipient> = Vec::new();
        for text in texts {
            let recipient: age::x25519::Recipient = text.trim().parse().map_err(|_| text.to_owned())?;
            if recipients.iter().all(|known| known.to_string() != recipient.to_string()) {
                recipients.push(recipient);
            }
        }
        Ok(Self(recipients))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Wraps a data key as an armored age file.
    pub(crate) fn wrap(&self, key: &[u8; 32]) -> io::Result<String> {
        let recipients = self.0.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut wrapped = Vec::new();
        let mut writer =
            encryptor.wrap_output(ArmoredWriter::wrap_output(&mut wrapped, Format::AsciiArmor)?)?;
        writer.write_all(key)?;
        writer.finish()?.finish()?;
        String::from_utf8(wrapped).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_open_for_their_recipients_only() {
        let dir = tempfile::tempdir().unwrap();
        let ours = Identity::load_or_create(&dir.path().join("ours")).unwrap();
        let theirs = Identity::load_or_create(&dir.path().join("theirs")).unwrap();
        let outsider = Identity::load_or_create(&dir.path().join("outsider")).unwrap();
        let texts = [ours.recipients(), theirs.recipients(), ours.recipients()].concat();
        let recipients = Recipients::parse(texts.iter().map(String::as_str)).unwrap();
        assert_eq!(recipients.texts().len(), 2, "a recipient named twice counts once");

        let wrapped = recipients.wrap(&[9; 32]).unwrap();
        assert_eq!(*ours.unwrap_key(&wrapped).unwrap(), [9; 32]);
        assert_eq!(*theirs.unwrap_key(&wrapped).unwrap(), [9; 32]);
        assert!(outsider.unwrap_key(&wrapped).is_none());
        assert!(ours.unwrap_key("-----BEGIN AGE ENCRYPTED FILE-----").is_none());
    }

    #[test]
    fn an_identity_is_made_once_and_its_secret_does_not_show() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity");
        let made = Identity::load_or_create(&path).unwrap();
        assert_eq!(Identity::load_or_create(&path).unwrap().recipients(), made.recipients());
        assert!(!format!("{made:?}").contains("SECRET"));
        std::fs::write(&path, "# empty\n").unwrap();
        assert!(matches!(Identity::load(&path), Err(IdentityError::Malformed(_))));
        for encrypted in
            ["age-encryption.org/v1\n-> scrypt x 18\n", "\n-----BEGIN AGE ENCRYPTED FILE-----\nYWdl"]
        {
            std::fs::write(&path, encrypted).unwrap();
            let error = Identity::load(&path).unwrap_err();
            assert!(matches!(error, IdentityError::Protected { .. }) && error.to_string().contains("age -d"));
        }
        assert_eq!(Recipients::parse(["age1nonsense"]).err(), Some("age1nonsense".to_owned()));
    }
}
