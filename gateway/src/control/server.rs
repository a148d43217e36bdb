//! The gateway's side of the control socket: a Unix socket that only the owner and root can open.

use std::fs::Permissions as Mode;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{Peer, Server};

/// How long to wait when no connection can be accepted, for want of file descriptors say.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens the socket. One that an earlier run left behind is replaced; one that a running gateway answers
/// on is not.
///
/// # Errors
/// When the socket is in use or cannot be made.
pub(crate) async fn bind(path: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(path).await.is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another gateway already answers on it"));
    }
    // Made under another name, so that nobody can connect before it is closed to others.
    let unfinished = path.with_extension("new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&unfinished)?;
    std::fs::set_permissions(&unfinished, Mode::from_mode(0o600))?;
    std::fs::rename(unfinished, path)?;
    Ok(listener)
}

/// Answers until `stop`, and then until every answer that was begun is given.
pub(crate) async fn serve(server: Server, listener: UnixListener, stop: CancellationToken) {
    let connections = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                let peer = Peer::Owner(name(&stream));
                connections.spawn(server.clone().speak(stream, peer, CancellationToken::new()));
            }
            Err(error) => {
                tracing::error!(%error, "the control socket cannot be connected to");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

/// Who is at the other end, as the kernel says.
fn name(stream: &UnixStream) -> String {
    stream
        .peer_cred()
        .map_or_else(|_| "unknown".to_owned(), |credentials| format!("uid {}", credentials.uid()))
}
