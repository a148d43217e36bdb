//! A TCP forwarder that delays each direction by half of a round-trip time, as a long line would. It has
//! no loss, no bandwidth limit, and keeps what is under way in memory.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bench::clock;

/// Bytes read at once.
const PIECE: usize = 64 * 1024;
/// Pieces under way in one direction: 64 MiB at most, the product of the delay and 3 GB/s.
const UNDER_WAY: usize = 1024;

/// Starts a forwarder to `target` that lives as long as the process, and returns where it listens.
pub(crate) fn start(target: SocketAddr, round_trip: Duration) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::Builder::new().name("delay".into()).spawn(move || {
        for viewer in listener.incoming().flatten() {
            // A connection ends with an error when either end goes away; nobody has to know.
            thread::spawn(move || forward(viewer, target, round_trip).ok());
        }
    })?;
    Ok(address)
}

fn forward(viewer: TcpStream, target: SocketAddr, round_trip: Duration) -> Result<()> {
    // The target sees a connection when the third segment of TCP's handshake has come: three half trips.
    thread::sleep(round_trip * 3 / 2);
    let server = TcpStream::connect(target)?;
    for socket in [&viewer, &server] {
        socket.set_nodelay(true)?;
    }
    for (from, to) in [(viewer.try_clone()?, server.try_clone()?), (server, viewer)] {
        let (sender, receiver) = sync_channel(UNDER_WAY);
        thread::spawn(move || collect(from, &sender, round_trip / 2));
        thread::spawn(move || deliver(to, &receiver));
    }
    Ok(())
}

fn collect(mut from: TcpStream, sender: &SyncSender<(Instant, Vec<u8>)>, delay: Duration) {
    let mut buffer = vec![0; PIECE];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if sender.send((clock::now() + delay, buffer[..read].to_vec())).is_err() {
            break;
        }
    }
}

fn deliver(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    while let Ok((due, bytes)) = receiver.recv() {
        clock::sleep_until(due);
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    // The other end may be gone already, which is as well.
    to.shutdown(Shutdown::Both).ok();
}
