//! The viewer's MCS Connect Initial, edited for the target (MS-RDPBCGR 2.2.1.3).

use ironrdp_core::encode_vec;
use ironrdp_pdu::gcc::{
    ClientColorDepth, ClientCoreData, ClientEarlyCapabilityFlags, ClientGccBlocks, ConferenceCreateRequest,
    ConnectionType, HighColorDepth, SupportedColorDepths,
};
use ironrdp_pdu::mcs::ConnectInitial;
use ironrdp_pdu::nego::{ResponseFlags, SecurityProtocol};
use ironrdp_pdu::x224::X224Data;

use super::{Selected, TargetError};
use crate::ClientHello;
use crate::wire::x224;

/// What of the viewer's wishes is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Whether the viewer can use a message channel (MS-RDPBCGR 2.2.1.3.7): it has been promised one, or has
    /// not been answered yet. Only then is its wish for one passed on.
    pub message_channel: bool,
    /// Whether the viewer may have a program run instead of the desktop: a shell of its own, or RemoteApp.
    pub programs: bool,
    /// Whether each update must be readable without those before it: then neither bulk compression nor the graphics
    /// pipeline is asked for.
    pub plain_updates: bool,
}

/// The viewer's blocks as the target is to see them.
///
/// - The selected protocol is the one of this leg.
/// - No multitransport: what goes by UDP would go round the gateway.
/// - No message channel unless there is one on the other leg, and then neither network auto-detection nor
///   heartbeats, which need it.
/// - No graphics pipeline where updates must be plain.
/// - None of the blocks that a target does not know which lacks EXTENDED_CLIENT_DATA_SUPPORTED (MS-RDPBCGR
///   2.2.1.2.1).
///
/// Blocks of types that are not known here have been dropped by the decoder: nothing is agreed on between the
/// peers that could not be followed.
pub(super) fn blocks(hello: &ClientHello, selected: &Selected, options: ConnectOptions) -> ClientGccBlocks {
    let mut blocks = hello.connect_initial.conference_create_request.gcc_blocks().clone();
    select_protocol(&mut blocks.core, selected.protocol);
    blocks.multi_transport_channel = None;
    let extended = selected.flags.contains(ResponseFlags::EXTENDED_CLIENT_DATA_SUPPORTED);
    if !extended {
        blocks.monitor = None;
        blocks.monitor_extended = None;
    }
    if !(extended && options.message_channel) {
        blocks.message_channel = None;
    }
    if blocks.message_channel.is_none()
        && let Some(flags) = &mut blocks.core.optional_data.early_capability_flags
    {
        flags.remove(
            ClientEarlyCapabilityFlags::SUPPORT_NET_CHAR_AUTODETECT
                | ClientEarlyCapabilityFlags::SUPPORT_HEART_BEAT_PDU,
        );
    }
    if options.plain_updates
        && let Some(flags) = &mut blocks.core.optional_data.early_capability_flags
    {
        flags.remove(ClientEarlyCapabilityFlags::SUPPORT_DYN_VC_GFX_PROTOCOL);
    }
    blocks
}

/// Names the selected protocol, which a target takes for Standard RDP Security when it is missing. A field of
/// this block can only be there with all that precede it; where the viewer has left them out they say what their
/// absence says.
fn select_protocol(core: &mut ClientCoreData, protocol: SecurityProtocol) {
    let depth = core.color_depth;
    let high_depth = match core.client_color_depth() {
        ClientColorDepth::Bpp4 => HighColorDepth::Bpp4,
        ClientColorDepth::Bpp8 => HighColorDepth::Bpp8,
        ClientColorDepth::Rgb555Bpp16 => HighColorDepth::Rgb555Bpp16,
        ClientColorDepth::Rgb565Bpp16 => HighColorDepth::Rgb565Bpp16,
        ClientColorDepth::Bpp24 | ClientColorDepth::Bpp32 => HighColorDepth::Bpp24,
    };
    let supported = match high_depth {
        HighColorDepth::Rgb555Bpp16 => SupportedColorDepths::BPP15,
        HighColorDepth::Rgb565Bpp16 => SupportedColorDepths::BPP16,
        HighColorDepth::Bpp24 => SupportedColorDepths::BPP24,
        HighColorDepth::Bpp4 | HighColorDepth::Bpp8 => SupportedColorDepths::empty(),
    };
    let optional = &mut core.optional_data;
    optional.post_beta2_color_depth.get_or_insert(depth);
    optional.client_product_id.get_or_insert(1);
    optional.serial_number.get_or_insert(0);
    optional.high_color_depth.get_or_insert(high_depth);
    optional.supported_color_depths.get_or_insert(supported);
    optional.early_capability_flags.get_or_insert(ClientEarlyCapabilityFlags::empty());
    optional.dig_product_id.get_or_insert_default();
    optional.connection_type.get_or_insert(ConnectionType::NotUsed);
    optional.server_selected_protocol = Some(protocol);
}

