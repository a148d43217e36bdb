//! The kinds of scalar that keys take.

/// A type that is written as text, in its `Display` form.
macro_rules! text_value {
    ($type:ident, $name:literal, $format:expr, $description:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "description": $description, "type": "string", "format": $format })
            }
        }
    };
}
mod address;
mod bucket;
mod duration;
mod free_space;
mod name;
mod rule;
mod secret;
mod shape;
mod size;
mod store_url;
mod time;
mod webhook;

pub use address::{AddressError, HostPort, ListenAddresses};
pub use bucket::{BucketUrl, BucketUrlError};
pub use duration::{DurationError, HumanDuration};
pub use free_space::{FreeSpace, FreeSpaceError};
pub use name::{Fingerprint, FingerprintError, Recipient, RecipientError};
pub use rule::{
    MacAddress, MacAddressError, Network, NetworkError, Pattern, PatternError, TimeOfDay, TimeOfDayError,
    ZoneError, ZoneName,
};
pub use secret::{CertificateFile, Secret};
pub(crate) use shape::{FilePath, Line, Name, Person, is_name};
pub use size::{ByteSize, SizeError};
pub use store_url::{StoreServers, StoreUrl, StoreUrlError};
pub use time::{Time, TimeError, TokenHash, TokenHashError};
pub use webhook::{EventPattern, EventPatternError, WebhookUrl, WebhookUrlError};

/// Values of the schema's `format`: what a text must be beyond being text.
pub(crate) mod format {
    pub(crate) const ADDRESS: &str = "address";
    pub(crate) const BUCKET_URL: &str = "bucket-url";
    pub(crate) const CERTIFICATE_FILE: &str = "certificate-file";
    pub(crate) const DURATION: &str = "duration-with-units";
    pub(crate) const EVENT_PATTERN: &str = "event-pattern";
    pub(crate) const FINGERPRINT: &str = "sha256-fingerprint";
    pub(crate) const FREE_SPACE: &str = "free-space";
    pub(crate) const HEADER_NAME: &str = "header-name";
    pub(crate) const HTTPS_URL: &str = "https-url";
    pub(crate) const HTTP_URL: &str = "http-url";
    pub(crate) const KEY_SET_FILE: &str = "key-set-file";
    pub(crate) const LINE: &str = "line";
    pub(crate) const LISTEN_ADDRESS: &str = "listen-address";
    pub(crate) const MAC_ADDRESS: &str = "mac-address";
    pub(crate) const NAME: &str = "name";
    pub(crate) const NETWORK: &str = "network";
    pub(crate) const PATH: &str = "path";
    pub(crate) const PATTERN: &str = "regex";
    pub(crate) const PERSON: &str = "name-or-everybody";
    pub(crate) const RECIPIENT: &str = "age-recipient";
    pub(crate) const SECRET: &str = "secret";
    pub(crate) const SELECTOR: &str = "target-selector";
    pub(crate) const SIZE: &str = "size-with-unit";
    pub(crate) const STORE: &str = "store";
    pub(crate) const STORE_URL: &str = "store-url";
    pub(crate) const TIME: &str = "date-time";
    pub(crate) const TIME_OF_DAY: &str = "time-of-day";
    pub(crate) const TIME_ZONE: &str = "time-zone";
    pub(crate) const TOKEN_HASH: &str = "token-hash";
    pub(crate) const WEBHOOK_URL: &str = "webhook-url";
}
