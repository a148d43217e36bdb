//! Traces of what the gateway does.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::values::{CertificateFile, Secret, format};

/// Where traces go: a span for each connection and each request, over the OpenTelemetry protocol. Only in builds with
/// the feature `otel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// The collector, as in `http://127.0.0.1:4318`. `/v1/traces` is appended. It is spoken to in protobuf over HTTP.
    #[schemars(with = "HttpUrl")]
    pub otlp: String,
    /// What is sent along with each request, such as an API key.
    #[serde(default)]
    pub headers: Vec<TelemetryHeader>,
    /// The authorities that may vouch for the collector; the system's when absent.
    #[serde(default)]
    pub ca_file: Option<CertificateFile>,
}

/// A header field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TelemetryHeader {
    /// Its name.
    #[schemars(with = "HeaderName")]
    pub name: String,
    /// Its value.
    pub value: Secret,
}

/// For the schema only: the URL's type is plain.
pub(super) struct HttpUrl;

impl JsonSchema for HttpUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HttpUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A URL that begins with http:// or https://",
            "type": "string",
            "format": format::HTTP_URL,
            "pattern": "^https?://"
        })
    }
}

/// For the schema only: the name's type is plain.
struct HeaderName;

impl JsonSchema for HeaderName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HeaderName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The name of a header field of HTTP, such as x-api-key",
            "type": "string",
            "format": format::HEADER_NAME,
            "pattern": "^[A-Za-z0-9-]{1,64}$"
        })
    }
}
