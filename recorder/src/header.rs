//! `header.json` and `keys.json`: what of a recording is in clear.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Class, PublicKey, files, rewrap};

pub(crate) const HEADER_FILE: &str = "header.json";
pub(crate) const KEYS_FILE: &str = "keys.json";
pub(crate) const VERSION: u32 = 1;
pub(crate) const MAX_HEADER: u64 = 1 << 20;

/// Whether a file of this name has keys.
pub(crate) fn is_keys_file(name: &str) -> bool {
    name == KEYS_FILE || rewrap::number_of(name).is_some()
}

/// A recording's header: what is known from its start on, in clear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of the format; 1.
    pub version: u32,
    /// The recording's name.
    pub id: String,
    /// When it started, RFC 3339 in UTC.
    pub started: String,
    /// Whose signatures the checkpoints carry.
    pub signer: PublicKey,
    /// Who can open it.
    pub recipients: Vec<String>,
    /// SHA-256 of each class's wrapped key, in hex. The wrapped keys are in `keys.json`, so that one can
    /// be destroyed without a change to what the signatures cover.
    pub keys: BTreeMap<Class, String>,
    /// The session's facts, as the gateway gave them.
    pub facts: Value,
}

/// Each class's data key, wrapped as an armored age file. A class that is missing was erased.
pub(crate) type WrappedKeys = BTreeMap<Class, String>;

/// A recording's clear part cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("cannot read {path}: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error("{path} is malformed: {why}")]
    Malformed { path: PathBuf, why: String },
}

/// Reads a header. The error says why it is none.
pub(crate) fn parse_header(bytes: &[u8]) -> Result<Header, String> {
    let header: Header = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if header.version == VERSION {
        Ok(header)
    } else {
        Err(format!("version {} is not known", header.version))
    }
}

/// Reads the header of the recording in `dir`, and its bytes for the chain.
pub(crate) fn read_header(dir: &Path) -> Result<(Header, Vec<u8>), HeaderError> {
    let path = dir.join(HEADER_FILE);
    let bytes = match files::read_bounded(&path, MAX_HEADER) {
        Ok(bytes) => bytes,
        Err(error) => return Err(HeaderError::Read { path, error }),
    };
    match parse_header(&bytes) {
        Ok(header) => Ok((header, bytes)),
        Err(why) => Err(HeaderError::Malformed { path, why }),
    }
}

/// The wrapped keys of `keys.json`, if they are what the header says.
pub(crate) fn check_keys(bytes: &[u8], header: &Header) -> Result<WrappedKeys, String> {
    let keys: WrappedKeys = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if encode(&keys) != bytes {
        return Err("it is not written the way the gateway writes it".into());
    }
    for (class, wrapped) in &keys {
        if header.keys.get(class) != Some(&key_hash(wrapped)) {
            return Err(format!("the {class} key is not the one that the header names"));
        }
    }
    Ok(keys)
}

/// What the header keeps of a wrapped key.
pub(crate) fn key_hash(wrapped: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, wrapped.as_bytes()).as_ref())
}

/// The one way in which both files are written.
pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    // Maps with text keys and plain values always serialize.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// A class could not be erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The recording's header or keys cannot be used.
    #[error("cannot erase: {0}")]
    Unreadable(String),
    /// The file with the keys cannot be replaced.
    #[error("cannot erase: cannot write {path}: {error}")]
    Write {
        /// The file with the keys.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Destroys the wrapped key of a class, so that nobody can read its lanes again. The chain stays intact
/// and the recording verifies as before.
///
/// The key is gone from the file; whether its old blocks are gone from the medium depends on the file
/// system and the device. Returns whether there was a key.
///
/// # Errors
/// The recording's clear part cannot be read or replaced.
pub fn erase(dir: &Path, class: Class) -> Result<bool, EraseError> {
    let unreadable = |error: HeaderError| EraseError::Unreadable(error.to_string());
    let (header, _) = read_header(dir).map_err(unreadable)?;
    rewrap::erase(dir, &header, class)
}
