//! What the tests share: certificates, settings and both legs over an in-memory pipe.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use passerelle_rfb::security::ProtocolVersion;
use passerelle_rfb::{Limits, PixelFormat, ServerInit};
use passerelle_transport::{PeerCertificate, Transport};
use passerelle_vnc::target::{
    self, TargetCredentials, TargetError, TargetLeg, TargetSecurity, TargetSettings,
};
use passerelle_vnc::viewer::{self, Presented, ViewerError, ViewerSecurity, ViewerSettings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

pub(crate) const NAME: &str = "front-desk.example";

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

/// A server certificate and the authority that issued it.
pub(crate) struct Certified {
    pub(crate) config: Arc<rustls::ServerConfig>,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) roots: Arc<RootCertStore>,
}

pub(crate) fn certified(params: CertificateParams) -> Certified {
    certified_by("Authority", params)
}

pub(crate) fn certified_by(name: &str, params: CertificateParams) -> Certified {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.distinguished_name.push(DnType::CommonName, name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap().der().clone();
    served(certificate, &key, authority.der())
}

/// A certificate that is its own authority, made as `openssl req -x509` does.
pub(crate) fn self_signed(mut params: CertificateParams) -> Certified {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, NAME);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    served(certificate.clone(), &key, &certificate)
}

fn served(certificate: CertificateDer<'static>, key: &KeyPair, root: &CertificateDer<'static>) -> Certified {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    Certified { config: Arc::new(config), certificate, roots: Arc::new(roots) }
}

pub(crate) fn front_desk() -> Certified {
    certified(CertificateParams::new([NAME.to_owned()]).unwrap())
}

pub(crate) fn offering(security: &[ViewerSecurity], certified: &Certified) -> ViewerSettings {
    ViewerSettings { security: security.to_vec(), tls: Some(certified.config.clone()), encrypted: false }
}

pub(crate) fn approaching(security: &[TargetSecurity], certified: &Certified) -> TargetSettings {
    TargetSettings {
        security: security.to_vec(),
        credentials: credentials().kind(),
        server_name: NAME.into(),
        roots: certified.roots.clone(),
        now: now(),
        limits: Limits::default(),
    }
}

pub(crate) fn credentials() -> TargetCredentials {
    TargetCredentials {
        username: Some("alice:front-desk".into()),
        password: Some("7K2M9QXZ".to_owned().into()),
    }
}

pub(crate) fn desktop() -> ServerInit {
    ServerInit { width: 1280, height: 720, pixel_format: PixelFormat::BGRX, name: "front desk".into() }
}

/// How both legs fared.
pub(crate) struct Session {
    /// The viewer leg, with what it knew before it decided.
    pub(crate) viewer: Result<Served, ViewerError>,
    /// The target leg, with the certificate that it saw.
    pub(crate) target: Result<(TargetLeg<DuplexStream>, Option<PeerCertificate>), TargetError>,
}

pub(crate) struct Served {
    pub(crate) version: ProtocolVersion,
    pub(crate) security: ViewerSecurity,
    pub(crate) encrypted: bool,
    /// `None` if the viewer was refused.
    pub(crate) transport: Option<Transport<DuplexStream>>,
}

/// Joins both legs: the viewer leg lets in who knows the ticket `7K2M9QXZ`. The server's banner is replaced by
/// `version` under way.
pub(crate) async fn session(
    viewer: &ViewerSettings,
    target: &TargetSettings,
    version: ProtocolVersion,
    credentials: &TargetCredentials,
) -> Session {
    let (near, mut middle_near) = tokio::io::duplex(4096);
    let (mut middle_far, far) = tokio::io::duplex(4096);
    let middle = async {
        let mut banner = [0; ProtocolVersion::LEN];
        middle_near.read_exact(&mut banner).await.unwrap();
        assert_eq!(banner, *ProtocolVersion::V3_8.banner());
        middle_far.write_all(version.banner()).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut middle_near, &mut middle_far).await;
    };
    let legs = async {
        let (viewer, target) = tokio::join!(serve(near, viewer), log_in(far, target, credentials));
        Session { viewer, target }
    };
    tokio::select! {
        biased;
        session = legs => session,
        () = async { middle.await; std::future::pending().await } => unreachable!("it waits for ever"),
    }
}

async fn serve(stream: DuplexStream, settings: &ViewerSettings) -> Result<Served, ViewerError> {
    let pending = viewer::negotiate(stream, settings, &mut random).await?;
    let (version, security, encrypted) = (pending.version(), pending.security(), pending.encrypted());
    let knows = match pending.presented() {
        Presented::VncAuth(proof) => proof.matches("7K2M9QXZ"),
        Presented::Password { username, password } => {
            username == "alice:front-desk" && password.as_str() == "7K2M9QXZ"
        }
    };
    let transport = if knows {
        let leg = pending.accept().await?;
        assert!(leg.shared());
        Some(leg.start(&desktop()).await?)
    } else {
        pending.refuse("The ticket is wrong or has expired.").await?;
        None
    };
    Ok(Served { version, security, encrypted, transport })
}

async fn log_in(
    stream: DuplexStream,
    settings: &TargetSettings,
    credentials: &TargetCredentials,
) -> Result<(TargetLeg<DuplexStream>, Option<PeerCertificate>), TargetError> {
    let pending = target::negotiate(stream, settings).await?;
    let certificate = pending.certificate().cloned();
    let leg = pending.login(credentials, true, &mut random).await?;
    Ok((leg, certificate))
}
