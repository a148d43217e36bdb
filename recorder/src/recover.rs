//! Sealing what a killed gateway left open.

use std::time::Duration;

use serde::Serialize;

/// A recording that was found open at the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// The recording.
    pub id: String,
    /// The session facts of its header.
    pub facts: serde_json::Value,
    /// What became of it.
    pub outcome: RecoveryOutcome,
}

/// What became of a recording that was found open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RecoveryOutcome {
    /// It was sealed with the end `interrupted`.
    Sealed {
        /// Root of the chain, in hex.
        root: String,
        /// It is whole until this time after its start.
        until: Duration,
        /// Bytes of a record that was not finished; they were cut off.
        torn_bytes: u64,
    },
    /// It was left as it is, because it was changed, is incomplete or cannot be written.
    Left {
        /// Why.
        why: String,
    },
}
