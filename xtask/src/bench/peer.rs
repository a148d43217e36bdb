//! The ways from the viewer to a target that are compared.

use std::fmt;
use std::time::Duration;

/// The round-trip time of the runs with a long line.
pub(crate) const LONG_LINE: Duration = Duration::from_millis(40);

/// A way to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// No proxy.
    Direct,
    /// HAProxy in TCP mode.
    Haproxy,
    /// websockify, with the viewer's side in WebSocket frames.
    Websockify,
    /// Passerelle without recording.
    Plain,
    /// Passerelle with recording.
    Recorded,
    /// Passerelle with its recordings in a memory file system, which shows the disk's share.
    RecordedInMemory,
}

impl Peer {
    /// Those compared in every scenario.
    pub(crate) const ALL: [Peer; 5] =
        [Peer::Direct, Peer::Haproxy, Peer::Websockify, Peer::Plain, Peer::Recorded];
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Peer::Direct => "direct",
            Peer::Haproxy => "HAProxy",
            Peer::Websockify => "websockify",
            Peer::Plain => "Passerelle",
            Peer::Recorded => "Passerelle, recording",
            Peer::RecordedInMemory => "Passerelle, recording to memory",
        })
    }
}

/// Where the line between the viewer and the peer is long or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Line {
    /// Loopback.
    Short,
    /// [`LONG_LINE`] of round-trip time between the viewer and the peer.
    Long,
}
