//! The gateway's own certificate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values::{CertificateFile, Secret};

/// The certificate that the gateway shows to viewers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "TlsKeys", into = "TlsKeys")]
#[schemars(with = "TlsKeys")]
pub enum Tls {
    /// The gateway makes a certificate of its own and keeps it in the data directory. Viewers ask whether
    /// to trust it.
    SelfSigned,
    /// A certificate from files.
    Files {
        /// The gateway's certificate, followed by the intermediate ones.
        certificate: CertificateFile,
        /// Its private key in PEM.
        key: Secret,
    },
}

/// The keys of `tls` as written.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsKeys {
    /// PEM file with the gateway's certificate, followed by the intermediate ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateFile>,
    /// The certificate's private key in PEM, usually `file:/path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Secret>,
    /// Make a certificate and keep it in the data directory, instead of `certificate` and `key`.
    #[serde(default)]
    self_signed: bool,
}

/// The keys of `tls` do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TlsKeysError {
    #[error("needs both `certificate` and `key`, or `self_signed: true`")]
    Incomplete,
    #[error("has `self_signed: true` together with `certificate` or `key`; keep one of the two ways")]
    Both,
}

/// Whether these keys go together.
pub(crate) fn check_tls(certificate: bool, key: bool, self_signed: bool) -> Result<(), TlsKeysError> {
    match (certificate, key, self_signed) {
        (false, false, true) | (true, true, false) => Ok(()),
        (_, _, true) => Err(TlsKeysError::Both),
        (_, _, false) => Err(TlsKeysError::Incomplete),
    }
}

impl TryFrom<TlsKeys> for Tls {
    type Error = TlsKeysError;

    fn try_from(keys: TlsKeys) -> Result<Self, TlsKeysError> {
        check_tls(keys.certificate.is_some(), keys.key.is_some(), keys.self_signed)?;
        Ok(match (keys.certificate, keys.key) {
            (Some(certificate), Some(key)) => Self::Files { certificate, key },
            _ => Self::SelfSigned,
        })
    }
}

impl From<Tls> for TlsKeys {
    fn from(tls: Tls) -> Self {
        match tls {
            Tls::SelfSigned => Self { certificate: None, key: None, self_signed: true },
            Tls::Files { certificate, key } => {
                Self { certificate: Some(certificate), key: Some(key), self_signed: false }
            }
        }
    }
}
