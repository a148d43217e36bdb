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
}

/// The viewer's blocks as the target is to see them.
///
/// - The selected protocol is the one of this leg.
/// - No multitransport: what goes by UDP would go round the gateway.
/// - No message channel unless there is one on the other leg, and then neither network auto-detection nor
///   heartbeats, which need it.
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
