//! What the tests share: a certificate and settings.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use passerelle_rdp::viewer::{self, Pending, ViewerError, ViewerSecurity, ViewerSettings};
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

/// A ticket as it is issued.
pub(crate) const TICKET: &str = "ABCDEFGH01234567";

pub(crate) const BOTH: &[ViewerSecurity] = &[ViewerSecurity::Nla, ViewerSecurity::Tls];

/// A second in 2030, within the validity that rcgen gives by default (1975 to 4096).
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000)
}

/// Bytes that differ enough for a test.
pub(crate) fn random(bytes: &mut [u8]) {
    for (byte, value) in bytes.iter_mut().zip((5..=250).cycle()) {
        *byte = value;
    }
}

pub(crate) fn settings(security: &[ViewerSecurity]) -> ViewerSettings {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["gateway.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    ViewerSettings {
        security: security.to_vec(),
        tls: Arc::new(tls),
        public_key: key.der_bytes().to_vec(),
        node: ViewerSettings::NODE.into(),
    }
}

pub(crate) async fn negotiate<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    settings: &ViewerSettings,
) -> Result<Pending<S>, ViewerError> {
    viewer::negotiate(stream, settings, now(), &mut random).await
}

pub(crate) fn secrets(secrets: &[&str]) -> Vec<Zeroizing<String>> {
    secrets.iter().map(|secret| Zeroizing::new((*secret).to_owned())).collect()
}
