//! What a viewer is told when the gateway ends its session.

use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason, McsMessage};
use passerelle_desktop::{Farewell, Side};

use super::frame::send_data;
use super::outcome::Address;
use crate::error_info::set_error_info;
use crate::wire::x224;

/// Set Error Info (MS-RDPBCGR 2.2.5.1), so that clients say why and do not connect again by themselves, then
/// Disconnect Provider Ultimatum. `address` is the viewer's I/O channel.
pub(super) fn farewell(why: Farewell, share_id: u32, address: Address) -> Option<Vec<u8>> {
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
    };
    let info = set_error_info(share_id, code);
    let mut words = Vec::new();
    send_data(&mut words, Side::Viewer, address.initiator, address.channel, info.len());
    words.extend(info);
    let ultimatum = DisconnectProviderUltimatum::from_reason(DisconnectReason::ProviderInitiated);
    words.extend(x224(McsMessage::DisconnectProviderUltimatum(ultimatum)).ok()?);
    Some(words)
}

#[cfg(test)]
mod tests {
    use ironrdp_core::decode;
    use ironrdp_pdu::rdp::headers::{ShareControlHeader, ShareControlPdu, ShareDataPdu};
    use ironrdp_pdu::rdp::server_error_info::{ErrorInfo, ProtocolIndependentCode};
    use ironrdp_pdu::x224::X224;

    use super::*;

    #[test]
    fn an_idle_session_is_told_so_and_disconnected() {
        let words =
            farewell(Farewell::Idle, 0x0001_03ea, Address { initiator: 1002, channel: 1003 }).unwrap();
        let first = usize::from(u16::from_be_bytes([words[2], words[3]]));
        let (info, ultimatum) = words.split_at(first);
        let McsMessage::SendDataIndication(data) = decode::<X224<McsMessage<'_>>>(info).unwrap().0 else {
            panic!("{info:?}")
        };
        assert_eq!((data.initiator_id, data.channel_id), (1002, 1003));
        let header = decode::<ShareControlHeader>(&data.user_data).unwrap();
        assert_eq!(header.share_id, 0x0001_03ea);
        let ShareControlPdu::Data(data) = header.share_control_pdu else { panic!("{header:?}") };
        let ShareDataPdu::ServerSetErrorInfo(info) = data.share_data_pdu else { panic!("{data:?}") };
        assert_eq!(info.0, ErrorInfo::ProtocolIndependentCode(ProtocolIndependentCode::IdleTimeout));
        let ultimatum = decode::<X224<McsMessage<'_>>>(ultimatum).unwrap().0;
        assert!(matches!(ultimatum, McsMessage::DisconnectProviderUltimatum(_)));
    }
}
