//! What is recorded of a session.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ObjectStore, Views};
use crate::values::{ByteSize, FilePath, FreeSpace, HumanDuration, Recipient};

/// What is recorded of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Recording {
    /// Whether sessions are recorded.
    pub policy: RecordingPolicy,
    /// What is kept of the keys that are pressed.
    pub keystrokes: Keystrokes,
    /// Whether clipboard content is kept. Its times, kinds and sizes always are.
    pub clipboard: bool,
    /// Who can read the recordings: age public keys, and `gateway` for the gateway itself, with a key in the data
    /// directory. When empty, only the gateway. When `gateway` is not among them, it cannot read what it wrote.
    #[schemars(extend("uniqueItems" = true))]
    pub recipients: Vec<Recipient>,
    /// How much of the disk stays free.
    pub disk: DiskSpace,
    /// How long a recording is kept after its end, unless a rule says otherwise; for ever when absent.
    pub retention: Option<HumanDuration>,
    /// Whether technicians and the people whom they help may have the recording keep nothing of the screen, of keys and of
    /// the clipboard for a while, unless a rule says otherwise. Who asked, when and why is always kept. RDP sessions in
    /// which it is allowed go without the graphics pipeline, RemoteFX and bulk compression.
    pub blackout: bool,
    /// How long that lasts at most; then it ends by itself.
    pub blackout_max: BlackoutLength,
    /// A store that recordings are sent to as well.
    pub object_store: Option<ObjectStore>,
    /// Where recordings are kept; by default `recordings` in the data directory.
    #[schemars(with = "Option<FilePath>")]
    pub directory: Option<PathBuf>,
    /// What people look at.
    pub views: Views,
}

/// How long a blackout lasts at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct BlackoutLength(pub HumanDuration);

impl Default for BlackoutLength {
    fn default() -> Self {
        Self(HumanDuration::from_secs(5 * 60))
    }
}

/// How much of the disk with the recordings stays free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiskSpace {
    /// With less, the gateway warns: in its log, its metrics and the audit log. Twice `refuse` when absent.
    pub warn: Option<FreeSpace>,
    /// With less, no recording begins, so no session that has to be recorded.
    pub refuse: FreeSpace,
    /// With less, running recordings end, and the sessions that have to be recorded. Half of `refuse` when absent.
    pub stop: Option<FreeSpace>,
}

impl Default for DiskSpace {
    fn default() -> Self {
        Self { warn: None, refuse: FreeSpace::Bytes(ByteSize::from_bytes(1 << 30)), stop: None }
    }
}

impl DiskSpace {
    /// `warn`, `refuse` and `stop` in bytes, on a file system of `total` bytes.
    pub fn marks(self, total: u64) -> [u64; 3] {
        let refuse = self.refuse.of(total);
        let warn = self.warn.map_or(refuse.saturating_mul(2), |mark| mark.of(total));
        [warn, refuse, self.stop.map_or(refuse / 2, |mark| mark.of(total))]
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
    /// Nothing.
    #[default]
    None,
    /// When keys were pressed and whether they were letters, digits, modifiers and so on, not which ones.
    Kinds,
    /// Every key, so passwords that are typed too.
    All,
}
