//! What a viewer's TLS library receives between the handshake and the first message.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use passerelle_vnc::viewer::{self, ViewerSecurity};
use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, NamedGroup};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use crate::harness::{NAME, front_desk, offering, random};

#[derive(Debug, Default)]
struct Tickets(AtomicUsize);

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }
    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {}
    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

/// TigerVNC 1.12 overlooks the challenge when session tickets stand before it.
#[tokio::test]
async fn the_challenge_comes_without_session_tickets() {
    let certified = front_desk();
    let settings = offering(&[ViewerSecurity::X509Vnc], &certified);
    let (near, mut far) = tokio::io::duplex(1 << 16);
    let tickets = Arc::new(Tickets::default());
    let viewing = async {
        far.write_all(b"RFB 003.008\n\x13\0\x02\0\0\x01\x05").await.unwrap();
        // Banner, one type, VeNCrypt's version, its acknowledgement, one subtype, its acknowledgement.
        let mut heard = [0; 12 + 2 + 2 + 1 + 5 + 1];
        far.read_exact(&mut heard).await.unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(certified.roots.clone())
            .with_no_client_auth();
        config.resumption = Resumption::store(tickets.clone());
        let name = ServerName::try_from(NAME).unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, far).await.unwrap();
        let mut challenge = [0; 16];
        stream.read_exact(&mut challenge).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    };
    let serving = async { viewer::negotiate(near, &settings, &mut random).await };
    let (pending, ()) = tokio::join!(serving, viewing);
    assert!(pending.is_err(), "the viewer went away without an answer");
    assert_eq!(tickets.0.load(Ordering::Relaxed), 0);
}
