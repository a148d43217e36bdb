//! A TCP forwarder in front of a peer that counts what goes to the viewer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::Result;

/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// Counts the bytes of one viewer; its threads end with the connection.
pub(crate) struct Meter {
    address: SocketAddr,
    to_viewer: Arc<AtomicU64>,
}

impl Meter {
    /// Waits for one connection and forwards it to `peer`.
    pub(crate) fn start(peer: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let to_viewer = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&to_viewer);
        // A connection ends with an error when either end goes away; nobody has to know.
        thread::Builder::new().name("meter".into()).spawn(move || forward(&listener, peer, &counter).ok())?;
        Ok(Self { address, to_viewer })
    }

    /// Where the viewer connects.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that the viewer was sent so far.
    pub(crate) fn to_viewer(&self) -> u64 {
        self.to_viewer.load(Ordering::Relaxed)
    }
}

fn forward(listener: &TcpListener, peer: SocketAddr, to_viewer: &AtomicU64) -> Result<()> {
    let (viewer, _) = listener.accept()?;
    let server = TcpStream::connect(peer)?;
    for socket in [&viewer, &server] {
        socket.set_nodelay(true)?;
    }
    let (from, to) = (viewer.try_clone()?, server.try_clone()?);
    thread::spawn(move || pump(from, to, &AtomicU64::new(0)));
    pump(server, viewer, to_viewer);
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream, counter: &AtomicU64) {
    let mut buffer = vec![0; PIECE];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        counter.fetch_add(read as u64, Ordering::Relaxed);
        if buffer.get(..read).is_none_or(|piece| to.write_all(piece).is_err()) {
            break;
        }
    }
    // The other end may be gone already, which is as well.
    to.shutdown(Shutdown::Both).ok();
    from.shutdown(Shutdown::Both).ok();
}
