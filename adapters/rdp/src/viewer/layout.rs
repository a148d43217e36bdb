//! The answer to a viewer's Connect Initial: the target's, or one of the gateway's own.

use ironrdp_core::encode_vec;
use ironrdp_pdu::gcc::{
    ClientEarlyCapabilityFlags, ConferenceCreateResponse, RdpVersion, ServerCoreData, ServerCoreOptionalData,
    ServerEarlyCapabilityFlags, ServerGccBlocks, ServerMessageChannelData, ServerNetworkData,
    ServerSecurityData,
};
use ironrdp_pdu::mcs::{ConnectResponse, DomainParameters};
use ironrdp_pdu::x224::X224Data;

use super::ViewerError;
use crate::wire::x224;
use crate::{Channels, ClientHello, ServerHello, StaticChannel};

/// The I/O channel of the gateway's own layout, as Windows numbers it.
const IO_CHANNEL: u16 = 1003;

/// GCC's `nodeID`, which nobody looks at.
const NODE: u16 = 1002;

/// The flags with which the client says what it can do early (MS-RDPBCGR 2.2.1.3.2).
pub(super) fn client_can(hello: &ClientHello, what: ClientEarlyCapabilityFlags) -> bool {
    let blocks = hello.connect_initial.conference_create_request.gcc_blocks();
    blocks.core.optional_data.early_capability_flags.is_some_and(|flags| flags.contains(what))
}

/// The gateway's own answer, for a viewer that must be answered before its target is known.
///
/// It promises what holds whatever the target says: the static channels in the client's order from 1004 on; a
/// message channel if the client asked for one, on which nothing need ever be sent; that channel joins may be
/// skipped if the client can do so. The client's user has the first number after these.
pub(super) fn own(hello: &ClientHello) -> Result<ServerHello, ViewerError> {
    let blocks = hello.connect_initial.conference_create_request.gcc_blocks();
    let definitions = blocks.channel_names().unwrap_or_default();
    // At most 31, or Connect Initial would not have been decoded.
    let mut numbers = IO_CHANNEL + 1..;
    let statics: Vec<_> = definitions
        .into_iter()
        .zip(&mut numbers)
        .map(|(definition, id)| StaticChannel { id, definition })
        .collect();
    let message = blocks.message_channel.as_ref().and_then(|_| numbers.next());
    let channels = Channels { user: numbers.start, io: IO_CHANNEL, message, statics };
    let skip = client_can(hello, ClientEarlyCapabilityFlags::SUPPORT_SKIP_CHANNELJOIN);
    let answer = ServerGccBlocks {
        core: ServerCoreData {
            version: RdpVersion::V5_PLUS,
            optional_data: ServerCoreOptionalData {
                client_requested_protocols: Some(hello.requested),
                early_capability_flags: skip
                    .then_some(ServerEarlyCapabilityFlags::SKIP_CHANNELJOIN_SUPPORTED),
            },
        },
        network: ServerNetworkData {
            channel_ids: channels.statics.iter().map(|channel| channel.id).collect(),
            io_channel: channels.io,
        },
        security: ServerSecurityData::no_security(),
        message_channel: message.map(|id| ServerMessageChannelData { mcs_message_channel_id: id }),
        multi_transport_channel: None,
    };
    Ok(ServerHello { connect_response: response(answer, 1, DomainParameters::target())?, channels })
}

/// The target's answer for this viewer: what it requested itself is repeated to it, and nothing is said about UDP,
/// which would go around the gateway.
pub(super) fn relayed(answer: &ServerHello, hello: &ClientHello) -> Result<ServerHello, ViewerError> {
    let blocks = hello.connect_initial.conference_create_request.gcc_blocks();
    let wanted = blocks.channel_names().unwrap_or_default();
    let given = &answer.channels.statics;
    if wanted.len() != given.len() {
        return Err(ViewerError::Answer(format!(
            "the viewer has {} static channels, the target {}",
            wanted.len(),
            given.len()
        )));
    }
    let target = &answer.connect_response;
    let mut blocks = target.conference_create_response.gcc_blocks().clone();
    blocks.core.optional_data.client_requested_protocols = Some(hello.requested);
    blocks.multi_transport_channel = None;
    let connect_response = response(blocks, target.called_connect_id, target.domain_parameters.clone())?;
    Ok(ServerHello { connect_response, channels: answer.channels.clone() })
}

fn response(
    blocks: ServerGccBlocks,
    called_connect_id: u32,
    domain_parameters: DomainParameters,
) -> Result<ConnectResponse, ViewerError> {
    let conference_create_response = ConferenceCreateResponse::new(NODE, blocks)
        .map_err(|error| ViewerError::Answer(error.to_string()))?;
    Ok(ConnectResponse { conference_create_response, called_connect_id, domain_parameters })
}

/// The answer on the wire.
pub(super) fn encode(answer: &ConnectResponse) -> Result<Vec<u8>, ViewerError> {
    encode_vec(answer)
        .and_then(|data| x224(X224Data { data: data.into() }))
        .map_err(|error| ViewerError::Answer(error.to_string()))
}
