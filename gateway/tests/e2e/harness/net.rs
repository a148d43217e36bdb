//! Ports on the loopback interface.

use std::fs;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::Outcome;
use super::process::Process;
use super::wait::wait_for;

/// A TCP port that was free a moment ago.
///
/// Not one that the system would give: it gives the same ones to connections, and a connection of another process
/// would have the port before the server for which it is meant, or while that is started again.
pub(crate) fn free_port() -> Outcome<u16> {
    // Below those of connections, from 32768 on; tests that run at the same time begin at other places.
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    static ASKED: AtomicU32 = AtomicU32::new(0);
    (0..1000)
        .map(|_| {
            std::process::id().wrapping_mul(7919).wrapping_add(ASKED.fetch_add(1, Relaxed)) % COUNT + FIRST
        })
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .ok_or_else(|| "no free port".to_owned())
}

/// Whether something listens on a TCP port. Read from the kernel's table rather than tried: VNC servers
/// count a connection without a login as an attack.
pub(crate) fn listening(port: u16) -> bool {
    let wanted = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        fs::read_to_string(table).unwrap_or_default().lines().any(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let local = fields.next().unwrap_or_default();
            // State 0A is LISTEN.
            local.ends_with(&wanted) && fields.nth(1) == Some("0A")
        })
    })
}

/// Waits until `process` listens on a port; says at once when it ended instead.
pub(crate) fn wait_listening(process: &mut Process, port: u16) -> Outcome {
    let what = format!("{} listening on port {port}", process.name());
    wait_for(&what, Duration::from_secs(20), || match process.ended() {
        Some(status) => Some(Err(format!("{} ended with {status} before it listened", process.name()))),
        None => listening(port).then_some(Ok(())),
    })?
}
