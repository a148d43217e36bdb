//! The lines of the log: their envelope, their chain, their checkpoints. `AUDIT.md` in code.

use std::time::SystemTime;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::AuditEvent;
use crate::{PublicKey, SigningKey};

const CHECKPOINT_CONTEXT: &[u8] = b"passerelle audit 1\0";
/// The `kind` of a checkpoint.
const CHECKPOINT: &str = "checkpoint";

/// SHA-256 of a line without its line feed; zeros before the first line.
pub(crate) type LineHash = [u8; 32];

/// The hash that the next line names.
pub(crate) fn hash(line: &[u8]) -> LineHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, line).as_ref());
    hash
}

/// A line as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    Event(EventLine),
    Checkpoint(CheckpointLine),
}

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    /// The line's number in the whole log; the first is 1.
    pub seq: u64,
    /// When it was written, RFC 3339 with milliseconds, in UTC.
    pub time: String,
    /// What happened.
    #[serde(flatten)]
    pub event: AuditEvent,
    /// SHA-256 of the line before, in hex; zeros in the first line.
    pub prev: String,
}

/// A signature over everything before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckpointLine {
    pub(crate) seq: u64,
    pub(crate) time: String,
    pub(crate) kind: String,
    pub(crate) signer: PublicKey,
    pub(crate) signature: String,
    pub(crate) prev: String,
}

impl Line {
    /// Reads a line without its line feed.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Kind {
            kind: String,
        }
        let Kind { kind } = serde_json::from_slice(line)?;
        if kind == CHECKPOINT {
            serde_json::from_slice(line).map(Line::Checkpoint)
        } else {
            serde_json::from_slice(line).map(Line::Event)
        }
    }

    pub(crate) fn seq(&self) -> u64 {
        match self {
            Line::Event(line) => line.seq,
            Line::Checkpoint(line) => line.seq,
        }
    }

    pub(crate) fn time(&self) -> &str {
        match self {
            Line::Event(line) => &line.time,
            Line::Checkpoint(line) => &line.time,
        }
    }

    pub(crate) fn prev(&self) -> &str {
        match self {
            Line::Event(line) => &line.prev,
            Line::Checkpoint(line) => &line.prev,
        }
    }

    /// The one way in which a line is written, without its line feed.
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Texts and plain values with text keys always serialize.
        match self {
            Line::Event(line) => serde_json::to_vec(line),
            Line::Checkpoint(line) => serde_json::to_vec(line),
        }
        .unwrap_or_default()
    }
}

impl CheckpointLine {
    pub(crate) fn sign(seq: u64, time: String, prev: &LineHash, signer: &SigningKey) -> Self {
        let signature = signer.sign(&message(seq, prev, &time));
        Self {
            seq,
            kind: CHECKPOINT.into(),
            signer: signer.public_key(),
            signature: BASE64URL_NOPAD.encode(&signature),
            prev: HEXLOWER.encode(prev),
            time,
        }
    }

    /// Whether it is `signer`'s signature over a log whose last line has the hash `prev`.
    pub(crate) fn holds(&self, prev: &LineHash, signer: &PublicKey) -> bool {
        BASE64URL_NOPAD
            .decode(self.signature.as_bytes())
            .is_ok_and(|signature| signer.verifies(&message(self.seq, prev, &self.time), &signature))
    }
}

fn message(seq: u64, prev: &LineHash, time: &str) -> Vec<u8> {
    let mut message = CHECKPOINT_CONTEXT.to_vec();
    message.extend_from_slice(&seq.to_be_bytes());
    message.extend_from_slice(prev);
    message.extend_from_slice(time.as_bytes());
    message
}

/// A line's time.
pub(crate) fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
