//! Data keys that were wrapped anew: for auditors who came later, and not for those who left.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::header::{
    HEADER_FILE, Header, HeaderError, KEYS_FILE, MAX_HEADER, WrappedKeys, check_keys, encode, key_hash,
};
use crate::identity::Recipients;
use crate::{Class, EraseError, Identity, SigningKey, files};

/// The signature does not cover anything else that begins so.
const DOMAIN: &[u8] = b"passerelle keys 1\0";

/// What the gateway signs about keys that it wrapped anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    version: u32,
    /// The recording.
    id: String,
    /// Counts up; the highest is in force.
    number: u32,
    /// When, RFC 3339 in UTC.
    at: String,
    /// Who can open it from now on.
    recipients: Vec<String>,
    /// SHA-256 of each class's wrapped key, in hex, as in the header.
    keys: BTreeMap<Class, String>,
}

/// A file `keys-N.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rewrapped {
    statement: Statement,
    signature: String,
    /// A class that is missing was erased.
    wrapped: WrappedKeys,
}

/// The keys of a recording that are in force.
pub(crate) struct Current {
    pub(crate) wrapped: WrappedKeys,
    /// How often they were wrapped anew.
    pub(crate) number: u32,
    pub(crate) recipients: Vec<String>,
}

/// A recording's keys could not be wrapped anew. Its old keys are in force.
#[derive(Debug, thiserror::Error)]
pub enum RewrapError {
    /// The recording's clear part cannot be used.
    #[error("the recording's keys cannot be read: {0}")]
    Unreadable(String),
    /// The identity opens none of the recording's keys.
    #[error("the {0} key is wrapped for others; only somebody whom it is wrapped for can wrap it anew")]
    NotOpened(Class),
    /// A text is no age recipient.
    #[error("`{0}` is not an age recipient; it should begin with `age1`")]
    Recipient(String),
    /// Nobody would be left.
    #[error("nobody could read the recording any more; to destroy its keys, erase it")]
    Nobody,
    /// The keys could not be wrapped.
    #[error("the keys cannot be wrapped: {0}")]
    Wrap(io::Error),
    /// A file cannot be written.
    #[error("cannot write {path}: {error}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// The file with keys that were wrapped anew for the time `number`.
fn file_name(number: u32) -> String {
    format!("keys-{number}.json")
}

/// The number in such a name.
pub(crate) fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("keys-")?.strip_suffix(".json")?;
    let number: u32 = digits.parse().ok()?;
    (number > 0 && number.to_string() == digits).then_some(number)
}

