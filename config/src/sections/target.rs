//! The machines that technicians are let through to.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RdpSecurity, WakeOnLan};
use crate::named::HasName;
use crate::values::{CertificateFile, Fingerprint, HostPort, Line, Name, Secret};

/// A machine that technicians are let through to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The name that technicians type.
    #[schemars(with = "Name")]
    pub name: String,
    /// The protocol that it speaks.
    pub protocol: Protocol,
    /// Where it listens.
    pub address: HostPort,
    /// What the gateway logs in with. Technicians never learn it.
    #[serde(default)]
    pub credentials: Credentials,
    /// How its certificate is checked, when it has one.
    #[serde(default)]
    pub tls: TargetTls,
    /// Security types of its protocol that the gateway may use with it; by default the best one that it
    /// offers.
    #[serde(default)]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub security: Option<Vec<TargetSecurity>>,
    /// Tags that rules can name.
    #[serde(default)]
    #[schemars(with = "Vec<Name>", extend("uniqueItems" = true))]
    pub tags: Vec<String>,
    /// What people are told about it.
    #[serde(default)]
    #[schemars(with = "Option<Line>")]
    pub description: Option<String>,
    /// Whether it is under maintenance: then only rules with `maintenance: true` let anybody in.
    #[serde(default)]
    pub maintenance: bool,
    /// How it is woken over the network when it does not answer (Wake-on-LAN); without this it is not.
    #[serde(default)]
    pub wake_on_lan: Option<WakeOnLan>,
    /// The file in `targets_dir` that it stands in; `None` when that is the configuration file.
    #[serde(skip)]
    pub file: Option<String>,
}

impl HasName for Target {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Target {
    /// What the gateway may use with an RDP target, the strongest first. By default both, but `nla` needs a
    /// user name and a password.
    pub fn rdp_security(&self) -> Vec<RdpSecurity> {
        let allowed = |security| match security {
            TargetSecurity::Nla => Some(RdpSecurity::Nla),
            TargetSecurity::Tls => Some(RdpSecurity::Tls),
            _ => None,
        };
        let login = self.credentials.username.is_some() && self.credentials.password.is_some();
        match &self.security {
            Some(types) => types.iter().copied().filter_map(allowed).collect(),
            None if login => vec![RdpSecurity::Nla, RdpSecurity::Tls],
            None => vec![RdpSecurity::Tls],
        }
    }
}

/// A remote-desktop protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// RDP, which Windows speaks, and xrdp and GNOME on Linux.
    Rdp,
    /// VNC (RFB), which Screen Sharing on a Mac speaks too.
    Vnc,
}

impl Protocol {
    /// The name used in the configuration, the audit log and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rdp => "rdp",
            Self::Vnc => "vnc",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the gateway logs in to a target with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    /// User name, for RDP and for security types of VNC that have one (`ard`, `x509_plain`).
    pub username: Option<String>,
    /// Windows domain of the user, for RDP.
    pub domain: Option<String>,
    /// Password.
    pub password: Option<Secret>,
}

/// How a target's certificate is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "TargetTlsKeys", into = "TargetTlsKeys")]
#[schemars(with = "TargetTlsKeys")]
pub struct TargetTls {
    /// What makes the certificate acceptable.
    pub policy: CertificatePolicy,
    /// Name that the certificate must have, if it is not the address's host.
    pub server_name: Option<String>,
}

impl Default for TargetTls {
    fn default() -> Self {
        Self { policy: CertificatePolicy::Ca { file: None }, server_name: None }
    }
}

/// What makes a target's certificate acceptable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificatePolicy {
    /// It is signed by an authority and has the right name.
    Ca {
        /// The authorities; the system's when `None`.
        file: Option<CertificateFile>,
    },
    /// It is this one.
    Pin {
        /// SHA-256 of the certificate.
        fingerprint: Fingerprint,
    },
    /// It is the one that was seen first.
    Tofu,
    /// Anything. Whoever can intercept the connection can read and change it.
    Insecure,
}

