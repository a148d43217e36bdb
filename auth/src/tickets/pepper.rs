//! The key that is not in the store, and what is derived from it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

use super::{REFERENCE_PREFIX, TICKET_SYMBOLS, VNC_SYMBOLS};
use crate::{Candidate, Digest, Random, SealedSecret, Secret, TicketId, crockford};

/// Bytes of a pepper.
const LENGTH: usize = 32;

/// A secret of the gateway that is not in its store: who steals the store alone can neither recognise
/// nor read the secrets of tickets. Nodes that share a store share the pepper.
pub struct Pepper(Zeroizing<[u8; LENGTH]>);

/// A pepper's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PepperError {
    /// The file cannot be read or made.
    #[error("cannot {action} the pepper {}: {source}", .path.display())]
    Io {
        /// `read` or `make`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than the owner may open the file.
    #[error("the pepper {} is open to others than its owner (mode {mode:o}): run `chmod 600` on it", .path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("the pepper {} does not hold 64 hexadecimal digits: restore it, or remove it to have a new one made, \
             with which no ticket issued before works", .path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
}

impl Pepper {
    /// The pepper that these bytes are.
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The pepper that 64 hexadecimal digits are; nothing when the text is something else.
    pub fn from_digits(text: &str) -> Option<Self> {
        from_hex(text.as_bytes()).map(Self)
    }

    /// Reads the pepper in the file at `path`: 64 hexadecimal digits. Where there is no file, makes one
    /// that only its owner can open.
    ///
    /// Of several processes that make it at the same time, all get the same one.
    ///
    /// # Errors
    /// See [`PepperError`].
    pub fn load_or_create(path: &Path, random: Random<'_>) -> Result<Self, PepperError> {
        match Self::load(path) {
            Err(PepperError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                create(path, random).map_err(|source| PepperError::Io {
                    action: "make",
                    path: path.to_owned(),
                    source,
                })?;
                Self::load(path)
            }
            loaded => loaded,
        }
    }

    /// The key for a purpose, which tells nothing of the pepper or of other keys.
    pub(crate) fn derive(&self, purpose: &'static str) -> Zeroizing<[u8; LENGTH]> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"passerelle documents v1").extract(self.0.as_slice());
        derived(&root, purpose.as_bytes())
    }

