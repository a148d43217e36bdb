//! Accepting connections.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long to wait when no connection can be accepted, for want of file descriptors say.
const PAUSE: Duration = Duration::from_millis(100);

/// A peer that is silent for so long is asked whether it is still there, and again at this interval.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A peer that acknowledges nothing for so long is gone.
const GONE: Duration = Duration::from_secs(120);

/// How many connections the system completes before they are accepted. What comes beyond is retried by its
/// sender after a second or more, so a burst of strangers would keep technicians waiting. The system may
/// allow less.
const BACKLOG: u32 = 4096;

/// Listens on `address`.
///
/// # Errors
/// The address is in use, or not one of this machine's.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of a gateway that ended a moment ago must not keep the next one from its port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Hands each connection to a task of its own in `tasks`, until `stop`.
pub(crate) async fn serve<H, F>(
    listener: TcpListener,
    tasks: TaskTracker,
    stop: CancellationToken,
    mut handle: H,
) where
    H: FnMut(TcpStream, SocketAddr) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                failing = false;
                tasks.spawn(handle(stream, peer));
            }
            Err(error) => {
                if !failing {
                    tracing::error!(%error, "no connection can be accepted");
                }
                failing = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Small messages leave at once, and a peer whose machine vanished is noticed.
pub(crate) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(GONE))?;
    Ok(())
}
