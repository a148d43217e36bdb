//! What the figures of RDP should be.

use super::scenarios::{
    FURTHER_IDLE, busy, bytes_a_picture, cpu_of_proxy, flagged, less_handshake, memory_of_busy, works,
};
use super::servers::Target as Server;
use crate::bench::peer::Peer::{Direct, Plain, Recorded};
use crate::bench::targets::Demand::AtMost;
use crate::bench::targets::{Target, ratio, value};

/// The demands. Two measurements of the same screen differ by a frame or two at their ends, and the server
/// cuts a frame as it finds time to, for which "as many bytes as direct" has a tenth of room.
pub(crate) fn targets() -> Vec<Target> {
    let mut targets = Vec::new();
    for peer in [Plain, Recorded] {
        for server in [Server::Terminal, Server::Xrdp] {
            targets.push(ratio("picture", less_handshake(server), peer, Direct, AtMost(1.15)));
        }
        for case in busy() {
            targets.push(ratio("motion", bytes_a_picture(&case), peer, Direct, AtMost(1.1)));
            targets.push(value("motion", cpu_of_proxy(&case), peer, AtMost(1.5)));
            targets.push(value("motion", memory_of_busy(&case), peer, AtMost(1024.0)));
        }
        for case in flagged() {
            targets.push(ratio("flags", works(&case), peer, Direct, AtMost(1.1)));
        }
        targets.push(value("memory", FURTHER_IDLE, peer, AtMost(1024.0)));
    }
    targets
}
