//! What lies under every protocol: the byte stream of a leg, TLS in both roles, certificates.

mod certificate;
mod stream;
mod tls;

pub use certificate::{
    CertificateError, CertificatePolicy, Fingerprint, FingerprintError, PeerCertificate, Trust, public_key,
};
pub use stream::{TlsFacts, Transport};
pub use tls::{TlsVersions, accept, connect};
