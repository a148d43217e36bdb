//! A viewer that logs in with VeNCrypt X509Plain: user name and password over TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A peer that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// VeNCrypt's number for user name and password over TLS with a certificate.
const X509_PLAIN: u32 = 262;

/// How viewers check the gateway. Every one makes a full handshake.
///
/// # Errors
/// The certificate cannot be used.
pub(crate) fn tls(certificate: &CertificateDer<'static>) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Logs in at `address` and reads up to ServerInit, as the first thing of a session.
///
/// # Errors
/// The login was refused, or the peer does not speak as it should.
pub(crate) fn log_in(
    address: SocketAddr,
    tls: &Arc<ClientConfig>,
    username: &str,
    password: &str,
) -> Result<()> {
    let mut socket = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    take::<12>(&mut socket)?;
    socket.write_all(b"RFB 003.008\n")?;
    let offered = list::<1>(&mut socket)?;
    ensure!(offered.contains(&[19]), "the gateway offers no VeNCrypt");
    socket.write_all(&[19])?;
    ensure!(take(&mut socket)? == [0, 2], "the gateway speaks another version of VeNCrypt");
    socket.write_all(&[0, 2])?;
    ensure!(take(&mut socket)? == [0], "the gateway takes no version of VeNCrypt");
    let offered = list::<4>(&mut socket)?;
    ensure!(offered.contains(&X509_PLAIN.to_be_bytes()), "the gateway offers no X509Plain");
    socket.write_all(&X509_PLAIN.to_be_bytes())?;
    ensure!(take(&mut socket)? == [1], "the gateway does not begin TLS");

    let connection = ClientConnection::new(tls.clone(), ServerName::try_from("localhost")?)?;
    let mut stream = StreamOwned::new(connection, socket);
    let mut login = Vec::new();
    for text in [username, password] {
        login.extend(u32::try_from(text.len())?.to_be_bytes());
    }
    login.extend([username, password].concat().into_bytes());
    stream.write_all(&login)?;
    let result = u32::from_be_bytes(take(&mut stream)?);
    ensure!(result == 0, "the gateway refused the login: {}", text(&mut stream)?);
    stream.write_all(&[1])?; // ClientInit: shared
    take::<20>(&mut stream)?;
    text(&mut stream)?;
    Ok(())
}

fn take<const N: usize>(stream: &mut impl Read) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).context("reading from the gateway")?;
    Ok(bytes)
}

/// Elements of `N` bytes behind their number in one byte.
fn list<const N: usize>(stream: &mut impl Read) -> Result<Vec<[u8; N]>> {
    let [count] = take(stream)?;
    (0..count).map(|_| take(stream)).collect()
}

/// A text behind its length in four bytes.
fn text(stream: &mut impl Read) -> Result<String> {
    let length = u32::from_be_bytes(take(stream)?);
    ensure!(length <= 4096, "the gateway sent a text of {length} bytes");
    let mut text = String::new();
    stream.take(u64::from(length)).read_to_string(&mut text)?;
    Ok(text)
}
