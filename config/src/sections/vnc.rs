//! How viewers log in over VNC.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The viewer side of VNC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Vnc {
    /// Security types offered to viewers. Most viewers take the first one that they know, so the order is
    /// policy. By default all that the configuration allows: the encrypted ones only with `tls`.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub security: Option<Vec<ViewerSecurity>>,
}

/// A way for a viewer to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ViewerSecurity {
    /// VeNCrypt X509Plain: TLS with the gateway's certificate, user name `technician:target` and a ticket.
    X509Plain,
    /// VeNCrypt X509Vnc: TLS with the gateway's certificate, then an 8-character ticket alone.
    X509Vnc,
    /// Apple Remote Desktop: user name and ticket encrypted, the session in clear text.
    Ard,
    /// VNC authentication: an 8-character ticket alone, the session in clear text.
    VncAuth,
}
