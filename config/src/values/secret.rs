//! Secrets, and files that are read when the configuration is.

use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What stands in the place of a secret wherever a configuration is printed.
const REDACTED: &str = "[redacted]";

/// A secret's value.
///
/// Written as a reference: `env:NAME` (an environment variable), `file:/path` (a file that only its owner
/// may read), or, for trials, `insecure-inline:VALUE`. The reference is resolved when the configuration is
/// loaded. The value is zeroized when dropped and never printed; comparing takes constant time.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a value.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value. Keep it no longer than it takes to use it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// Takes the value itself: the references were resolved before. The buffer is moved, not copied.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A reference to a secret: env:NAME, file:/path of a file that only its owner may read, or insecure-inline:VALUE for trials.",
            "type": "string",
            "format": super::format::SECRET,
            "pattern": "^(env|file|insecure-inline):"
        })
    }
}

/// A PEM file with certificates, read when the configuration is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// Its text, with at least one certificate block.
    pub pem: String,
}

impl JsonSchema for CertificateFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CertificateFile".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Path of a PEM file with one or more certificates; relative paths start at the configuration file's directory.",
            "type": "string",
            "format": super::format::CERTIFICATE_FILE
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2".into());
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"[redacted]\"");
        assert_eq!(secret, Secret::new("hunter2".into()));
        assert_ne!(secret, Secret::new("hunter3".into()));
    }
}
