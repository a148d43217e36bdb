//! A target that a test scripts.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use passerelle_rfb::security::VncAuthProof;

use super::{PATIENCE, failed, read_some, wire};
use crate::harness::Outcome;

/// What a target does with a connection; its number counts from 0.
type Script = dyn Fn(TcpStream, usize) + Send + Sync;

/// A listener on the loopback interface that plays a script with each connection, on a thread of its own.
/// Dropping it stops listening; scripts end when the gateway hangs up or after [`PATIENCE`].
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) port: u16,
    stop: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    listening: Option<JoinHandle<()>>,
}

impl Target {
    /// A target that plays `script` from the first byte on.
    pub(crate) fn raw(script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed("no port for a target"))?;
        let port = listener.local_addr().map_err(failed("a target's port"))?.port();
        let (stop, connections) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let script: Arc<Script> = Arc::new(script);
        let (stopped, counter) = (Arc::clone(&stop), Arc::clone(&connections));
        let listening = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let ready = stream
                    .set_read_timeout(Some(PATIENCE))
                    .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
                    .and_then(|()| stream.set_nodelay(true));
                if ready.is_ok() {
                    let script = Arc::clone(&script);
                    thread::spawn(move || script(stream, number));
                }
            }
        });
        Ok(Self { port, stop, connections, listening: Some(listening) })
    }

    /// A target without a login that plays `script` from behind ServerInit on.
    pub(crate) fn start(script: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Outcome<Self> {
        Self::raw(move |mut stream, number| {
            if welcome(&mut stream, None).is_ok() {
                script(stream, number);
            }
        })
    }

    /// A target with a password that plays `script` from behind ServerInit on.
    pub(crate) fn with_password(
        password: &'static str,
        script: impl Fn(TcpStream, usize) + Send + Sync + 'static,
    ) -> Outcome<Self> {
        Self::raw(move |mut stream, number| {
            if welcome(&mut stream, Some(password)).is_ok() {
                script(stream, number);
            }
        })
    }

    /// A target that answers each message with an update of the whole desktop, until the gateway hangs up.
    pub(crate) fn quiet() -> Outcome<Self> {
        Self::start(|stream, _| answer(stream))
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener; when that fails it is not listening any more.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

/// Sends an update for everything that comes.
pub(crate) fn answer(mut stream: TcpStream) {
    let update = wire::raw_screen();
    let mut bytes = [0; 4096];
    while read_some(&mut stream, &mut bytes).is_ok_and(|count| count > 0) && stream.write_all(&update).is_ok()
    {
    }
}

/// The whole handshake of a server, without a login or with VncAuth.
pub(crate) fn welcome(stream: &mut TcpStream, password: Option<&str>) -> std::io::Result<()> {
    version(stream)?;
    let security = if password.is_some() { 2 } else { 1 };
    stream.write_all(&[1, security])?;
    take::<1>(stream)?;
    if let Some(password) = password {
        let challenge = *b"sixteen bytes !!";
        stream.write_all(&challenge)?;
        let response = take(stream)?;
        if !(VncAuthProof { challenge, response }).matches(password) {
            let reason = b"Authentication failure";
            stream.write_all(&[0, 0, 0, 1, 0, 0, 0, 22])?;
            stream.write_all(reason)?;
            stream.shutdown(Shutdown::Write)?;
            return Err(std::io::ErrorKind::PermissionDenied.into());
        }
    }
    stream.write_all(&[0; 4])?;
    take::<1>(stream)?;
    stream.write_all(&wire::init().encode())
}

/// Announces 3.8 and takes the gateway's answer.
pub(crate) fn version(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"RFB 003.008\n")?;
    take::<12>(stream).map(drop)
}

/// Reads so many bytes.
pub(crate) fn take<const N: usize>(stream: &mut impl Read) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Reads and forgets until the other end hangs up.
pub(crate) fn drain(mut stream: impl Read) {
    let mut bytes = [0; 65536];
    while read_some(&mut stream, &mut bytes).is_ok_and(|count| count > 0) {}
}
