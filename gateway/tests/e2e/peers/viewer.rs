//! A viewer that a test scripts.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use passerelle_rfb::security::{
    CredentialKind, Credentials, TargetHandshake, TargetHandshakeError, TargetSecurity, Wants,
};
use passerelle_rfb::{Limits, Parsed, ServerInit};
use socket2::{Domain, Protocol, Socket, Type};

use super::site::{Site, Ticket};
use super::{PATIENCE, failed, read_some, wire};
use crate::harness::Outcome;
use crate::harness::wait::now;

/// A viewer that was let in.
pub(crate) struct Viewer {
    /// The connection, from behind ServerInit on.
    pub(crate) stream: TcpStream,
}

impl Viewer {
    /// Logs in with a ticket over VncAuth. The error is the reason that the technician is shown, or what
    /// went wrong in its place.
    pub(crate) fn login(site: &Site<'_>, ticket: &Ticket) -> Outcome<Self> {
        Self::login_with(site.port, TargetSecurity::VncAuth, "", &ticket.vnc_password)
    }

    /// Logs in with a ticket over VncAuth on a connection that is there already.
    pub(crate) fn login_on(stream: TcpStream, ticket: &Ticket) -> Outcome<Self> {
        Self::login_as(stream, TargetSecurity::VncAuth, "", &ticket.vnc_password)
    }

    /// Logs in with a user name over ARD.
    pub(crate) fn login_ard(site: &Site<'_>, ticket: &Ticket) -> Outcome<Self> {
        Self::login_with(site.port, TargetSecurity::Ard, &ticket.username, &ticket.ticket)
    }

    /// Logs in with anything.
    pub(crate) fn login_with(
        port: u16,
        security: TargetSecurity,
        username: &str,
        password: &str,
    ) -> Outcome<Self> {
        Self::login_as(connect(port)?, security, username, password)
    }

    fn login_as(
        mut stream: TcpStream,
        security: TargetSecurity,
        username: &str,
        password: &str,
    ) -> Outcome<Self> {
        let kind =
            if username.is_empty() { CredentialKind::Password } else { CredentialKind::UsernameAndPassword };
        let mut handshake = TargetHandshake::new(&[security], kind);
        while let Some(bytes) = step(&mut stream, || handshake.wants())? {
            handshake.receive(&bytes).map_err(|error| reason(&error))?;
        }
        let mut login = handshake.finish().ok_or("the handshake did not finish")?;
        let credentials = Credentials { username: username.to_owned(), password: password.to_owned().into() };
        login.start(credentials).map_err(|error| reason(&error))?;
        while let Some(bytes) = step(&mut stream, || login.wants())? {
            // A private key that everybody knows is good enough for a test.
            login
                .receive(&bytes, &mut |bytes: &mut [u8]| bytes.fill(0x5e))
                .map_err(|error| reason(&error))?;
        }
        stream.write_all(&[1]).map_err(failed("sending ClientInit"))?;
        let mut bytes = vec![0; 24];
        loop {
            let known = bytes.len();
            let start = if known == 24 { 0 } else { 24 };
            stream.read_exact(&mut bytes[start..]).map_err(failed("reading ServerInit"))?;
            match ServerInit::parse(&bytes, &Limits::default()) {
                Ok(Parsed::Done { value, .. }) if value == wire::init() => return Ok(Self { stream }),
                Ok(Parsed::NeedMore { total }) if total > known => bytes.resize(total, 0),
                other => return Err(format!("not the target's ServerInit: {other:?}")),
            }
        }
    }

    /// Sends bytes, which the gateway may refuse by hanging up.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Outcome {
        self.stream.write_all(bytes).map_err(failed("the viewer sending"))
    }

    /// Reads so many bytes.
    pub(crate) fn receive(&mut self, count: usize) -> Outcome<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).map_err(failed("the viewer receiving"))?;
        Ok(bytes)
    }

    /// Asks for an update and waits for a whole screen, as [`Target::quiet`](super::target::Target::quiet)
    /// sends it.
    pub(crate) fn refresh(&mut self) -> Outcome {
        self.send(&wire::request())?;
        self.receive(wire::raw_screen().len()).map(drop)
    }

    /// Reads until the gateway hangs up; fails when it has not after `limit`. Returns what came before.
    pub(crate) fn until_closed(&mut self, limit: Duration) -> Outcome<Vec<u8>> {
        until_closed(&mut self.stream, limit)
    }
}

/// Connects to a port of the gateway.
pub(crate) fn connect(port: u16) -> Outcome<TcpStream> {
    connect_from(Ipv4Addr::LOCALHOST, port)
}

/// Connects from one of the loopback network's addresses.
pub(crate) fn connect_from(source: Ipv4Addr, port: u16) -> Outcome<TcpStream> {
    let connect = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        if source != Ipv4Addr::LOCALHOST {
            socket.bind(&SocketAddr::from((source, 0)).into())?;
        }
        socket.connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into(), PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_tcp_nodelay(true)?;
        Ok(TcpStream::from(socket))
    };
    connect().map_err(failed("connecting to the gateway"))
}

/// Reads until the gateway hangs up; fails when it has not after `limit`. Returns what came before.
pub(crate) fn until_closed(stream: &mut TcpStream, limit: Duration) -> Outcome<Vec<u8>> {
    let start = now();
    let mut all = Vec::new();
    let mut bytes = [0; 65536];
    loop {
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(format!("the gateway had not hung up after {limit:?}"));
        }
        stream.set_read_timeout(Some(left)).map_err(failed("a read timeout"))?;
        match read_some(stream, &mut bytes) {
            Ok(0) => return Ok(all),
            Ok(count) => all.extend_from_slice(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                return Ok(all);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(format!("waiting for the gateway to hang up: {error}")),
        }
    }
}

/// Does what a handshake wants until it wants to be given bytes; nothing when it is over.
fn step(stream: &mut TcpStream, mut wants: impl FnMut() -> Wants) -> Outcome<Option<Vec<u8>>> {
    loop {
        match wants() {
            Wants::Send(bytes) => stream.write_all(&bytes).map_err(failed("the viewer logging in"))?,
            Wants::Receive(count) => {
                let mut bytes = vec![0; count];
                stream.read_exact(&mut bytes).map_err(failed("the viewer logging in"))?;
                return Ok(Some(bytes));
            }
            Wants::UpgradeToTls => return Err("this viewer speaks no TLS".into()),
            Wants::Finished => return Ok(None),
        }
    }
}

fn reason(error: &TargetHandshakeError) -> String {
    match error {
        TargetHandshakeError::Refused(Some(reason)) | TargetHandshakeError::TooManyAttempts(Some(reason)) => {
            reason.clone()
        }
        other => format!("no reason: {other}"),
    }
}
