//! What a decision rests on.

use std::net::IpAddr;

use serde::Serialize;

use crate::Timestamp;

/// What a decision rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Who asks.
    pub technician: String,
    /// The groups that the technician is in.
    pub groups: Vec<String>,
    /// The target's name.
    pub target: String,
    /// The target's tags.
    pub tags: Vec<String>,
    /// The protocol that the technician uses, in lower case: `rdp` or `vnc`.
    pub protocol: String,
    /// The address of the technician's client. `None` while nobody knows it, as when a ticket is issued: the
    /// decision is then the best that any address would get, and has to be made again with the address.
    pub source: Option<IpAddr>,
    /// When.
    pub now: Timestamp,
    /// Whether the technician has proved a second factor.
    pub second_factor: bool,
    /// Why the technician connects, in words.
    pub reason: Option<String>,
    /// The entry in a ticket system that the technician works on.
    pub ticket_id: Option<String>,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// Whether somebody at the target called for help and is part of the session.
    pub attended: bool,
    /// Whether the target is under maintenance.
    pub maintenance: bool,
}