    fn load(path: &Path) -> Result<Self, PepperError> {
        let unreadable = |source| PepperError::Io { action: "read", path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(PepperError::Exposed { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(Vec::with_capacity(256));
        file.take(256).read_to_end(&mut text).map_err(unreadable)?;
        let bytes =
            from_hex(text.trim_ascii()).ok_or_else(|| PepperError::Malformed { path: path.to_owned() })?;
        Ok(Self(bytes))
    }
}

/// Makes the file whole or not at all, unless another process was faster.
fn create(path: &Path, random: Random<'_>) -> io::Result<()> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    random(bytes.as_mut_slice());
    let mut suffix = [0; 8];
    random(&mut suffix);
    let temporary = path.with_extension(format!("{:016x}.tmp", u64::from_be_bytes(suffix)));

    let mut text = Zeroizing::new(String::with_capacity(2 * LENGTH + 1));
    for byte in bytes.iter() {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    text.push('\n');

    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let made = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| {
        match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    });
    fs::remove_file(&temporary)?;
    made?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

fn from_hex(text: &[u8]) -> Option<Zeroizing<[u8; LENGTH]>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Zeroizing::new([0; LENGTH]);
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != LENGTH || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// The keys under which secrets of tickets are recognised and sealed.
pub(super) struct TicketKeys {
    digest: hmac::Key,
    seal: LessSafeKey,
}

impl TicketKeys {
    pub(super) fn derive(pepper: &Pepper) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"passerelle tickets v1").extract(pepper.0.as_slice());
        let digest = derived(&root, b"digest");
        let seal = derived(&root, b"seal");
        Self {
            digest: hmac::Key::new(hmac::HMAC_SHA256, digest.as_slice()),
            seal: LessSafeKey::new(
                UnboundKey::new(&AES_256_GCM, seal.as_slice()).expect("32 bytes are a key of AES-256"),
            ),
        }
    }

    /// The digest of a secret as it was issued.
    pub(super) fn digest(&self, secret: &str) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(hmac::sign(&self.digest, secret.as_bytes()).as_ref());
        Digest(digest)
    }

    /// The digest of a secret as somebody typed it, if it has the form of one.
    pub(super) fn digest_of_entered(&self, entered: &str) -> Option<Digest> {
        let normal = Secret::new(crockford::normalize(entered, TICKET_SYMBOLS)?);
        matches!(normal.expose().len(), VNC_SYMBOLS | TICKET_SYMBOLS).then(|| self.digest(normal.expose()))
    }

    /// The digest of a reference as a client sent it, if it has the form of one. A routing token may carry
    /// spaces and its line's end.
    pub(super) fn digest_of_reference(&self, sent: &str) -> Option<Digest> {
        let random = sent.trim_matches([' ', '\r', '\n']).strip_prefix(REFERENCE_PREFIX)?;
        let canonical = crockford::encode_id(crockford::decode_id(random)?);
        Some(self.digest(Secret::new(format!("{REFERENCE_PREFIX}{canonical}")).expose()))
    }

    /// Seals the secrets of the ticket `id`: nonce, ciphertext, tag.
    pub(super) fn seal(&self, id: TicketId, secrets: &Opened, random: Random<'_>) -> SealedSecret {
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce);
        let both = [secrets.ticket.expose().as_bytes(), secrets.vnc_password.expose().as_bytes()];
        let mut content = Zeroizing::new(both.concat());
        let tag = self
            .seal
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(id.as_bytes()),
                content.as_mut_slice(),
            )
            .expect("a few bytes are no more than AES-GCM can seal");
        SealedSecret([nonce.as_slice(), content.as_slice(), tag.as_ref()].concat())
    }

    /// Opens sealed secrets; nothing when they were not sealed with this key for this ticket.
    pub(super) fn open(&self, candidate: &Candidate) -> Option<Opened> {
        let (nonce, content) = candidate.sealed.0.split_first_chunk::<NONCE_LEN>()?;
        let mut content = Zeroizing::new(content.to_vec());
        let opened = self
            .seal
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(candidate.id.as_bytes()),
                content.as_mut_slice(),
            )
            .ok()?;
        let (ticket, vnc_password) = std::str::from_utf8(opened).ok()?.split_at_checked(TICKET_SYMBOLS)?;
        Some(Opened {
            ticket: Secret::new(ticket.to_owned()),
            vnc_password: Secret::new(vnc_password.to_owned()),
        })
    }
}

/// The secrets of a ticket that are sealed.
pub(super) struct Opened {
    /// The 16 characters.
    pub(super) ticket: Secret,
    /// The 8 characters.
    pub(super) vnc_password: Secret,
}

