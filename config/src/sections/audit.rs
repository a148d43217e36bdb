//! What leaves the gateway with its audit log.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values::{CertificateFile, EventPattern, FilePath, HostPort, HumanDuration};

/// Where the audit log's events and checkpoints are sent as they happen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// A syslog server that gets the events; none when absent.
    pub syslog: Option<Syslog>,
    /// Where checkpoints of the log are put for another system to keep; nowhere when absent.
    pub anchor: Option<Anchor>,
}

/// A syslog server (RFC 5424), over TLS (RFC 5425) or TCP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Syslog {
    /// Where it listens; usually port 6514 with TLS.
    pub address: HostPort,
    /// How it is spoken to.
    #[serde(default)]
    pub transport: SyslogTransport,
    /// The authorities that may vouch for it; the system's when absent.
    #[serde(default)]
    pub ca_file: Option<CertificateFile>,
    /// The facility of the messages.
    #[serde(default)]
    pub facility: SyslogFacility,
    /// Which events are sent: `session.started`, `session.*` or `*`.
    #[serde(default = "all")]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub events: Vec<EventPattern>,
}

impl Syslog {
    /// Whether events of this kind are sent.
    pub fn wants(&self, kind: &str) -> bool {
        self.events.iter().any(|pattern| pattern.fits(kind))
    }
}

fn all() -> Vec<EventPattern> {
    "*".parse().into_iter().collect()
}

/// How a syslog server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyslogTransport {
    /// TLS; the server has a certificate of its name.
    #[default]
    Tls,
    /// TCP in clear text.
    Tcp,
}

/// The facility of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyslogFacility {
    /// Security, not for everybody.
    #[default]
    Authpriv,
    /// Security.
    Auth,
    /// Programs in the background.
    Daemon,
    /// Audit logs.
    Audit,
    /// For local use.
    Local0,
    /// For local use.
    Local1,
    /// For local use.
    Local2,
    /// For local use.
    Local3,
    /// For local use.
    Local4,
    /// For local use.
    Local5,
    /// For local use.
    Local6,
    /// For local use.
    Local7,
}

impl SyslogFacility {
    /// The name as written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authpriv => "authpriv",
            Self::Auth => "auth",
            Self::Daemon => "daemon",
            Self::Audit => "audit",
            Self::Local0 => "local0",
            Self::Local1 => "local1",
            Self::Local2 => "local2",
            Self::Local3 => "local3",
            Self::Local4 => "local4",
            Self::Local5 => "local5",
            Self::Local6 => "local6",
            Self::Local7 => "local7",
        }
    }
}

/// Where checkpoints of the log are put. With a copy that is out of reach of whoever can write the log,
/// `passerelle audit verify --checkpoint` shows every change of what it covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// How often, if there is a new one.
    #[serde(default = "minute")]
    pub every: HumanDuration,
    /// A file to which each is appended, for another system to collect.
    #[serde(default)]
    #[schemars(with = "Option<FilePath>")]
    pub file: Option<PathBuf>,
    /// Whether each is sent to the server of `audit.syslog`, too.
    #[serde(default)]
    pub syslog: bool,
}

fn minute() -> HumanDuration {
    HumanDuration::from_secs(60)
}