/// The PDU with `blocks` in the place of the viewer's.
pub(super) fn encode(hello: &ClientHello, blocks: ClientGccBlocks) -> Result<Vec<u8>, TargetError> {
    let conference_create_request =
        ConferenceCreateRequest::new(blocks).map_err(|_| TargetError::HelloTooLong)?;
    let connect_initial = ConnectInitial { conference_create_request, ..hello.connect_initial.clone() };
    let data = encode_vec(&connect_initial).map_err(TargetError::Encode)?;
    x224(X224Data { data: data.into() }).map_err(TargetError::Encode)
}

#[cfg(test)]
mod tests {
    use ironrdp_core::decode;
    use ironrdp_pdu::gcc::{
        ChannelDef, ChannelName, ChannelOptions, ClientClusterData, ClientCoreOptionalData,
        ClientMessageChannelData, ClientMonitorData, ClientMonitorExtendedData, ClientNetworkData,
        ClientSecurityData, ColorDepth, KeyboardType, Monitor, MonitorFlags, MultiTransportChannelData,
        MultiTransportFlags, RdpVersion, RedirectionFlags, RedirectionVersion, SecureAccessSequence,
    };
    use ironrdp_pdu::x224::X224;

    use super::*;
    use crate::target::TargetSecurity;

    const ALL: ConnectOptions =
        ConnectOptions { message_channel: true, programs: true, plain_updates: false };
    const NEED_MESSAGES: ClientEarlyCapabilityFlags = ClientEarlyCapabilityFlags::SUPPORT_NET_CHAR_AUTODETECT
        .union(ClientEarlyCapabilityFlags::SUPPORT_HEART_BEAT_PDU);

