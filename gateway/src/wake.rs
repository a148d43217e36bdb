//! Waking machines over the network.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use passerelle_config::{MacAddress, WakeOnLan};
use passerelle_recorder::audit::{AuditEvent, Outcome};
use tokio::net::{UdpSocket, lookup_host};

use crate::gateway::Gateway;

/// The length of what wakes a machine, in bytes.
const LENGTH: usize = 102;

/// What wakes the machine with this address, wherever it stands in a frame: six times 0xFF, then the address 16
/// times (AMD, Magic Packet Technology, 1995).
fn magic(mac: MacAddress) -> [u8; LENGTH] {
    let mut packet = [0xff; LENGTH];
    for place in packet[6..].chunks_exact_mut(6) {
        place.copy_from_slice(&mac.bytes());
    }
    packet
}

/// Sends the packet once. Nobody answers it.
///
/// # Errors
/// The address is unknown, or the network cannot be sent to.
pub(crate) async fn send(wake: &WakeOnLan) -> io::Result<()> {
    let mut addresses = lookup_host((wake.address.host(), wake.address.port())).await?;
    let to = addresses.next().ok_or_else(|| io::Error::other("the name has no address"))?;
    let any: SocketAddr =
        if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.set_broadcast(true)?;
    socket.send_to(&magic(wake.mac), to).await.map(drop)
}

impl Gateway {
    /// Sends the packet and writes down, with `event`, that it was or could not be sent.
    ///
    /// # Errors
    /// As [`send`].
    pub(crate) async fn wake(&self, wake: &WakeOnLan, event: AuditEvent) -> io::Result<()> {
        let sent = send(wake).await;
        let event = event.detail("mac", wake.mac.to_string()).detail("sent_to", wake.address.to_string());
        self.audit.note(match &sent {
            Ok(()) => event.outcome(Outcome::Success),
            Err(error) => event.outcome(Outcome::Failed).message(error.to_string()),
        });
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packet_has_the_address_sixteen_times() {
        let packet = magic("00:11:22:aa:bb:cc".parse().unwrap());
        assert_eq!(packet[..6], [0xff; 6]);
        assert_eq!(packet[6..], [0x00, 0x11, 0x22, 0xaa, 0xbb, 0xcc].repeat(16));
    }
}
