//! RDP: both roles of its connection sequence, the relay, the decoder of recordings.

mod decoder;
mod relay;
mod target;
mod viewer;
mod wire;

pub(crate) use decoder::decoder;
pub(crate) use relay::relay;
pub(crate) use target::target;
pub(crate) use viewer::viewer;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use passerelle_transport::Transport;
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

/// Name in the certificate.
const NAME: &str = "fuzz.example";

/// A second in 2030, within the certificate's validity.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000)
}

/// TLS as a server.
static TLS: LazyLock<Arc<rustls::ServerConfig>> = LazyLock::new(|| {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new([NAME.to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("the key that was made");
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a key that fits");
    // Through a narrow connection they would have to be read before anything is said.
    config.send_tls13_tickets = 0;
    Arc::new(config)
});

/// Nobody is trusted.
static ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| Arc::new(RootCertStore::empty()));

fn await_now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// One step of an input that is a list of them: what, with what argument, how many bytes (two, the high one
/// first), the bytes.
struct Turn<'a> {
    what: u8,
    argument: u8,
    bytes: &'a [u8],
}

fn turns(mut rest: &[u8]) -> impl Iterator<Item = Turn<'_>> {
    std::iter::from_fn(move || {
        let ([what, argument, high, low], tail) = rest.split_first_chunk()?;
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (bytes, tail) = tail.split_at(len.min(tail.len()));
        rest = tail;
        Some(Turn { what: *what, argument: *argument, bytes })
    })
}

/// The bytes at the front of `rest` that say themselves how many they are (two bytes, the high one first).
fn section<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let Some(([high, low], tail)) = rest.split_first_chunk() else { return std::mem::take(rest) };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    let (section, tail) = tail.split_at(len.min(tail.len()));
    *rest = tail;
    section
}

/// The two ends of a connection. A narrow one lets everything arrive in pieces.
fn connection(narrow: bool) -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(if narrow { 61 } else { 64 * 1024 })
}

/// Says all of `bytes` and no more, and gives what is heard until the other end is done. Whether the other end
/// leaves early is its own matter.
async fn say_and_hear(stream: Transport<DuplexStream>, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut heard = Vec::new();
    let say = async {
        let _ = writer.write_all(bytes).await;
        let _ = writer.shutdown().await;
    };
    let (_, _) = tokio::join!(say, reader.read_to_end(&mut heard));
    heard
}

/// Reads a TPKT, unless the other end leaves before.
async fn read_tpkt(stream: &mut DuplexStream) -> Option<Vec<u8>> {
    let mut pdu = vec![0; 4];
    stream.read_exact(&mut pdu).await.ok()?;
    pdu.resize(usize::from(u16::from_be_bytes([pdu[2], pdu[3]])).max(4), 0);
    stream.read_exact(&mut pdu[4..]).await.ok()?;
    Some(pdu)
}

/// Whether `bytes` are one TPKT and nothing else.
fn is_tpkt(bytes: &[u8]) -> bool {
    matches!(bytes, [3, _, high, low, ..] if usize::from(u16::from_be_bytes([*high, *low])) == bytes.len())
}
