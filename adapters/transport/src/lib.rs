//! What lies under every protocol: the byte stream of a leg, TLS in both roles, certificates, and what a load balancer
//! says about where a connection comes from.

mod certificate;
mod proxy;
mod stream;
mod tls;

pub use certificate::{
    CertificateError, CertificatePolicy, Fingerprint, FingerprintError, PeerCertificate, Trust, public_key,
};
pub use proxy::{ProxyHeader, ProxyHeaderError};
pub use stream::{TlsFacts, Transport};
pub use tls::{TlsVersions, accept, connect};
