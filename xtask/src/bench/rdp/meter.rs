//! A TCP forwarder in front of a peer that counts what goes to the viewer, and says when.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bench::clock;

/// Bytes read at once.
const PIECE: usize = 64 * 1024;

/// Counts the bytes of one viewer, of whatever protocol; its threads end with the connection.
pub(crate) struct Meter {
    address: SocketAddr,
    seen: Arc<Seen>,
}

/// What has passed.
#[derive(Default)]
struct Seen {
    accepted: OnceLock<Instant>,
    to_viewer: AtomicU64,
    /// Nanoseconds from the beginning of the connection to its latest byte.
    latest: AtomicU64,
}

impl Meter {
    /// Waits for one connection and forwards it to `peer`.
    pub(crate) fn start(peer: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        // A connection ends with an error when either end goes away; nobody has to know.
        thread::Builder::new().name("meter".into()).spawn(move || forward(&listener, peer, &shared).ok())?;
        Ok(Self { address, seen })
    }

    /// Where the viewer connects.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that the viewer was sent so far.
    pub(crate) fn to_viewer(&self) -> u64 {
        self.seen.to_viewer.load(Ordering::Relaxed)
    }

    /// When the viewer connected, if it has.
    pub(crate) fn accepted(&self) -> Option<Instant> {
        self.seen.accepted.get().copied()
    }

    /// From then to the latest byte, either way.
    pub(crate) fn lasted(&self) -> Duration {
        Duration::from_nanos(self.seen.latest.load(Ordering::Relaxed))
    }
}

fn forward(listener: &TcpListener, peer: SocketAddr, seen: &Arc<Seen>) -> Result<()> {
    let (viewer, _) = listener.accept()?;
    let accepted = *seen.accepted.get_or_init(clock::now);
    let server = TcpStream::connect(peer)?;
    for socket in [&viewer, &server] {
        socket.set_nodelay(true)?;
    }
    let (from, to, shared) = (viewer.try_clone()?, server.try_clone()?, Arc::clone(seen));
    let saw = move |_| shared.saw(accepted);
    thread::spawn(move || pump(from, to, saw));
    pump(server, viewer, |bytes| {
        seen.to_viewer.fetch_add(bytes, Ordering::Relaxed);
        seen.saw(accepted);
    });
    Ok(())
}

impl Seen {
    fn saw(&self, accepted: Instant) {
        let since = clock::now().duration_since(accepted).as_nanos();
        // Nanoseconds in 64 bits are centuries.
        self.latest.fetch_max(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, saw: impl Fn(u64)) {
    let mut buffer = vec![0; PIECE];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        saw(read as u64);
        if buffer.get(..read).is_none_or(|piece| to.write_all(piece).is_err()) {
            break;
        }
    }
    // The other end may be gone already, which is as well.
    for socket in [&to, &from] {
        socket.shutdown(Shutdown::Both).ok();
    }
}
