//! What a viewer is told when the gateway ends its session.

use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason, McsMessage};
use passerelle_desktop::{Farewell, Side};

use super::frame::send_data;
use super::io::Io;
use super::outcome::Address;
use crate::error_info::{VALID_CLIENT, set_error_info};
use crate::wire::x224;

/// Set Error Info (MS-RDPBCGR 2.2.5.1), so that clients say why and do not connect again by themselves, then
/// Disconnect Provider Ultimatum. `address` is the viewer's I/O channel.
pub(super) fn farewell(why: Farewell, io: &Io, address: Address) -> Option<Vec<u8>> {
    let code = match why {
        // ERRINFO_RPC_INITIATED_DISCONNECT
        Farewell::Ended => 0x0000_0001,
        // ERRINFO_IDLE_TIMEOUT
        Farewell::Idle => 0x0000_0003,
        // ERRINFO_LOGON_TIMEOUT, which clients describe as the end of the time for a session
        Farewell::TooLong => 0x0000_0004,
        // ERRINFO_RPC_INITIATED_DISCONNECT_BYUSER
        Farewell::Failed => 0x0000_000B,
        // ERRINFO_DISCONNECTED_BY_OTHERCONNECTION
        Farewell::Replaced => 0x0000_0005,
        // ERRINFO_CB_DESTINATION_NOT_FOUND, as for a target that cannot be reached to begin with
        Farewell::TargetLost => 0x0000_0400,
    };
    let mut words = Vec::new();
    let mut say = |data: &[u8]| {
        send_data(&mut words, Side::Viewer, address.initiator, address.channel, data.len());
        words.extend(data);
    };
    if !io.is_licensed() {
        say(&VALID_CLIENT);
    }
    say(&set_error_info(io.share_id(), code));
    let ultimatum = DisconnectProviderUltimatum::from_reason(DisconnectReason::ProviderInitiated);
    words.extend(x224(McsMessage::DisconnectProviderUltimatum(ultimatum)).ok()?);
    Some(words)
}
