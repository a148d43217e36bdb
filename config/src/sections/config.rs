//! The whole file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Api, Approvals, Audit, Issuer, Limits, Lockout, Log, Rdp, Recording, Roles, Rule, ServiceAccount, Store,
    Target, Telemetry, Tickets, Tls, User, ViewerSecurity, Vnc, Webhook,
};
use crate::named::Named;
use crate::values::{FilePath, ListenAddresses, Name, Network, Secret};

/// Passerelle's configuration.
///
/// Comes from [`Config::load`] or [`Config::parse`], which check what the types alone cannot: references
/// between sections, combinations, secrets.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Directory of the state: store, keys, recordings, audit log. Created at the first start.
    #[serde(default = "default_data_dir")]
    #[schemars(with = "FilePath")]
    pub data_dir: PathBuf,
    /// Addresses that the gateway listens on.
    pub listen: Listen,
    /// The certificate that the gateway shows to viewers. Needed by RDP and the `x509_*` security types.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Where tickets, sessions and counters live.
    #[serde(default)]
    pub store: Store,
    /// The secret under which the store's secrets are hashed: 64 hexadecimal digits, the same for all gateways
    /// that share a store. With `store: embedded` the gateway makes one and keeps it in the data directory.
    #[serde(default)]
    pub pepper: Option<Secret>,
    /// This gateway's name among those that share a store; by default the host's name.
    #[serde(default)]
    #[schemars(with = "Option<Name>")]
    pub node: Option<String>,
    /// How viewers log in over VNC.
    #[serde(default)]
    pub vnc: Vnc,
    /// How viewers log in over RDP.
    #[serde(default)]
    pub rdp: Rdp,
    /// The technicians.
    #[serde(default)]
    pub users: Named<User>,
    /// Identity providers whose tokens technicians may log in with.
    #[serde(default)]
    pub issuers: Vec<Issuer>,
    /// The machines that technicians are let through to.
    #[serde(default)]
    pub targets: Named<Target>,
    /// Directory of further targets: every `*.yaml` in it holds a list of them, as in `targets`. A running
    /// gateway watches it.
    #[serde(default)]
    #[schemars(with = "Option<FilePath>")]
    pub targets_dir: Option<PathBuf>,
    /// Who may do what on which target. What no rule grants is denied.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// The HTTP API.
    #[serde(default)]
    pub api: Api,
    /// Who may do what through the API. Members of no such group get tickets for themselves.
    #[serde(default)]
    pub roles: Roles,
    /// Programs that use the API.
    #[serde(default)]
    pub service_accounts: Vec<ServiceAccount>,
    /// Where the audit log's events and checkpoints are sent.
    #[serde(default)]
    pub audit: Audit,
    /// Programs that are told of events.
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
    /// One-time tickets.
    #[serde(default)]
    pub tickets: Tickets,
    /// Approvals by a second person.
    #[serde(default)]
    pub approvals: Approvals,
    /// What is recorded of a session.
    #[serde(default)]
    pub recording: Recording,
    /// Limits on time, number and size.
    #[serde(default)]
    pub limits: Limits,
    /// What happens after failed logins.
    #[serde(default)]
    pub lockout: Lockout,
    /// The gateway's own log on standard error.
    #[serde(default)]
    pub log: Log,
    /// Where traces of what the gateway does go; nowhere when absent.
    #[serde(default)]
    pub telemetry: Option<Telemetry>,
    /// Unix socket by which the command line talks to the running gateway; by default `control.sock` in
    /// the data directory.
    #[serde(default)]
    #[schemars(with = "Option<FilePath>")]
    pub control: Option<PathBuf>,
}

impl Config {
    /// The user of that name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.find(name).map(AsRef::as_ref)
    }

    /// The target of that name.
    pub fn target(&self, name: &str) -> Option<&Arc<Target>> {
        self.targets.find(name)
    }

    /// Security types to offer to VNC viewers, in order.
    pub fn viewer_security(&self) -> Vec<ViewerSecurity> {
        match &self.vnc.security {
            Some(types) => types.clone(),
            None if self.tls.is_some() => vec![
                ViewerSecurity::X509Plain,
                ViewerSecurity::X509Vnc,
                ViewerSecurity::Ard,
                ViewerSecurity::VncAuth,
            ],
            None => vec![ViewerSecurity::Ard, ViewerSecurity::VncAuth],
        }
    }

    /// Path of the control socket.
    pub fn control_socket(&self) -> PathBuf {
        self.control.clone().unwrap_or_else(|| self.data_dir.join(CONTROL))
    }

    /// Directory of the recordings.
    pub fn recordings_dir(&self) -> PathBuf {
        self.recording.directory.clone().unwrap_or_else(|| self.data_dir.join(RECORDINGS))
    }
}

/// Names in the data directory.
pub(crate) const CONTROL: &str = "control.sock";
pub(crate) const RECORDINGS: &str = "recordings";

pub(crate) fn default_data_dir() -> PathBuf {
    Path::new("/var/lib/passerelle").to_owned()
}

/// Addresses that the gateway listens on; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// For RDP viewers; usually port 3389. Needs `tls`.
    #[serde(default)]
    pub rdp: Option<ListenAddresses>,
    /// For VNC viewers; usually port 5900.
    #[serde(default)]
    pub vnc: Option<ListenAddresses>,
    /// For the HTTP API; usually port 443. Needs `tls`.
    #[serde(default)]
    pub https: Option<ListenAddresses>,
    /// For `/metrics`, `/healthz` and `/readyz` in clear text and without a login; usually 127.0.0.1:9090.
    #[serde(default)]
    pub metrics: Option<ListenAddresses>,
    /// Load balancers that say where a connection comes from, in the PROXY protocol.
    #[serde(default)]
    pub proxy_protocol: ProxyProtocol,
}

impl Listen {
    /// The addresses of each listener, by its key.
    pub fn addresses(&self) -> [(&'static str, Option<&ListenAddresses>); 4] {
        let Self { rdp, vnc, https, metrics, proxy_protocol: _ } = self;
        [
            ("rdp", rdp.as_ref()),
            ("vnc", vnc.as_ref()),
            ("https", https.as_ref()),
            ("metrics", metrics.as_ref()),
        ]
    }
}

/// Networks of the load balancers before each listener. A connection from there has to begin with a PROXY header of
/// version 1 or 2, and comes from where that says. From elsewhere such a header is not understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyProtocol {
    /// Before `listen.rdp`.
    #[schemars(extend("uniqueItems" = true))]
    pub rdp: Vec<Network>,
    /// Before `listen.vnc`.
    #[schemars(extend("uniqueItems" = true))]
    pub vnc: Vec<Network>,
    /// Before `listen.https`.
    #[schemars(extend("uniqueItems" = true))]
    pub https: Vec<Network>,
}