    /// A viewer that has everything.
    fn full() -> ClientGccBlocks {
        let monitor = Monitor { left: 0, top: 0, right: 1279, bottom: 719, flags: MonitorFlags::PRIMARY };
        ClientGccBlocks {
            core: ClientCoreData {
                version: RdpVersion::V10_12,
                desktop_width: 1280,
                desktop_height: 720,
                color_depth: ColorDepth::Rgb565Bpp16,
                sec_access_sequence: SecureAccessSequence::Del,
                keyboard_layout: 0x409,
                client_build: 2600,
                client_name: "technician".into(),
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
                    early_capability_flags: Some(
                        NEED_MESSAGES
                            | ClientEarlyCapabilityFlags::WANT_32_BPP_SESSION
                            | ClientEarlyCapabilityFlags::from_bits_retain(0x8000),
                    ),
                    dig_product_id: Some(String::new()),
                    connection_type: Some(ConnectionType::Autodetect),
                    server_selected_protocol: Some(SecurityProtocol::SSL),
                    desktop_physical_width: Some(300),
                    desktop_physical_height: Some(200),
                    desktop_orientation: Some(0),
                    desktop_scale_factor: Some(150),
                    device_scale_factor: Some(100),
                },
            },
            security: ClientSecurityData::no_security(),
            network: Some(ClientNetworkData {
                channels: vec![ChannelDef {
                    name: ChannelName::from_static(b"cliprdr\0"),
                    options: ChannelOptions::INITIALIZED,
                }],
            }),
            cluster: Some(ClientClusterData {
                flags: RedirectionFlags::REDIRECTION_SUPPORTED,
                redirection_version: RedirectionVersion::V4,
                redirected_session_id: 0,
            }),
            monitor: Some(ClientMonitorData { monitors: vec![monitor] }),
            message_channel: Some(ClientMessageChannelData),
            multi_transport_channel: Some(MultiTransportChannelData {
                flags: MultiTransportFlags::TRANSPORT_TYPE_UDP_FECR,
            }),
            monitor_extended: Some(ClientMonitorExtendedData { extended_monitors_info: Vec::new() }),
        }
    }

    fn hello(blocks: ClientGccBlocks) -> ClientHello {
        ClientHello {
            connect_initial: ConnectInitial::with_gcc_blocks(blocks).unwrap(),
            requested: SecurityProtocol::SSL,
            selected: SecurityProtocol::SSL,
        }
    }

    fn selected(flags: ResponseFlags) -> Selected {
        Selected { security: TargetSecurity::Nla, protocol: SecurityProtocol::HYBRID_EX, flags }
    }

    const EXTENDED: ResponseFlags = ResponseFlags::EXTENDED_CLIENT_DATA_SUPPORTED;

    #[test]
    fn only_protocol_and_multitransport_are_edited_where_all_is_allowed() {
        let mut expected = full();
        expected.multi_transport_channel = None;
        expected.core.optional_data.server_selected_protocol = Some(SecurityProtocol::HYBRID_EX);
        assert_eq!(blocks(&hello(full()), &selected(EXTENDED), ALL), expected);
    }

    #[test]
    fn without_message_channel_nothing_announces_one() {
        let options = ConnectOptions { message_channel: false, ..ALL };
        let mut viewer_without = full();
        viewer_without.message_channel = None;
        for (viewer, flags, options) in [
            (full(), EXTENDED, options),
            (full(), ResponseFlags::empty(), ALL),
            (viewer_without, EXTENDED, ALL),
        ] {
            let blocks = blocks(&hello(viewer), &selected(flags), options);
            assert_eq!(blocks.message_channel, None);
            let early = blocks.core.optional_data.early_capability_flags.unwrap();
            assert!(!early.intersects(NEED_MESSAGES));
            assert_eq!(early, full().core.optional_data.early_capability_flags.unwrap() - NEED_MESSAGES);
            assert_eq!(blocks.monitor.is_some(), flags == EXTENDED);
            assert_eq!(blocks.monitor_extended.is_some(), flags == EXTENDED);
        }
    }

    #[test]
    fn the_protocol_is_named_even_by_a_terse_viewer() {
        let mut terse = full();
        terse.core.optional_data = ClientCoreOptionalData::default();
        let edited = blocks(&hello(terse.clone()), &selected(EXTENDED), ALL);
        // It can be written, and says of colours what it did.
        let bytes = encode(&hello(terse.clone()), edited).unwrap();
        let X224(data) = decode::<X224<X224Data<'_>>>(&bytes).unwrap();
        let sent: ConnectInitial = decode(&data.data).unwrap();
        let core = &sent.conference_create_request.gcc_blocks().core;
        assert_eq!(core.optional_data.server_selected_protocol, Some(SecurityProtocol::HYBRID_EX));
        assert_eq!(core.client_color_depth(), terse.core.client_color_depth());
        assert_eq!(core.optional_data.desktop_physical_width, None);
    }

    #[test]
    fn the_rest_of_the_pdu_is_the_viewers() {
        let mut viewer = hello(full());
        viewer.connect_initial.calling_domain_selector = vec![7];
        viewer.connect_initial.target_parameters.max_channel_ids = 99;
        let edited = blocks(&viewer, &selected(EXTENDED), ALL);
        let bytes = encode(&viewer, edited.clone()).unwrap();
        let X224(data) = decode::<X224<X224Data<'_>>>(&bytes).unwrap();
        let sent: ConnectInitial = decode(&data.data).unwrap();
        assert_eq!(sent.conference_create_request.gcc_blocks(), &edited);
        assert_eq!(sent.calling_domain_selector, [7]);
        assert_eq!(sent.target_parameters, viewer.connect_initial.target_parameters);
    }
}
