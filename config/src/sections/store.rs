//! Where tickets, sessions and counters live.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::values::{CertificateFile, Secret, StoreUrl};

/// Where tickets, sessions and counters live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoreForm", into = "StoreForm")]
pub enum Store {
    /// In a database in the data directory; needs nothing installed and serves one gateway.
    #[default]
    Embedded,
    /// In a Redis of version 7, which several gateways share.
    Redis(RedisStore),
}

/// A Redis that several gateways share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisStore {
    /// Where it is.
    pub url: StoreUrl,
    /// Its ACL user; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The user's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// With TLS, a PEM file with the authorities, instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<CertificateFile>,
    /// How many replicas must have a claim before it counts.
    #[serde(default)]
    #[schemars(range(max = 16))]
    pub replicas: u32,
}

/// `store` as written: a word or URL, or a section.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum StoreForm {
    Word(Embedded),
    Url(StoreUrl),
    Section(RedisStore),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Embedded {
    Embedded,
}

impl From<StoreForm> for Store {
    fn from(form: StoreForm) -> Self {
        match form {
            StoreForm::Word(Embedded::Embedded) => Self::Embedded,
            StoreForm::Url(url) => {
                Self::Redis(RedisStore { url, username: None, password: None, ca_file: None, replicas: 0 })
            }
            StoreForm::Section(redis) => Self::Redis(redis),
        }
    }
}

impl From<Store> for StoreForm {
    fn from(store: Store) -> Self {
        match store {
            Store::Embedded => Self::Word(Embedded::Embedded),
            Store::Redis(redis) => Self::Section(redis),
        }
    }
}

impl JsonSchema for Store {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Store".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let section = generator.subschema_for::<RedisStore>();
        json_schema!({
            "description": "Where tickets, sessions and counters live: `embedded` is a database in the data directory and serves one gateway; several share a Redis of version 7, by its URL or a section.",
            "anyOf": [{ "type": "string", "format": crate::values::format::STORE }, section]
        })
    }
}
