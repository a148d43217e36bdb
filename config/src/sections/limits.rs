//! Limits on time, number and size; tickets and approvals; failed logins.

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
    /// When the gateway is told to stop it is not ready from that moment on, but accepts connections for so long
    /// yet: load balancers need a while to notice.
    pub drain_delay: HumanDuration,
    /// Sessions may go on for so long when the gateway is told to stop.
    pub drain: HumanDuration,
    /// Sessions may go on for so long while the store does not answer.
    pub store_grace: HumanDuration,
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
            drain_delay: HumanDuration::from_secs(0),
            drain: HumanDuration::from_secs(30),
            store_grace: HumanDuration::from_secs(15 * 60),
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

/// Approvals by a second person, for rules that require them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Approvals {
    /// An approval must be given and used within so long after somebody asked for it.
    pub life: HumanDuration,
}

impl Default for Approvals {
    fn default() -> Self {
        Self { life: HumanDuration::from_secs(60 * 60) }
    }
}

/// What happens after failed logins. Each address, each technician's name and everybody together have a
/// count of failures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lockout {
    /// For an IPv4 address or an IPv6 /64 network.
    pub address: AddressBackoff,
    /// For a technician's name. Anybody can lock a name by using it, so its locks are best short.
    pub technician: TechnicianBackoff,
    /// For everybody together: the brake on a guess that comes from many addresses at once.
    pub global: GlobalBackoff,
}

/// How failures lead to locks: the first ones are free, then each locks for twice as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// How many failures in a row have no consequence; at least 1.
    pub free: u32,
    /// How long the first lock lasts.
    pub first: HumanDuration,
    /// How long a lock lasts at most.
    pub longest: HumanDuration,
    /// How long after the last failure, or the end of its lock, the failures are forgotten.
    pub forget: HumanDuration,
}

/// The three differ in their defaults only, which is why each is a type.
macro_rules! backoff {
    ($(#[$doc:meta])* $type:ident, $free:literal, $first:literal, $longest:literal, $forget:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $type {
            /// How many failures in a row have no consequence.
            #[schemars(range(min = 1, max = 1_000_000))]
            free: u32,
            /// How long the first lock lasts; each further failure doubles it.
            first: HumanDuration,
            /// How long a lock lasts at most.
            longest: HumanDuration,
            /// How long after the last failure, or the end of its lock, the failures are forgotten.
            forget: HumanDuration,
        }

        impl $type {
            /// The values.
            pub const fn get(self) -> Backoff {
                Backoff { free: self.free, first: self.first, longest: self.longest, forget: self.forget }
            }
        }

        impl Default for $type {
            fn default() -> Self {
                Self {
                    free: $free,
                    first: HumanDuration::from_secs($first),
                    longest: HumanDuration::from_secs($longest),
                    forget: HumanDuration::from_secs($forget),
                }
            }
        }
    };
}

backoff!(
    /// Failures from one address.
    AddressBackoff, 5, 2, 900, 3600
);
backoff!(
    /// Failures in one technician's name.
    TechnicianBackoff, 10, 2, 60, 3600
);
backoff!(
    /// Failures in all.
    GlobalBackoff, 200, 1, 15, 300
);
