//! RFB over sockets: viewer leg, target leg, relay filter, desktop server.

mod certificate;
mod relay;
pub mod server;
pub mod target;
mod tls;
mod transport;
pub mod viewer;

pub use certificate::{
    CertificateError, CertificatePolicy, Fingerprint, FingerprintError, PeerCertificate, Trust,
};
pub use relay::{KeystrokePolicy, MarkedFormat, Marker, RelaySettings, RelayViolation, VncRelay};
pub use transport::{TlsFacts, Transport};
