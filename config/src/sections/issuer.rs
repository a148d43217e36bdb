//! Other identity providers.

use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::values::{CertificateFile, HumanDuration, format};

/// An identity provider whose JSON Web Tokens technicians may log in with.
///
/// Its tokens have to have `iss`, `aud`, `exp`, `nbf`, `iat` and `jti`, and each is good once. Whoever it names
/// need not be among the users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The exact `iss` of its tokens.
    pub issuer: String,
    /// What its tokens have to name as their audience: this gateway.
    pub audience: String,
    /// Where its keys are: the `jwks_uri` of its discovery document. This or `jwks_file`.
    #[serde(default)]
    #[schemars(with = "Option<HttpsUrl>")]
    pub jwks_url: Option<String>,
    /// A file with its keys as a JSON Web Key Set (RFC 7517).
    #[serde(default)]
    pub jwks_file: Option<KeySetFile>,
    /// The authorities that may vouch for the server of `jwks_url`; the system's when absent.
    #[serde(default)]
    pub ca_file: Option<CertificateFile>,
    /// The algorithms that its tokens may be signed with.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub algorithms: Vec<SigningAlgorithm>,
    /// How long a token may be good at most, from `iat` to `exp`.
    #[serde(default = "longest_life")]
    pub longest_life: HumanDuration,
    /// By how much its clock may differ from the gateway's.
    #[serde(default = "leeway")]
    pub leeway: HumanDuration,
    /// Which claims say what.
    #[serde(default)]
    pub claims: Claims,
}

/// How a token may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SigningAlgorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

/// Which claims of a token say what. A dot leads into an object, as in `realm_access.roles`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The token's own identifier.
    #[serde(default = "id")]
    pub id: String,
    /// The technician's name.
    #[serde(default = "technician")]
    pub technician: String,
    /// The technician's groups, a list or one; a slash in front of a group's name is left out.
    #[serde(default = "groups")]
    pub groups: String,
    /// The only target that the token is good for, where a token has such a claim.
    #[serde(default = "target")]
    pub target: String,
    /// What a session may do at most, where a token has such a claim.
    #[serde(default = "permissions")]
    pub permissions: String,
    /// What says that there was a second factor; without it no token does.
    #[serde(default)]
    pub second_factor: Option<SecondFactorClaim>,
}

/// How a token says that there was a second factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorClaim {
    /// The claim, such as `amr` or `acr`.
    pub claim: String,
    /// The values that mean it; one of them has to be there.
    #[schemars(length(min = 1))]
    pub values: Vec<String>,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            id: id(),
            technician: technician(),
            groups: groups(),
            target: target(),
            permissions: permissions(),
            second_factor: None,
        }
    }
}

fn id() -> String {
    "jti".to_owned()
}

fn technician() -> String {
    "preferred_username".to_owned()
}

fn groups() -> String {
    "groups".to_owned()
}

fn target() -> String {
    "passerelle_target".to_owned()
}

fn permissions() -> String {
    "passerelle_permissions".to_owned()
}

fn longest_life() -> HumanDuration {
    HumanDuration::from_secs(10 * 60)
}

fn leeway() -> HumanDuration {
    HumanDuration::from_secs(30)
}

/// A JSON Web Key Set, read when the configuration is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySetFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// Its text, which is JSON.
    pub json: String,
}

impl JsonSchema for KeySetFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KeySetFile".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Path of a JSON Web Key Set; relative paths start at the configuration file's directory.",
            "type": "string",
            "format": format::KEY_SET_FILE
        })
    }
}

/// For the schema only: the URL's type is plain.
pub(crate) struct HttpsUrl;

impl JsonSchema for HttpsUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HttpsUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A URL that begins with https://",
            "type": "string",
            "format": format::HTTPS_URL,
            "pattern": "^https://"
        })
    }
}
