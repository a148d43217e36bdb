//! TLS in both roles. Towards a target it verifies the handshake, notes the verdict on the certificate and
//! decides nothing.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::certificate::{PeerCertificate, validity};
use crate::stream::{Metered, Transport};

/// Which versions of TLS are offered to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersions {
    /// TLS 1.3 and 1.2.
    Modern,
    /// TLS 1.2 alone, for peers that bind something to the connection and know only that version.
    Tls12,
}

/// Performs the handshake as the server. The stream must not be encrypted yet.
///
/// # Errors
/// The peer left or its handshake failed.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    transport: Transport<S>,
    config: Arc<ServerConfig>,
) -> io::Result<Transport<S>> {
    let stream = TlsAcceptor::from(config).accept(unencrypted(transport)?).await?;
    Ok(Transport::tls(stream))
}

fn unencrypted<S>(transport: Transport<S>) -> io::Result<Metered<S>> {
    transport.into_metered().ok_or_else(|| io::Error::other("the stream is encrypted already"))
}

/// Performs the handshake as the client and tells what certificate the peer has. The stream must not be
/// encrypted yet; `now` is when the certificate must be valid.
///
/// Any certificate whose key the peer holds passes. The caller judges it before a secret is sent.
///
/// # Errors
/// The peer left or its handshake failed.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    transport: Transport<S>,
    server_name: ServerName<'static>,
    roots: &Arc<RootCertStore>,
    now: SystemTime,
    versions: TlsVersions,
) -> io::Result<(Transport<S>, Option<PeerCertificate>)> {
    let stream = unencrypted(transport)?;
    let versions: &[_] = match versions {
        TlsVersions::Modern => rustls::ALL_VERSIONS,
        TlsVersions::Tls12 => &[&rustls::version::TLS12],
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(NotingVerifier::new(roots, &provider));
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(Fixed(now)))
        .with_protocol_versions(versions)
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
        .with_no_client_auth();
    // Each session verifies the certificate anew.
    config.resumption = rustls::client::Resumption::disabled();
    let stream = TlsConnector::from(Arc::new(config)).connect(server_name, stream).await?;
    let verdict = verifier.verdict.lock().unwrap_or_else(PoisonError::into_inner).take();
    let certificate = match (stream.get_ref().1.peer_certificates(), verdict) {
        (Some([certificate, ..]), Some(verdict)) => Some(PeerCertificate::new(certificate, verdict)),
        _ => None,
    };
    Ok((Transport::tls(stream), certificate))
}

/// The time at which certificates are judged.
#[derive(Debug)]
struct Fixed(SystemTime);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        let since_epoch = self.0.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Some(UnixTime::since_unix_epoch(since_epoch))
    }
}

#[derive(Debug)]
struct NotingVerifier {
    /// `None` when there are no roots, with which webpki's verifier cannot be made.
    webpki: Option<Arc<WebPkiServerVerifier>>,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    verdict: Mutex<Option<Result<(), String>>>,
}

impl NotingVerifier {
    fn new(roots: &Arc<RootCertStore>, provider: &Arc<CryptoProvider>) -> Self {
        let webpki =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider)).build();
        Self {
            webpki: webpki.ok(),
            roots: Arc::clone(roots),
            provider: Arc::clone(provider),
            verdict: Mutex::new(None),
        }
    }

    /// Whether `certificate` has the name and the key of a trusted root.
    fn is_root(&self, certificate: &CertificateDer<'_>) -> bool {
        let mut alone = RootCertStore::empty();
        alone.add(certificate.clone().into_owned()).is_ok()
            && alone.roots.iter().all(|anchor| self.roots.roots.contains(anchor))
    }
}

/// Verifies a server that shows a trusted root itself: a self-signed certificate that was installed as its own
/// authority, as `openssl req -x509` makes them. Webpki takes no authority for a server.
fn verify_root(
    certificate: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), String> {
    let parsed = ParsedCertificate::try_from(certificate).map_err(|error| reason(&error))?;
    verify_server_name(&parsed, server_name).map_err(|error| reason(&error))?;
    let (not_before, not_after) = validity(certificate).ok_or("its validity cannot be read")?;
    if now.as_secs() < not_before {
        return Err(reason(&CertificateError::NotValidYet.into()));
    }
    if now.as_secs() > not_after {
        return Err(reason(&CertificateError::Expired.into()));
    }
    Ok(())
}

impl ServerCertVerifier for NotingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = match &self.webpki {
            None => Err("no certificate authority is trusted here".to_owned()),
            Some(webpki) => {
                match webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                    Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                        if self.is_root(end_entity) =>
                    {
                        verify_root(end_entity, server_name, now)
                    }
                    verdict => verdict.map(|_| ()).map_err(|error| reason(&error)),
                }
            }
        };
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What is wrong with a certificate, for a person.
fn reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "no trusted authority has issued it".into()
        }
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "it has expired".into(),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "it is not valid yet".into(),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "it belongs to another name".into(),
        rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
            "the trusted authority of its issuer's name has not signed it".into()
        }
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            format!("it cannot be used by a server: {other}")
        }
        other => other.to_string(),
    }
}
