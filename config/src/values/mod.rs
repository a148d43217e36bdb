//! The kinds of scalar that keys take.

mod address;
mod duration;
mod name;
mod secret;
mod shape;
mod size;
mod time;

pub use address::{AddressError, HostPort, ListenAddresses};
pub use duration::{DurationError, HumanDuration};
pub use name::{Fingerprint, FingerprintError, Recipient, RecipientError};
pub use secret::{CertificateFile, Secret};
pub(crate) use shape::{FilePath, Name, is_name};
pub use size::{ByteSize, SizeError};
pub use time::{Time, TimeError, TokenHash, TokenHashError};

/// Values of the schema's `format`: what a text must be beyond being text.
pub(crate) mod format {
    pub(crate) const ADDRESS: &str = "address";
    pub(crate) const CERTIFICATE_FILE: &str = "certificate-file";
    pub(crate) const DURATION: &str = "duration-with-units";
    pub(crate) const FINGERPRINT: &str = "sha256-fingerprint";
    pub(crate) const HTTPS_URL: &str = "https-url";
    pub(crate) const KEY_SET_FILE: &str = "key-set-file";
    pub(crate) const LISTEN_ADDRESS: &str = "listen-address";
    pub(crate) const NAME: &str = "name";
    pub(crate) const PATH: &str = "path";
    pub(crate) const RECIPIENT: &str = "age-recipient";
    pub(crate) const SECRET: &str = "secret";
    pub(crate) const SELECTOR: &str = "target-selector";
    pub(crate) const SIZE: &str = "size-with-unit";
    pub(crate) const TIME: &str = "date-time";
    pub(crate) const TOKEN_HASH: &str = "token-hash";
}