fn derived(root: &hkdf::Prk, purpose: &'static [u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    root.expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut_slice()))
        .expect("32 bytes are within what HKDF can give");
    key
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::Timestamp;

    fn counter() -> impl FnMut(&mut [u8]) + Send {
        let mut next = 0u8;
        move |bytes| {
            for byte in bytes {
                next = next.wrapping_add(1);
                *byte = next;
            }
        }
    }

    #[test]
    fn file_is_made_once_and_only_for_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pepper");
        let mut random = counter();
        let made = Pepper::load_or_create(&path, &mut random).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left behind");
        let loaded = Pepper::load_or_create(&path, &mut random).unwrap();
        assert_eq!(*made.0, *loaded.0);
        assert_eq!(made.0[..4], [1, 2, 3, 4]);
    }

    #[test]
    fn bad_files_are_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pepper");
        Pepper::load_or_create(&path, &mut counter()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Pepper::load_or_create(&path, &mut counter()).err().unwrap();
        assert!(error.to_string().contains("mode 640") && error.to_string().contains("chmod 600"), "{error}");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for content in ["", "00", &"0".repeat(63), &"0".repeat(66), &"g".repeat(64), &"é".repeat(32)] {
            fs::write(&path, content).unwrap();
            let error = Pepper::load_or_create(&path, &mut counter()).err().unwrap();
            assert!(matches!(error, PepperError::Malformed { .. }), "{content}: {error}");
        }

        let missing = directory.path().join("no/such/pepper");
        let error = Pepper::load_or_create(&missing, &mut counter()).err().unwrap();
        assert!(matches!(error, PepperError::Io { action: "make", .. }), "{error}");
    }

    #[test]
    fn sealed_secrets_open_only_for_their_ticket_and_pepper() {
        let mut random = counter();
        let keys = TicketKeys::derive(&Pepper::from_bytes([1; 32]));
        let id = TicketId::new(Timestamp::from_millis(0), &mut random);
        let secrets = Opened {
            ticket: Secret::new("0123456789ABCDEF".into()),
            vnc_password: Secret::new("7K2M9Q4X".into()),
        };
        let sealed = keys.seal(id, &secrets, &mut random);
        assert!(!sealed.0.windows(8).any(|window| window == b"7K2M9Q4X" || window == b"01234567"));

        let candidate =
            Candidate { id, sealed: sealed.clone(), issued_at: Timestamp::from_millis(0), used: None };
        let opened = keys.open(&candidate).unwrap();
        assert_eq!((opened.ticket.expose(), opened.vnc_password.expose()), ("0123456789ABCDEF", "7K2M9Q4X"));
        let other = TicketId::new(Timestamp::from_millis(1), &mut random);
        assert!(keys.open(&Candidate { id: other, ..candidate.clone() }).is_none());
        assert!(TicketKeys::derive(&Pepper::from_bytes([2; 32])).open(&candidate).is_none());
        let damaged = |sealed| keys.open(&Candidate { sealed, ..candidate.clone() });
        for place in 0..sealed.0.len() {
            let mut bytes = sealed.0.clone();
            bytes[place] ^= 1;
            assert!(damaged(SealedSecret(bytes)).is_none());
        }
        assert!(damaged(SealedSecret(vec![0; 11])).is_none());
    }

    #[test]
    fn references_are_recognised_as_clients_send_them() {
        let keys = TicketKeys::derive(&Pepper::from_bytes([1; 32]));
        let reference = format!("{REFERENCE_PREFIX}{}", crockford::encode_id([7; 16]));
        let issued = keys.digest(&reference);
        for sent in [reference.clone(), format!("{reference}\r\n"), format!("{reference} \r\n")] {
            assert_eq!(keys.digest_of_reference(&sent), Some(issued), "{sent:?}");
        }
        let random = reference.strip_prefix(REFERENCE_PREFIX).unwrap();
        for sent in ["", random, REFERENCE_PREFIX, &reference[..36], &format!("{reference}0"), "passerelle-é"]
        {
            assert_eq!(keys.digest_of_reference(sent), None, "{sent:?}");
        }
    }

    #[test]
    fn digests_depend_on_the_pepper_and_not_on_the_spelling() {
        let keys = TicketKeys::derive(&Pepper::from_bytes([1; 32]));
        let issued = keys.digest("0123456789ABCDEF");
        assert_eq!(keys.digest_of_entered("oi23-4567 89ab-cdef"), Some(issued));
        assert_ne!(TicketKeys::derive(&Pepper::from_bytes([2; 32])).digest("0123456789ABCDEF"), issued);
        for entered in
            ["", "0123456789ABCDE", "0123456789ABCDEF0", "0123456789ABCDEU", "correct horse battery"]
        {
            assert_eq!(keys.digest_of_entered(entered), None, "{entered}");
        }
    }
}
