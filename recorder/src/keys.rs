//! The Ed25519 key that signs checkpoints.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::files;

const SECRET_PREFIX: &str = "passerelle-ed25519-secret:";
const PUBLIC_PREFIX: &str = "ed25519:";
const MAX_KEY_FILE: u64 = 4096;

/// The gateway's signing key for recordings and the audit log.
pub struct SigningKey {
    pair: Ed25519KeyPair,
}

/// A signing key could not be loaded or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the signing key {path}: {error}")]
    Read {
        /// The key file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file cannot be created.
    #[error("cannot create the signing key {path}: {error}")]
    Create {
        /// The key file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others than the owner may read or write the file.
    #[error("the signing key {0} is open to others than its owner; run `chmod 600` on it")]
    Exposed(PathBuf),
    /// The file holds something else.
    #[error("{0} does not hold a signing key")]
    Malformed(PathBuf),
}

impl SigningKey {
    /// Reads the key in `path`, or makes one from `random` and stores it there (mode 0600, synced).
    ///
    /// # Errors
    /// The file cannot be read or created, is open to others, or holds no key.
    pub fn load_or_create(path: &Path, random: &dyn Fn(&mut [u8])) -> Result<Self, KeyError> {
        match files::read_bounded(path, MAX_KEY_FILE) {
            Ok(content) => Self::parse(path, &Zeroizing::new(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path, random),
            Err(error) => Err(KeyError::Read { path: path.to_owned(), error }),
        }
    }

    /// The key made from 32 secret bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(|pair| Self { pair })
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(bytes)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }

    fn parse(path: &Path, content: &[u8]) -> Result<Self, KeyError> {
        if files::is_exposed(path).map_err(|error| KeyError::Read { path: path.to_owned(), error })? {
            return Err(KeyError::Exposed(path.to_owned()));
        }
        let malformed = || KeyError::Malformed(path.to_owned());
        let text = std::str::from_utf8(content).map_err(|_| malformed())?;
        let encoded = text.trim().strip_prefix(SECRET_PREFIX).ok_or_else(malformed)?;
        let seed = Zeroizing::new(BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| malformed())?);
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| malformed())?;
        Ok(Self { pair })
    }

    fn create(path: &Path, random: &dyn Fn(&mut [u8])) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        random(seed.as_mut_slice());
        let key = Self::from_seed(&seed).ok_or_else(|| KeyError::Malformed(path.to_owned()))?;
        let encoded = Zeroizing::new(BASE64URL_NOPAD.encode(seed.as_slice()));
        let content = Zeroizing::new(format!("{SECRET_PREFIX}{}\n", encoded.as_str()));
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent
            .map_or(Ok(()), files::create_dirs)
            .and_then(|()| files::write_new(path, content.as_bytes()))
            .and_then(|()| parent.map_or(Ok(()), files::sync_dir))
            .map_err(|error| KeyError::Create { path: path.to_owned(), error })?;
        Ok(key)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public_key", &self.public_key()).finish_non_exhaustive()
    }
}

/// The public half of a [`SigningKey`]; its text is `ed25519:` and 43 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key itself, as in RFC 8032.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", BASE64URL_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no public key's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a public key; it should be `ed25519:` and 43 characters of base64url")]
pub struct MalformedPublicKey(pub String);

impl FromStr for PublicKey {
    type Err = MalformedPublicKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim()
            .strip_prefix(PUBLIC_PREFIX)
            .and_then(|encoded| BASE64URL_NOPAD.decode(encoded.as_bytes()).ok())
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| MalformedPublicKey(text.to_owned()))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn count_up(bytes: &mut [u8]) {
        for (value, byte) in (0..).zip(bytes) {
            *byte = value;
        }
    }

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/signing.key");
        let made = SigningKey::load_or_create(&path, &count_up).unwrap();
        let again = SigningKey::load_or_create(&path, &|_| panic!("made a second key")).unwrap();
        assert_eq!(made.public_key(), again.public_key());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let signature = made.sign(b"message");
        assert!(again.public_key().verifies(b"message", &signature));
        assert!(!again.public_key().verifies(b"massage", &signature));
    }

    #[test]
    fn an_exposed_or_foreign_key_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.key");
        SigningKey::load_or_create(&path, &count_up).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SigningKey::load_or_create(&path, &count_up), Err(KeyError::Exposed(_))));

        let other = dir.path().join("other");
        files::write_new(&other, b"hello").unwrap();
        assert!(matches!(SigningKey::load_or_create(&other, &count_up), Err(KeyError::Malformed(_))));
    }

    #[test]
    fn public_keys_round_trip_as_text_and_debug_shows_no_secret() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let text = key.public_key().to_string();
        assert_eq!(text.parse(), Ok(key.public_key()));
        assert!(text.replace("ed25519", "rsa").parse::<PublicKey>().is_err());
        assert_eq!(format!("{key:?}"), format!("SigningKey {{ public_key: {text}, .. }}"));
    }
}
