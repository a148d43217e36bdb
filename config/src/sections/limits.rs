//! Limits on time, number and size; tickets; failed logins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values::{ByteSize, HumanDuration};

/// Limits on time, number and size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// A session in which the technician did nothing for so long ends.
    pub idle: HumanDuration,
    /// A session ends after so long.
    pub session: HumanDuration,
    /// Sessions at a time for one technician.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub per_technician: u32,
    /// Sessions at a time on one target.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub per_target: u32,
    /// Sessions at a time in all.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub sessions: u32,
    /// The largest clipboard content that passes.
    pub clipboard: ClipboardSizes,
    /// A connection that is not logged in after so long is closed.
    pub handshake: HumanDuration,
    /// Connections at a time that are not logged in yet.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub pre_auth_connections: u32,
    /// Sessions may go on for so long when the gateway is told to stop.
    pub drain: HumanDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: HumanDuration::from_secs(30 * 60),
            session: HumanDuration::from_secs(8 * 60 * 60),
            per_technician: 8,
            per_target: 4,
            sessions: 1000,
            clipboard: ClipboardSizes::default(),
            handshake: HumanDuration::from_secs(10),
            pre_auth_connections: 4096,
            drain: HumanDuration::from_secs(30),
        }
    }
}

/// The largest clipboard content that passes, uncompressed, for each direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClipboardSizes {
    /// From the technician to the target.
    pub to_target: ByteSize,
    /// From the target to the technician.
    pub from_target: ByteSize,
}

impl ClipboardSizes {
    /// The largest size that may be configured.
    pub const MAX: ByteSize = ByteSize::from_bytes(16 << 20);
}

impl Default for ClipboardSizes {
    fn default() -> Self {
        Self { to_target: ByteSize::from_bytes(64 << 10), from_target: ByteSize::from_bytes(64 << 10) }
    }
}

/// One-time tickets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tickets {
    /// A ticket must be used within so long.
    pub life: HumanDuration,
}

impl Default for Tickets {
    fn default() -> Self {
        Self { life: HumanDuration::from_secs(60) }
    }
}

/// What happens after failed logins. Each address, each technician and the gateway as a whole have a
/// counter; beyond its limit every further failure doubles the time for which nobody gets in that way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lockout {
    /// Failures from one address before it is locked.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub per_address: u32,
    /// Failures in one technician's name before the name is locked.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub per_technician: u32,
    /// Failures in all before every login is locked.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub global: u32,
    /// The first lock lasts so long, the next twice that, and so on.
    pub first: HumanDuration,
    /// No lock lasts longer.
    pub longest: HumanDuration,
    /// Failures are forgotten when none followed for so long.
    pub forget: HumanDuration,
}

impl Default for Lockout {
    fn default() -> Self {
        Self {
            per_address: 5,
            per_technician: 5,
            global: 200,
            first: HumanDuration::from_secs(5),
            longest: HumanDuration::from_secs(15 * 60),
            forget: HumanDuration::from_secs(60 * 60),
        }
    }
}
