//! Who somebody has proved to be.

use passerelle_desktop::Permissions;
use serde::{Deserialize, Serialize};

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A one-time ticket of this gateway.
    Ticket,
    /// A local user's password.
    Password,
    /// A token of a configured issuer.
    Jwt,
    /// The token of a service account.
    ServiceAccount,
}

/// Who somebody has proved to be, however that was, and what the proof itself is limited to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The name that rules and the audit log use.
    pub technician: String,
    /// The groups that the technician is in.
    pub groups: Vec<String>,
    /// The identity provider that vouched for it, if one did.
    pub issuer: Option<String>,
    /// How it was proved.
    pub method: Method,
    /// Whether a second factor was part of the proof.
    pub second_factor: bool,
    /// What a session may do at most; nothing given means whatever the rules grant.
    pub permissions: Option<Permissions>,
    /// The only target that the proof is good for, if it is bound to one.
    pub target: Option<String>,
}
