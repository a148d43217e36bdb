//! Technicians and what they may do.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use passerelle_desktop::{Permission, Permissions};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::values::{Name, Secret, format};

/// A technician.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name to log in with.
    #[schemars(with = "Name")]
    pub name: String,
    /// Groups that rules can name.
    #[serde(default)]
    #[schemars(with = "Vec<Name>", extend("uniqueItems" = true))]
    pub groups: Vec<String>,
    /// Argon2id hash of a password, as `passerelle hash-password` prints it. Not needed for tickets.
    #[serde(default)]
    pub password_hash: Option<Secret>,
    /// The second factor, as `passerelle totp enroll` writes it. Its code is then part of every login with the
    /// password.
    #[serde(default)]
    pub totp: Option<Secret>,
}

/// Grants permissions on targets to technicians.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name by which the audit log calls the rule.
    #[schemars(with = "Name")]
    pub name: String,
    /// Groups whose members the rule is about.
    #[serde(default)]
    #[schemars(with = "Vec<Name>", extend("uniqueItems" = true))]
    pub groups: Vec<String>,
    /// Technicians that the rule is about, in addition to the groups.
    #[serde(default)]
    #[schemars(with = "Vec<Name>", extend("uniqueItems" = true))]
    pub users: Vec<String>,
    /// The targets: a target's name, `tag:NAME`, or `*` for all.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub targets: Vec<TargetSelector>,
    /// What the technician may do there.
    #[schemars(schema_with = "permissions")]
    pub permissions: Permissions,
    /// What must be fulfilled for the session to begin and go on.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true))]
    pub require: Vec<Requirement>,
}

/// What a session must fulfil.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Requirement {
    /// The session is recorded, whatever `recording.policy` says.
    Recording,
}

/// Which targets a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetSelector {
    /// `*`: every target.
    All,
    /// `tag:NAME`: every target with the tag.
    Tag(String),
    /// A target's name.
    Name(String),
}

impl FromStr for TargetSelector {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_prefix("tag:") {
            Some(tag) => Self::Tag(tag.to_owned()),
            None if text == "*" => Self::All,
            None => Self::Name(text.to_owned()),
        })
    }
}

impl fmt::Display for TargetSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Serialize for TargetSelector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TargetSelector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for TargetSelector {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TargetSelector".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A target's name, tag:NAME for all targets with a tag, or * for all.",
            "type": "string",
            "format": format::SELECTOR
        })
    }
}

/// Every permission. One that a target's protocol has no use for does nothing there.
fn permissions(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Permission::ALL.iter().copied().map(Permission::name).collect();
    json_schema!({ "type": "array", "items": { "type": "string", "enum": names }, "uniqueItems": true })
}