/// Numbers of the files in `dir` with keys that were wrapped anew, rising.
fn numbers(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        numbers.extend(entry?.file_name().to_str().and_then(number_of));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The keys in force of the recording in `dir`, which the header or the gateway's signature vouches for.
pub(crate) fn current(dir: &Path, header: &Header) -> Result<Current, HeaderError> {
    let unlisted = |error| HeaderError::Read { path: dir.to_owned(), error };
    let Some(number) = numbers(dir).map_err(unlisted)?.pop() else {
        let path = dir.join(KEYS_FILE);
        let wrapped = read(&path).and_then(|bytes| {
            check_keys(&bytes, header).map_err(|why| HeaderError::Malformed { path, why })
        })?;
        return Ok(Current { wrapped, number: 0, recipients: header.recipients.clone() });
    };
    let path = dir.join(file_name(number));
    let Rewrapped { statement, wrapped, .. } = checked(dir, &path, number, header)?;
    Ok(Current { wrapped, number, recipients: statement.recipients })
}

fn read(path: &Path) -> Result<Vec<u8>, HeaderError> {
    files::read_bounded(path, MAX_HEADER).map_err(|error| HeaderError::Read { path: path.to_owned(), error })
}

fn checked(dir: &Path, path: &Path, number: u32, header: &Header) -> Result<Rewrapped, HeaderError> {
    let malformed = |why: &str| HeaderError::Malformed { path: path.to_owned(), why: why.to_owned() };
    let bytes = read(path)?;
    let found: Rewrapped = serde_json::from_slice(&bytes).map_err(|error| malformed(&error.to_string()))?;
    if encode(&found) != bytes {
        return Err(malformed("it is not written the way the gateway writes it"));
    }
    let signature = BASE64URL_NOPAD.decode(found.signature.as_bytes()).unwrap_or_default();
    let header_bytes = read(&dir.join(HEADER_FILE))?;
    if !header.signer.verifies(&message(&header_bytes, &found.statement), &signature) {
        return Err(malformed("the keys were replaced by somebody else than this recording's gateway"));
    }
    if found.statement.version != 1 {
        return Err(malformed("its version is not known"));
    }
    if found.statement.number != number || found.statement.id != header.id {
        return Err(malformed("it is not the file that the gateway signed under this name"));
    }
    for (class, wrapped) in &found.wrapped {
        if found.statement.keys.get(class) != Some(&key_hash(wrapped)) {
            return Err(malformed(&format!("the {class} key is not the one that the gateway signed")));
        }
    }
    Ok(found)
}

/// What is signed.
fn message(header: &[u8], statement: &Statement) -> Vec<u8> {
    [DOMAIN, digest(&SHA256, header).as_ref(), &encode(statement)].concat()
}

/// Removes the wrapped key of a class from every file in `dir`. Returns whether there was one in force.
pub(crate) fn erase(dir: &Path, header: &Header, class: Class) -> Result<bool, EraseError> {
    let unreadable = |error: &dyn std::fmt::Display| EraseError::Unreadable(error.to_string());
    let in_force = current(dir, header).map_err(|error| unreadable(&error))?.wrapped.contains_key(&class);
    let write = |path: PathBuf, content: Vec<u8>| {
        files::replace(&path, &content).map_err(|error| EraseError::Write { path, error })
    };
    let path = dir.join(KEYS_FILE);
    let bytes = read(&path).map_err(|error| unreadable(&error))?;
    let mut first: WrappedKeys = serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
    if first.remove(&class).is_some() {
        write(path, encode(&first))?;
    }
    for number in numbers(dir).map_err(|error| unreadable(&error))? {
        let path = dir.join(file_name(number));
        let bytes = read(&path).map_err(|error| unreadable(&error))?;
        let mut later: Rewrapped = serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
        if later.wrapped.remove(&class).is_some() {
            write(path, encode(&later))?;
        }
    }
    Ok(in_force)
}

/// Wraps the data keys of the recording in `dir` anew: for whom they are wrapped and for `add`, not for `remove`. Tells
/// who can open it from then on. The old wrapped keys are destroyed; whoever has a copy of them and a key can still
/// open it.
///
/// `at` is the time of day, RFC 3339 in UTC.
///
/// # Errors
/// `identity` does not open the keys, or they cannot be written.
pub fn rewrap(
    dir: &Path,
    identity: &Identity,
    add: &[String],
    remove: &[String],
    signer: &SigningKey,
    at: &str,
) -> Result<Vec<String>, RewrapError> {
    let unreadable = |error: HeaderError| RewrapError::Unreadable(error.to_string());
    let (header, header_bytes) = crate::header::read_header(dir).map_err(unreadable)?;
    if header.signer != signer.public_key() {
        return Err(RewrapError::Unreadable(format!("another gateway signed it, {}", header.signer)));
    }
    let before = current(dir, &header).map_err(unreadable)?;
    let kept = before.recipients.iter().filter(|known| !remove.contains(known));
    let recipients =
        Recipients::parse(kept.chain(add).map(String::as_str)).map_err(RewrapError::Recipient)?;
    if recipients.is_empty() {
        return Err(RewrapError::Nobody);
    }
    if recipients.texts() != before.recipients {
        let mut wrapped = WrappedKeys::new();
        for (class, old) in &before.wrapped {
            let key = identity.unwrap_key(old).ok_or(RewrapError::NotOpened(*class))?;
            wrapped.insert(*class, recipients.wrap(&key).map_err(RewrapError::Wrap)?);
        }
        let statement = Statement {
            version: 1,
            id: header.id,
            number: before.number + 1,
            at: at.to_owned(),
            recipients: recipients.texts(),
            keys: wrapped.iter().map(|(class, wrapped)| (*class, key_hash(wrapped))).collect(),
        };
        let signature = BASE64URL_NOPAD.encode(&signer.sign(&message(&header_bytes, &statement)));
        let path = dir.join(file_name(statement.number));
        let content = encode(&Rewrapped { statement, signature, wrapped });
        files::replace(&path, &content).map_err(|error| RewrapError::Write { path, error })?;
    }
    // Also what an interrupted rewrapping left.
    forget(dir)?;
    Ok(recipients.texts())
}

/// Destroys the wrapped keys that are not in force.
fn forget(dir: &Path) -> Result<(), RewrapError> {
    let failed = |path: &Path, error| RewrapError::Write { path: path.to_owned(), error };
    let mut listed = numbers(dir).map_err(|error| failed(dir, error))?;
    if listed.pop().is_none() {
        return Ok(());
    }
    let path = dir.join(KEYS_FILE);
    files::replace(&path, &encode(&WrappedKeys::new())).map_err(|error| failed(&path, error))?;
    for number in listed {
        let path = dir.join(file_name(number));
        std::fs::remove_file(&path).map_err(|error| failed(&path, error))?;
    }
    files::sync_dir(dir).map_err(|error| failed(dir, error))
}

/// Who can open the recording in `dir` now.
///
/// # Errors
/// Its keys cannot be read, or somebody else than the gateway replaced them.
pub fn recipients(dir: &Path) -> Result<Vec<String>, RewrapError> {
    let unreadable = |error: HeaderError| RewrapError::Unreadable(error.to_string());
    let (header, _) = crate::header::read_header(dir).map_err(unreadable)?;
    Ok(current(dir, &header).map_err(unreadable)?.recipients)
}
