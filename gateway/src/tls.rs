//! The gateway's own certificate, and whom it trusts by default.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::files;

/// Why the gateway has no usable certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("tls.certificate holds no certificate in PEM form")]
    NoCertificate,
    #[error("tls.key holds no private key in PEM form (PKCS #8, PKCS #1 or SEC 1)")]
    NoKey,
    #[error("tls.certificate and tls.key cannot be used together: {0}")]
    Mismatch(rustls::Error),
    #[error("the certificate of tls.self_signed could not be made: {0}")]
    Make(rcgen::Error),
    #[error("{}, the certificate of tls.self_signed, is not accessible: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

/// Where the certificate that the gateway makes for itself is kept, in its data directory.
pub(crate) const SELF_SIGNED_CERTIFICATE: &str = "self-signed.crt";

/// Where its key is kept.
pub(crate) const SELF_SIGNED_KEY: &str = "self-signed.key";

/// The gateway's own certificate, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct OwnCertificate {
    /// The server side of TLS with it.
    pub(crate) server: Arc<ServerConfig>,
    /// Its key, which CredSSP binds logins to.
    pub(crate) public_key: Vec<u8>,
}

/// The server side of TLS with a certificate chain and its key, both in PEM.
pub(crate) fn from_pem(chain_pem: &[u8], key_pem: &[u8]) -> Result<OwnCertificate, TlsError> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(chain_pem).collect::<Result<_, _>>().unwrap_or_default();
    let public_key = chain.first().and_then(|leaf| passerelle_transport::public_key(leaf));
    let public_key = public_key.ok_or(TlsError::NoCertificate)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| TlsError::NoKey)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(TlsError::Mismatch)?;
    Ok(OwnCertificate { server: Arc::new(config), public_key })
}

/// The server side of TLS with a certificate that the gateway makes for itself and keeps in `directory`,
/// so that clients which remember it are not asked again.
pub(crate) fn self_signed(directory: &Path) -> Result<OwnCertificate, TlsError> {
    let certificate = directory.join(SELF_SIGNED_CERTIFICATE);
    let key = directory.join(SELF_SIGNED_KEY);
    if !certificate.exists() || !key.exists() {
        let mut params = CertificateParams::new(own_names()).map_err(TlsError::Make)?;
        params.distinguished_name.push(DnType::CommonName, "Passerelle");
        let pair = KeyPair::generate().map_err(TlsError::Make)?;
        let made = params.self_signed(&pair).map_err(TlsError::Make)?;
        let write = |path: &Path, pem: String| {
            files::write_private(path, pem.as_bytes())
                .map_err(|source| TlsError::File { path: path.to_owned(), source })
        };
        write(&key, pair.serialize_pem())?;
        write(&certificate, made.pem())?;
    }
    let read = |path: PathBuf| std::fs::read(&path).map_err(|source| TlsError::File { path, source });
    from_pem(&read(certificate)?, &read(key)?)
}

/// The machine's trusted roots, for targets whose policy is `ca`. Unusable ones are left out.
pub(crate) fn system_roots() -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
}

/// The roots in a PEM text, for a target with `tls.ca_file`. Unusable ones are left out.
pub(crate) fn roots_from_pem(pem: &[u8]) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).flatten());
    Arc::new(roots)
}

/// Names under which a self-signed gateway is likely reached.
fn own_names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if let Ok(name) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        names.push(name.trim().to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_signed_certificate_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        self_signed(directory.path()).unwrap();
        let first = std::fs::read(directory.path().join(SELF_SIGNED_CERTIFICATE)).unwrap();
        self_signed(directory.path()).unwrap();
        assert_eq!(first, std::fs::read(directory.path().join(SELF_SIGNED_CERTIFICATE)).unwrap());
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(matches!(from_pem(b"no certificate", b""), Err(TlsError::NoCertificate)));
        let directory = tempfile::tempdir().unwrap();
        self_signed(directory.path()).unwrap();
        let chain = std::fs::read(directory.path().join(SELF_SIGNED_CERTIFICATE)).unwrap();
        assert!(matches!(from_pem(&chain, b"no key"), Err(TlsError::NoKey)));
        let other = KeyPair::generate().unwrap().serialize_pem();
        assert!(matches!(from_pem(&chain, other.as_bytes()), Err(TlsError::Mismatch(_))));
        assert_eq!(roots_from_pem(&chain).len(), 1);
    }
}
