//! What is recorded of a session.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values::{ByteSize, FilePath, Recipient};

/// What is recorded of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Recording {
    /// Whether sessions are recorded.
    pub policy: RecordingPolicy,
    /// What is kept of the keys that are pressed.
    pub keystrokes: Keystrokes,
    /// Whether clipboard content is kept. Its times, kinds and sizes always are.
    pub clipboard: bool,
    /// Who can read the recordings: age public keys. When empty, the gateway itself, with a key in the
    /// data directory. When given, only they can, and the gateway cannot.
    #[schemars(extend("uniqueItems" = true))]
    pub recipients: Vec<Recipient>,
    /// Disk space that is left free: with less, recordings stop, and what that means the policy says.
    pub min_free: ByteSize,
    /// Where recordings are kept; by default `recordings` in the data directory.
    #[schemars(with = "Option<FilePath>")]
    pub directory: Option<PathBuf>,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            policy: RecordingPolicy::default(),
            keystrokes: Keystrokes::default(),
            clipboard: false,
            recipients: Vec::new(),
            min_free: ByteSize::from_bytes(1 << 30),
            directory: None,
        }
    }
}

/// Whether sessions are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingPolicy {
    /// A session does not begin, or go on, without its recording.
    #[default]
    Required,
    /// Sessions are recorded, but one whose recording fails goes on.
    BestEffort,
    /// Sessions are not recorded, except where a rule requires it.
    Off,
}

/// What is kept of the keys that are pressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keystrokes {
    /// That a key was pressed and when, not which one.
    #[default]
    None,
    /// Every key, so passwords that are typed too.
    All,
}
