//! How viewers log in over RDP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values::HostPort;

/// The viewer side of RDP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rdp {
    /// Ways to log in that viewers may use. With both, `nla` is used by viewers that know it.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub security: Vec<RdpSecurity>,
    /// Whether viewers get the target's auto-reconnect cookie. With it a viewer comes back to the target
    /// after an interruption without logging in there again; it still needs a ticket here.
    pub auto_reconnect: bool,
    /// Where viewers reach this gateway, for `passerelle rdp-file`.
    pub public_address: Option<HostPort>,
}

impl Default for Rdp {
    fn default() -> Self {
        Self {
            security: vec![RdpSecurity::Nla, RdpSecurity::Tls],
            auto_reconnect: false,
            public_address: None,
        }
    }
}

/// A way to log in over RDP. Both are inside TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RdpSecurity {
    /// Network Level Authentication (CredSSP with NTLM): the secret is proved and not sent.
    Nla,
    /// The user name and password are sent inside TLS. A `.rdp` file with a reference needs it.
    Tls,
}
