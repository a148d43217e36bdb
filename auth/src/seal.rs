//! Encrypting what is kept in the store.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::{Pepper, Random};

/// Seals contents of documents with a key that is not in the store, and opens them again.
pub struct Seal(LessSafeKey);

impl Seal {
    /// The seal for one purpose; each has a key of its own.
    pub fn new(pepper: &Pepper, purpose: &'static str) -> Self {
        let key = pepper.derive(purpose);
        let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).expect("32 bytes are a key of AES-256");
        Self(LessSafeKey::new(key))
    }

    /// Seals `content` under `name`: nonce, ciphertext, tag.
    ///
    /// Nonces are random, so one key must not seal more than some billions of contents.
    pub fn seal(&self, name: &str, content: &[u8], random: Random<'_>) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce);
        let mut sealed = Zeroizing::new(content.to_vec());
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(name.as_bytes()),
                sealed.as_mut_slice(),
            )
            .expect("a document is no more than AES-GCM can seal");
        [nonce.as_slice(), sealed.as_slice(), tag.as_ref()].concat()
    }

    /// Opens what was sealed under `name`; nothing when it was not, or was changed.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, content) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut content = Zeroizing::new(content.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, Aad::from(name.as_bytes()), &mut content).ok()?.len();
        content.truncate(length);
        Some(content)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_seal_and_name_open() {
        let pepper = Pepper::from_bytes([1; 32]);
        let seal = Seal::new(&pepper, "one");
        let sealed = seal.seal("desk", b"secret", &mut |bytes| bytes.fill(7));
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(seal.open("desk", &sealed).as_deref().map(Vec::as_slice), Some(b"secret".as_slice()));
        assert_eq!(seal.open("other", &sealed), None);
        assert_eq!(Seal::new(&pepper, "two").open("desk", &sealed), None);
        assert_eq!(Seal::new(&Pepper::from_bytes([2; 32]), "one").open("desk", &sealed), None);
        for length in [0, 5, NONCE_LEN, sealed.len() - 1] {
            assert_eq!(seal.open("desk", &sealed[..length]), None);
        }
    }
}
