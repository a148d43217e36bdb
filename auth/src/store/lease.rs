//! Running sessions as the store knows them.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use passerelle_desktop::Permissions;
use serde::{Deserialize, Serialize};

use crate::{Fence, SessionId, Timestamp};

/// A session that wants to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Its name.
    pub session: SessionId,
    /// The node on which it runs.
    pub node: String,
    /// Who connects.
    pub technician: String,
    /// To which target.
    pub target: String,
    /// By which protocol, in lower case: `vnc`.
    pub protocol: String,
    /// The address of the technician's client.
    pub address: IpAddr,
    /// How long the lease holds without renewal.
    pub ttl: Duration,
    /// How many sessions there may be, this one included.
    pub limits: SessionLimits,
}

/// How many sessions may run at a time; nothing given means any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionLimits {
    /// Of one technician.
    pub per_technician: Option<u32>,
    /// To one target.
    pub per_target: Option<u32>,
    /// On all nodes together.
    pub global: Option<u32>,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// [`SessionLimits::per_target`].
    PerTarget,
    /// [`SessionLimits::per_technician`].
    PerTechnician,
    /// [`SessionLimits::global`].
    Global,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::PerTarget => "sessions to this target",
            Limit::PerTechnician => "sessions of this technician",
            Limit::Global => "sessions",
        })
    }
}

/// Whether a session may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It may.
    Leased {
        /// The number that proves whose lease it is.
        fence: Fence,
    },
    /// It may not: a limit is reached. Limits are checked in the order target, technician, global.
    Refused {
        /// Which.
        limit: Limit,
        /// How many it allows.
        allowed: u32,
        /// The sessions that count against it, oldest first, at most [`Lease::HOLDERS`] of them.
        holders: Vec<Session>,
    },
    /// It may not go on: it was revoked.
    Revoked(Revocation),
}

impl Lease {
    /// How many holders of a limit are named at most.
    pub const HOLDERS: usize = 16;
}

/// A session that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// The node on which it runs.
    pub node: String,
    /// Who is connected.
    pub technician: String,
    /// To which target.
    pub target: String,
    /// By which protocol.
    pub protocol: String,
    /// The address of the technician's client.
    pub address: IpAddr,
    /// When it was first leased.
    pub started_at: Timestamp,
    /// Why it is about to end, if it is.
    pub revoked: Option<Revocation>,
}

/// Who ended a session and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Who: a name, or what acted on its own, such as `shutdown`.
    pub by: String,
    /// Why, in words.
    pub reason: String,
}

/// The state of a lease that its holder wants to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It holds.
    Renewed {
        /// Why the session has to end, if it has to.
        revoked: Option<Revocation>,
        /// What the session may do, if anybody asked for it with [`Store::set_permissions`].
        ///
        /// [`Store::set_permissions`]: crate::Store::set_permissions
        permissions: Option<Permissions>,
        /// The store's [epoch](crate::Store::epoch).
        epoch: u64,
    },
    /// It has ended or is another's. The holder may ask for a new one with [`Store::lease`] and has to
    /// end the session if that is refused.
    ///
    /// [`Store::lease`]: crate::Store::lease
    Lost,
}