/// The keys of `targets[].tls` as written.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetTlsKeys {
    /// What makes the certificate acceptable.
    #[serde(default)]
    verify: Verify,
    /// With `verify: ca`, a PEM file with the authorities, instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<CertificateFile>,
    /// With `verify: pin`, the certificate's SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Fingerprint>,
    /// Name that the certificate must have, if it is not the address's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Verify {
    /// It is signed by an authority and has the right name.
    #[default]
    Ca,
    /// It is the one with the given fingerprint.
    Pin,
    /// It is the one that was seen first (trust on first use).
    Tofu,
    /// Anything. Whoever can intercept the connection can read and change it.
    Insecure,
}

/// The keys of `targets[].tls` do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetTlsError {
    #[error(
        "has `verify: pin` but no `fingerprint`; add the SHA-256 fingerprint of the target's certificate"
    )]
    NoFingerprint,
    #[error("has a `fingerprint`, which only `verify: pin` uses")]
    StrayFingerprint,
    #[error("has a `ca_file`, which only `verify: ca` uses")]
    StrayCaFile,
    #[error("has a `server_name`, which only `verify: ca` uses")]
    StrayServerName,
}

/// Whether these keys go together. `verify` as written.
pub(crate) fn check_target_tls(
    verify: &str,
    ca_file: bool,
    fingerprint: bool,
    server_name: bool,
) -> Result<(), TargetTlsError> {
    match verify {
        "pin" if !fingerprint => Err(TargetTlsError::NoFingerprint),
        "ca" | "tofu" | "insecure" if fingerprint => Err(TargetTlsError::StrayFingerprint),
        "pin" | "tofu" | "insecure" if ca_file => Err(TargetTlsError::StrayCaFile),
        "pin" | "tofu" | "insecure" if server_name => Err(TargetTlsError::StrayServerName),
        _ => Ok(()),
    }
}

impl TryFrom<TargetTlsKeys> for TargetTls {
    type Error = TargetTlsError;

    fn try_from(keys: TargetTlsKeys) -> Result<Self, TargetTlsError> {
        let TargetTlsKeys { verify, ca_file, fingerprint, server_name } = keys;
        let word = match verify {
            Verify::Ca => "ca",
            Verify::Pin => "pin",
            Verify::Tofu => "tofu",
            Verify::Insecure => "insecure",
        };
        check_target_tls(word, ca_file.is_some(), fingerprint.is_some(), server_name.is_some())?;
        let policy = match verify {
            Verify::Ca => CertificatePolicy::Ca { file: ca_file },
            Verify::Pin => {
                CertificatePolicy::Pin { fingerprint: fingerprint.ok_or(TargetTlsError::NoFingerprint)? }
            }
            Verify::Tofu => CertificatePolicy::Tofu,
            Verify::Insecure => CertificatePolicy::Insecure,
        };
        Ok(Self { policy, server_name })
    }
}

impl From<TargetTls> for TargetTlsKeys {
    fn from(tls: TargetTls) -> Self {
        let mut keys =
            Self { verify: Verify::Ca, ca_file: None, fingerprint: None, server_name: tls.server_name };
        match tls.policy {
            CertificatePolicy::Ca { file } => keys.ca_file = file,
            CertificatePolicy::Pin { fingerprint } => {
                keys.verify = Verify::Pin;
                keys.fingerprint = Some(fingerprint);
            }
            CertificatePolicy::Tofu => keys.verify = Verify::Tofu,
            CertificatePolicy::Insecure => keys.verify = Verify::Insecure,
        }
        keys
    }
}

/// A security type that the gateway may use with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetSecurity {
    /// RDP: Network Level Authentication (CredSSP with NTLM) inside TLS.
    Nla,
    /// RDP: TLS, in which the user name and the password are sent.
    Tls,
    /// VNC: VeNCrypt X509Plain, TLS, user name and password.
    X509Plain,
    /// VNC: VeNCrypt X509Vnc, TLS, then a password of 8 characters.
    X509Vnc,
    /// VNC: VeNCrypt X509None, TLS without a login.
    X509None,
    /// VNC: Apple Remote Desktop, user name and password encrypted, the session in clear text.
    Ard,
    /// VNC: VNC authentication, a password of 8 characters, the session in clear text.
    VncAuth,
    /// VNC: no login, everything in clear text.
    None,
}
