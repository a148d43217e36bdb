//! A certificate for either side.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;

/// A second in 2030, within the validity that rcgen gives by default (1975 to 4096).
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000)
}

/// A server certificate and the authority that issued it.
pub struct Certified {
    /// TLS with it, as the server.
    pub config: Arc<rustls::ServerConfig>,
    /// Its key, as CredSSP binds to it: the content of the BIT STRING `subjectPublicKey`.
    pub public_key: Vec<u8>,
    /// The authority.
    pub roots: Arc<RootCertStore>,
}

impl Certified {
    /// One for the server `name`.
    pub fn new(name: &str) -> Self {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "Authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key"))
            .expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new([name.to_owned()])
            .and_then(|params| params.signed_by(&key, &authority))
            .expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private)
            })
            .expect("a certificate with its key");
        Self { config: Arc::new(config), public_key: key.der_bytes().to_vec(), roots: Arc::new(roots) }
    }
}
