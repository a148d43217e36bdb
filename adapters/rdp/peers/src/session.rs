//! What peers say to each other behind Client Info.

use ironrdp_pdu::mcs::{McsMessage, SendDataIndication, SendDataRequest};
use ironrdp_pdu::rdp::capability_sets::{
    Bitmap, BitmapDrawingFlags, CapabilitySet, ClientConfirmActive, DemandActive, General, GeneralExtraFlags,
    Input, InputFlags, MajorPlatformType, MinorPlatformType, PROTOCOL_VER, SERVER_CHANNEL_ID,
    ServerDemandActive, VirtualChannel, VirtualChannelFlags,
};
use ironrdp_pdu::rdp::client_info::CompressionType;
use ironrdp_pdu::rdp::finalization_messages::{FontPdu, SequenceFlags};
use ironrdp_pdu::rdp::headers::{
    CompressionFlags, ShareControlHeader, ShareControlPdu, ShareDataHeader, ShareDataPdu, StreamPriority,
};
use ironrdp_pdu::x224::X224;

use crate::wire::bytes;

/// The MCS user that servers speak as.
const SERVER: u16 = 1002;

const SHARE: u32 = 0x0001_03ea;

/// `pduType2` of Set Error Info (MS-RDPBCGR 2.2.5.1).
const SET_ERROR_INFO: u8 = 0x2f;

/// License Error PDU - Valid Client (MS-RDPBCGR 2.2.1.12), with its security header.
pub const LICENSE: [u8; 20] = [0x80, 0, 0, 0, 0xff, 3, 16, 0, 7, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0];

/// A fast-path update without content (TS_FP_UPDATE_SYNCHRONIZE, MS-RDPBCGR 2.2.9.1.2.1.3).
pub const UPDATE: [u8; 5] = [0, 5, 3, 0, 0];

/// A key that is pressed, on the fast path (MS-RDPBCGR 2.2.8.1.2).
pub const KEY: [u8; 4] = [4, 4, 0, 0x1e];

/// User data of a client.
pub fn request(initiator_id: u16, channel_id: u16, data: &[u8]) -> Vec<u8> {
    let data = SendDataRequest { initiator_id, channel_id, user_data: data.into() };
    bytes(&X224(McsMessage::SendDataRequest(data)))
}

/// User data of a server.
pub fn indication(channel_id: u16, data: &[u8]) -> Vec<u8> {
    let data = SendDataIndication { initiator_id: SERVER, channel_id, user_data: data.into() };
    bytes(&X224(McsMessage::SendDataIndication(data)))
}

/// Demand Active (MS-RDPBCGR 2.2.1.13.1) as user data.
pub fn demand_active() -> Vec<u8> {
    let pdu = DemandActive { source_descriptor: "RDP".into(), capability_sets: capability_sets() };
    control(SERVER, ShareControlPdu::ServerDemandActive(ServerDemandActive { pdu }))
}

/// Confirm Active (MS-RDPBCGR 2.2.1.13.2) as user data.
pub fn confirm_active(user: u16) -> Vec<u8> {
    let pdu = DemandActive { source_descriptor: "MSTSC".into(), capability_sets: capability_sets() };
    let confirm = ClientConfirmActive { originator_id: SERVER_CHANNEL_ID, pdu };
    control(user, ShareControlPdu::ClientConfirmActive(confirm))
}

/// Font Map (MS-RDPBCGR 2.2.1.22), which ends the finalization, as user data.
pub fn font_map() -> Vec<u8> {
    let font = FontPdu {
        number: 0,
        total_number: 0,
        flags: SequenceFlags::FIRST | SequenceFlags::LAST,
        entry_size: 4,
    };
    let header = ShareDataHeader {
        share_data_pdu: ShareDataPdu::FontMap(font),
        stream_priority: StreamPriority::Low,
        compression_flags: CompressionFlags::empty(),
        compression_type: CompressionType::K8,
    };
    control(SERVER, ShareControlPdu::Data(header))
}

/// Why the server disconnects, if this PDU is Set Error Info.
pub fn error_info(pdu: &[u8]) -> Option<u32> {
    // TPKT, X.224 and MCS headers, the last field of which is a length of one or two bytes.
    let mut shares = [14, 15].into_iter().filter_map(|at| pdu.get(at..));
    let info = shares.find(|share| share.starts_with(&[22, 0, 0x17, 0]))?;
    let code = info.get(18..)?.first_chunk()?;
    (info.get(14) == Some(&SET_ERROR_INFO)).then(|| u32::from_le_bytes(*code))
}

fn control(pdu_source: u16, share_control_pdu: ShareControlPdu) -> Vec<u8> {
    bytes(&ShareControlHeader { share_control_pdu, pdu_source, share_id: SHARE })
}

fn capability_sets() -> Vec<CapabilitySet> {
    vec![
        CapabilitySet::General(General {
            major_platform_type: MajorPlatformType::WINDOWS,
            minor_platform_type: MinorPlatformType::WINDOWS_NT,
            protocol_version: PROTOCOL_VER,
            extra_flags: GeneralExtraFlags::FASTPATH_OUTPUT_SUPPORTED,
            refresh_rect_support: true,
            suppress_output_support: true,
        }),
        CapabilitySet::Bitmap(Bitmap {
            pref_bits_per_pix: 32,
            desktop_width: 1280,
            desktop_height: 720,
            desktop_resize_flag: true,
            drawing_flags: BitmapDrawingFlags::ALLOW_SKIP_ALPHA,
        }),
        CapabilitySet::Input(Input {
            input_flags: InputFlags::SCANCODES | InputFlags::FASTPATH_INPUT,
            keyboard_layout: 0,
            keyboard_type: None,
            keyboard_subtype: 0,
            keyboard_function_key: 0,
            keyboard_ime_filename: String::new(),
        }),
        CapabilitySet::VirtualChannel(VirtualChannel {
            flags: VirtualChannelFlags::empty(),
            chunk_size: Some(1600),
        }),
    ]
}
