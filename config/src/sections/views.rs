//! What people look at of recordings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values::{ByteSize, HumanDuration};

/// Views: pictures that are rendered from recordings, for people to look at. They can be rendered again at any time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Views {
    /// When sessions are rendered.
    pub mode: RenderMode,
    /// A view is removed so long after it was rendered.
    pub max_age: HumanDuration,
    /// The oldest views are removed when all together are larger than this; a single one may not be.
    pub max_size: ByteSize,
    /// Recordings that are rendered at a time; half the processor's cores when absent. Running sessions are not counted.
    #[schemars(range(min = 1))]
    pub workers: Option<u32>,
    /// The address space of a process that renders.
    pub memory: ByteSize,
    /// Whether a process that renders has to be confined to what it needs by a filter of system calls.
    pub confinement: Confinement,
}

impl Default for Views {
    fn default() -> Self {
        Self {
            mode: RenderMode::default(),
            max_age: HumanDuration::from_secs(30 * 86_400),
            max_size: ByteSize::from_bytes(20 << 30),
            workers: None,
            memory: ByteSize::from_bytes(2 << 30),
            confinement: Confinement::default(),
        }
    }
}

/// When sessions are rendered, the earliest first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RenderMode {
    /// While they run.
    Live,
    /// When they have ended.
    OnClose,
    /// When somebody wants to see them.
    #[default]
    OnDemand,
}

/// Whether a process that renders has to be confined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confinement {
    /// It does not run where the kernel does not confine it.
    #[default]
    Required,
    /// It runs without a filter. What it reads may come from attackers.
    Off,
}
