//! Where recordings are kept beside the local disk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::telemetry::HttpUrl;
use crate::values::{BucketUrl, ByteSize, CertificateFile, HumanDuration, Secret};

/// A store that speaks S3 and keeps recordings beside the local disk, or in its place.
///
/// It must honour `If-None-Match: *` when objects are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectStore {
    /// The bucket, and what its objects' names begin with.
    pub url: BucketUrl,
    /// Where the store is; Amazon's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<HttpUrl>")]
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    #[serde(default = "region")]
    pub region: String,
    /// The name of the access key.
    pub access_key: Secret,
    /// The access key.
    pub secret_key: Secret,
    /// The authorities that may vouch for the store; the system's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<CertificateFile>,
    /// How long a request may take.
    #[serde(default = "timeout")]
    pub timeout: HumanDuration,
    /// How long recordings stay on the local disk after the store has all of them; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_local: Option<HumanDuration>,
    /// How much room copies may take that are fetched back to be read.
    #[serde(default = "cache")]
    pub cache: ByteSize,
}

fn region() -> String {
    "us-east-1".to_owned()
}

fn timeout() -> HumanDuration {
    HumanDuration::from_secs(60)
}

fn cache() -> ByteSize {
    ByteSize::from_bytes(10 << 30)
}
