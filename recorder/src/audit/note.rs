//! Checkpoints that others can keep and check: signed notes (C2SP `signed-note` and `tlog-checkpoint`) with the number
//! of the log's lines and the root of the tree over them.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use ring::digest::{SHA256, digest};

use super::merkle::TreeHash;
use crate::{PublicKey, SigningKey};

/// Marks a signature as Ed25519's.
const ED25519: u8 = 1;
/// What a line with a signature begins with: an em dash and a blank.
const DASH: &str = "\u{2014} ";
/// No checkpoint of ours is longer; those of others may have more signatures.
pub(crate) const MAX_NOTE: usize = 64 * 1024;

/// The state of a log when it had so many lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Names the log, by the key that signs it.
    pub origin: String,
    /// The number of lines.
    pub size: u64,
    /// The root of the tree over them.
    pub root: TreeHash,
}

/// Why a text is not a checkpoint of the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It has another form.
    #[error("it is not a signed checkpoint: {0}")]
    Malformed(&'static str),
    /// It is of another log.
    #[error("it is of the log `{0}`, which this key does not sign")]
    OtherLog(String),
    /// The key did not sign it.
    #[error("the key has not signed it, or it was changed since")]
    Signature,
}

/// The name of the log that a key signs.
#[must_use]
pub fn origin(key: &PublicKey) -> String {
    let hash = digest(&SHA256, key.bytes());
    format!("passerelle-audit/{}", HEXLOWER.encode(&hash.as_ref()[..8]))
}

/// The key in the form in which tools for signed notes take it.
#[must_use]
pub fn verifier_key(key: &PublicKey) -> String {
    let name = origin(key);
    let id = HEXLOWER.encode(&key_id(&name, key));
    format!("{name}+{id}+{}", BASE64.encode(&[&[ED25519], &key.bytes()[..]].concat()))
}

fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    let hash = digest(&SHA256, &[name.as_bytes(), &[b'\n', ED25519], key.bytes()].concat());
    let mut id = [0; 4];
    id.copy_from_slice(&hash.as_ref()[..4]);
    id
}

impl TreeHead {
    /// The note that says so, signed.
    pub(crate) fn sign(&self, key: &SigningKey) -> String {
        let text = self.to_string();
        let name = &self.origin;
        let signature = [&key_id(name, &key.public_key())[..], &key.sign(text.as_bytes())].concat();
        format!("{text}\n{DASH}{name} {}\n", BASE64.encode(&signature))
    }

    /// Reads a note that `key` signed. Signatures of others, such as witnesses, may stand beside.
    ///
    /// # Errors
    /// The note is of another form, of another log, or not signed by the key.
    pub fn verify(note: &str, key: &PublicKey) -> Result<Self, NoteError> {
        let text = signed_text(note, &origin(key), key)?;
        let mut lines = text.lines();
        let mut line = |what| lines.next().filter(|line| !line.is_empty()).ok_or(NoteError::Malformed(what));
        let name = line("it does not name its log")?;
        let size = line("it has no size")?;
        let root = line("it has no root")?;
        let number: u64 = size.parse().map_err(|_| NoteError::Malformed("its size is no number"))?;
        if number.to_string() != size {
            return Err(NoteError::Malformed("its size is not written as it must be"));
        }
        let root = BASE64.decode(root.as_bytes()).ok().and_then(|root| root.try_into().ok());
        let root = root.ok_or(NoteError::Malformed("its root is no hash"))?;
        if name != origin(key) {
            return Err(NoteError::OtherLog(name.to_owned()));
        }
        Ok(Self { origin: name.to_owned(), size: number, root })
    }
}

/// The text of the note, which is signed.
impl fmt::Display for TreeHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root))
    }
}

/// The text of a note that the key `key` of the name `name` signed.
fn signed_text<'a>(note: &'a str, name: &str, key: &PublicKey) -> Result<&'a str, NoteError> {
    if note.len() > MAX_NOTE {
        return Err(NoteError::Malformed("it is too long"));
    }
    let (_, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed("it has no signature"))?;
    let text = &note[..note.len() - signatures.len() - 1];
    if signatures.is_empty() || !signatures.ends_with('\n') {
        return Err(NoteError::Malformed("its last line is not whole"));
    }
    let mut others = None;
    // Not `lines`, which takes the end of a line in two forms.
    for line in signatures.split_terminator('\n') {
        let signature = line.strip_prefix(DASH).and_then(|line| line.split_once(' '));
        let (signer, signature) = signature.ok_or(NoteError::Malformed("a signature has another form"))?;
        let signature = BASE64
            .decode(signature.as_bytes())
            .map_err(|_| NoteError::Malformed("a signature is no base64"))?;
        let Some((id, signature)) = signature.split_first_chunk::<4>() else {
            return Err(NoteError::Malformed("a signature is too short"));
        };
        if signer != name || *id != key_id(name, key) {
            others = Some(signer);
        } else if key.verifies(text.as_bytes(), signature) {
            return Ok(text);
        } else {
            return Err(NoteError::Signature);
        }
    }
    Err(others.map_or(NoteError::Signature, |other| NoteError::OtherLog(other.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(key: &SigningKey) -> TreeHead {
        TreeHead { origin: origin(&key.public_key()), size: 20_852_163, root: [7; 32] }
    }

    #[test]
    fn what_is_signed_is_read_again() {
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        let note = head(&key).sign(&key);
        assert_eq!(TreeHead::verify(&note, &key.public_key()), Ok(head(&key)));
        let returns = note.strip_suffix('\n').unwrap().to_owned() + "\r\n";
        assert!(TreeHead::verify(&returns, &key.public_key()).is_err());
        let witness = format!("{note}{DASH}witness.example dGVzdHRlc3Q=\n");
        assert_eq!(TreeHead::verify(&witness, &key.public_key()), Ok(head(&key)));
        assert!(verifier_key(&key.public_key()).starts_with(&format!("{}+", head(&key).origin)));
    }

    /// The example of the note package of Go's checksum database, which the form comes from.
    #[test]
    fn the_note_of_another_implementation_verifies() {
        let (name, rest) =
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".split_once('+').unwrap();
        let (id, key) = rest.split_once('+').unwrap();
        let key = BASE64.decode(key.as_bytes()).unwrap();
        assert_eq!(key[0], ED25519);
        let key = PublicKey::from_bytes(key[1..].try_into().unwrap());
        assert_eq!(HEXLOWER.encode(&key_id(name, &key)), id);
        let note = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        assert_eq!(signed_text(note, name, &key), Ok(&note[..note.find("\n\n").unwrap() + 1]));
        assert_eq!(signed_text(&note.replace("know", "knew"), name, &key), Err(NoteError::Signature));
    }

    #[test]
    fn whatever_is_changed_shows() {
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        let other = SigningKey::from_seed(&[4; 32]).unwrap().public_key();
        let note = head(&key).sign(&key);
        assert_eq!(TreeHead::verify(&note, &other), Err(NoteError::OtherLog(head(&key).origin)));
        for at in 0..note.len() {
            let mut changed = note.clone().into_bytes();
            changed[at] ^= 1;
            if let Ok(changed) = String::from_utf8(changed) {
                assert!(TreeHead::verify(&changed, &key.public_key()).is_err(), "{changed:?}");
            }
            if note.is_char_boundary(at) {
                assert!(TreeHead::verify(&note[..at], &key.public_key()).is_err(), "{:?}", &note[..at]);
            }
        }
    }
}
