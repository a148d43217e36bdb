//! What a client says of itself.

use ironrdp_pdu::gcc::{
    ChannelDef, ChannelName, ChannelOptions, ClientCoreData, ClientCoreOptionalData,
    ClientEarlyCapabilityFlags, ClientGccBlocks, ClientMessageChannelData, ClientNetworkData,
    ClientSecurityData, ColorDepth, HighColorDepth, KeyboardType, RdpVersion, SecureAccessSequence,
    SupportedColorDepths,
};
use ironrdp_pdu::mcs::ConnectInitial;
use ironrdp_pdu::x224::{X224, X224Data};

use crate::wire::bytes;

/// A client of 1280x720 with these static channels, which wants a message channel.
pub fn client_blocks(channels: &[&str], early: ClientEarlyCapabilityFlags) -> ClientGccBlocks {
    let channels = channels
        .iter()
        .map(|name| ChannelDef {
            name: ChannelName::from_utf8(name).expect("a channel's name"),
            options: ChannelOptions::INITIALIZED,
        })
        .collect();
    ClientGccBlocks {
        core: ClientCoreData {
            version: RdpVersion::V10_7,
            desktop_width: 1280,
            desktop_height: 720,
            color_depth: ColorDepth::Bpp8,
            sec_access_sequence: SecureAccessSequence::Del,
            keyboard_layout: 0x409,
            client_build: 19_041,
            client_name: "NOTEBOOK".into(),
            keyboard_type: KeyboardType::IBM_ENHANCED,
            keyboard_subtype: 0,
            keyboard_functional_keys_count: 12,
            ime_file_name: String::new(),
            optional_data: ClientCoreOptionalData {
                post_beta2_color_depth: Some(ColorDepth::Bpp8),
                client_product_id: Some(1),
                serial_number: Some(0),
                high_color_depth: Some(HighColorDepth::Bpp24),
                supported_color_depths: Some(SupportedColorDepths::all()),
                early_capability_flags: Some(early),
                ..ClientCoreOptionalData::default()
            },
        },
        security: ClientSecurityData::no_security(),
        network: Some(ClientNetworkData { channels }),
        cluster: None,
        monitor: None,
        message_channel: Some(ClientMessageChannelData),
        multi_transport_channel: None,
        monitor_extended: None,
    }
}

/// A whole MCS Connect Initial PDU.
pub fn connect_initial(blocks: ClientGccBlocks) -> Vec<u8> {
    let initial = ConnectInitial::with_gcc_blocks(blocks).expect("short blocks");
    bytes(&X224(X224Data { data: bytes(&initial).into() }))
}
